package grouping

import "strings"

// cleanFunction is the name of a frame's function without what varies from build to build, and whether it counts.
func cleanFunction(f *frame) (name, hint string, contributes bool) {
	name = orText(f.function, f.raw)
	switch f.platform {
	case "csharp":
		// Names were cut late for .NET; the whole one keeps groups what they were.
		name = f.raw
	case "php":
		return cleanPHPFunction(name)
	case "ruby":
		return cleanRubyFunction(name)
	case "java":
		if strings.HasPrefix(name, "lambda$") {
			return name, "the name of a lambda differs from build to build", false
		}
		return name, "", true
	}
	switch f.family {
	case familyNative:
		if name == "<redacted>" || name == "<unknown>" {
			return name, "the function is unknown", false
		}
	case familyJavaScript:
		return cleanScriptFunction(name, f.raw)
	}
	return name, "", true
}

// cleanScriptFunction keeps what stands behind the last dot: engines differ in what they put before it. raw is the
// name before a source map or the client changed it, and tells whether there is one.
func cleanScriptFunction(name, raw string) (string, string, bool) {
	name, raw = afterDot(name), afterDot(raw)
	switch raw {
	case "?", "<anonymous function>", "<anonymous>", "Anonymous function":
		return name, noName, false
	}
	if strings.HasSuffix(raw, "/<") {
		return name, noName, false
	}
	return name, "", true
}

// noName is the hint at a script's function that engines give no name. Its frame still counts as one.
const noName = "the script's function has no name"

