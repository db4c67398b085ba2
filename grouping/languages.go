package grouping

import "strings"

// cleanFunction is the name of a frame's function without what varies from build to build, and whether it counts.
func cleanFunction(f *frame) (name, hint string, contributes bool) {
	name = f.function
	switch f.platform {
	case "csharp":
		name = f.raw
	case "php":
		return cleanPHPFunction(name)
	case "ruby":
		return cleanRubyFunction(name)
	case "java":
		if strings.HasPrefix(name, "lambda$") {
			return name, "the name of a lambda differs from build to build", false
		}
		return cutNumberedTail(name, "$fn__", "$fn__<auto>"), "", true
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

func cleanPHPFunction(name string) (string, string, bool) {
	if !strings.HasPrefix(name, "[Anonymous") && !strings.HasPrefix(name, "class@anonymous") {
		return name, "", true
	}
	if i := strings.LastIndex(name, "::"); i >= 0 {
		return name[i+2:], "the class has no name", true
	}
	return name, "the function has no name", false
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
	head := strings.TrimRight(tail[:len(tail)-1], "0123456789")
	if len(head) == len(tail)-1 || !strings.HasSuffix(head, "__") || len(head) == 2 {
		return name, false
	}
	return head[:len(head)-2], true
}

// javaTails begin the generated end of a class name; what follows differs from run to run.
var javaTails = [...]string{"$$_javassist", "_$$_jvst", "$HibernateProxy$"}

// cleanJavaModule replaces the generated parts of class names.
func cleanJavaModule(module string) string {
	if strings.IndexByte(module, '$') < 0 && !strings.Contains(module, "reflect.Generated") {
		return module
	}
	for _, kind := range [...]string{"reflect.GeneratedMethodAccessor", "reflect.GeneratedConstructorAccessor", "reflect.GeneratedSerializationConstructorAccessor"} {
		if i := strings.Index(module, kind); i >= 0 && (strings.HasPrefix(module, "sun.") || strings.HasPrefix(module, "jdk.")) {
			return module[:i+len(kind)]
		}
	}
	for _, tail := range javaTails {
		if i := strings.Index(module, tail); i >= 0 {
			return module[:i+len(tail)] + "<auto>"
		}
	}
	for _, kind := range [...]string{"CGLIB$$", "EnhancerBy", "FastClassBy"} {
		if i := strings.Index(module, kind); i > 1 && strings.Contains(module[:i], "$$") {
			return cutProxy(module, i+len(kind))
		}
	}
	return cutNumberedTail(module, "$fn__", "$fn__<auto>")
}

// cutProxy replaces the hash behind the last $$ of a proxy's name.
func cutProxy(module string, at int) string {
	if strings.HasSuffix(module[:at], "$$") {
		return module[:at] + "<auto>"
	}
	if i := strings.Index(module[at:], "$$"); i >= 0 {
		return module[:at+i+2] + "<auto>"
	}
	return module
}

func cleanJavaFile(name string) string {
	if i := strings.Index(name, "$$_javassist"); i >= 0 {
		return name[:i] + "$$_javassist<auto>"
	}
	return name
}

// cutNumberedTail replaces mark and the digits behind it.
func cutNumberedTail(name, mark, by string) string {
	i := strings.Index(name, mark)
	if i < 0 {
		return name
	}
	rest := strings.TrimLeft(name[i+len(mark):], "0123456789")
	if len(rest) == len(name)-i-len(mark) {
		return name
	}
	return name[:i] + by + rest
}

// cleanPythonLine replaces the numbers in the line by which Python's multiprocessing starts a child.
func cleanPythonLine(line string) string {
	const call = "spawn_main("
	i := strings.Index(line, call)
	if i < 0 || !strings.Contains(line, "multiprocessing") {
		return line
	}
	args, after, ok := strings.Cut(line[i+len(call):], ")")
	if !ok {
		return line
	}
	parts := strings.Split(args, ",")
	for n, p := range parts {
		if name, _, ok := strings.Cut(p, "="); ok {
			parts[n] = name + "=<int>"
		}
	}
	return line[:i+len(call)] + strings.Join(parts, ",") + ")" + after
}
