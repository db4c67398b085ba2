package health

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"kibitz/app/model"
)

const (
	// goodIndexUse and manyRows are PgHero's: tables below 10,000 rows are read whole in a few milliseconds.
	goodIndexUse = 0.95
	manyRows     = 10_000
	// rareScans and unusedBytes are PgHero's: what was scanned so seldom, and is large enough to be worth a thought.
	rareScans   = 50
	unusedBytes = 10 << 20
	// bloatBytes is PgHero's; the estimate of a smaller index is mostly noise.
	bloatBytes = 100 << 20
)

// folded puts the indexes of a table's time partitions together under the index that they belong to: nobody drops or misses
// an index of one day.
func folded(all []model.IndexFacts) (out []model.IndexFacts) {
	at := map[string]int{}
	for _, i := range all {
		n, seen := at[i.RootIndex]
		if !seen {
			at[i.RootIndex] = len(out)
			out = append(out, i)
			continue
		}
		sum := &out[n]
		sum.Bytes, sum.Rows, sum.Scans = sum.Bytes+i.Bytes, sum.Rows+i.Rows, sum.Scans+i.Scans
		sum.Reads, sum.Hits = sum.Reads+i.Reads, sum.Hits+i.Hits
		sum.Valid, sum.Constraint = sum.Valid && i.Valid, sum.Constraint || i.Constraint
		if i.LastScan.After(sum.LastScan) {
			sum.LastScan = i.LastScan
		}
	}
	return out
}

// foldedTables does the same for tables.
func foldedTables(all []model.TableFacts) (out []model.TableFacts) {
	at := map[string]int{}
	for _, t := range all {
		n, seen := at[t.Root]
		if !seen {
			at[t.Root] = len(out)
			out = append(out, t)
			continue
		}
		sum := &out[n]
		sum.Bytes, sum.Total, sum.Rows = sum.Bytes+t.Bytes, sum.Total+t.Total, sum.Rows+max(t.Rows, 0)
		sum.SeqScans, sum.IdxScans, sum.Live, sum.Dead = sum.SeqScans+t.SeqScans, sum.IdxScans+t.IdxScans, sum.Live+t.Live, sum.Dead+t.Dead
		sum.Writes, sum.Changed = sum.Writes+t.Writes, sum.Changed+t.Changed
	}
	return out
}

func byBytes(all []model.IndexFacts) {
	slices.SortStableFunc(all, func(a, b model.IndexFacts) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), strings.Compare(a.Name, b.Name))
	})
}

// dropIndex is the statement that drops an index without locking its table; of a partitioned one PostgreSQL knows no such way.
func dropIndex(part string, i model.IndexFacts) string {
	if i.Root != i.Table {
		return "DROP INDEX " + qualified(part, i.RootIndex) + ";"
	}
	return "DROP INDEX CONCURRENTLY " + qualified(part, i.RootIndex) + ";"
}

// missingIndexes are large tables that are read whole too often.
func missingIndexes(p Partition) model.Finding {
	if age := p.age(); age < hourly {
		return unknown("The counters are %s old; an hour is needed.", Span(age))
	}
	f := well("Every table with more than %s rows is read by its indexes.", Count(manyRows))
	for _, t := range foldedTables(p.Schema.Tables) {
		scans := t.SeqScans + t.IdxScans
		if max(t.Rows, t.Live) < manyRows || scans == 0 || float64(t.IdxScans) >= goodIndexUse*float64(scans) {
			continue
		}
		f.Items = append(f.Items, model.FindingItem{Name: qualified(p.Schema.Part, t.Root), Said: fmt.Sprintf("%s rows, %s of %s scans read all of it",
			Count(max(t.Rows, t.Live)), Count(t.SeqScans), Count(scans))})
	}
	if n := len(f.Items); n > 0 {
		f.Verdict, f.Said = model.Warn, plural(n, "large table is", "large tables are")+" read whole in more than 5 % of the scans."
		f.Advice = "Look under Queries for the statements that read them, and at what is suggested below."
	}
	return withValue(f, strconv.Itoa(len(f.Items)), "")
}

