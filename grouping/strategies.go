package grouping

import (
	"strings"
	"unicode/utf8"
)

// strategy is one way to group. single names its variant when it finds only one.
type strategy struct {
	name, single string
	run          func(*grouper) pair
}

// strategies stand in the order in which they are tried.
var strategies = [...]strategy{
	{"exception", "app", (*grouper).exceptions},
	{"threads", "app", (*grouper).threads},
	{"stacktrace", "app", (*grouper).bareStack},
	{"template", "default", (*grouper).template},
	{"csp", "default", (*grouper).security},
	{"message", "default", (*grouper).message},
}

// exceptions is the strategy of a single exception and of a chain.
func (g *grouper) exceptions() pair {
	switch n := len(g.ev.Exceptions); n {
	case 0:
		return pair{}
	case 1:
		return g.exception(0)
	default:
		return g.chain()
	}
}

// chain counts every exception of the chain, in the order of the event, or what an exception group boils down to.
func (g *grouper) chain() pair {
	parts := make([]pair, len(g.ev.Exceptions))
	for i := range parts {
		parts[i] = g.exception(i)
	}
	order := g.distinct(parts)
	if len(order) == 1 {
		return parts[order[0]]
	}
	apps, systems := make([]*Component, 0, len(order)), make([]*Component, 0, len(order))
	for _, i := range order {
		apps = append(apps, parts[i].app)
		if parts[i].system != nil {
			systems = append(systems, parts[i].system)
		}
	}
	p := pair{app: g.parent("chained-exception", apps)}
	if len(systems) > 0 {
		p.system = g.parent("chained-exception", systems)
	}
	return p
}

func (g *grouper) parent(id string, children []*Component) *Component {
	return g.arena.node(Component{ID: id, Name: id, Contributes: anyContributes(children), Children: children})
}

// exception is one exception: type, value, the error number of Apple's systems, and the stack trace. One without
// a stack has the variant app only.
func (g *grouper) exception(i int) pair {
	e := &g.ev.Exceptions[i]
	if e.Stack == nil || len(e.Stack.Frames) == 0 {
		return pair{app: g.exceptionComponent(e, nil)}
	}
	stacks := g.stackPair(&g.stacks[i])
	return pair{app: g.exceptionComponent(e, stacks.app), system: g.exceptionComponent(e, stacks.system)}
}

func (g *grouper) exceptionComponent(e *Exception, stack *Component) *Component {
	a := g.arena
	kids := a.list(4)
	typeHint := ""
	if e.Mechanism.Synthetic {
		typeHint = "the exception is synthetic"
	}
	kids = append(kids, a.leaf("type", e.Type, typeHint, !e.Mechanism.Synthetic))
	ns := g.nsError(e)
	value, hint := normaliseMessage(e.Value)
	byStack, byNS := stack != nil && stack.Contributes, ns != nil && ns.Contributes
	switch {
	case byStack:
		hint = "the stack trace counts"
	case byNS:
		hint = "the error number counts"
	}
	kids = append(kids, a.leaf("value", value, hint, !byStack && !byNS))
	if ns != nil {
		kids = append(kids, ns)
	}
	if stack != nil {
		kids = append(kids, stack)
	}
	if !g.config.newer(Newstyle2023) {
		kids = oldOrder(kids)
	}
	return a.node(Component{ID: "exception", Name: "exception", Contributes: anyContributes(kids), Children: kids})
}

// oldOrder is the stack trace first, then the type and what stands for the value, as the configuration of 2023 has it.
func oldOrder(kids []*Component) []*Component {
	last := len(kids) - 1
	if kids[last].ID != "stacktrace" {
		return kids
	}
	return append([]*Component{kids[last]}, kids[:last]...)
}

func (g *grouper) nsError(e *Exception) *Component {
	if e.Mechanism.NSDomain == "" && e.Mechanism.NSCode == "" {
		return nil
	}
	return g.parent("ns-error", []*Component{
		g.arena.leaf("domain", e.Mechanism.NSDomain, "", true), g.arena.leaf("code", e.Mechanism.NSCode, "", true)})
}

// threads takes the stack of the one thread that crashed, else of the one that was current, else of the only one.
func (g *grouper) threads() pair {
	t := g.mainThread()
	if t == nil || t.Stack == nil {
		return pair{}
	}
	s := g.normalise(t.Stack, nil)
	p := g.stackPair(&s)
	return pair{app: g.parent("threads", []*Component{p.app}), system: g.parent("threads", []*Component{p.system})}
}

// mainThread is the only thread that crashed, else the only one that was current, else the only one; nil when none is.
func (g *grouper) mainThread() *Thread {
	for _, is := range [...]func(*Thread) bool{
		func(t *Thread) bool { return t.Crashed },
		func(t *Thread) bool { return t.Current },
		func(*Thread) bool { return true },
	} {
		if t := onlyThread(g.ev.Threads, is); t != nil {
			return t
		}
	}
	return nil
}

// onlyThread is the thread for which is holds, nil when there is none or there are several.
func onlyThread(list []Thread, is func(*Thread) bool) (only *Thread) {
	for i := range list {
		if !is(&list[i]) {
			continue
		}
		if only != nil {
			return nil
		}
		only = &list[i]
	}
	return only
}

func (g *grouper) bareStack() pair {
	if g.ev.Stacktrace == nil {
		return pair{}
	}
	s := g.normalise(g.ev.Stacktrace, nil)
	return g.stackPair(&s)
}

func (g *grouper) template() pair {
	t := g.ev.Template
	if t == nil {
		return pair{}
	}
	return pair{app: g.parent("template", []*Component{
		g.arena.leaf("filename", t.Filename, "", true), g.arena.leaf("context-line", t.ContextLine, "", true)})}
}

func (g *grouper) message() pair {
	text := g.ev.Message
	if text == "" {
		text = g.ev.Formatted
	}
	if text == "" {
		return pair{}
	}
	value, hint := normaliseMessage(text)
	return pair{app: g.arena.leaf("message", value, hint, true)}
}

// normaliseMessage keeps the first two lines that are not empty and replaces what varies by placeholders. The
// hint says what was done.
func normaliseMessage(text string) (value, hint string) {
	value = firstLines(text)
	if out := Parameterize(value); out != value {
		return out, "values were replaced by placeholders"
	}
	if len(value) != len(text) {
		hint = "only the first two lines count"
	}
	return value, hint
}

// firstLines is the first two non-empty lines, with "..." after them when anything was left out.
func firstLines(text string) string {
	if !strings.ContainsAny(text, lineEnds) && strings.TrimSpace(text) != "" {
		return text
	}
	var b strings.Builder
	n := 0
	for rest := text; rest != "" && n < 2; {
		var line string
		line, rest = cutLine(rest)
		if strings.TrimSpace(line) == "" {
			continue
		}
		if n > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(line)
		n++
	}
	if b.String() != text {
		b.WriteString("...")
	}
	return b.String()
}

// lineEnds are the characters that end a line, as Python's splitlines has them.
const lineEnds = "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029"

// cutLine cuts text at the first end of a line; \r\n is one.
func cutLine(text string) (line, rest string) {
	i := strings.IndexAny(text, lineEnds)
	if i < 0 {
		return text, ""
	}
	if strings.HasPrefix(text[i:], "\r\n") {
		return text[:i], text[i+2:]
	}
	_, size := utf8.DecodeRuneInString(text[i:])
	return text[:i], text[i+size:]
}
