// Package config is the settings of Kibitz: defaults, then kibitz.toml, then KIBITZ_* variables. table.go names
// every one of them. It is the only package that reads the environment.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// Config is the effective configuration. table.go says what each field means.
type Config struct {
	Listen, Data, PublicURL, Node string
	TrustedProxies                []string
	MemoryLimit                   int64 // bytes; 0: from the machine
	Log                           struct{ Level, Format string }
	Admin                         struct{ Email, Password string }
	Database                      struct {
		Parts map[string]*Part
		Pool  struct{ Web, Ingest, Jobs int }
	}
	Postgres struct{ Bin string }
	Report   struct {
		To             []string
		From, Schedule string
	}
	SMTP   struct{ URL string }
	Ingest struct {
		EnvelopeWire, StoreWire, EnvelopeSize, EventSize, ContainerSize, HeaderLine, InFlight int
		OTLPWire, OTLPSize, OTLPItems, PGLogWire, PGLogSize                                   int
		Items, JSONDepth, JSONNodes                                                           int
	}
	Syslog struct {
		Listen, Allow                        []string
		Project, TLSCert, TLSKey, TLSClients string
		SocketMode                           fs.FileMode
		MessageSize, Buffer                  int // bytes
		Rate, Connections                    int
	}
	PGLog struct {
		Files                   []string
		Format, Prefix, Project string
	}
	Perf struct {
		Enabled, Hosts                               bool
		KeepOneIn, RequestDays, MinuteDays, HourDays int
		DiskBudget                                   int64
	}
	Doors struct {
		Origins, Webhooks        []string
		PublicTag, WebhookSecret string
		Streams                  int
	}
	Switches struct {
		Listen, Advertise, Secret string
		Peers                     []string
		AutoCreate                bool
	}
	Metrics struct {
		Open      bool
		Endpoints int
	}
	OTLP struct {
		Forward  string
		Headers  http.Header
		Queue    int64
		Patience int // seconds
	}
	Spool struct {
		SegmentSize, MaxSize int64
		HighWater            float64
	}

	// Warnings are things that were not understood but do no harm: KIBITZ_ variables that name no setting.
	Warnings []string
	sources  map[string]string // key -> default, file, environment
}

// Part is where one partition lives; all empty for the embedded PostgreSQL.
type Part struct {
	Primary, Owner string
	Replicas       []string
}

// FromEnvironment is the configuration of this process: the file is kibitz.toml in the working directory, or what
// KIBITZ_CONFIG names.
func FromEnvironment() (*Config, error) {
	name := cmp.Or(os.Getenv("KIBITZ_CONFIG"), "kibitz.toml")
	text, err := os.ReadFile(name)
	if err != nil && !(errors.Is(err, fs.ErrNotExist) && os.Getenv("KIBITZ_CONFIG") == "") {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	return Load(name, text, os.Environ())
}

// Load makes a configuration of a file's text and an environment ("NAME=value" each). Every wrong value is
// reported at once, with the key, the value and what is allowed.
func Load(file string, text []byte, environ []string) (*Config, error) {
	c := &Config{sources: map[string]string{}}
	c.Database.Parts = map[string]*Part{}
	for _, name := range partitions {
		c.Database.Parts[name] = &Part{}
	}
	settings := table()
	fromFile, err := flatten(file, text, settings)
	if err != nil {
		return nil, err
	}
	env := variables(environ)
	var wrong []error
	for _, s := range settings {
		wrong = append(wrong, c.apply(s, fromFile, env))
	}
	wrong = append(wrong, c.check()...)
	c.Warnings = strangers(env, settings)
	return c, errors.Join(wrong...)
}

// IsDefault tells whether nobody set a setting.
func (c *Config) IsDefault(key string) bool { return c.sources[key] == "default" }

// apply takes a setting from the strongest source that has it.
func (c *Config) apply(s Setting, file, env map[string]string) error {
	text, source := s.Default, "default"
	if v, ok := file[s.Key]; ok {
		text, source = v, "file"
	}
	if v, ok := env[s.Variable()]; ok {
		text, source = v, "environment"
	}
	c.sources[s.Key] = source
	if err := s.bind(c).set(text); err != nil {
		shown := fmt.Sprintf("%q", text)
		if s.Secret {
			shown = "(secret)"
		}
		name := s.Key
		if source == "environment" {
			name += " (" + s.Variable() + ")"
		}
		return fmt.Errorf("%s: %s is wrong: %w", name, shown, err)
	}
	return nil
}

// check finds values that are right by themselves but not together.
func (c *Config) check() (wrong []error) {
	if (c.Admin.Email == "") != (c.Admin.Password == "") {
		wrong = append(wrong, errors.New("admin.email and admin.password: give both or neither"))
	}
	if c.Spool.MaxSize < 2*c.Spool.SegmentSize {
		wrong = append(wrong, errors.New("spool.max_size: must be at least twice spool.segment_size"))
	}
	if c.Ingest.EventSize > c.Ingest.EnvelopeSize {
		wrong = append(wrong, errors.New("ingest.event_size: must not be above ingest.envelope_size"))
	}
	if (c.Syslog.TLSCert == "") != (c.Syslog.TLSKey == "") {
		wrong = append(wrong, errors.New("syslog_tls_cert and syslog_tls_key: give both or neither"))
	}
	if c.Syslog.Buffer < 4*c.Syslog.MessageSize {
		wrong = append(wrong, errors.New("syslog_buffer: must be at least four times syslog_message_size"))
	}
	if max(c.Ingest.EnvelopeSize, c.Ingest.OTLPSize) > c.Ingest.InFlight {
		wrong = append(wrong, errors.New("ingest.in_flight: must be at least ingest.envelope_size and ingest.otlp_size"))
	}
	return wrong
}

// flatten turns a TOML file into texts by key: tables become dots, lists become commas.
func flatten(file string, text []byte, settings []Setting) (map[string]string, error) {
	var tree map[string]any
	if _, err := toml.Decode(string(text), &tree); err != nil {
		var parse toml.ParseError
		if errors.As(err, &parse) {
			return nil, fmt.Errorf("cannot read %s: %s", file, parse.ErrorWithPosition())
		}
		return nil, fmt.Errorf("cannot read %s: %w", file, err)
	}
	out := map[string]string{}
	walk("", tree, out)
	known := map[string]bool{}
	for _, s := range settings {
		known[s.Key] = true
	}
	for key := range out {
		if !known[key] {
			return nil, fmt.Errorf("%s: there is no setting %q; `kibitz config` lists them all", file, key)
		}
	}
	return out, nil
}

func walk(prefix string, value any, out map[string]string) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			walk(strings.TrimPrefix(prefix+"."+key, "."), inner, out)
		}
	case []any:
		var parts []string
		for _, inner := range v {
			parts = append(parts, fmt.Sprint(inner))
		}
		out[prefix] = strings.Join(parts, ",")
	default:
		out[prefix] = fmt.Sprint(v)
	}
}

func variables(environ []string) map[string]string {
	env := map[string]string{}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok && strings.HasPrefix(name, "KIBITZ_") {
			env[name] = value
		}
	}
	return env
}

// strangers are KIBITZ_ variables that name no setting: likely a slip of the pen.
func strangers(env map[string]string, settings []Setting) (out []string) {
	known := map[string]bool{"KIBITZ_CONFIG": true}
	for _, s := range settings {
		known[s.Variable()] = true
	}
	for name := range env {
		if !known[name] && !strings.HasPrefix(name, "KIBITZ_TEST_") {
			out = append(out, name+" names no setting; `kibitz config` lists them all")
		}
	}
	slices.Sort(out)
	return out
}