func afterDot(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// cleanPHPFunction leaves out closures of no name. The name of an anonymous class ends in its place in memory behind a
// null byte; its methods are told by their own name.
func cleanPHPFunction(name string) (string, string, bool) {
	switch {
	case strings.HasPrefix(name, "class@anonymous"):
		if i := strings.LastIndex(name, "::"); i >= 0 {
			return name[i+2:], "the class has no name", true
		}
		// Nothing that is stored may hold a null byte: the replacement character stands for it.
		null := strings.HasPrefix(name, "class@anonymous\x00") || strings.HasPrefix(name, "class@anonymous\uFFFD")
		return name, "the function has no name", !null
	case strings.HasPrefix(name, "[Anonymous"):
		return name, "the function has no name", false
	}
	return name, "", true
}

// cleanRubyFunction makes every block the same, for its name tells the nesting, and drops the numbers that
// template engines put behind a method's name.
func cleanRubyFunction(name string) (string, string, bool) {
	if strings.HasPrefix(name, "block ") {
		return "block", "a block goes by no other name", true
	}
	if head, ok := cutRubyDigits(name); ok {
		return head, "generated digits were removed", true
	}
	return name, "", true
}

// minTemplateDigits is the least length of each of the two numbers behind the method of a compiled template.
const minTemplateDigits = 4

// cutRubyDigits removes a tail "__digits_digits", as compiled templates have it.
func cutRubyDigits(name string) (string, bool) {
	tail := strings.TrimRight(name, "0123456789")
	if len(name)-len(tail) < minTemplateDigits || !strings.HasSuffix(tail, "_") {
		return name, false
	}
	tail = tail[:len(tail)-1]
	head := strings.TrimRight(tail, "0123456789")
	if len(tail)-len(head) < minTemplateDigits || !strings.HasSuffix(head, "__") {
		return name, false
	}
	return head[:len(head)-2], true
}

// cleanJavaModule replaces the generated parts of class names: accessors of reflection, proxies of CGLIB, Javassist,
// Hibernate and what they enhance, functions of Clojure.
func cleanJavaModule(module string) string {
	if len(module) > maxLongName || strings.IndexByte(module, '$') < 0 && !strings.Contains(module, "reflect.Generated") {
		return module
	}
	for _, name := range [...]string{"sun.reflect.GeneratedMethodAccessor", "jdk.internal.reflect.GeneratedMethodAccessor"} {
		if strings.HasPrefix(module, name) {
			return name
		}
	}
	module = cutDigits(module, "sun.reflect.GeneratedConstructorAccessor")
	module = cutDigits(module, "sun.reflect.GeneratedSerializationConstructorAccessor")
	module = cutCGLIB(module)
	module = cutJavassist(module)
	module = cutDigits(module, "$fn__")
	module = cutProxy(module, "EnhancerBy")
	module = cutProxy(module, "FastClassBy")
	return cutHibernate(module)
}

const auto = "<auto>"

// cutDigits replaces the digits behind every mark.
func cutDigits(s, mark string) string {
	at := strings.Index(s, mark)
	if at < 0 {
		return s
	}
	at += len(mark)
	rest := strings.TrimLeft(s[at:], "0123456789")
	if len(rest) == len(s)-at {
		return s[:at] + cutDigits(rest, mark)
	}
	return s[:at] + auto + cutDigits(rest, mark)
}

// cutCGLIB replaces the hash behind "$$", a word and "CGLIB$$".
func cutCGLIB(module string) string {
	const mark = "CGLIB$$"
	for from := 0; ; {
		at := strings.Index(module[from:], mark)
		if at < 0 {
			return module
		}
		at += from
		word := at
		for word > 0 && class[module[word-1]]&isWord != 0 {
			word--
		}
		from = at + len(mark)
		if word < at && strings.HasSuffix(module[:word], "$$") {
			module, from = cutHash(module, from)
		}
	}
}

// cutProxy replaces the hash behind one or two dollars, kind and a word, and one or two dollars again:
// "$$EnhancerByGuice$$ae46b1bf".
func cutProxy(module, kind string) string {
	for from := 0; ; {
		at := strings.Index(module[from:], kind)
		if at < 0 {
			return module
		}
		at += from
		from = at + len(kind)
		end := from
		for end < len(module) && class[module[end]]&isWord != 0 {
			end++
		}
		if at == 0 || module[at-1] != '$' || end == from || end == len(module) || module[end] != '$' {
			continue
		}
		if end++; end < len(module) && module[end] == '$' {
			end++
		}
		module, from = cutHash(module, end)
	}
}

// cutHash replaces hex digits at a place, and decimal ones behind a low line, and tells where to go on.
func cutHash(s string, at int) (string, int) {
	n := at
	for n < len(s) && class[s[n]]&isHexDigit != 0 {
		n++
	}
	if n == at {
		return s, at
	}
	if tail := strings.TrimPrefix(s[n:], "_"); tail != s[n:] {
		if rest := strings.TrimLeft(tail, "0123456789"); rest != tail {
			n = len(s) - len(rest)
		}
	}
	return s[:at] + auto + s[n:], at + len(auto)
}

// cutHibernate replaces the word behind every "$HibernateProxy$".
func cutHibernate(module string) string {
	const mark = "HibernateProxy$"
	for from := 0; ; {
		at := strings.Index(module[from:], mark)
		if at < 0 {
			return module
		}
		at += from
		from = at + len(mark)
		if at == 0 || module[at-1] != '$' {
			continue
		}
		if from < len(module) && module[from] == '$' {
			from++
		}
		end := from
		for end < len(module) && isWordByte(module[end]) {
			end++
		}
		if end > from {
			module, from = module[:from]+auto+module[end:], from+len(auto)
		}
	}
}

// cutJavassist replaces the number behind every "$$_javassist".
func cutJavassist(name string) string {
	const mark = "$$_javassist"
	for from := 0; ; {
		at := strings.Index(name[from:], mark)
		if at < 0 {
			return name
		}
		from += at + len(mark)
		rest := strings.TrimPrefix(name[from:], "_seam")
		if tail := strings.TrimPrefix(rest, "_"); tail != rest {
			if digits := strings.TrimLeft(tail, "0123456789"); digits != tail {
				rest = digits
			}
		}
		name, from = name[:from]+auto+rest, from+len(auto)
	}
}

// cleanPythonLine replaces the numbers in the line by which Python's multiprocessing starts a child.
func cleanPythonLine(line string) string {
	const call = "spawn_main("
	i := strings.Index(line, call)
	if i < 0 {
		return line
	}
	args, after, ok := strings.Cut(line[i+len(call):], ")")
	if !ok {
		return line
	}
	parts := strings.Split(args, ",")
	for n, p := range parts {
		if name, value, ok := strings.Cut(p, "="); ok && strings.Trim(value, "0123456789 ") == "" {
			parts[n] = name + "=<int>"
		}
	}
	return line[:i+len(call)] + strings.Join(parts, ",") + ")" + after
}
