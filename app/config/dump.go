package config

import (
	"encoding/json"
	"fmt"
	"io"
)

// shown is the effective value of a setting with secrets blotted out.
func (c *Config) shown(s Setting) string {
	v := s.bind(c).show()
	if s.Secret && v != "" {
		return "(redacted)"
	}
	return v
}

// Dump prints the effective configuration as a kibitz.toml, each line with its meaning, variable and source.
func (c *Config) Dump(w io.Writer) error {
	for _, s := range table() {
		if _, err := fmt.Fprintf(w, "# %s\n# %s, default %q, now from %s\n%s = %q\n\n", s.Help, s.Variable(), s.Default, c.sources[s.Key], s.Key, c.shown(s)); err != nil {
			return fmt.Errorf("cannot print the configuration: %w", err)
		}
	}
	return nil
}

// DumpJSON prints the effective configuration as a JSON object by key.
func (c *Config) DumpJSON(w io.Writer) error {
	type line struct {
		Value    string `json:"value"`
		Default  string `json:"default"`
		Source   string `json:"source"`
		Variable string `json:"variable"`
		Help     string `json:"help"`
		Secret   bool   `json:"secret"`
	}
	out := map[string]line{}
	for _, s := range table() {
		out[s.Key] = line{c.shown(s), s.Default, c.sources[s.Key], s.Variable(), s.Help, s.Secret}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		return fmt.Errorf("cannot print the configuration: %w", err)
	}
	return nil
}
