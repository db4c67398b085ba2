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
	// deadShare is autovacuum's own threshold (autovacuum_vacuum_scale_factor): above it a vacuum is due.
	deadShare = 0.2
	deadRows  = 10_000
	// vacuumDue: a vacuum that was due is late after this.
	vacuumDue = 24 * time.Hour
	// sequenceWarn is PgHero's.
	sequenceWarn, sequenceBad = 0.9, 0.97
	// keyWarn: making a key wider takes a rewrite of the table, so one wants to know at half.
	keyWarn, keyBad = 0.5, 0.9
	// growthBytes and growthMonths: what would double within so many days at the pace of this week.
	growthBytes = 1 << 30
	growthDays  = 30.0
)

// vacuum looks at rows that are dead and not yet cleared away, and at tables that the planner knows nothing of.
func vacuum(p Partition) model.Finding {
	f, live, dead := well(""), int64(0), int64(0)
	tables := slices.Clone(p.Schema.Tables)
	slices.SortStableFunc(tables, func(a, b model.TableFacts) int { return cmp.Compare(b.Dead, a.Dead) })
	for _, t := range tables {
		live, dead = live+t.Live, dead+t.Dead
		name := qualified(p.Schema.Part, t.Name)
		switch {
		case t.Dead > deadRows && float64(t.Dead) > deadShare*float64(t.Live+t.Dead) && p.Server.At.Sub(t.Vacuumed) > vacuumDue:
			f.Items = append(f.Items, model.FindingItem{Name: name, SQL: "VACUUM (ANALYZE) " + name + ";",
				Said: fmt.Sprintf("%s of %s rows are dead, last vacuumed %s", Count(t.Dead), Count(t.Live+t.Dead), lastly(t.Vacuumed, p.Server.At))})
		case t.Live+t.Dead > deadRows && t.Analyzed.IsZero():
			f.Items = append(f.Items, model.FindingItem{Name: name, SQL: "ANALYZE " + name + ";", Said: Count(t.Live+t.Dead) + " rows, never analyzed: the planner guesses"})
		}
	}
	f.Said = fmt.Sprintf("%s %% of %s rows are dead.", percent(ratio(dead, live+dead)), Count(live+dead))
	if n := len(f.Items); n > 0 {
		f.Verdict, f.Said = model.Warn, f.Said+" "+plural(n, "table waits", "tables wait")+" for vacuum or analyze."
		f.Advice = "Autovacuum should have come. Look for old transactions that hold it back, and for autovacuum settings."
	}
	for _, v := range p.Server.Progress {
		f.Items = append(f.Items, model.FindingItem{Name: v.Table, Said: fmt.Sprintf("being vacuumed, %s, %s %%", v.Phase, percent(v.Share))})
	}
	return withValue(f, percent(ratio(dead, live+dead)), "%")
}

func lastly(at, now time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return Span(now.Sub(at)) + " ago"
}

