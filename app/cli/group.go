package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"kibitz/app/issues"
	"kibitz/grouping"
	"kibitz/ingest/envelope"
)

// grouped is a line of `kibitz group`. It is a contract with scripts.
type grouped struct {
	File     string            `json:"file"`
	Config   string            `json:"config"`
	Hashes   map[string]string `json:"hashes"` // of the variants that contribute
	Title    string            `json:"title"`
	Culprit  string            `json:"culprit"`
	Strategy string            `json:"strategy"`
	Tree     json.RawMessage   `json:"tree,omitempty"` // with --json-tree: all that was looked at
}

// groupCommand is how files are to be grouped and printed.
type groupCommand struct {
	out           io.Writer
	explain, tree bool
	config        grouping.Config
	rules         *grouping.Rules // of --rules
}

// group prints how event files are grouped: a JSON line for each, "-" being the standard input.
func group(_ context.Context, c *call) error {
	f := c.flags("group")
	g := &groupCommand{out: c.out}
	f.BoolVar(&g.explain, "explain", false, "print what counts and what does not, and why")
	f.BoolVar(&g.tree, "json-tree", false, "the same as JSON, in the line of the file")
	config := f.String("config", string(grouping.Current), fmt.Sprintf("the configuration: %v", grouping.Configs()))
	rules := f.String("rules", "", "a file of stack trace rules and, with ->, fingerprint rules")
	if err := f.Parse(c.args); err != nil || f.NArg() == 0 {
		return c.wrong("say `kibitz group [--explain] [--json-tree] [--config NAME] [--rules FILE] FILE...`")
	}
	var ok bool
	if g.config, ok = grouping.ParseConfig(*config); !ok {
		return c.wrong("there is no configuration %q; there are %v", *config, grouping.Configs())
	}
	if *rules != "" {
		var err error
		if g.rules, err = c.readRules(*rules); err != nil {
			return fmt.Errorf("cannot read the rules of %s: %w", *rules, err)
		}
	}
	failed := 0
	for _, file := range f.Args() {
		if err := g.file(file); err != nil {
			fmt.Fprintf(c.err, "kibitz: %s: %v\n", file, err)
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("cannot group %d of %d files", failed, f.NArg())
	}
	return nil
}

func (g *groupCommand) file(file string) error {
	raw, err := readInput(file)
	if err != nil {
		return err
	}
	raw = envelope.Shallow(envelope.Clean(raw), envelope.MaxDepth)
	ev, err := envelope.ParseEvent(raw, envelope.Digest)
	if err != nil {
		return err
	}
	rules, err := vectorRules(raw)
	if err != nil {
		return fmt.Errorf("cannot read its rules: %w", err)
	}
	if rules == nil {
		rules = g.rules
	}
	return g.print(file, grouping.Setup{Config: g.config, Rules: rules}.Explain(issues.GroupingEvent(ev)))
}

func (g *groupCommand) print(file string, r grouping.Result) error {
	line := grouped{File: file, Config: string(r.Config), Hashes: map[string]string{}, Title: r.Title, Culprit: r.Culprit, Strategy: r.Strategy}
	for _, v := range r.Variants {
		if v.Contributes {
			line.Hashes[v.Name] = v.Hash
		}
	}
	if g.tree {
		var err error
		if line.Tree, err = grouping.ExplainJSON(r); err != nil {
			return err
		}
	}
	enc := json.NewEncoder(g.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); err != nil {
		return err
	}
	if g.explain {
		fmt.Fprintln(g.out, grouping.Explain(r))
	}
	return nil
}

// vectorRules are the rules that a conformance vector brings along for its project, in keys that no client sends; nil when
// it has none. Only this command reads them: a server that did would let whoever reports choose the rules.
func vectorRules(raw []byte) (*grouping.Rules, error) {
	var vector struct {
		Grouping struct {
			Enhancements string `json:"enhancements"`
		} `json:"_grouping"`
		Fingerprints []grouping.FingerprintRule `json:"_fingerprinting_rules"`
	}
	if err := json.Unmarshal(raw, &vector); err != nil {
		return nil, err
	}
	if vector.Grouping.Enhancements == "" && len(vector.Fingerprints) == 0 {
		return nil, nil
	}
	return grouping.RulesFrom(vector.Grouping.Enhancements, vector.Fingerprints)
}

// readRules reads a file in which both kinds of rules may stand: a line with an arrow gives a fingerprint. Each kind
// keeps the line numbers of the file, so that errors name the right ones. Warnings are printed.
func (c *call) readRules(file string) (*grouping.Rules, error) {
	raw, err := readInput(file)
	if err != nil {
		return nil, err
	}
	var stack, fingerprints strings.Builder
	for line := range strings.Lines(string(envelope.Clean(raw))) {
		into, other := &stack, &fingerprints
		if hasArrow(line) {
			into, other = other, into
		}
		into.WriteString(line)
		other.WriteString("\n")
	}
	rules, found := grouping.CheckRules(stack.String(), fingerprints.String())
	if rules == nil {
		return nil, found.Errors()
	}
	for _, warning := range found {
		fmt.Fprintf(c.err, "kibitz: %s: warning: %v\n", file, warning)
	}
	return rules, nil
}

// hasArrow looks for -> outside of quotes and before a comment. Matchers of either kind are divided by blanks and begin
// with a name, so that a # after a blank is a comment wherever an arrow may follow.
func hasArrow(line string) bool {
	quoted := false
	for i := 0; i+1 < len(line); i++ {
		switch {
		case line[i] == '\\':
			i++
		case line[i] == '"':
			quoted = !quoted
		case quoted:
		case line[i] == '#' && strings.TrimRight(line[:i], " \t") != line[:i], line[0] == '#':
			return false
		case line[i] == '-' && line[i+1] == '>':
			return true
		}
	}
	return false
}

// maxInputFile bounds what is read of one file: far above the 1 MiB of an event that the server takes.
const maxInputFile = 64 << 20

func readInput(file string) ([]byte, error) {
	in := io.Reader(os.Stdin)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxInputFile+1))
	if err == nil && len(raw) > maxInputFile {
		err = fmt.Errorf("larger than %d MiB", maxInputFile>>20)
	}
	return raw, err
}
