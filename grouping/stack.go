package grouping

import "strings"

// stack is a stack trace made ready: language quirks removed, rules applied.
type stack struct {
	frames    []frame
	maxFrames int  // the frames nearest the crash that count; 0 for all
	minFrames int  // fewer that count discard the stack
	invert    bool // the outermost frames tell most; it says so and changes no hash

	categories categorySet // that any of the frames has or had
}

// frame is a Frame made ready. Its strings share the event's memory where nothing was changed.
type frame struct {
	src      *Frame
	platform string // of the frame, else of the event
	family   family
	inApp    bool
	group    int8   // +1 or -1 when a rule said so
	hint     string // the rule that said so
	absPath  string // the place of the file; of a client that sends one place only, that
	filename string // without query and fragment
	function string // without arguments, in native code
	raw      string // the function as the client sent it
	path     string // lower case with slashes, for rules
	pkg      string // the same of the package
	category string
}

// normalise makes a stack ready. exc is the exception that it belongs to, if any, for rules that look at it.
func (g *grouper) normalise(src *Stacktrace, exc *Exception) stack {
	if src == nil {
		return stack{}
	}
	g.work += len(src.Frames)
	s := stack{frames: g.frames(len(src.Frames))}
	for i := range src.Frames {
		s.frames[i] = g.normaliseFrame(&src.Frames[i])
	}
	g.applyRules(&s, exc)
	return s
}

func (g *grouper) normaliseFrame(src *Frame) frame {
	f := frame{src: src, platform: src.Platform, function: src.Function, raw: src.RawFunction}
	f.absPath, f.filename = places(src.AbsPath, src.Filename)
	if f.platform == "" {
		f.platform = g.platform
	}
	f.family = familyOf(f.platform)
	f.inApp = src.InApp != nil && *src.InApp
	if f.function == "?" {
		f.function = "" // so browsers say that there is no name
	}
	f.trim()
	f.path, f.pkg = lowerPath(f.absPath), lowerPath(src.Package)
	return f
}

// trim cuts what varies from the function's name. A client that sends a raw name beside it has done so already.
func (f *frame) trim() {
	if f.family == familyJavaScript {
		f.filename = cutQuery(f.filename)
	}
	if f.raw != "" {
		return
	}
	f.raw = f.function
	switch {
	case f.family == familyNative && len(f.function) <= maxLongName:
		f.function = trimNative(f.function, f.platform)
	case f.platform == "csharp":
		f.function, _, _ = strings.Cut(f.function, " (")
	}
}

// places are the absolute path and the file name of a frame. Many clients send only one of them, most scripts' only the
// address as the file name: the name of such a file is the path in the address.
func places(absPath, filename string) (string, string) {
	if absPath == "" {
		absPath, filename = filename, ""
	}
	if filename != "" || absPath == "" {
		return absPath, filename
	}
	if path := pathOfURL(absPath); path != "" && path != "/" {
		return absPath, path
	}
	return absPath, absPath
}

// pathOfURL is the path in an address, "" in a text that is none.
func pathOfURL(text string) string {
	for _, scheme := range [...]string{"http:", "https:", "file:", "applewebdata:"} {
		rest, ok := strings.CutPrefix(text, scheme)
		if !ok {
			continue
		}
		rest, ok = strings.CutPrefix(rest, "//")
		i := strings.IndexByte(rest, '/')
		if !ok || i < 0 {
			return ""
		}
		return cutQuery(rest[i:])
	}
	return ""
}

// stackPair looks at a stack in both ways: app counts the program's own frames only, system all.
func (g *grouper) stackPair(s *stack) pair {
	n := len(s.frames)
	g.work += n
	apps, systems := g.arena.list(n), g.arena.list(n)
	for i := range s.frames {
		f := &s.frames[i]
		kids, contributes, hint := g.frameChildren(f)
		switch {
		case f.group < 0:
			contributes, hint = false, f.hint
		case f.group > 0:
			contributes, hint = true, f.hint
		case i > 0 && f.repeats(&s.frames[i-1]):
			contributes, hint = false, "the same call as the frame before"
		}
		systems = append(systems, g.arena.frame(contributes, hint, kids))
		if contributes && !f.inApp {
			contributes, hint = false, "not the program's own code"
		}
		apps = append(apps, g.arena.frame(contributes, hint, kids))
	}
	return pair{app: g.stackComponent(s, apps, "no frame of the program's own counts"), system: g.stackComponent(s, systems, "no frame counts")}
}

func (g *grouper) stackComponent(s *stack, frames []*Component, none string) *Component {
	c := g.arena.node(Component{ID: "stacktrace", Name: "stacktrace", Children: frames})
	n := limitFrames(frames, s.maxFrames)
	switch {
	case n == 0:
		c.Hint = none
	case n < s.minFrames:
		c.Hint = "a rule wants more frames"
	case len(s.frames) == 1 && s.frames[0].isBareScript():
		c.Hint = "a single frame without a function in a script says nothing"
	default:
		c.Contributes = true
	}
	return c
}

// limitFrames keeps the limit frames nearest the crash among those that count and tells how many count then.
func limitFrames(frames []*Component, limit int) (n int) {
	for i := len(frames) - 1; i >= 0; i-- {
		if !frames[i].Contributes {
			continue
		}
		if limit > 0 && n == limit {
			frames[i].Contributes, frames[i].Hint = false, "a rule limits the number of frames"
			continue
		}
		n++
	}
	return n
}

// repeats tells direct recursion: the same place in the same function as the frame before.
func (f *frame) repeats(before *frame) bool {
	a, b := f.src, before.src
	return f.function == before.function && a.Line == b.Line && a.Column == b.Column && f.filename == before.filename &&
		a.Module == b.Module && a.AbsPath == b.AbsPath && a.Package == b.Package
}

// isBareScript tells a JavaScript frame that a browser reports for code outside of any function.
func (f *frame) isBareScript() bool {
	return f.family == familyJavaScript && f.function == "" && hasURLOrigin(f.absPath, true)
}
