package health

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kibitz/app/model"
)

const (
	// fewRows, enough and mustCut are PgHero's: smaller tables are read whole as fast; an index that leaves fewer than 50 rows
	// needs no second column; a column that leaves more than 30 % of the rows is not worth its place.
	fewRows = 500
	enough  = 50.0
	mustCut = 0.7
	// maxIndexColumns is PgHero's.
	maxIndexColumns = 2
	// costly is the mean time from which on a statement deserves an index of its own.
	costly = 5 * time.Millisecond
	// maxStatements bounds how many statements are looked at, the most expensive first.
	maxStatements = 200
)

// suggestion is an index that would serve some statements.
type suggestion struct {
	table   string
	columns []string
	trigram bool
	rows    int64   // of the table
	left    float64 // that a look-up would leave
	saves   time.Duration
	calls   int64
	example string
}

// suggestedIndexes reads the costly statements on a single table: which of their columns would narrow it down, and whether an
// index does so already.
func suggestedIndexes(p Partition) model.Finding {
	if p.Statements == nil {
		return unknown("What statements were run is not known: pg_stat_statements cannot be read, or has not been watched for a minute yet.")
	}
	c := newCatalog(p.Schema)
	byIndex, blind := map[string]*suggestion{}, 0
	statements := slices.Clone(p.Statements)
	slices.SortStableFunc(statements, func(a, b Statement) int { return cmp.Compare(b.Total, a.Total) })
	for _, s := range statements[:min(len(statements), maxStatements)] {
		if s.Calls == 0 || s.Total/time.Duration(s.Calls) < costly {
			continue
		}
		q, ok := parseQuery(s.SQL)
		if !ok || q.schema != "" && q.schema != p.Schema.Part {
			continue
		}
		found, known := c.suggest(q)
		if !known {
			blind++
		}
		if found == nil {
			continue
		}
		key := found.table + " " + strings.Join(found.columns, ",") + strconv.FormatBool(found.trigram)
		if byIndex[key] == nil {
			found.example = s.SQL
			byIndex[key] = found
		}
		byIndex[key].saves, byIndex[key].calls = byIndex[key].saves+s.Total, byIndex[key].calls+s.Calls
	}
	return suggestionsFinding(p, byIndex, blind, len(statements))
}

func suggestionsFinding(p Partition, byIndex map[string]*suggestion, blind, looked int) model.Finding {
	var all []*suggestion
	for _, s := range byIndex {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *suggestion) int {
		return cmp.Or(cmp.Compare(b.saves, a.saves), strings.Compare(a.table, b.table), slices.Compare(a.columns, b.columns))
	})
	f := well("None of %s looked at wants another index.", plural(looked, "statement", "statements"))
	for _, s := range all {
		f.Items = append(f.Items, s.item(p.Schema.Part))
	}
	switch {
	case len(all) > 0:
		f.Verdict, f.Said = model.Warn, plural(len(all), "index", "indexes")+" would serve statements that take long."
		f.Advice = "Guessed from the planner's statistics, for statements on one table: look at the plan before and after. Each index makes writes slower."
	case blind > 0:
		return unknown("%s on tables that were never analyzed.", plural(blind, "costly statement is", "costly statements are"))
	}
	return withValue(f, strconv.Itoa(len(all)), "")
}

func (s *suggestion) item(part string) model.FindingItem {
	columns := make([]string, len(s.columns))
	for i, name := range s.columns {
		columns[i] = Ident(name)
	}
	item := model.FindingItem{Name: qualified(part, s.table) + " (" + strings.Join(s.columns, ", ") + ")",
		Said: fmt.Sprintf("%s calls took %s; leaves about %s of %s rows: %s", Count(s.calls), Span(s.saves), Count(int64(s.left)), Count(s.rows), clipped(s.example)),
		SQL:  "CREATE INDEX CONCURRENTLY ON " + qualified(part, s.table) + " (" + strings.Join(columns, ", ") + ");"}
	if s.trigram {
		item.Said = fmt.Sprintf("%s calls took %s; a pattern that may begin anywhere is found by trigrams only: %s", Count(s.calls), Span(s.saves), clipped(s.example))
		item.SQL = "CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE INDEX CONCURRENTLY ON " + qualified(part, s.table) + " USING gist (" + columns[0] + " gist_trgm_ops);"
	}
	return item
}

