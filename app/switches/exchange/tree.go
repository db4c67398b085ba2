package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// kind is what a value is.
type kind int

const (
	nullKind kind = iota
	boolKind
	numberKind
	textKind
	listKind
	mapKind
)

// String is for people.
func (k kind) String() string {
	return [...]string{"nothing", "true or false", "a number", "text", "a list", "an object"}[k]
}

// value is one of a YAML or JSON document, with the line it stands on.
type value struct {
	kind   kind
	text   string // of text; the literal of a number or boolean
	list   []*value
	fields []field
	line   int
}

type field struct {
	key   string
	value *value
}

// parse reads YAML or JSON, bounded.
func parse(data []byte) (*value, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("it has %d bytes; at most %d are allowed", len(data), MaxBytes)
	}
	b := &budget{left: MaxValues}
	if looksLikeJSON(data) {
		v, err := parseJSON(bytes.TrimPrefix(data, []byte("\ufeff")), b)
		if err == nil || json.Valid(data) {
			return v, err
		}
		if y, yerr := parseYAML(data, &budget{left: MaxValues}); yerr == nil {
			return y, nil // a flow sequence or mapping of YAML
		}
		return nil, err
	}
	return parseYAML(data, b)
}

// budget bounds values and depth.
type budget struct{ left, depth int }

func (b *budget) enter(line int) error {
	if b.left--; b.left < 0 {
		return fmt.Errorf("line %d: more than %d values", line, MaxValues)
	}
	if b.depth++; b.depth > MaxNested {
		return fmt.Errorf("line %d: nested deeper than %d levels", line, MaxNested)
	}
	return nil
}

func parseYAML(data []byte, b *budget) (*value, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) || (err == nil && len(doc.Content) == 0) {
		return nil, errors.New("it is empty")
	} else if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one document in it")
	}
	return b.yaml(doc.Content[0])
}

func (b *budget) yaml(n *yaml.Node) (*value, error) {
	if err := b.enter(n.Line); err != nil {
		return nil, err
	}
	defer func() { b.depth-- }()
	switch n.Kind {
	case yaml.AliasNode:
		return b.yaml(n.Alias)
	case yaml.SequenceNode:
		return b.sequence(n)
	case yaml.MappingNode:
		return b.mapping(n)
	}
	return scalar(n)
}

func (b *budget) sequence(n *yaml.Node) (*value, error) {
	v := &value{kind: listKind, line: n.Line}
	for _, c := range n.Content {
		item, err := b.yaml(c)
		if err != nil {
			return nil, err
		}
		v.list = append(v.list, item)
	}
	return v, nil
}

func (b *budget) mapping(n *yaml.Node) (*value, error) {
	v := &value{kind: mapKind, line: n.Line}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			return nil, fmt.Errorf("line %d: a key has to be text (merge keys are not supported)", k.Line)
		}
		if seen[k.Value] {
			return nil, fmt.Errorf("line %d: key %q for the second time", k.Line, clip(k.Value))
		}
		seen[k.Value] = true
		item, err := b.yaml(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		v.fields = append(v.fields, field{k.Value, item})
	}
	return v, nil
}

func scalar(n *yaml.Node) (*value, error) {
	v := &value{kind: textKind, text: n.Value, line: n.Line}
	switch n.ShortTag() {
	case "!!null":
		v.kind, v.text = nullKind, ""
	case "!!bool":
		var on bool
		if err := n.Decode(&on); err != nil {
			return nil, fmt.Errorf("line %d: %q is neither true nor false", n.Line, clip(n.Value))
		}
		v.kind, v.text = boolKind, strconv.FormatBool(on)
	case "!!int", "!!float":
		text, ok := number(n)
		if !ok {
			return nil, fmt.Errorf("line %d: %q is no number that JSON knows", n.Line, clip(n.Value))
		}
		v.kind, v.text = numberKind, text
	case "!!str", "!!timestamp":
	default:
		return nil, fmt.Errorf("line %d: values of type %s are not supported", n.Line, clip(n.Tag))
	}
	return v, nil
}

// number keeps the literal where JSON knows it, and writes others (0x1F, 1_000, +1, .5) as JSON does.
func number(n *yaml.Node) (string, bool) {
	if jsonNumber(n.Value) {
		return n.Value, true
	}
	var out any
	if err := n.Decode(&out); err != nil {
		return "", false
	}
	text, err := json.Marshal(out)
	return string(text), err == nil && jsonNumber(string(text))
}

