package grouping

import (
	"cmp"
	"strings"
)

type fingerprintKind uint8

const (
	fingerprintDefault fingerprintKind = iota
	fingerprintHybrid                  // {{ default }} among other values
	fingerprintCustom                  // no {{ default }}
)

// fingerprint is what takes the place of the strategies, wholly or in part. Values are filled in; a hybrid's
// {{ default }} is the value defaultMark.
type fingerprint struct {
	kind   fingerprintKind
	source string // server, client or built-in
	values []string
}

const defaultMark = "{{ default }}"

// fingerprint is the project's by its rules, else the client's own, else a built-in one.
func (g *grouper) fingerprint() fingerprint {
	if fp, ok := g.serverFingerprint(); ok {
		return fp
	}
	client := classify(g.ev.Fingerprint, "client")
	if client.kind != fingerprintCustom {
		if name := g.builtIn(); name != nil {
			return fingerprint{kind: fingerprintCustom, source: "built-in", values: name}
		}
	}
	return g.fill(client)
}

func classify(values []string, source string) fingerprint {
	fp := fingerprint{source: source, values: values}
	defaults := 0
	for _, v := range values {
		if name, ok := variable(v); ok && name == "default" {
			defaults++
		}
	}
	switch {
	case len(values) == 0 || defaults == 1 && len(values) == 1:
	case defaults > 0:
		fp.kind = fingerprintHybrid
	default:
		fp.kind = fingerprintCustom
	}
	return fp
}

// variable is the name in "{{ name }}"; the blanks do not matter.
func variable(v string) (name string, ok bool) {
	if !strings.HasPrefix(v, "{{") || !strings.HasSuffix(v, "}}") || len(v) < 4 {
		return "", false
	}
	return strings.TrimSpace(v[2 : len(v)-2]), true
}

// fill puts the event's values in the place of variables.
func (g *grouper) fill(fp fingerprint) fingerprint {
	if fp.kind == fingerprintDefault {
		return fp
	}
	out := make([]string, 0, len(fp.values))
	var known map[string]string
	left := maxFingerprint
	for _, v := range fp.values {
		name, ok := variable(v)
		switch {
		case !ok:
			v = g.literal(v)
		case name == "default":
			v = defaultMark
		default:
			v, known = g.recall(name, known)
		}
		v = v[:min(len(v), max(left, 0))]
		left -= len(v)
		out = append(out, v)
	}
	g.work += maxFingerprint - left
	fp.values = out
	return fp
}

// recall is the value of a variable, worked out once however often a fingerprint names it.
func (g *grouper) recall(name string, known map[string]string) (string, map[string]string) {
	v, ok := known[name]
	if !ok {
		if known == nil {
			known = map[string]string{}
		}
		v = g.variable(name)
		g.work += len(v) + 1
		known[name] = v
	}
	return v, known
}

// literal is a value as the client wrote it. Clients copy messages into fingerprints, numbers and all; such a
// one is replaced by the message's own placeholders.
func (g *grouper) literal(v string) string {
	if v == g.ev.Message || v == g.ev.Formatted || v == g.lastException().Value {
		v, _ = normaliseMessage(v)
	}
	return v
}

// builtIn is the fingerprint of the known kinds of errors of scripts whose text says nothing of their cause: a part of
// a bundle that could not be loaded, and a page that differs from what the server rendered, by its route.
func (g *grouper) builtIn() []string {
	if familyOf(g.ev.Platform) != familyJavaScript {
		return nil
	}
	for i := range g.ev.Exceptions {
		if e := &g.ev.Exceptions[i]; e.Type == "ChunkLoadError" || strings.HasPrefix(e.Value, "ChunkLoadError") {
			return []string{"chunkloaderror"}
		}
	}
	if route := g.ev.Tags["transaction"]; route != "" && g.isHydration() {
		return []string{"hydrationerror", route}
	}
	return nil
}

func (g *grouper) isHydration() bool {
	if isHydrationText(cmp.Or(g.ev.Formatted, g.ev.Message)) {
		return true
	}
	for i := range g.ev.Exceptions {
		if isHydrationText(g.ev.Exceptions[i].Value) {
			return true
		}
	}
	return false
}

// hydrationTexts are what React says when it cannot take over a rendered page, with the numbers that its minified build
// gives instead: https://react.dev/errors lists them.
var hydrationTexts = [...]struct{ number, text string }{
	{"418", "Hydration failed because the initial UI does not match what was rendered on the server."},
	{"419", "The server could not finish this Suspense boundary, likely due to an error during server rendering. Switched to client rendering."},
	{"422", "There was an error while hydrating this Suspense boundary. Switched to client rendering."},
	{"423", "There was an error while hydrating. Because the error happened outside of a Suspense boundary, the entire root will switch to client rendering."},
	{"425", "Text content does not match server-rendered HTML."},
}

