package grouping

import (
	"strings"
	"unicode/utf8"
)

// trimNative is a native function without arguments, template arguments, return type, the hash that Rust appends
// and the decorations of linkers: what stays the same when a program is compiled again, or by another compiler.
func trimNative(raw, platform string) string {
	name := strings.TrimSpace(raw)
	if name == "<redacted>" || name == "<unknown>" || name == "" {
		return raw
	}
	if strings.HasPrefix(name, "[") || strings.HasPrefix(name, "+[") || strings.HasPrefix(name, "-[") {
		return name // Objective-C
	}
	name = cutTrailers(name)
	name = protect.Replace(name)
	name = nameLambdas(name)
	name = nameAnonymous(name)
	name = replaceEnclosed(name, '(', ')', func(inner string, _ int) string {
		if inner = strings.TrimSpace(inner); inner == "anonymous namespace" || inner == "operator" {
			return "(" + inner + ")"
		}
		return ""
	})
	name = replaceEnclosed(name, '<', '>', trimGenerics(0))
	name = replaceEnclosed(name, '[', ']', func(inner string, _ int) string {
		if strings.HasPrefix(inner, "clone .") { // a part of a function that GCC made one of its own
			return ""
		}
		return "[" + inner + "]"
	})
	token := functionToken(name)
	if token == "" {
		return cutLinkage(raw)
	}
	if token[0] == '@' && (platform == "cocoa" || platform == "swift") {
		token = swiftClosure(name) // an attribute stands where a name should
	}
	return cutLinkage(restore.Replace(token))
}

func swiftClosure(name string) string {
	if strings.Contains(name, "thunk for ") {
		return "thunk for closure"
	}
	return "closure"
}

// cutTrailers removes what stands behind the arguments of a C++ method: const and references.
func cutTrailers(name string) string {
	for {
		before := name
		name = strings.TrimSuffix(name, "&")
		if rest, ok := strings.CutSuffix(name, "const"); ok && (rest == "" || !isWordByte(rest[len(rest)-1])) {
			name = rest
		}
		if name == before {
			return name
		}
		name = strings.TrimRight(name, " \t")
	}
}

// Stand-ins for what would upset the balance of brackets and blanks. They are control characters, which no compiler
// puts into a name.
const (
	markLess      = "\x01" // a < that is an operator
	markCall      = "\x02" // operator()
	markArrow     = "\x03" // " -> "
	markAnonymous = "\x04" // `anonymous namespace'
)

var (
	protect = strings.NewReplacer("operator<<", "operator"+markLess+markLess, "operator<", "operator"+markLess,
		"operator()", "operator"+markCall, "operator->", "operator"+markArrow, " -> ", " "+markArrow+" ", "`anonymous namespace'", markAnonymous)
	restore = strings.NewReplacer(markLess, "<", markCall, "()", markArrow, "->", markAnonymous, "`anonymous namespace'")
)

// nameLambdas gives the lambdas of all compilers one name: {lambda(int)#1} of GCC, lambda_ and 32 hex digits of MSVC,
// $_0 of Clang.
func nameLambdas(name string) string {
	if !strings.Contains(name, "lambda") && !strings.Contains(name, "$_") {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		if n := lambdaLength(name, i); n > 0 {
			b.WriteString("lambda")
			i += n
			continue
		}
		b.WriteByte(name[i])
		i++
	}
	return b.String()
}

func lambdaLength(name string, i int) int {
	rest := name[i:]
	switch {
	case strings.HasPrefix(rest, "{lambda("):
		shut := strings.Index(rest, ")#")
		if shut < 0 {
			return 0
		}
		n := shut + 2
		for n < len(rest) && isDigit(rest[n]) {
			n++
		}
		if n > shut+2 && n < len(rest) && rest[n] == '}' {
			return n + 1
		}
	case strings.HasPrefix(rest, "lambda_") && (i == 0 || !isWordByte(name[i-1])):
		const n = len("lambda_") + 32
		if len(rest) >= n && allHex(rest[7:n]) && (len(rest) == n || !isWordByte(rest[n])) {
			return n
		}
	case strings.HasPrefix(rest, "$_"):
		n := 2
		for n < len(rest) && isDigit(rest[n]) {
			n++
		}
		if n > 2 && (n == len(rest) || !isWordByte(rest[n])) {
			return n
		}
	}
	return 0
}