// unusedIndexes are those that no server reads: scans on replicas count too, since a primary cannot know of them.
func unusedIndexes(p Partition) model.Finding {
	if age := p.age(); age < unusedAge {
		return unknown("The counters are %s old; an index may serve a report that runs once a week, so %s are needed.", Span(age), Span(unusedAge))
	}
	scans := map[string]int64{}
	for _, replica := range p.Replicas {
		for _, i := range folded(replica.Indexes) {
			scans[i.RootIndex] += i.Scans
		}
	}
	all, bytes := folded(p.Schema.Indexes), int64(0)
	byBytes(all)
	f := well("Every index of %s and more is read.", Bytes(unusedBytes))
	for _, i := range all {
		n := i.Scans + scans[i.RootIndex]
		if i.Unique || i.Primary || i.Constraint || i.ReplicaID || i.Bytes < unusedBytes || n > rareScans {
			continue
		}
		bytes += i.Bytes
		f.Items = append(f.Items, model.FindingItem{Name: qualified(p.Schema.Part, i.RootIndex), SQL: dropIndex(p.Schema.Part, i),
			Said: fmt.Sprintf("%s on %s, %s in %s", Bytes(i.Bytes), i.Root, plural(int(n), "scan", "scans"), Span(p.age()))})
	}
	if len(f.Items) > 0 {
		f.Verdict, f.Said = model.Warn, fmt.Sprintf("%s %s and nearly never read.", plural(len(f.Items), "index takes", "indexes take"), Bytes(bytes))
		f.Advice = "Each write to the table keeps it up. Drop it when no yearly job needs it; what it is made of stands in its definition."
		return withValue(f, strconv.Itoa(len(f.Items)), Bytes(bytes))
	}
	return withValue(f, "0", "")
}

// duplicateIndexes are those whose columns are the first columns of another one.
func duplicateIndexes(p Partition) model.Finding {
	f := well("No index repeats another.")
	all, byTable := folded(p.Schema.Indexes), map[string][]model.IndexFacts{}
	for _, i := range all {
		byTable[i.Root] = append(byTable[i.Root], i)
	}
	for _, i := range all {
		for _, other := range byTable[i.Root] {
			if covers(other, i) {
				f.Items = append(f.Items, model.FindingItem{Name: qualified(p.Schema.Part, i.RootIndex), SQL: dropIndex(p.Schema.Part, i),
					Said: fmt.Sprintf("(%s), %s; %s does the same with (%s)", strings.Join(i.Columns, ", "), Bytes(i.Bytes), other.RootIndex, strings.Join(other.Columns, ", "))})
				break
			}
		}
	}
	if n := len(f.Items); n > 0 {
		f.Verdict, f.Said = model.Warn, plural(n, "index repeats", "indexes repeat")+" what another one does."
		f.Advice = "Drop the shorter one, unless its smaller size is what keeps it in memory."
	}
	return withValue(f, strconv.Itoa(len(f.Items)), "")
}

// covers tells whether other makes i needless: the same kind, condition and first columns, and all that i stores besides.
// Of two equal ones the later by name is needless.
func covers(other, i model.IndexFacts) bool {
	if other.RootIndex == i.RootIndex || i.Unique || i.Constraint || i.ReplicaID || other.Method != i.Method || other.Where != i.Where ||
		!other.Valid || len(other.Signature) < len(i.Signature) {
		return false
	}
	if i.Method != "btree" && len(other.Signature) != len(i.Signature) {
		return false
	}
	for _, stored := range i.Columns[min(i.Keys, len(i.Columns)):] {
		if !slices.Contains(other.Columns, stored) {
			return false
		}
	}
	if !slices.Equal(other.Signature[:len(i.Signature)], i.Signature) {
		return false
	}
	equal := len(other.Signature) == len(i.Signature) && len(other.Columns) == len(i.Columns) && !other.Unique && !other.Constraint
	return !equal || other.RootIndex < i.RootIndex
}

// invalidIndexes are what a failed CREATE INDEX CONCURRENTLY left: each write keeps it up, and no statement reads it.
func invalidIndexes(p Partition) model.Finding {
	f, building := well("Every index is valid."), 0
	for _, i := range p.Schema.Indexes {
		switch {
		case i.Valid:
		case slices.Contains(p.Server.Building, i.OID):
			building++
		default:
			f.Items = append(f.Items, model.FindingItem{Name: qualified(p.Schema.Part, i.Name), Said: i.Definition,
				SQL: "REINDEX INDEX CONCURRENTLY " + qualified(p.Schema.Part, i.Name) + ";"})
		}
	}
	if n := len(f.Items); n > 0 && !p.Server.Monitor {
		f.Verdict, f.Said = model.Unknown, plural(n, "index is", "indexes are")+" not valid; without the role pg_monitor it cannot be told whether they are being built."
		return withValue(f, strconv.Itoa(n), "")
	}
	if n := len(f.Items); n > 0 {
		f.Verdict, f.Said = model.Bad, plural(n, "index is", "indexes are")+" not valid: nothing reads them, and each write keeps them up."
		f.Advice = "Building failed. Build it again, or drop it."
	}
	if building > 0 {
		f.Said += " " + plural(building, "index is", "indexes are") + " being built."
	}
	return withValue(f, strconv.Itoa(len(f.Items)), "")
}