func ratio(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// typeMax is the largest number of a type of column; others have none that matters here.
var typeMax = map[string]int64{"smallint": 1<<15 - 1, "integer": 1<<31 - 1, "bigint": 1<<63 - 1}

// sequences are compared with the smaller of what they count to and what their column holds.
func sequences(p Partition) model.Finding {
	f, hiddenOnes, fullest := well("No sequence is near its end."), 0, 0.0
	for _, s := range p.Schema.Sequences {
		most := s.Max
		if m, ok := typeMax[s.Type]; ok {
			most = min(most, m)
		}
		if !s.Known {
			hiddenOnes++
			continue
		}
		used := ratio(s.Last, most)
		if s.Step < 0 {
			continue // counts down: nothing of ours does, and what it ends at says nothing of its column
		}
		fullest = max(fullest, used)
		if v := verdict(used, sequenceWarn, sequenceBad); v != model.Healthy {
			f.Verdict = worst(f.Verdict, v)
			f.Items = append(f.Items, model.FindingItem{Name: qualified(p.Schema.Part, s.Name), SQL: widen(p.Schema.Part, s.Column),
				Said: fmt.Sprintf("%s %% used: %s of %s of %s (%s)", percent(used), Count(s.Last), Count(most), cmp.Or(s.Column, "no column"), s.Type)})
		}
	}
	switch {
	case len(f.Items) > 0:
		f.Said = plural(len(f.Items), "sequence is", "sequences are") + " near the end: at it every insert fails."
		f.Advice = "Make the column a bigint. The statement rewrites the table under a lock; on a large one copy into a new column in steps."
	case hiddenOnes > 0:
		return unknown("Not enough rights: %s could not be read.", plural(hiddenOnes, "sequence", "sequences"))
	}
	return withValue(f, percent(fullest), "%")
}

func widen(part, column string) string {
	table, name, ok := strings.Cut(column, ".")
	if !ok {
		return ""
	}
	return "ALTER TABLE " + qualified(part, table) + " ALTER COLUMN " + Ident(name) + " TYPE bigint;"
}

// intKeys looks at primary keys of 2 and 4 bytes, whoever fills them: the planner's histogram tells how far they have come.
func intKeys(p Partition) model.Finding {
	f, blind, fullest := well("No primary key of 4 bytes is half used."), 0, 0.0
	for _, c := range p.Schema.Columns {
		most := typeMax[c.Type]
		if !c.Primary || most == 0 || c.Type == "bigint" {
			continue
		}
		last, err := strconv.ParseInt(c.Top, 10, 64)
		if err != nil {
			if rows := rowsOf(p.Schema, c.Table); rows > manyRows {
				blind++ // a table of this size that was never analyzed
			}
			continue
		}
		used := ratio(last, most)
		fullest = max(fullest, used)
		if v := verdict(used, keyWarn, keyBad); v != model.Healthy {
			f.Verdict = worst(f.Verdict, v)
			f.Items = append(f.Items, model.FindingItem{Name: qualified(p.Schema.Part, c.Table) + "." + Ident(c.Name), SQL: widen(p.Schema.Part, c.Table+"."+c.Name),
				Said: fmt.Sprintf("%s, about %s %% used (%s of %s)", c.Type, percent(used), Count(last), Count(most))})
		}
	}
	switch {
	case len(f.Items) > 0:
		f.Said = plural(len(f.Items), "primary key is", "primary keys are") + " too narrow for long."
		f.Advice = "Make it a bigint while the table can still be rewritten at leisure, with all columns that refer to it."
	case blind > 0:
		return unknown("%s never been analyzed.", plural(blind, "large table with such a key has", "large tables with such keys have"))
	}
	return withValue(f, percent(fullest), "%")
}

func rowsOf(s model.SchemaFacts, table string) int64 {
	for _, t := range s.Tables {
		if t.Name == table {
			return max(t.Rows, t.Live)
		}
	}
	return 0
}

func constraints(p Partition) model.Finding {
	f := well("Every constraint has been validated.")
	for _, c := range p.Schema.Constraints {
		if c.Validated {
			continue
		}
		name := qualified(p.Schema.Part, c.Table)
		f.Items = append(f.Items, model.FindingItem{Name: name + " " + c.Name, Said: "rows from before it was made may break it",
			SQL: "ALTER TABLE " + name + " VALIDATE CONSTRAINT " + Ident(c.Name) + ";"})
	}
	if n := len(f.Items); n > 0 {
		f.Verdict, f.Said = model.Warn, plural(n, "constraint was", "constraints were")+" never validated."
		f.Advice = "Validating reads the table once and does not keep it from being written."
	}
	return withValue(f, strconv.Itoa(len(f.Items)), "")
}

// foreignKeys look for keys whose columns lead no index of their table: deleting a row of the other table reads all of it.
func foreignKeys(p Partition) model.Finding {
	f := well("Every foreign key has an index.")
	for _, c := range p.Schema.Constraints {
		if !c.Foreign || led(p.Schema.Indexes, c) {
			continue
		}
		columns := make([]string, len(c.Columns))
		for i, name := range c.Columns {
			columns[i] = Ident(name)
		}
		f.Items = append(f.Items, model.FindingItem{Name: qualified(p.Schema.Part, c.Table) + " " + c.Name,
			Said: fmt.Sprintf("(%s) refers to %s; %s rows", strings.Join(c.Columns, ", "), c.References, Count(rowsOf(p.Schema, c.Table))),
			SQL:  "CREATE INDEX CONCURRENTLY ON " + qualified(p.Schema.Part, c.Table) + " (" + strings.Join(columns, ", ") + ");"})
	}
	if n := len(f.Items); n > 0 {
		f.Verdict, f.Said = model.Warn, plural(n, "foreign key has", "foreign keys have")+" no index."
		f.Advice = "Deleting or changing a row that is referred to reads the whole table each time. Where that never happens, it does no harm."
	}
	return withValue(f, strconv.Itoa(len(f.Items)), "")
}

// led tells whether the first columns of a usable index are those of the key, in any order, or some of them tell one row.
func led(indexes []model.IndexFacts, c model.ConstraintFacts) bool {
	for _, i := range indexes {
		if i.Table != c.Table && i.Root != c.Table || !i.Valid || i.Partial || i.Method != "btree" && i.Method != "hash" || i.Keys < len(c.Columns) && !i.Unique {
			continue
		}
		all := true
		for _, name := range i.Columns[:min(i.Keys, len(c.Columns))] {
			all = all && slices.Contains(c.Columns, unquoted(name))
		}
		if all {
			return true
		}
	}
	return false
}

// growth compares with a week ago. Time partitions count as the table they belong to.
func growth(p Partition) model.Finding {
	if p.PastDay.IsZero() {
		return unknown("Nobody has looked a week ago. Sizes are noted once a day; the answer comes with the eighth.")
	}
	past, was, is := map[string]int64{}, int64(0), int64(0)
	for _, s := range p.Past {
		past[s.Relation] = s.Bytes
		was += s.Bytes
	}
	type grown struct {
		name     string
		now, was int64
	}
	var all []grown
	for _, t := range foldedTables(p.Schema.Tables) {
		is += t.Total
		all = append(all, grown{t.Root, t.Total, past[t.Root]})
	}
	slices.SortStableFunc(all, func(a, b grown) int { return cmp.Compare(b.now-b.was, a.now-a.was) })
	f := well("It grew by %s to %s in %s.", Bytes(is-was), Bytes(is), Span(p.Server.At.Sub(p.PastDay)))
	for _, g := range all[:min(len(all), 10)] {
		if g.now != g.was {
			f.Items = append(f.Items, model.FindingItem{Name: qualified(p.Schema.Part, g.name), Said: fmt.Sprintf("%s, by %s", Bytes(g.now), Bytes(g.now-g.was))})
		}
	}
	days := p.Server.At.Sub(p.PastDay).Hours() / 24
	if grew := is - was; grew > growthBytes && float64(grew)*growthDays/days > float64(is) {
		f.Verdict, f.Advice = model.Warn, "At this pace it doubles within a month. Look at retention, and at the free room of the disk."
	}
	return withValue(f, Bytes(is-was), "")
}

// Space are the sizes of a schema's tables with their indexes, to be noted for the day.
func Space(s model.SchemaFacts, day time.Time) (out []model.SpaceSample) {
	for _, t := range foldedTables(s.Tables) {
		out = append(out, model.SpaceSample{Part: s.Part, Relation: t.Root, Day: day, Bytes: t.Total})
	}
	return out
}
