package sqltext

import "strings"

// verbs are what a WITH can introduce.
var verbs = wordSet("select insert update delete merge")

// Verb is what a statement does: its first word in upper case, and behind WITH the word of its main part. "" when it
// begins with none.
func Verb(text string) string {
	l := lexer{src: text}
	t := l.significant()
	for t.text == "(" {
		t = l.significant()
	}
	if t.kind != word {
		return ""
	}
	if !strings.EqualFold(t.text, "with") {
		return strings.ToUpper(clip(t.text))
	}
	depth := 0
	for t := l.significant(); t.kind != end; t = l.significant() {
		depth += deeper(t.text)
		if w := strings.ToLower(clip(t.text)); depth == 0 && t.kind == word && verbs[w] {
			return strings.ToUpper(w)
		}
	}
	return "WITH"
}

// clip bounds a word that is no verb of SQL anyway.
func clip(word string) string { return word[:min(len(word), maxKeyword)] }

func deeper(text string) int {
	switch text {
	case "(":
		return 1
	case ")":
		return -1
	}
	return 0
}

// MaxTables bounds what Tables answers (limit sqltext.MaxTables).
const MaxTables = 20

// Tables are the tables that a statement names behind FROM, JOIN, INTO, UPDATE and TABLE, as they are written there and
// each once. It is a guess: it knows no grammar, so EXTRACT(x FROM y) names y. Names of WITH are left out.
func Tables(text string) []string {
	s := tableScan{lex: lexer{src: text}, with: map[string]bool{}, seen: map[string]bool{}}
	for s.cur = s.lex.significant(); s.cur.kind != end && len(s.out) < MaxTables; {
		s.step()
	}
	return s.out
}

type tableScan struct {
	lex        lexer
	cur        token
	prev       string // the word before cur, in lower case
	with, seen map[string]bool
	out        []string
}

func (s *tableScan) advance() token {
	s.prev = strings.ToLower(clip(s.cur.text))
	s.cur = s.lex.significant()
	return s.cur
}

// step looks at one token: one that introduces tables, or NAME AS (.
func (s *tableScan) step() {
	t, prev := s.cur, s.prev
	if t.kind != word && t.kind != quoted {
		s.advance()
		return
	}
	switch w := strings.ToLower(clip(t.text)); {
	case t.kind == word && (w == "from" && prev != "distinct" || w == "join" || w == "into" || w == "table" || w == "update" && prev != "for" && prev != "do" && prev != "key" && prev != "on"):
		s.advance()
		s.list()
	case s.advance().kind == word && strings.EqualFold(s.cur.text, "as") && !keywords[w]:
		if s.advance().text == "(" {
			s.with[identifier(t.text)] = true
		}
	}
}

// list reads names with commas between them; aliases are passed over.
func (s *tableScan) list() {
	for {
		for s.cur.kind == word && contains("only lateral if not exists concurrently", strings.ToLower(clip(s.cur.text))) {
			s.advance()
		}
		if !s.name() {
			return
		}
		for s.cur.kind == word && (!IsKeyword(s.cur.text) || strings.EqualFold(s.cur.text, "as")) {
			s.advance()
		}
		if s.cur.text != "," {
			return
		}
		s.advance()
	}
}

// name reads a table's name with its schema; false when none stands there, or a function's.
func (s *tableScan) name() bool {
	var parts []string
	for s.cur.kind == quoted || s.cur.kind == word && !IsKeyword(s.cur.text) {
		parts = append(parts, identifier(s.cur.text))
		if s.advance().text != "." {
			break
		}
		s.advance()
	}
	name := strings.Join(parts, ".")
	if len(parts) == 0 || s.cur.text == "(" && s.prev == "" {
		return false
	}
	if !s.with[name] && !s.seen[name] && len(s.out) < MaxTables {
		s.seen[name] = true
		s.out = append(s.out, name)
	}
	return true
}

// identifier is an identifier in its own form, whether it was quoted or not.
func identifier(text string) string {
	if text[0] == '"' {
		return unquote(text)
	}
	return strings.ToLower(text)
}
