package health

import (
	"kibitz/app/requests/sqlscan"
)

// query is what a statement on one table asks of it.
type query struct {
	schema, table                  string
	equal, ranges, patterns, order []string // columns
}

// maxTokens bounds how much of a statement is read; longer ones are made by programs and want no index of their own.
const maxTokens = 2000

// clauseEnds are the words that end a WHERE or ORDER BY.
var clauseEnds = map[string]bool{"order": true, "group": true, "limit": true, "offset": true, "fetch": true, "for": true, "returning": true,
	"having": true, "window": true}

// manyTables are words of statements that read more than one table, or one more than once.
var manyTables = map[string]bool{"join": true, "union": true, "intersect": true, "except": true, "with": true, "or": true, "lateral": true, "using": true}

// parseQuery reads a SELECT, UPDATE or DELETE of a single table whose conditions are all joined by AND; ok is false for anything
// else. Conditions that are no comparison of a column are passed over: they narrow nothing that an index knows.
func parseQuery(sql string) (q query, ok bool) {
	p := parser{tokens: sqlscan.Tokens(sql, maxTokens)}
	if len(p.tokens) == maxTokens || len(p.tokens) < 4 || !p.simple() {
		return q, false
	}
	switch first := p.tokens[0]; {
	case first.Is("select"), first.Is("delete"):
		if !p.seek("from") {
			return q, false
		}
	case first.Is("update"):
	default:
		return q, false
	}
	p.at++ // past from or update
	if p.peek().Is("only") {
		p.at++
	}
	if q.schema, q.table = p.table(); q.table == "" {
		return q, false
	}
	if t := p.peek(); t.Kind == sqlscan.Symbol && (t.Text == "," || t.Text == "(") {
		return q, false
	}
	if p.seek("where") {
		p.at++
		p.conditions(&q)
	}
	if p.seek("order") {
		p.at += 2
		if name, ok := p.column(); ok {
			q.order = []string{name}
		}
	}
	return q, len(q.equal)+len(q.ranges)+len(q.patterns) > 0
}

type parser struct {
	tokens []sqlscan.Token
	at     int
}

func (p *parser) peek() sqlscan.Token {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return sqlscan.Token{Kind: sqlscan.Open}
}

// simple tells whether it reads one table once.
func (p *parser) simple() bool {
	selects := 0
	for _, t := range p.tokens {
		if t.Kind != sqlscan.Word {
			continue
		}
		if t.Text == "select" {
			selects++
		}
		if manyTables[t.Text] || selects > 1 {
			return false
		}
	}
	return true
}

// seek goes to a word outside of parentheses.
func (p *parser) seek(word string) bool {
	depth := 0
	for at := p.at; at < len(p.tokens); at++ {
		depth += nesting(p.tokens[at])
		if depth == 0 && p.tokens[at].Is(word) {
			p.at = at
			return true
		}
	}
	return false
}

func nesting(t sqlscan.Token) int {
	switch {
	case t.Kind == sqlscan.Symbol && t.Text == "(":
		return 1
	case t.Kind == sqlscan.Symbol && t.Text == ")":
		return -1
	}
	return 0
}

func (p *parser) symbol(text string) bool {
	if t := p.peek(); t.Kind == sqlscan.Symbol && t.Text == text {
		p.at++
		return true
	}
	return false
}

func (p *parser) name() string {
	if t := p.peek(); t.Kind == sqlscan.Word || t.Kind == sqlscan.Name {
		p.at++
		return t.Text
	}
	return ""
}

// table reads a name, with or without its schema.
func (p *parser) table() (schema, table string) {
	table = p.name()
	if p.symbol(".") {
		schema, table = table, p.name()
	}
	return schema, table
}

// column reads a column's name, with or without that of its table before it; ok is false when it is something else, a function
// for example.
func (p *parser) column() (name string, ok bool) {
	for name = p.name(); name != "" && p.symbol("."); {
		name = p.name()
	}
	t := p.peek()
	return name, name != "" && !(t.Kind == sqlscan.Symbol && t.Text == "(")
}

// conditions reads what is joined by AND.
func (p *parser) conditions(q *query) {
	for p.at < len(p.tokens) {
		if name, ok := p.column(); ok {
			p.comparison(q, name)
		}
		if !p.next() {
			return
		}
	}
}

// comparison sorts a column by the operator that follows it.
func (p *parser) comparison(q *query, name string) {
	t := p.peek()
	switch {
	case t.Is("in"):
		q.equal = append(q.equal, name)
	case t.Is("between"):
		q.ranges = append(q.ranges, name)
		p.at += 2
		if p.seek("and") {
			p.at++ // it is that of BETWEEN
		}
	case t.Is("like"), t.Is("ilike"):
		q.patterns = append(q.patterns, name)
	case t.Kind != sqlscan.Symbol:
	case t.Text == "=":
		q.equal = append(q.equal, name)
	case t.Text == "<" || t.Text == ">":
		if p.at+1 < len(p.tokens) && (p.tokens[p.at+1].Text == ">" || p.tokens[p.at+1].Text == "@") {
			return // <> and <@
		}
		q.ranges = append(q.ranges, name)
	}
}

// next goes past the next AND outside of parentheses; false at the end of the clause.
func (p *parser) next() bool {
	for depth := 0; p.at < len(p.tokens); p.at++ {
		t := p.tokens[p.at]
		depth += nesting(t)
		if depth < 0 || depth == 0 && t.Kind == sqlscan.Word && clauseEnds[t.Text] {
			return false
		}
		if depth == 0 && t.Is("and") {
			p.at++
			return true
		}
	}
	return false
}