// isWordByte tells the bytes of a word; letters of other scripts are of one, too.
func isWordByte(c byte) bool { return c >= utf8.RuneSelf || class[c]&isWord != 0 }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// nameAnonymous makes ?A0x and a hash, by which MSVC names the anonymous namespace of inline functions, into the name
// that it has in others.
func nameAnonymous(name string) string {
	const mark = "?A0x"
	for from := 0; ; {
		i := strings.Index(name[from:], mark)
		if i < 0 {
			return name
		}
		i += from
		n := strings.Index(name[i:], "::")
		if n < 0 {
			return name
		}
		if hash := name[i+len(mark) : i+n]; len(hash) == 8 && isLowerAlnum(hash) && allHex(hash) {
			name = name[:i] + markAnonymous + name[i+n:]
			from = i + len(markAnonymous)
		} else {
			from = i + len(mark)
		}
	}
}

// replaceEnclosed replaces every outermost pair of brackets and what is in it. by gets the inside and the place of
// the opening bracket.
func replaceEnclosed(s string, open, shut byte, by func(inner string, at int) string) string {
	if strings.IndexByte(s, open) < 0 {
		return s
	}
	var b strings.Builder
	depth, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == open:
			if depth == 0 {
				from = i
			}
			depth++
		case c == shut:
			if depth--; depth == 0 {
				b.WriteString(by(s[from+1:i], from))
			}
		case depth == 0:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// trimGenerics makes the arguments of templates <T>. At the start of a name they are Rust's: <Foo as Bar>::baz is
// the method of a trait, of which the type is kept, and of "T as Trait", an implementation for all types, the trait.
func trimGenerics(depth int) func(inner string, at int) string {
	return func(inner string, at int) string {
		switch {
		case inner == "lambda":
			return "<lambda>"
		case at > 0 || depth == maxNested:
			return "<T>"
		}
		if len(inner) > 5 && inner[0] >= 'A' && inner[0] <= 'Z' && strings.HasPrefix(inner[1:], " as ") {
			inner = inner[5:]
		}
		inner = replaceEnclosed(inner, '<', '>', trimGenerics(depth+1))
		inner, _, _ = strings.Cut(inner, " as ")
		return inner
	}
}

// maxNested bounds the nesting of types in front of a Rust method; real code has two.
const maxNested = 16

// functionToken is the part of a declaration that names the function: the word before the first arrow of Swift, else
// the last. Blanks in brackets do not separate words.
func functionToken(s string) string {
	var before, last, word string // the two words before, and the one at hand
	for s != "" {
		word, s = cutToken(s)
		if word == "" {
			continue
		}
		if word == markArrow && last != "" {
			return last
		}
		before, last = last, word
	}
	if last == "<T>" && before != "" { // MSVC puts a blank between an operator and its template arguments
		return before + " <T>"
	}
	return last
}

// cutToken cuts s at its first white space outside of brackets.
func cutToken(s string) (token, rest string) {
	var room [32]byte
	stack := room[:0]
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch shut := closer(c); {
		case shut != 0:
			stack = append(stack, shut)
		case len(stack) > 0 && c == stack[len(stack)-1]:
			stack = stack[:len(stack)-1]
		case len(stack) == 0 && isSpaceByte(c):
			return s[:i], s[i+1:]
		}
	}
	if len(stack) > 0 {
		s = cutOpen(s)
	}
	return s, ""
}

// cutOpen drops what follows a bracket that is never closed.
func cutOpen(s string) string {
	var room [32]byte
	stack, end := room[:0], 0
	for i := 0; i < len(s); i++ {
		switch shut := closer(s[i]); {
		case shut != 0:
			stack = append(stack, shut)
		case len(stack) > 0 && s[i] == stack[len(stack)-1]:
			stack = stack[:len(stack)-1]
			if len(stack) == 0 {
				end = i + 1
			}
		case len(stack) == 0:
			end = i + 1
		}
	}
	return s[:end]
}

func closer(open byte) byte {
	switch open {
	case '(':
		return ')'
	case '{':
		return '}'
	case '[':
		return ']'
	case '<':
		return '>'
	}
	return 0
}

// cutLinkage removes Rust's hash, the version of a symbol of glibc, and the byte count of a Windows calling convention.
func cutLinkage(name string) string {
	if i := len(name) - 19; i >= 0 && strings.HasPrefix(name[i:], "::h") && isLowerAlnum(name[i+3:]) {
		name = name[:i]
	}
	if at := strings.LastIndex(name, "@GLIBC_"); at >= 0 && at+7 < len(name) && strings.Trim(name[at+7:], "0123456789.") == "" {
		name = strings.TrimSuffix(name[:at], "@")
	}
	if at := strings.LastIndexByte(name, '@'); at >= 0 && at+1 < len(name) && strings.Trim(name[at+1:], "0123456789") == "" {
		name = strings.TrimPrefix(name[:at], "@")
	}
	return name
}

func isLowerAlnum(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !(isDigit(c) || c >= 'a' && c <= 'z') {
			return false
		}
	}
	return true
}
