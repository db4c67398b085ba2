package grouping

import "strings"

// trimNative is a native function without arguments, template arguments, return type and the hash that Rust
// appends. trimmed is what the client had trimmed already, if it did.
func trimNative(raw, trimmed string) string {
	if trimmed != "" && trimmed != raw || raw == "" {
		return trimmed
	}
	if strings.HasPrefix(raw, "-[") || strings.HasPrefix(raw, "+[") || raw[0] == '[' {
		return raw
	}
	name := trimRust(raw)
	name = trimAnonymous(name)
	if !strings.ContainsAny(name, "(<") {
		return name
	}
	if name == "<redacted>" || name == "<unknown>" {
		return name
	}
	return trimReturnType(trimTemplates(trimArguments(name)))
}

// trimRust makes "<A as B>::f::h0123456789abcdef" into "A::f".
func trimRust(name string) string {
	if i := len(name) - 19; i > 0 && strings.HasPrefix(name[i:], "::h") && allHex(name[i+3:]) {
		name = name[:i]
	}
	if !strings.HasPrefix(name, "<") {
		return name
	}
	end := closing(name, 0)
	as := strings.Index(name, " as ")
	if as > 0 && as < end {
		return name[1:as] + name[end+1:]
	}
	return name
}

// trimAnonymous makes the number of an anonymous namespace, as Windows has it, into its name.
func trimAnonymous(name string) string {
	const mark = "?A0x"
	i := strings.Index(name, mark)
	if i < 0 {
		return name
	}
	n := strings.Index(name[i:], "::")
	if n < 0 || !allHex(name[i+len(mark):i+n]) {
		return name
	}
	return name[:i] + "`anonymous namespace'" + name[i+n:]
}

// closing is the place of the bracket that closes the one at i; the last byte when none does.
func closing(name string, i int) int {
	open, shut := name[i], byte('>')
	if open == '(' {
		shut = ')'
	}
	depth := 0
	for n := i; n < len(name); n++ {
		switch name[n] {
		case open:
			depth++
		case shut:
			if depth--; depth == 0 {
				return n
			}
		}
	}
	return len(name) - 1
}

// trimArguments cuts at the first bracket outside of templates that opens a list of arguments.
func trimArguments(name string) string {
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '<':
			if i > 0 {
				i = closing(name, i)
			}
		case '(':
			if strings.HasSuffix(name[:i], "operator") && strings.HasPrefix(name[i:], "()") {
				i++
				continue
			}
			if i > 0 && !strings.HasPrefix(name[i:], "(anonymous") {
				return strings.TrimSpace(name[:i])
			}
			i = closing(name, i)
		}
	}
	return name
}

// trimTemplates makes every list of template arguments <T>, and drops the number of a lambda.
func trimTemplates(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c != '<' || strings.HasSuffix(name[:i], "operator") {
			b.WriteByte(c)
			continue
		}
		end := closing(name, i)
		if strings.HasPrefix(name[i:], "<lambda") {
			b.WriteString("<lambda>")
		} else {
			b.WriteString("<T>")
		}
		i = end
	}
	return b.String()
}

// trimReturnType cuts what stands before the last blank outside of quotes and brackets.
func trimReturnType(name string) string {
	if strings.Contains(name, "operator ") || strings.ContainsAny(name, "`'{(") {
		return name
	}
	if i := strings.LastIndexByte(name, ' '); i >= 0 && i+1 < len(name) {
		return name[i+1:]
	}
	return name
}