// indexBloat estimates how much of each B-tree is empty: what its rows need, from the average width of its columns, against
// what it takes.
func indexBloat(p Partition) model.Finding {
	f, wasted, skipped := well("No B-tree wastes %s.", Bytes(bloatBytes)), int64(0), 0
	widths := columnsOf(p.Schema)
	all := slices.Clone(p.Schema.Indexes)
	byBytes(all)
	for _, i := range all {
		if i.Method != "btree" || i.Bytes < bloatBytes {
			continue
		}
		need, ok := btreeBytes(i, widths)
		if !ok {
			skipped++
		} else if empty := i.Bytes - need; empty >= bloatBytes {
			wasted += empty
			f.Items = append(f.Items, model.FindingItem{Name: qualified(p.Schema.Part, i.Name), SQL: "REINDEX INDEX CONCURRENTLY " + qualified(p.Schema.Part, i.Name) + ";",
				Said: fmt.Sprintf("about %s of %s is empty", Bytes(empty), Bytes(i.Bytes))})
		}
	}
	switch {
	case len(f.Items) > 0:
		f.Verdict, f.Said = model.Warn, fmt.Sprintf("%s about %s in all.", plural(len(f.Items), "B-tree wastes", "B-trees waste"), Bytes(wasted))
		f.Advice = "Rebuilding them gives the room back and makes them faster to read; it writes the whole index once and needs its size free on disk."
	case skipped > 0:
		f = unknown("%s no statistics: ANALYZE its table first.", plural(skipped, "large index has", "large indexes have"))
	}
	return withValue(f, Bytes(wasted), "")
}

type columnName struct{ table, column string }

func columnsOf(s model.SchemaFacts) map[columnName]model.ColumnFacts {
	out := map[columnName]model.ColumnFacts{}
	for _, c := range s.Columns {
		out[columnName{c.Table, c.Name}] = c
	}
	return out
}

// The layout of a B-tree: src/include/access/nbtree.h and storage/bufpage.h of PostgreSQL.
const (
	pageBytes   = 8192
	pageHead    = 24 + 16 // page header and the B-tree's own at its end
	tupleHead   = 8       // IndexTupleData
	itemPointer = 4       // in the page, for each tuple
	nullBitmap  = 8       // when any column is null, aligned
	aligned     = 8
)

// btreeBytes is what an index would take when freshly built, without the folding of equal keys that PostgreSQL 13 and later
// do: it errs to the large side, so that nothing is called bloated that is not. ok is false without statistics.
func btreeBytes(i model.IndexFacts, columns map[columnName]model.ColumnFacts) (bytes int64, ok bool) {
	if i.Rows < 0 {
		return 0, false
	}
	width, nulls := 0.0, false
	for n, name := range i.Columns {
		c, found := columns[columnName{i.Table, unquoted(name)}]
		if !found || !c.Known {
			// Expressions have statistics under the index's own name, by position.
			if c, found = nth(columns, i.Name, n); !found {
				return 0, false
			}
		}
		width += float64(c.Width) * (1 - c.Nulls)
		nulls = nulls || c.Nulls > 0
	}
	tuple := tupleHead + math.Ceil(width/aligned)*aligned + itemPointer
	if nulls {
		tuple += nullBitmap
	}
	perPage := math.Floor((pageBytes - pageHead) * float64(i.Fill) / 100 / tuple)
	leaves := math.Ceil(float64(i.Rows) / math.Max(perPage, 1))
	return int64(leaves*1.01+2) * pageBytes, true // inner pages and the meta page
}

// nth finds the statistics of an index's own column: PostgreSQL names those of expressions after their function.
func nth(columns map[columnName]model.ColumnFacts, index string, n int) (found model.ColumnFacts, ok bool) {
	var own []model.ColumnFacts
	for name, c := range columns {
		if name.table == index && c.Known {
			own = append(own, c)
		}
	}
	if len(own) != 1 || n > 0 {
		return found, false // which of several is meant is not known
	}
	return own[0], true
}

func unquoted(name string) string {
	if len(name) > 1 && strings.HasPrefix(name, `"`) && strings.HasSuffix(name, `"`) {
		return strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	}
	return name
}