func isHydrationText(text string) bool {
	const decoder = "https://reactjs.org/docs/error-decoder.html?invariant="
	_, number, minified := strings.Cut(text, decoder)
	for _, known := range hydrationTexts {
		if strings.EqualFold(text, known.text) || minified && strings.HasPrefix(number, known.number) {
			return true
		}
	}
	return false
}

// variable is the value of {{ name }}, "<no-...>" when the event has none.
func (g *grouper) variable(name string) string {
	if key, ok := strings.CutPrefix(name, "tags."); ok {
		return orNo(g.ev.Tags[key], "value-for-tag-"+key)
	}
	switch name {
	case "transaction":
		return orNo(g.ev.Transaction, "transaction")
	case "message":
		text, _ := normaliseMessage(g.text())
		return orNo(text, "message")
	case "level":
		return levelOf(g.ev.Level)
	case "logger":
		if g.ev.Logger == "" && g.ev.Security != nil {
			return g.ev.Security.Kind // reports of browsers are logged under their kind
		}
		return orNo(g.ev.Logger, "logger")
	case "type", "error.type":
		return orNo(g.lastException().Type, "type")
	case "value", "error.value":
		text, _ := normaliseMessage(g.lastException().Value)
		return orNo(text, "value")
	}
	return g.frameVariable(name)
}

// levelOf is the level of an event: one that says none, or none that is known, is an error.
func levelOf(name string) string {
	switch name {
	case "fatal", "error", "warning", "info", "debug":
		return name
	case "log":
		return "info"
	}
	return "error"
}

func (g *grouper) frameVariable(name string) string {
	f := g.crashFrame()
	if f == nil {
		f = &frame{src: &Frame{}}
	}
	switch name {
	case "function", "stack.function":
		return orNo(f.function, "function")
	case "path", "stack.abs_path":
		return orNo(f.absPath, "abs-path")
	case "stack.filename":
		return orNo(f.filename, "filename")
	case "module", "stack.module":
		return orNo(f.src.Module, "module")
	case "package", "stack.package":
		pkg := f.src.Package
		if i := strings.LastIndexAny(pkg, `/\`); i >= 0 {
			pkg = pkg[i+1:]
		}
		return orNo(pkg, "package")
	}
	if !g.config.newer(Newstyle2023) {
		return "{{ " + name + " }}" // it was left as it stood
	}
	return "<unrecognized-variable-" + name + ">"
}

// text is the event's message, or what its main exception says.
func (g *grouper) text() string {
	return cmp.Or(g.ev.Formatted, g.ev.Message, g.lastException().Value)
}

// lastException is the outermost one; an empty one when there is none.
func (g *grouper) lastException() *Exception {
	if n := len(g.ev.Exceptions); n > 0 {
		return &g.ev.Exceptions[n-1]
	}
	return &Exception{}
}

// mainException is the one that gives the title.
func (g *grouper) mainException() *Exception {
	if g.main < 0 {
		return &Exception{}
	}
	return &g.ev.Exceptions[g.main]
}

func orNo(value, name string) string {
	if value == "" {
		return "<no-" + name + ">"
	}
	return value
}

// splice is the hash of the fingerprint's values with a component's in the place of {{ default }}.
func (fp fingerprint) splice(c *Component) string {
	var room [4096]byte
	b, left := room[:0], maxSplices
	for _, v := range fp.values {
		if v == defaultMark {
			if left--; left >= 0 {
				b = c.appendValues(b)
			}
		} else {
			b = append(b, v...)
		}
	}
	return hashBytes(b)
}

// takePrecedence is the variant of a custom fingerprint, and the others, which count no more.
func takePrecedence(fp fingerprint, others []Variant) []Variant {
	root := &Component{ID: "fingerprint", Name: fp.source + " fingerprint", Contributes: true, Values: fp.values}
	name := "custom_" + fp.source + "_fingerprint"
	if fp.source == "built-in" {
		name = "built_in_fingerprint"
	}
	out := []Variant{{Name: name, Contributes: true, Hint: fp.source + " fingerprint", Hash: root.hash(), Strategy: "fingerprint", Root: root}}
	for _, v := range others {
		if v.Name != "fallback" {
			v.Contributes, v.Hash, v.Hint = false, "", "the "+fp.source+" fingerprint decides"
			out = append(out, v)
		}
	}
	return out
}
