package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	"kibitz/app/switches"
)

// version is that of our own files.
const version = 1

// Written is how a file is written.
type Written string

// The ways to write a file.
const (
	YAML Written = "yaml"
	JSON Written = "json"
)

// Write writes environments as one file that Read reads back to the same. Switches and segments stand in the order of
// their keys, so that the file changes only where they do.
func Write(w io.Writer, as Written, environments []switches.Config) error {
	root := &value{kind: mapKind, fields: []field{{"kibitz", &value{kind: numberKind, text: fmt.Sprint(version)}}}}
	list := &value{kind: listKind}
	for _, c := range environments {
		c.Switches, c.Segments = slices.Clone(c.Switches), slices.Clone(c.Segments)
		sortConfig(&c)
		v, err := treeOf(c)
		if err != nil {
			return fmt.Errorf("cannot write switches of %s: %w", c.Environment, err)
		}
		v.fields = slices.DeleteFunc(v.fields, func(f field) bool { return f.key == "revision" })
		list.list = append(list.list, v)
	}
	root.fields = append(root.fields, field{"environments", list})
	if as == JSON {
		var out bytes.Buffer
		if err := json.Indent(&out, root.appendJSON(nil), "", "  "); err != nil {
			return fmt.Errorf("cannot write switches: %w", err)
		}
		out.WriteByte('\n')
		_, err := w.Write(out.Bytes())
		return err
	}
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(root.yaml()); err != nil {
		return fmt.Errorf("cannot write switches: %w", err)
	}
	return e.Close()
}

// treeOf is anything that JSON can write.
func treeOf(v any) (*value, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return parseJSON(text, &budget{left: MaxValues})
}

func readKibitz(f *file, c cursor) {
	if n := c.get("kibitz").num(); n != version {
		c.get("kibitz").fail("this Kibitz reads version %d, the file is of version %v", version, n)
	}
	known(c, "kibitz", "environments")
	for _, env := range c.get("environments").objects() {
		known(env, "environment", "switches", "segments")
		name := env.get("environment").str()
		if name == "" {
			env.fail("the environment has no name")
		}
		g := f.in(name)
		for _, s := range env.get("switches").objects() {
			var sw switches.Switch
			if strict(s, &sw) {
				g.add(s, &draft{Switch: sw})
			}
		}
		for _, s := range env.get("segments").objects() {
			var seg switches.Segment
			if strict(s, &seg) {
				g.config.Segments = append(g.config.Segments, seg)
			}
		}
	}
}

// known refuses fields that nobody reads: they are mistyped.
func known(c cursor, names ...string) {
	for _, f := range c.fields() {
		if !slices.Contains(names, f.key) {
			f.fail("there is no such field; there are %v", names)
		}
	}
}

// strict reads an object that must have a key and no unknown field.
func strict(c cursor, into any) bool {
	d := json.NewDecoder(bytes.NewReader(c.raw()))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		c.fail("%s: %v", clip(c.get("key").text()), err)
		return false
	}
	if c.get("key").str() == "" {
		c.fail("it has no key")
		return false
	}
	return true
}
