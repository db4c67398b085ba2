// Package exchange reads and writes switches as files: Kibitz's own, which loses nothing, and those of gargoyle,
// django-waffle, Unleash, Flipt, GO Feature Flag and LaunchDarkly, which say for each switch what could not be carried
// exactly. It is pure: bytes in, definitions out.
package exchange

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"kibitz/app/switches"
)

// Format is what a file is written in.
type Format string

// The formats.
const (
	Auto         Format = "auto" // found out from what is in it
	Kibitz       Format = "kibitz"
	Gargoyle     Format = "gargoyle"
	Waffle       Format = "waffle"
	Unleash      Format = "unleash"
	Flipt        Format = "flipt"
	GoFF         Format = "goff"
	LaunchDarkly Format = "launchdarkly"
)

// Formats are all that Read knows.
func Formats() []Format {
	return []Format{Auto, Kibitz, Gargoyle, Waffle, Unleash, Flipt, GoFF, LaunchDarkly}
}

// Limits of a file. What is over one is refused as a whole.
const (
	MaxBytes  = 16 << 20  // of the file
	MaxValues = 1_000_000 // values in it, those of an alias counted each time
	MaxNested = 100       // levels
)

// File is what was read.
type File struct {
	Format Format
	// Environments hold the switches; a format that knows no environments has one, with the name that was asked for.
	Environments []switches.Config
	Reports      []Report
}

// Report is what could not be carried exactly of one switch.
type Report struct {
	Environment string   `json:"environment"`
	Key         string   `json:"key"` // as it is called here
	Notes       []string `json:"notes"`
}

// Read reads a file. Env is the environment of formats that have none, and the one that is taken of those with several
// ("" all). An error names line and place of what is wrong; nothing is half read.
func Read(data []byte, format Format, env string) (File, error) {
	root, err := parse(data)
	if err != nil {
		return File{}, fmt.Errorf("cannot read file: %w", err)
	}
	if format == "" || format == Auto {
		if format = detect(root); format == "" {
			return File{}, fmt.Errorf("cannot tell the format of the file: name it, one of %v", Formats()[1:])
		}
	}
	read, ok := readers()[format]
	if !ok {
		return File{}, fmt.Errorf("cannot read format %q: it is one of %v", format, Formats())
	}
	f := &file{env: env, wrong: &wrongs{}}
	read(f, cursor{root, "", f.wrong})
	if err := f.wrong.err(); err != nil {
		return File{}, fmt.Errorf("cannot read file as %s: %w", format, err)
	}
	return f.finish(format)
}

func readers() map[Format]func(*file, cursor) {
	return map[Format]func(*file, cursor){Kibitz: readKibitz, Gargoyle: readGargoyle, Waffle: readWaffle, Unleash: readUnleash, Flipt: readFlipt, GoFF: readGoFF, LaunchDarkly: readLaunchDarkly}
}

// detect finds the format by what only it has.
func detect(root *value) Format {
	c := cursor{root, "", &wrongs{}}
	if root.kind == listKind {
		for _, item := range c.list() {
			switch model, _, _ := strings.Cut(item.get("model").text(), "."); model {
			case "gargoyle":
				return Gargoyle
			case "waffle":
				return Waffle
			}
		}
		if firstOf(c).get("variations").is(listKind) {
			return LaunchDarkly
		}
		return ""
	}
	switch {
	case c.get("kibitz").there():
		return Kibitz
	case c.get("features").is(listKind):
		return Unleash
	case c.get("flags").is(listKind):
		return Flipt
	case c.get("flags").is(mapKind), c.get("variations").is(listKind), firstOf(c.get("items")).get("variations").is(listKind):
		return LaunchDarkly
	case c.get("segments").is(listKind) && c.get("namespace").there():
		return Flipt
	}
	if root.kind == mapKind && len(root.fields) > 0 && (cursor{root.fields[0].value, "", c.wrong}).get("variations").is(mapKind) {
		return GoFF
	}
	return ""
}

