package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"kibitz/app/rollout"
	"kibitz/app/switches"
)

// switchUsage is what a wrong command line is told.
const switchUsage = "say `kibitz switch add KEY`, `set KEY on|off|inherit|N%%|kill|unkill`, `list`, `get KEY`, `try KEY --user ID`, `remove KEY`, `history [KEY]`, " +
	"`undo CHANGE`, `copy --from ENV --to ENV [KEY...]`, `processes`, `webhook add PROVIDER`, `export` or `import FILE`"

// switchCommand is `kibitz switch`. It acts on the running processes, through one of them; the database is needed only where none
// runs.
func switchCommand(ctx context.Context, c *call) error {
	if len(c.args) == 0 {
		return c.wrong(switchUsage)
	}
	run, ok := map[string]func(context.Context, *call) error{"add": switchAdd, "set": switchSet, "list": switchList, "get": switchGet, "try": switchTry,
		"remove": switchRemove, "history": switchHistory, "undo": switchUndo, "copy": switchCopy, "processes": switchProcesses, "webhook": switchWebhook,
		"export": switchExport, "import": switchImport}[c.args[0]]
	if !ok {
		return c.wrong("there is no `kibitz switch %s`; "+switchUsage, c.args[0])
	}
	return run(ctx, c)
}

// words parses flags before, between and after words, since people write all of these, and gives the words.
func words(f *flag.FlagSet, args []string, least, most int) (out []string, err error) {
	for {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		if f.NArg() == 0 {
			break
		}
		out, args = append(out, f.Arg(0)), f.Args()[1:]
	}
	if len(out) < least {
		return nil, fmt.Errorf("a word is missing")
	}
	if len(out) > most {
		return nil, fmt.Errorf("%q is one word too many", out[most])
	}
	return out, nil
}

// switchFlags are those that most of the commands have.
func (c *call) switchFlags(name string, into *switchRequest) *flag.FlagSet {
	f := c.flags("switch " + name)
	f.StringVar(&into.Env, "env", rollout.Production, "environment")
	return f
}

func switchAdd(ctx context.Context, c *call) error {
	var req switchRequest
	f := c.switchFlags("add", &req)
	variants := f.String("variants", "", `its answers as JSON: ["a","b"] or [{"name":"a","value":{"n":1}}]; on and off when absent`)
	f.StringVar(&req.Switch.Description, "description", "", "what it is for")
	f.StringVar(&req.Switch.Owner, "owner", "", "a person or team")
	f.StringVar(&req.Switch.Project, "project", "", "slug of the project whose switch it is")
	f.StringVar(&req.Switch.RemoveBy, "remove-by", "", "a date, 2006-01-02")
	f.StringVar(&req.Why, "why", "", "reason, for the history")
	asJSON := f.Bool("json", false, "print JSON")
	w, err := words(f, c.args[1:], 1, 1)
	if err == nil {
		req.Switch.Key, req.Key = w[0], w[0]
		req.Switch.Variants, err = parseVariants(*variants)
	}
	if err != nil {
		return c.wrong("%v: kibitz switch add KEY [--variants JSON] [--description D] [--owner O] [--project P] [--env E] [--remove-by DATE]", err)
	}
	return c.changeSwitch(ctx, "add", req, *asJSON)
}

// parseVariants takes names, or names with payloads.
func parseVariants(text string) (out []switches.Variant, err error) {
	if text == "" {
		return nil, nil
	}
	var names []string
	if json.Unmarshal([]byte(text), &names) == nil {
		for _, name := range names {
			out = append(out, switches.Variant{Name: name})
		}
		return out, nil
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return nil, fmt.Errorf(`--variants is no list of names, nor of {"name":..., "value":...}: %w`, err)
	}
	return out, nil
}

