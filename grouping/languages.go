package grouping

import "strings"

// cleanFunction is the name of a frame's function without what varies from build to build, and whether it counts.
func cleanFunction(f *frame) (name, hint string, contributes bool) {
	name = f.function
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
		return cleanScriptFunction(name)
	}
	return name, "", true
}

// cleanScriptFunction keeps what stands behind the last dot: engines differ in what they put before it.
func cleanScriptFunction(name string) (string, string, bool) {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:]
	}
	switch name {
	case "?", "<anonymous function>", "<anonymous>", "Anonymous function":
		return name, "the function has no name", false
	}
	if strings.HasSuffix(name, "/<") {
		return name, "the function has no name", false
	}
	return name, "", true
}

// cleanPHPFunction leaves out closures of no name. The name of an anonymous class ends in its place in memory behind a
// null byte; its methods are told by their own name.
func cleanPHPFunction(name string) (string, string, bool) {
	switch {
	case strings.HasPrefix(name, "class@anonymous"):
		if i := strings.LastIndex(name, "::"); i >= 0 {
			return name[i+2:], "the class has no name", true
		}
		return name, "the function has no name", !strings.HasPrefix(name, "class@anonymous\x00")
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

// cutRubyDigits removes a tail "__digits_digits", as compiled templates have it.
func cutRubyDigits(name string) (string, bool) {
	tail := strings.TrimRight(name, "0123456789")
	if len(tail) == len(name) || !strings.HasSuffix(tail, "_") {
		return name, false
	}
	tail = tail[:len(tail)-1]
	head := strings.TrimRight(tail, "0123456789")
	if len(head) == len(tail) || !strings.HasSuffix(head, "__") {
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
	for _, name := range [...]string{"sun.reflect.GeneratedConstructorAccessor", "sun.reflect.GeneratedSerializationConstructorAccessor",
		"jdk.internal.reflect.GeneratedConstructorAccessor", "jdk.internal.reflect.GeneratedSerializationConstructorAccessor"} {
		module = cutDigits(module, name, "")
	}
	module = cutProxy(module, "CGLIB")
	module = cutProxy(module, "EnhancerBy")
	module = cutProxy(module, "FastClassBy")
	module = cutHibernate(module)
	module = cutJavassist(module)
	return cutDigits(module, "$fn__", "<auto>")
}

// cutDigits replaces the digits behind every mark.
func cutDigits(s, mark, by string) string {
	at := strings.Index(s, mark)
	if at < 0 {
		return s
	}
	at += len(mark)
	rest := strings.TrimLeft(s[at:], "0123456789")
	if len(rest) == len(s)-at {
		return s[:at] + cutDigits(rest, mark, by)
	}
	return s[:at] + by + cutDigits(rest, mark, by)
}

// cutProxy replaces the hash in "$$EnhancerBySpringCGLIB$$1a2b3c_7": behind a word between two pairs of dollars that
// has kind in it.
func cutProxy(module, kind string) string {
	for from := 0; ; {
		open := strings.Index(module[from:], "$$")
		if open < 0 {
			return module
		}
		open += from
		shut := strings.Index(module[open+2:], "$$")
		if shut < 0 {
			return module
		}
		from = open + 2 + shut
		if word := module[open+2 : from]; strings.Contains(word, kind) && isJavaWord(word) {
			if n := hashLength(module[from+2:]); n > 0 {
				module = module[:from+2] + "<auto>" + module[from+2+n:]
			}
			from += 2
		}
	}
}

func isJavaWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if class[s[i]]&isWord == 0 {
			return false
		}
	}
	return true
}

// hashLength is the length of hex digits and, behind a low line, decimal ones.
func hashLength(s string) int {
	n := 0
	for n < len(s) && class[s[n]]&isHexDigit != 0 {
		n++
	}
	if n == 0 {
		return 0
	}
	tail := n
	if tail < len(s) && s[tail] == '_' {
		for tail++; tail < len(s) && isDigit(s[tail]); tail++ {
		}
		if tail > n+1 {
			return tail
		}
	}
	return n
}

// cutHibernate replaces the word behind "$HibernateProxy$".
func cutHibernate(module string) string {
	const mark = "HibernateProxy$"
	at := strings.Index(module, mark)
	if at < 1 || module[at-1] != '$' {
		return module
	}
	at += len(mark)
	end := at
	for end < len(module) && class[module[end]]&isWord != 0 {
		end++
	}
	if end == at {
		return module
	}
	return module[:at] + "<auto>" + module[end:]
}

// cutJavassist replaces the number behind "$$_javassist" or its shorter form "_$$_jvst".
func cutJavassist(name string) string {
	if at := strings.Index(name, "$$_javassist"); at >= 0 {
		at += len("$$_javassist")
		rest := strings.TrimPrefix(name[at:], "_seam")
		if digits := strings.TrimPrefix(rest, "_"); digits != rest && len(strings.TrimLeft(digits, "0123456789")) < len(digits) {
			rest = strings.TrimLeft(digits, "0123456789")
		}
		return name[:at] + "<auto>" + rest
	}
	if at := strings.Index(name, "_$$_jvst"); at >= 0 {
		at += len("_$$_jvst")
		end := at
		for end < len(name) && class[name[end]]&isWord != 0 {
			end++
		}
		return name[:at] + "<auto>" + name[end:]
	}
	return name
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
