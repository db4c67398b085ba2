package sqltext

// Kind is how a page shows a piece of SQL.
type Kind uint8

// The kinds. Other is everything without a colour of its own: identifiers and blanks.
const (
	Other Kind = iota
	Keyword
	String
	Number
	Placeholder
	Punctuation
	Comment
)

// Token is a piece of a statement. The texts of all tokens, one after the other, are the statement.
type Token struct {
	Kind Kind
	Text string
}

// kinds maps what the lexer tells apart; a word is a keyword or not.
var kinds = map[kind]Kind{comment: Comment, str: String, number: Number, placeholder: Placeholder, operator: Punctuation, mark: Punctuation}

// Tokens cuts a statement for colouring. Neighbours of one kind without colour are one token.
func Tokens(text string) []Token {
	var out []Token
	l := lexer{src: text}
	for t := l.next(); t.kind != end; t = l.next() {
		k := kinds[t.kind]
		if t.kind == word && IsKeyword(t.text) {
			k = Keyword
		}
		if n := len(out); k == Other && n > 0 && out[n-1].Kind == Other {
			from := l.pos - len(t.text) - len(out[n-1].Text)
			out[n-1].Text = text[from:l.pos]
			continue
		}
		out = append(out, Token{k, t.text})
	}
	return out
}