func switchSet(ctx context.Context, c *call) error {
	var req switchRequest
	f := c.switchFlags("set", &req)
	f.StringVar(&req.Why, "why", "", "reason, for the history")
	f.Int64Var(&req.Base, "base", 0, "revision at which the switch was read: refuse when somebody has changed it since")
	asJSON := f.Bool("json", false, "print JSON")
	w, err := words(f, c.args[1:], 2, 2)
	if err == nil {
		req.Key, req.To = w[0], w[1]
		_, err = parseTo(req.To)
	}
	if err != nil {
		return c.wrong("%v: kibitz switch set KEY on|off|inherit|N%%|kill|unkill [--why W] [--env E] [--base REVISION]", err)
	}
	return c.changeSwitch(ctx, "set", req, *asJSON)
}

// setTo is what a switch is set to: one of them.
type setTo struct {
	flip rollout.Flip
	kill *bool
}

func parseTo(word string) (to setTo, err error) {
	yes, no := true, false
	switch word {
	case "kill":
		return setTo{kill: &yes}, nil
	case "unkill":
		return setTo{kill: &no}, nil
	case string(switches.On), string(switches.Off), string(switches.Inherit), string(switches.Partial):
		state := switches.State(word)
		return setTo{flip: rollout.Flip{State: &state}}, nil
	}
	number, ok := strings.CutSuffix(word, "%")
	percent, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(percent >= 0 && percent <= 100) {
		return to, fmt.Errorf("%q is not on, off, inherit, kill, unkill or a share from 0%% to 100%%", word)
	}
	state := switches.Partial
	return setTo{flip: rollout.Flip{State: &state, Percent: &percent}}, nil
}

// changeSwitch asks for a change and prints what became of it.
func (c *call) changeSwitch(ctx context.Context, op string, req switchRequest, asJSON bool) error {
	var done rollout.Published
	if err := c.askSwitches(ctx, op, req, &done); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.out, done)
	}
	if done.ChangeID == 0 {
		fmt.Fprintf(c.out, "nothing to change, at revision %d\n", done.Revision)
		return nil
	}
	what := describe(done.Entry)
	if op == "remove" {
		what = "removed"
	}
	stored := "stored"
	if !done.Stored {
		stored = "waits in memory for the database"
	}
	fmt.Fprintf(c.out, "%s: %s in %s at revision %d; %d of %d other processes answer by it, the slowest after %s; %s; change %d\n", req.name(), what,
		req.where(), done.Revision, done.Told, done.Peers, done.Slowest.Round(100*time.Microsecond), stored, done.ChangeID)
	return nil
}

