package grouping

import "strings"

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
	out := make([]string, len(fp.values))
	for i, v := range fp.values {
		name, ok := variable(v)
		switch {
		case !ok:
			out[i] = g.literal(v)
		case name == "default":
			out[i] = defaultMark
		default:
			out[i] = g.variable(name)
		}
	}
	fp.values = out
	return fp
}

// literal is a value as the client wrote it. Clients copy messages into fingerprints, numbers and all; such a
// one is replaced by the message's own placeholders.
func (g *grouper) literal(v string) string {
	if v == g.ev.Message || v == g.ev.Formatted || g.main >= 0 && v == g.ev.Exceptions[g.main].Value {
		v, _ = normaliseMessage(v)
	}
	return v
}

// builtIn is the fingerprint of the known kinds of errors whose text says nothing of their cause.
func (g *grouper) builtIn() []string {
	if familyOf(g.ev.Platform) != familyJavaScript || g.main < 0 {
		return nil
	}
	e := &g.ev.Exceptions[g.main]
	if e.Type == "ChunkLoadError" || strings.HasPrefix(e.Value, "ChunkLoadError") {
		return []string{"chunkloaderror"}
	}
	return nil
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
		return orNo(g.ev.Level, "level")
	case "logger":
		return orNo(g.ev.Logger, "logger")
	case "type", "error.type":
		return orNo(g.mainException().Type, "type")
	case "value", "error.value":
		text, _ := normaliseMessage(g.mainException().Value)
		return orNo(text, "value")
	}
	return g.frameVariable(name)
}

func (g *grouper) frameVariable(name string) string {
	f := g.crashFrame()
	src := &Frame{}
	function := ""
	if f != nil {
		src, function = f.src, f.function
	}
	switch name {
	case "function", "stack.function":
		return orNo(function, "function")
	case "path", "stack.abs_path":
		return orNo(firstText(src.AbsPath, src.Filename), "abs-path")
	case "stack.filename":
		return orNo(firstText(src.Filename, src.AbsPath), "filename")
	case "module", "stack.module":
		return orNo(src.Module, "module")
	case "package", "stack.package":
		pkg := src.Package
		if i := strings.LastIndexAny(pkg, `/\`); i >= 0 {
			pkg = pkg[i+1:]
		}
		return orNo(pkg, "package")
	}
	return "<unrecognized-variable-" + name + ">"
}

// text is the event's message, or what its main exception says.
func (g *grouper) text() string {
	return firstText(g.ev.Formatted, g.ev.Message, g.mainException().Value)
}

func (g *grouper) mainException() *Exception {
	if g.main < 0 {
		return &Exception{}
	}
	return &g.ev.Exceptions[g.main]
}

func firstText(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
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

func customVariant(fp fingerprint) Variant {
	root := &Component{ID: "fingerprint", Name: fp.source + " fingerprint", Contributes: true, Values: fp.values}
	return Variant{Name: "custom-fingerprint", Contributes: true, Hint: fp.source + " fingerprint", Hash: root.hash(), Strategy: "fingerprint", Root: root}
}