func jsonNumber(s string) bool {
	return s != "" && (s[0] == '-' || (s[0] >= '0' && s[0] <= '9')) && json.Valid([]byte(s))
}

// jsonParser reads tokens and knows their lines.
type jsonParser struct {
	*budget
	data  []byte
	d     *json.Decoder
	at    int64
	lines int
}

func parseJSON(data []byte, b *budget) (*value, error) {
	p := &jsonParser{budget: b, data: data, d: json.NewDecoder(bytes.NewReader(data)), lines: 1}
	p.d.UseNumber()
	v, err := p.value()
	if err == nil {
		if _, extra := p.d.Token(); !errors.Is(extra, io.EOF) {
			err = fmt.Errorf("line %d: there is more after the document", p.line())
		}
	}
	return v, err
}

// line is that of the token read last.
func (p *jsonParser) line() int {
	to := min(p.d.InputOffset(), int64(len(p.data)))
	p.lines += bytes.Count(p.data[p.at:to], []byte("\n"))
	p.at = to
	return p.lines
}

func (p *jsonParser) value() (*value, error) {
	t, err := p.d.Token()
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", p.line(), err)
	}
	line := p.line()
	if err := p.enter(line); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			return p.array(line)
		}
		return p.object(line)
	case bool:
		return &value{kind: boolKind, text: strconv.FormatBool(t), line: line}, nil
	case json.Number:
		return &value{kind: numberKind, text: t.String(), line: line}, nil
	case string:
		return &value{kind: textKind, text: t, line: line}, nil
	}
	return &value{line: line}, nil
}

func (p *jsonParser) array(line int) (*value, error) {
	v := &value{kind: listKind, line: line}
	for p.d.More() {
		item, err := p.value()
		if err != nil {
			return nil, err
		}
		v.list = append(v.list, item)
	}
	return v, p.close()
}

func (p *jsonParser) object(line int) (*value, error) {
	v := &value{kind: mapKind, line: line}
	seen := map[string]bool{}
	for p.d.More() {
		t, err := p.d.Token()
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", p.line(), err)
		}
		key, _ := t.(string)
		if seen[key] {
			return nil, fmt.Errorf("line %d: key %q for the second time", p.line(), clip(key))
		}
		seen[key] = true
		item, err := p.value()
		if err != nil {
			return nil, err
		}
		v.fields = append(v.fields, field{key, item})
	}
	return v, p.close()
}

func (p *jsonParser) close() error {
	if _, err := p.d.Token(); err != nil {
		return fmt.Errorf("line %d: %w", p.line(), err)
	}
	return nil
}

// appendJSON writes a value as JSON; numbers keep their literal, objects their order.
func (v *value) appendJSON(b []byte) []byte {
	switch v.kind {
	case nullKind:
		return append(b, "null"...)
	case boolKind, numberKind:
		return append(b, v.text...)
	case textKind:
		return appendText(b, v.text)
	case listKind:
		b = append(b, '[')
		for i, item := range v.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendJSON(b)
		}
		return append(b, ']')
	}
	b = append(b, '{')
	for i, f := range v.fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, f.key), ':')
		b = f.value.appendJSON(b)
	}
	return append(b, '}')
}

func appendText(b []byte, s string) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return append(b, `""`...) // a string can always be written
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// yaml is the value as a node.
func (v *value) yaml() *yaml.Node {
	switch v.kind {
	case listKind:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, item := range v.list {
			n.Content = append(n.Content, item.yaml())
		}
		return n
	case mapKind:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, f := range v.fields {
			n.Content = append(n.Content, (&value{kind: textKind, text: f.key}).yaml(), f.value.yaml())
		}
		return n
	case nullKind:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	case boolKind:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: v.text}
	case numberKind:
		tag := "!!int"
		if strings.ContainsAny(v.text, ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: v.text}
	}
	n := &yaml.Node{}
	n.SetString(v.text)
	if oldWord(v.text) || v.text == "<<" || v.text == "=" || strings.ContainsAny(v.text, "\r\u0085\u2028\u2029\ufeff") || strings.TrimSpace(v.text) != v.text {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// oldWord is whether YAML 1.1, which many tools still read, takes a word for true or false.
func oldWord(s string) bool {
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off":
		return true
	}
	return false
}

// clip shortens text that is shown.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