// catalog is a schema, ready to be asked. A table in time partitions has the statistics of its largest one.
type catalog struct {
	tables  map[string]model.TableFacts
	largest map[string]string
	indexes map[string][]model.IndexFacts
	columns map[columnName]model.ColumnFacts
}

func newCatalog(s model.SchemaFacts) catalog {
	c := catalog{map[string]model.TableFacts{}, map[string]string{}, map[string][]model.IndexFacts{}, columnsOf(s)}
	for _, t := range s.Tables {
		if largest, seen := c.largest[t.Root]; !seen || c.tables[largest].Bytes < t.Bytes {
			c.largest[t.Root] = t.Name
		}
		c.tables[t.Name] = t
	}
	for _, t := range foldedTables(s.Tables) {
		c.tables[t.Root] = t
	}
	for _, i := range folded(s.Indexes) {
		c.indexes[i.Root] = append(c.indexes[i.Root], i)
	}
	return c
}

// suggest answers the index that a statement wants, or nil; known is false when the planner knows nothing of its columns.
func (c catalog) suggest(q query) (found *suggestion, known bool) {
	t, ok := c.tables[q.table]
	rows := float64(max(t.Rows, t.Live))
	if !ok || rows < fewRows {
		return nil, true
	}
	s := &suggestion{table: q.table, rows: int64(rows), left: rows}
	if len(q.equal) == 0 && len(q.ranges) == 0 && len(q.patterns) > 0 {
		s.columns, s.trigram = q.patterns[:1], true
		return c.unlessServed(s), true
	}
	type choice struct {
		name string
		left float64
	}
	var choices []choice
	for _, name := range q.equal {
		left, ok := c.selects(q.table, name, rows)
		if !ok {
			return nil, false
		}
		choices = append(choices, choice{name, left})
	}
	slices.SortStableFunc(choices, func(a, b choice) int { return cmp.Compare(a.left, b.left) })
	for _, ch := range choices {
		share := ch.left / rows
		if len(s.columns) == maxIndexColumns || s.left < enough || share > 1-mustCut {
			break
		}
		s.columns, s.left = append(s.columns, ch.name), s.left*share
	}
	if s.left >= enough && len(s.columns) < maxIndexColumns {
		s.columns = append(s.columns, c.last(q)...)
	}
	if len(s.columns) == 0 {
		return nil, true
	}
	return c.unlessServed(s), true
}

// last is a column that can only be the last of an index: one that is compared with a range, else the one it is sorted by when
// something else narrows the rows.
func (c catalog) last(q query) []string {
	for _, list := range [][]string{q.ranges, q.order} {
		if len(list) > 0 && !slices.Contains(q.equal, list[0]) {
			if _, ok := c.columns[columnName{c.largest[q.table], list[0]}]; ok && (len(q.equal) > 0 || len(q.ranges) > 0) {
				return list[:1]
			}
		}
	}
	return nil
}

// selects is how many rows have one value of a column, by the planner's n_distinct.
func (c catalog) selects(table, column string, rows float64) (left float64, ok bool) {
	f, ok := c.columns[columnName{c.largest[table], column}]
	if !ok || !f.Known {
		return 0, false
	}
	filled := rows * (1 - f.Nulls)
	switch {
	case f.Distinct > 0:
		return filled / f.Distinct, true
	case f.Distinct < 0:
		return 1 / -f.Distinct, true
	}
	return rows, true
}

// unlessServed drops a suggestion when an index is there that begins with its columns, in any order but for the last, or that
// already leaves few rows. Other kinds of index on the first column count too: they were made for it.
func (c catalog) unlessServed(s *suggestion) *suggestion {
	for _, i := range c.indexes[s.table] {
		if !i.Valid || i.Partial || len(i.Columns) == 0 {
			continue
		}
		lead := unquoted(i.Columns[0])
		switch {
		case i.Method != "btree":
			if strings.Contains(i.Definition, s.columns[0]) {
				return nil
			}
		case s.trigram || !slices.Contains(s.columns, lead):
		case i.Unique && i.Keys == 1:
			return nil
		case i.Keys >= len(s.columns) && sameSet(i.Columns[:len(s.columns)], s.columns):
			return nil
		default:
			if left, ok := c.selects(s.table, lead, float64(s.rows)); ok && left < enough {
				return nil
			}
		}
	}
	return s
}

func sameSet(a, b []string) bool {
	for _, name := range a {
		if !slices.Contains(b, unquoted(name)) {
			return false
		}
	}
	return len(a) == len(b)
}
