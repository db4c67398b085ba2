package grouping

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// frameChildren are what identifies a frame: its module, else its file; its function; its source line where the
// platform's are stable.
func (g *grouper) frameChildren(f *frame) (kids []*Component, contributes bool, hint string) {
	kids = g.arena.list(4)
	module := g.module(f)
	file := g.file(f, module != nil && module.Contributes)
	line := g.contextLine(f)
	function := g.function(f, line != nil && line.Contributes)
	for _, c := range [...]*Component{module, file, function, line} {
		if c != nil {
			kids = append(kids, c)
			contributes = contributes || c.Contributes
		}
	}
	if function != nil && function.Hint == noName {
		contributes = true // a call in the stack, if one without a name
	}
	if f.family == familyJavaScript && isGeneratedScript(f) {
		return kids, false, "the code was made at run time or belongs to the engine"
	}
	return kids, contributes, ""
}

func isGeneratedScript(f *frame) bool {
	switch f.absPath {
	case "[native code]", "native code", "eval code", "<anonymous>":
		return true
	}
	return afterDot(f.raw) == "eval"
}

func (g *grouper) module(f *frame) *Component {
	module := f.src.Module
	if module == "" {
		return nil
	}
	switch {
	case f.family == familyJavaScript && strings.IndexByte(module, '/') >= 0 && strings.HasSuffix(f.absPath, module):
		return g.arena.leaf("module", module, "it is only the path of the script", false)
	case f.platform == "java" && strings.Contains(module, "$$Lambda$"):
		return g.arena.leaf("module", module, "the name of a lambda differs from run to run", false)
	case f.platform == "java":
		if clean := cleanJavaModule(module); clean != module {
			return g.arena.leaf("module", clean, "generated parts were removed", true)
		}
	}
	return g.arena.leaf("module", module, "", true)
}

func (g *grouper) file(f *frame, byModule bool) *Component {
	name := baseName(f.filename)
	if f.filename == "" {
		return nil
	}
	hint, contributes := "", !byModule
	switch {
	case byModule:
		hint = "the module counts"
	case hasURLOrigin(f.absPath, false):
		hint, contributes = "a file from a web address may move", false
	case name == "<anonymous>" || name == "[native code]":
		hint, contributes = "the file has no name", false
	case f.platform == "java":
		name = cutJavassist(name)
	}
	return g.arena.leaf("filename", name, hint, contributes)
}

// baseName is the last part of a path, lower case.
func baseName(path string) string {
	if i := strings.LastIndexAny(path, `/\`); i >= 0 {
		path = path[i+1:]
	}
	return strings.ToLower(path)
}

func (g *grouper) function(f *frame, byLine bool) *Component {
	name, hint, contributes := cleanFunction(f)
	if name == "" {
		return nil
	}
	if contributes && byLine && f.family == familyJavaScript && f.src.SourceMapped {
		hint, contributes = "the source line counts, and a mapped function name is a guess", false
	}
	return g.arena.leaf("function", name, hint, contributes)
}

func (g *grouper) contextLine(f *frame) *Component {
	raw := f.src.ContextLine
	if raw == "" || !usesContextLine(f.platform) {
		return nil
	}
	line := collapseSpace(raw)
	switch {
	case len(raw) > maxContextLine && utf8.RuneCountInString(raw) > maxContextLine:
		return g.arena.leaf("context-line", line, "the line is too long", false)
	case f.family == familyJavaScript && f.function == "" && hasURLOrigin(f.absPath, true):
		return g.arena.leaf("context-line", line, "a line of a page outside of any function", false)
	case f.platform == "python" && g.config.newer(Newstyle2023):
		if clean := cleanPythonLine(line); clean != line {
			return g.arena.leaf("context-line", clean, "process numbers were replaced", true)
		}
	}
	return g.arena.leaf("context-line", line, "", true)
}

// collapseSpace trims text and makes each run of white space in it one blank. It allocates only when there is such a run.
func collapseSpace(text string) string {
	text = strings.TrimSpace(text)
	blank := false
	for i, c := range text {
		switch {
		case c > ' ' && c < utf8.RuneSelf || !unicode.IsSpace(c): // nearly all of it is the former
			blank = false
		case blank || c != ' ':
			return strings.Join(strings.Fields(text[:i]), " ") + " " + strings.Join(strings.Fields(text[i:]), " ")
		default:
			blank = true
		}
	}
	return text
}

// hasURLOrigin tells a path on the web. files says whether a page opened from disk is one, too.
func hasURLOrigin(path string, files bool) bool {
	for _, scheme := range [...]string{"http:", "https:", "applewebdata:", "blob:"} {
		if strings.HasPrefix(path, scheme) {
			return true
		}
	}
	return files && strings.HasPrefix(path, "file:")
}

// cutQuery removes the query and fragment of a script's address.
func cutQuery(name string) string {
	if i := strings.IndexAny(name, "?#"); i >= 0 {
		return name[:i]
	}
	return name
}

// lowerPath is a path as rules see it: lower case, with slashes.
func lowerPath(path string) string {
	path = strings.ToLower(path)
	if strings.IndexByte(path, '\\') >= 0 {
		path = strings.ReplaceAll(path, `\`, "/")
	}
	return path
}
