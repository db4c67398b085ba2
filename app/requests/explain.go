package requests

import (
	"context"
	"slices"
	"strings"
	"time"

	"kibitz/app/db"
	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/requests/sqlscan"
	"kibitz/app/store"
)

const (
	// planTimeout bounds a plan, which runs nothing; runTimeout a statement that is run. A page has 15 s in all.
	planTimeout = 5 * time.Second
	runTimeout  = 8 * time.Second
	// maxExplained bounds the statement, in bytes and in tokens.
	maxExplained       = 100_000
	maxExplainedTokens = 20_000
)

// Explainer asks PostgreSQL for plans.
type Explainer struct{ store *store.Store }

// NewExplainer makes one.
func NewExplainer(s *store.Store) *Explainer { return &Explainer{s} }

// Explained is a plan, or in words why there is none.
type Explained struct {
	Plan    *model.Plan
	Params  []string // types of the placeholders
	Refused string
}

// Explain answers the plan of a statement on a partition's primary. values are texts for its placeholders; nil asks for the
// generic plan. With run the statement is executed, which only a SELECT may be that calls nothing that could do more than
// read. Errors that a visitor can mend are errs.Unprocessable.
func (e *Explainer) Explain(ctx context.Context, partition, sql string, values []string, run bool) (out Explained, err error) {
	node := db.Node{Part: db.Partition(partition)}
	if !slices.Contains(db.Partitions, node.Part) {
		return out, errs.New(errs.NotFound, "There is no partition %q.", partition)
	}
	names, err := checkExplainable(sql, run)
	if err != nil {
		return out, err
	}
	r := store.ExplainRequest{SQL: strings.TrimRight(strings.TrimSpace(sql), "; \t\r\n"), Values: values, Run: run, Timeout: planTimeout}
	if run {
		r.Timeout = runTimeout
		if err := e.checkHarmless(ctx, node, names); err != nil {
			return out, err
		}
	}
	got, err := e.store.Explain(ctx, node, r)
	if err != nil {
		return out, err
	}
	out.Params = got.Params
	if got.Refused != "" {
		out.Refused = refusal(got)
		return out, nil
	}
	if run && values == nil && len(got.Params) > 0 {
		return out, errs.New(errs.Unprocessable, "The statement has %d placeholders: to run it, their values are needed.", len(got.Params))
	}
	plan, err := ParsePlan(got.Plan)
	if err != nil {
		return out, err
	}
	plan.Generic = values == nil && len(got.Params) > 0
	out.Plan = plan
	return out, nil
}

// refusal says what PostgreSQL answered, and what it means where that is not plain.
func refusal(e store.Explanation) string {
	switch e.Code {
	case "42P18", "42P08":
		return "PostgreSQL cannot tell the types of the placeholders without their values: " + e.Refused
	case "57014":
		return "It took too long and was stopped (limits planTimeout and runTimeout, " + planTimeout.String() + " and " + runTimeout.String() + ")."
	case "25006":
		return "It would change something, which a plan must not: " + e.Refused
	case "42P01", "3F000", "42703":
		return "It is not a statement of this partition: " + e.Refused
	case "42501":
		return "The partition's role may not: " + e.Refused
	}
	return "PostgreSQL says: " + e.Refused
}

// planned are the statements that have a plan. EXPLAIN runs none of them.
var planned = map[string]bool{"select": true, "insert": true, "update": true, "delete": true, "merge": true, "with": true, "values": true, "table": true}

// checkExplainable refuses what is not one statement with a plan, and answers the names of the functions that it may call. The
// database would refuse it too, by its protocol and its grammar; here it is said in plain words, and before anything is sent.
func checkExplainable(sql string, run bool) (names []string, err error) {
	if len(sql) > maxExplained {
		return nil, errs.New(errs.TooLarge, "The statement has %d bytes; %d can be explained (limit maxExplained).", len(sql), maxExplained)
	}
	tokens := sqlscan.Tokens(sql, maxExplainedTokens)
	if len(tokens) == maxExplainedTokens {
		return nil, errs.New(errs.TooLarge, "The statement is too long to be explained (limit maxExplainedTokens).")
	}
	tokens = withoutEnd(tokens)
	first := 0
	for first < len(tokens) && tokens[first].Kind == sqlscan.Symbol && tokens[first].Text == "(" {
		first++
	}
	if first >= len(tokens) || tokens[first].Kind != sqlscan.Word || !planned[tokens[first].Text] {
		return nil, errs.New(errs.Unprocessable, "Only SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES and WITH have a plan.")
	}
	for _, t := range tokens {
		switch {
		case t.Kind == sqlscan.Open:
			return nil, errs.New(errs.Unprocessable, "The statement was cut: a quote or a comment in it is not closed.")
		case t.Kind == sqlscan.Symbol && t.Text == ";":
			return nil, errs.New(errs.Unprocessable, "That is more than one statement.")
		}
	}
	if run {
		return called(tokens, tokens[first])
	}
	return nil, nil
}

// withoutEnd drops semicolons at the end.
func withoutEnd(tokens []sqlscan.Token) []sqlscan.Token {
	for n := len(tokens); n > 0 && tokens[n-1].Kind == sqlscan.Symbol && tokens[n-1].Text == ";"; n-- {
		tokens = tokens[:n-1]
	}
	return tokens
}

// writing are words with which a SELECT does more than read.
var writing = map[string]bool{"insert": true, "update": true, "delete": true, "merge": true, "into": true}

// called are the names before a bracket or behind a dot. Keywords among them (IN, AND) are no functions and are not found.
func called(tokens []sqlscan.Token, first sqlscan.Token) (names []string, err error) {
	if first.Text != "select" && first.Text != "with" && first.Text != "values" && first.Text != "table" {
		return nil, errs.New(errs.Unprocessable, "Only a SELECT is run; the plan of the others is shown without.")
	}
	for i, t := range tokens {
		switch {
		case t.Kind == sqlscan.Escaped:
			return nil, errs.New(errs.Unprocessable, "Names and texts with Unicode escapes (U&) are not run.")
		case t.Kind == sqlscan.Word && writing[t.Text]:
			return nil, errs.New(errs.Unprocessable, "Only what reads is run, and this has %s in it.", strings.ToUpper(t.Text))
		case t.Kind != sqlscan.Word && t.Kind != sqlscan.Name:
		case i+1 < len(tokens) && isSymbol(tokens[i+1], "("), i > 0 && isSymbol(tokens[i-1], "."):
			names = append(names, t.Text)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func isSymbol(t sqlscan.Token, text string) bool { return t.Kind == sqlscan.Symbol && t.Text == text }

// checkHarmless refuses to run what calls a volatile function: those end sessions, take locks, write files, run SQL of their own.
// A read-only transaction keeps rows from being changed, and nothing more.
func (e *Explainer) checkHarmless(ctx context.Context, node db.Node, names []string) error {
	volatile, err := e.store.VolatileFunctions(ctx, node, names)
	if err != nil {
		return err
	}
	if len(volatile) > 0 {
		return errs.New(errs.Unprocessable, "It calls %s, which may do more than read, and is not run.", strings.Join(volatile, ", "))
	}
	return nil
}
