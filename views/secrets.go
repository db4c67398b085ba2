package views

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"kibitz/ingest/envelope"
)

// filtered stands in the place of a secret, as SDKs write it too.
const filtered = "[Filtered]"

// secretNames are parts of names whose values are not shown: a page is seen by more people than a cookie is meant for.
var secretNames = []string{"authorization", "cookie", "password", "passwd", "secret", "token", "api-key", "api_key", "apikey", "x-csrf", "csrf", "session",
	"private_key", "credential"}

// secretKeys are whole names of the same kind.
var secretKeys = map[string]bool{"auth": true, "pwd": true, "key": true, "sid": true, "sig": true, "signature": true, "code": true}

func secretName(key string) bool {
	lower := strings.ToLower(key)
	for _, s := range secretNames {
		if strings.Contains(lower, s) {
			return true
		}
	}
	return false
}

// masked is a value as it may be shown: nothing of a secret by its name, and without the secrets that JSON or an
// address inside of it carries.
func masked(key, value string) string {
	switch {
	case value == "":
		return ""
	case secretName(key):
		return filtered
	case strings.HasPrefix(value, "{") || strings.HasPrefix(value, "["):
		return maskJSON(value)
	case strings.Contains(value, "://") && !strings.ContainsAny(value, " \n"):
		return maskURL(value)
	}
	return value
}

// maskURL hides the password of an address and the values of secret parameters. The rest stays as it was written.
func maskURL(address string) string {
	head, query, found := strings.Cut(address, "?")
	if _, rest, ok := strings.Cut(head, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		if at := strings.LastIndex(host, "@"); at >= 0 {
			head = strings.Replace(head, host[:at], filtered, 1)
		}
	}
	if !found {
		return head
	}
	return head + "?" + maskQuery(query)
}

// maskQuery hides the values of secret parameters of a query or a form.
func maskQuery(query string) string {
	parts := strings.Split(query, "&")
	for n, part := range parts {
		key, value, _ := strings.Cut(part, "=")
		if name, err := url.QueryUnescape(key); err == nil {
			key = name
		}
		if value != "" && (secretName(key) || secretKeys[strings.ToLower(key)]) {
			name, _, _ := strings.Cut(part, "=")
			parts[n] = name + "=" + filtered
		}
	}
	return strings.Join(parts, "&")
}

// secretPair is a secret name and its value in text that looks like JSON and is not: it was cut, or Python wrote it.
var secretPair = regexp.MustCompile(`(?i)(["'][^"'\n]*(?:` + strings.Join(secretNames, "|") + `)[^"'\n]*["']\s*:\s*)("(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s,}\]]+)`)

// maskJSON hides the values of secret names at any depth. Text without a secret stays as it is.
func maskJSON(text string) string {
	if !secretName(text) { // most text: no name of a secret is anywhere in it
		return text
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return secretPair.ReplaceAllString(text, `${1}"`+filtered+`"`)
	}
	if !maskTree(v) {
		return text
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // the page escapes
	if e.Encode(v) != nil {
		return filtered
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func maskTree(v any) (changed bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if secretName(key) && value != nil && value != "" {
				v[key], changed = filtered, true
			} else if maskTree(value) {
				changed = true
			}
		}
	case []any:
		for _, value := range v {
			changed = maskTree(value) || changed
		}
	}
	return changed
}

// target is the address of a request with its query, without secrets.
func target(r *envelope.Request) string {
	address := r.URL
	if r.QueryString != "" && !strings.Contains(address, "?") {
		address += "?" + strings.TrimPrefix(r.QueryString, "?")
	}
	return maskURL(address)
}

// curl is a command that repeats a request. Secrets are left out. All of it came from outside and is pasted into a
// shell: it is quoted, and nothing of it can be read as an option or as the name of a file.
func curl(r *envelope.Request) string {
	var b strings.Builder
	b.WriteString("curl ")
	address := target(r)
	if strings.ContainsAny(address, "[]{}") {
		b.WriteString("-g ") // else curl reads [1-9] and {a,b} as patterns
	}
	if strings.HasPrefix(address, "-") {
		b.WriteString("--url ")
	}
	b.WriteString(quote(address))
	if r.Method != "" && r.Method != "GET" {
		b.WriteString(" \\\n  -X " + quote(strings.TrimLeft(r.Method, "-")))
	}
	for _, h := range r.Headers {
		if text := curlHeader(h); text != "" {
			b.WriteString(" \\\n  -H " + quote(text))
		}
	}
	if r.Data != "" {
		b.WriteString(" \\\n  --data-raw " + quote(body(r)))
	}
	return b.String()
}

// curlHeader is a header as -H takes it; "" for those that curl makes itself.
func curlHeader(h envelope.Pair) string {
	switch strings.ToLower(h.Key) {
	case "", "host", "content-length", "connection", "accept-encoding":
		return ""
	}
	if strings.HasPrefix(h.Key, "@") { // curl would read a file
		return ""
	}
	if h.Value == "" {
		return h.Key + ";"
	}
	return h.Key + ": " + masked(h.Key, h.Value)
}

// body is the body as it was sent, without secrets: SDKs turn forms into objects.
func body(r *envelope.Request) string {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Key, "Content-Type") && strings.HasPrefix(h.Value, "application/x-www-form-urlencoded") && len(r.DataFields) > 0 {
			return formBody(r.DataFields)
		}
	}
	if strings.Contains(r.Data, "=") && !strings.ContainsAny(r.Data, " \n{[<") {
		return maskQuery(r.Data)
	}
	return masked("", r.Data)
}

func formBody(fields []envelope.Field) string {
	parts := make([]string, 0, len(fields))
	for _, f := range fields {
		value := masked(f.Key, f.Value)
		if value != filtered {
			value = url.QueryEscape(value)
		}
		parts = append(parts, url.QueryEscape(f.Key)+"="+value)
	}
	return strings.Join(parts, "&")
}

// quote writes text for a shell. Control characters would act on the terminal that the command is pasted into, so
// text with any is written in $'...', which bash, zsh and POSIX of 2024 read.
func quote(s string) string {
	if !strings.ContainsFunc(s, control) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for _, r := range s {
		switch {
		case r == '\'' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r < 0x20 || r == 0x7f: // three octal digits, so that a digit behind it is not taken along
			b.WriteString(`\` + octal(byte(r)))
		case control(r): // C1 in UTF-8
			for _, c := range []byte(string(r)) {
				b.WriteString(`\` + octal(c))
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + "'"
}

func control(r rune) bool { return r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 }

func octal(c byte) string {
	s := strconv.FormatInt(int64(c), 8)
	return strings.Repeat("0", 3-len(s)) + s
}