func firstOf(c cursor) cursor {
	if c.is(listKind) && len(c.v.list) > 0 {
		return cursor{c.v.list[0], c.path + "[0]", c.wrong}
	}
	return cursor{nil, c.path, c.wrong}
}

// file gathers what is read.
type file struct {
	env   string
	wrong *wrongs
	envs  []*gathered
}

// gathered is an environment in the making.
type gathered struct {
	config  switches.Config
	keys    map[string]bool
	names   map[string][]string // of variations, by switch
	reports []Report
}

// in is an environment, made at its first mention.
func (f *file) in(env string) *gathered {
	for _, g := range f.envs {
		if g.config.Environment == env {
			return g
		}
	}
	g := &gathered{config: switches.Config{Environment: env}, keys: map[string]bool{}, names: map[string][]string{}}
	f.envs = append(f.envs, g)
	return g
}

// add takes a switch and what was lost of it. Two switches of one key are refused.
func (g *gathered) add(at cursor, d *draft) {
	if g.keys[d.Key] {
		at.fail("a second switch %q in environment %s", d.Key, g.config.Environment)
		return
	}
	g.keys[d.Key] = true
	if d.shut && d.State != switches.Off {
		d.State = switches.Off
		d.note("is off until a person has looked at it: without what was left out more people might have it")
	}
	g.config.Switches = append(g.config.Switches, d.Switch)
	if len(d.notes) > 0 {
		slices.Sort(d.notes)
		g.reports = append(g.reports, Report{g.config.Environment, d.Key, slices.Compact(d.notes)})
	}
}

// check tells what would not work as it is.
func (g *gathered) check() {
	_, problems := switches.Compile(g.config, time.Unix(0, 0))
	for _, p := range problems {
		word := "needs a hand: "
		if p.Warning {
			word = "mind: "
		}
		g.lose(p.Key, word+p.Field+": "+p.Text)
	}
}

// lose adds to what is lost of a switch that was added.
func (g *gathered) lose(key, note string) {
	for i, r := range g.reports {
		if r.Key == key {
			g.reports[i].Notes = append(r.Notes, note)
			return
		}
	}
	g.reports = append(g.reports, Report{g.config.Environment, key, []string{note}})
}

func (f *file) finish(format Format) (File, error) {
	chosen, err := f.choose(format)
	if err != nil {
		return File{}, err
	}
	out := File{Format: format}
	for _, g := range chosen {
		sortConfig(&g.config)
		g.check()
		slices.SortFunc(g.reports, func(a, b Report) int { return strings.Compare(a.Key, b.Key) })
		out.Environments, out.Reports = append(out.Environments, g.config), append(out.Reports, g.reports...)
	}
	return out, nil
}

// choose takes the environment that was asked for. The only one of another tool's file is taken as that, since tools name
// them as they like; our own file means what it says.
func (f *file) choose(format Format) ([]*gathered, error) {
	if f.env == "" {
		return f.envs, nil
	}
	var names []string
	for _, g := range f.envs {
		if g.config.Environment == f.env {
			return []*gathered{g}, nil
		}
		names = append(names, g.config.Environment)
	}
	if format == Kibitz || len(f.envs) != 1 {
		return nil, fmt.Errorf("cannot take environment %s: the file has %s", f.env, strings.Join(names, ", "))
	}
	g := f.envs[0]
	g.config.Environment = f.env
	for i := range g.reports {
		g.reports[i].Environment = f.env
	}
	return f.envs, nil
}

// sortConfig puts switches and segments in order of their keys.
func sortConfig(c *switches.Config) {
	slices.SortStableFunc(c.Switches, func(a, b switches.Switch) int { return strings.Compare(a.Key, b.Key) })
	slices.SortStableFunc(c.Segments, func(a, b switches.Segment) int { return strings.Compare(a.Key, b.Key) })
}

// name is the environment of formats that have none.
func (f *file) name() string {
	if f.env == "" {
		return "production"
	}
	return f.env
}

// looksLikeJSON is whether the first character opens a JSON document.
func looksLikeJSON(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n\ufeff")
	return len(data) > 0 && (data[0] == '{' || data[0] == '[')
}