func describe(e rollout.Entry) string {
	switch {
	case e.Key == "":
		return "changed"
	case e.Killed:
		return "killed"
	case e.State == switches.Partial:
		return fmt.Sprintf("partial, %s %% of everyone", strconv.FormatFloat(e.Everyone.Percent, 'f', -1, 64))
	}
	return string(e.State)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func switchList(ctx context.Context, c *call) error {
	var req switchRequest
	f := c.switchFlags("list", &req)
	asJSON := f.Bool("json", false, "print JSON")
	if _, err := words(f, c.args[1:], 0, 0); err != nil {
		return c.wrong("%v: kibitz switch list [--env E] [--json]", err)
	}
	list := []rollout.Entry{}
	if err := c.askSwitches(ctx, "list", req, &list); err != nil {
		return err
	}
	if *asJSON {
		return printJSON(c.out, list)
	}
	for _, e := range list {
		fmt.Fprintf(c.out, "%-40s %-30s %s  %s\n", e.Key, describe(e), e.At.UTC().Format(time.DateTime), e.By)
	}
	return nil
}

func switchGet(ctx context.Context, c *call) error {
	var req switchRequest
	f := c.switchFlags("get", &req)
	asJSON := f.Bool("json", false, "print JSON")
	w, err := words(f, c.args[1:], 1, 1)
	if err != nil {
		return c.wrong("%v: kibitz switch get KEY [--env E] [--json]", err)
	}
	req.Key = w[0]
	var e rollout.Entry
	if err := c.askSwitches(ctx, "get", req, &e); err != nil {
		return err
	}
	if *asJSON {
		return printJSON(c.out, e)
	}
	fmt.Fprintf(c.out, "%s: %s in %s\n", e.Key, describe(e), e.Env)
	for _, line := range [][2]string{{"description", e.Description}, {"owner", e.Owner}, {"project", e.Project}, {"remove by", e.RemoveBy}, {"changed by", e.By},
		{"why", e.Why}, {"killed by", e.KilledBy}, {"why killed", e.KilledWhy}} {
		if line[1] != "" {
			fmt.Fprintf(c.out, "%s: %s\n", line[0], line[1])
		}
	}
	fmt.Fprintf(c.out, "changed: %s, revision %d\n", e.At.UTC().Format(time.DateTime), e.Version.Revision)
	for _, p := range e.Problems {
		fmt.Fprintln(c.out, "problem:", p.Field+":", p.Text)
	}
	return nil
}

// attrFlags are --attr k=v, any number of them. What reads as a number or a boolean is one.
type attrFlags map[string]any

// String implements flag.Value.
func (a attrFlags) String() string { return "" }

// Set implements flag.Value.
func (a attrFlags) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return fmt.Errorf("write name=value")
	}
	a[name] = value
	if n, err := strconv.ParseFloat(value, 64); err == nil && json.Valid([]byte(value)) {
		a[name] = n
	} else if value == "true" || value == "false" {
		a[name] = value == "true"
	}
	return nil
}

func switchTry(ctx context.Context, c *call) error {
	req := switchRequest{Context: map[string]any{}}
	f := c.switchFlags("try", &req)
	texts := map[string]*string{"targetingKey": f.String("user", "", "id of the person"), "ip": f.String("ip", "", "address"), "forum": f.String("forum", "", "forum"),
		"host": f.String("host", "", "host"), "role": f.String("role", "", "role"), "country": f.String("country", "", "country"), "release": f.String("release", "", "release")}
	f.Var(attrFlags(req.Context), "attr", "an attribute, name=value; may be repeated")
	anonymous := f.Bool("anonymous", false, "the user is a browser that is not signed in")
	asJSON := f.Bool("json", false, "print JSON")
	w, err := words(f, c.args[1:], 1, 1)
	if err != nil {
		return c.wrong("%v: kibitz switch try KEY --user ID [--attr k=v]... [--ip A] [--forum F] [--host H] [--env E] [--json]", err)
	}
	req.Key = w[0]
	for name, value := range texts {
		if *value != "" {
			req.Context[name] = *value
		}
	}
	if *anonymous {
		req.Context["anonymous"] = true
	}
	var got tried
	if err := c.askSwitches(ctx, "try", req, &got); err != nil {
		return err
	}
	if *asJSON {
		return printJSON(c.out, got)
	}
	return got.print(c.out)
}

// tried is switches.Explanation as it is read again: with its reason as a text.
type tried struct {
	Key       string               `json:"key"`
	Variant   string               `json:"variant"`
	On        bool                 `json:"on"`
	Value     json.RawMessage      `json:"value,omitempty"`
	Reason    string               `json:"reason"`
	Condition string               `json:"condition"`
	Bucket    int                  `json:"bucket"`
	Missing   string               `json:"missing,omitempty"`
	Steps     []switches.Explained `json:"steps"`
	Revision  int64                `json:"revision"`
	Source    string               `json:"source"` // where the answering process has its switches from
}

func (t *tried) print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s (%s, by %s)\n", t.Key, t.Variant, t.Reason, t.Condition)
	for _, s := range t.Steps {
		mark := "no "
		if s.Matched {
			mark = "yes"
		}
		fmt.Fprintf(w, "%s%s  %s: %s\n", strings.Repeat("  ", s.Depth), mark, s.What, s.Why)
	}
	return nil
}

func switchRemove(ctx context.Context, c *call) error {
	var req switchRequest
	f := c.switchFlags("remove", &req)
	f.StringVar(&req.Why, "why", "", "reason, for the history")
	asJSON := f.Bool("json", false, "print JSON")
	w, err := words(f, c.args[1:], 1, 1)
	if err != nil {
		return c.wrong("%v: kibitz switch remove KEY [--why W] [--env E]", err)
	}
	req.Key = w[0]
	return c.changeSwitch(ctx, "remove", req, *asJSON)
}

func switchHistory(ctx context.Context, c *call) error {
	var req switchRequest
	f := c.switchFlags("history", &req)
	f.IntVar(&req.N, "n", 20, "how many changes, the newest first")
	asJSON := f.Bool("json", false, "print JSON")
	w, err := words(f, c.args[1:], 0, 1)
	if err != nil {
		return c.wrong("%v: kibitz switch history [KEY] [--n 20] [--env E] [--json]", err)
	}
	if len(w) > 0 {
		req.Key = w[0]
	}
	got := past{Changes: []rollout.Change{}}
	if err := c.askSwitches(ctx, "history", req, &got); err != nil {
		return err
	}
	if got.Note != "" {
		fmt.Fprintln(c.err, "kibitz:", got.Note)
	}
	if *asJSON {
		return printJSON(c.out, got.Changes)
	}
	for _, h := range got.Changes {
		fmt.Fprintf(c.out, "%d  %s  %-30s %-8s %s (%s)  %s\n", h.ID, h.At.UTC().Format(time.DateTime), h.Key, h.Action, h.By.Name, h.By.Kind, h.Why)
	}
	return nil
}

func switchUndo(ctx context.Context, c *call) error {
	var req switchRequest
	f := c.switchFlags("undo", &req)
	asJSON := f.Bool("json", false, "print JSON")
	w, err := words(f, c.args[1:], 1, 1)
	if err == nil {
		req.Change, err = strconv.ParseInt(w[0], 10, 64)
	}
	if err != nil {
		return c.wrong("%v: kibitz switch undo CHANGE; `kibitz switch history` shows them", err)
	}
	return c.changeSwitch(ctx, "undo", req, *asJSON)
}

func switchCopy(ctx context.Context, c *call) error {
	var req switchRequest
	f := c.flags("switch copy")
	f.StringVar(&req.From, "from", "", "environment whose switches are copied")
	f.StringVar(&req.Env, "to", "", "environment that gets them")
	f.StringVar(&req.Why, "why", "", "reason, for the history")
	asJSON := f.Bool("json", false, "print JSON")
	w, err := words(f, c.args[1:], 0, switches.MaxSwitches)
	if err != nil || req.From == "" || req.Env == "" {
		return c.wrong("say `kibitz switch copy --from ENV --to ENV [KEY...]`")
	}
	req.Keys = w
	return c.changeSwitch(ctx, "copy", req, *asJSON)
}

func switchProcesses(ctx context.Context, c *call) error {
	f := c.flags("switch processes")
	asJSON := f.Bool("json", false, "print JSON")
	if _, err := words(f, c.args[1:], 0, 0); err != nil {
		return c.wrong("%v: kibitz switch processes [--json]", err)
	}
	var got fleet
	if err := c.askSwitches(ctx, "processes", switchRequest{}, &got); err != nil {
		return err
	}
	if *asJSON {
		return printJSON(c.out, got)
	}
	for _, p := range got.Processes {
		fmt.Fprintf(c.out, "%-20s %-22s revision %-8d took %-8s heard %s ago\n", p.Node, p.Addr, p.Revision, p.Took.Round(100*time.Microsecond), p.Age.Round(time.Second))
	}
	return nil
}

// whoami is who acts at the command line.
func whoami() rollout.By {
	name := "command line"
	if host, err := os.Hostname(); err == nil {
		name += " on " + host
	}
	return rollout.By{Name: name, Kind: "cli"}
}
