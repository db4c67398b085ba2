package health

import (
	"strings"
	"testing"
	"time"

	"kibitz/app/model"
)

// tidy is a partition with nothing wrong.
func tidy() Partition {
	return Partition{Server: sound().ServerFacts, Statements: []Statement{}, PastDay: now.AddDate(0, 0, -7), Past: []model.SpaceSample{{Relation: "post", Bytes: 90 << 20}},
		Schema: model.SchemaFacts{Part: "posts", Made: now.AddDate(0, 0, -60),
			Tables:      []model.TableFacts{{Name: "post", Root: "post", Rows: 100_000, Live: 100_000, Total: 100 << 20, IdxScans: 96, SeqScans: 4, Analyzed: now}},
			Indexes:     []model.IndexFacts{index("post_pkey", "id"), index("post_thread", "thread_id", "id")},
			Columns:     []model.ColumnFacts{{Table: "post", Name: "id", Type: "bigint", Known: true, Width: 8, Distinct: -1, Primary: true}, {Table: "post", Name: "thread_id", Type: "bigint", Known: true, Width: 8, Distinct: 1000}},
			Sequences:   []model.SequenceFacts{{Name: "s", Column: "post.id", Type: "bigint", Known: true, Last: 100, Max: 1<<63 - 1, Step: 1}},
			Constraints: []model.ConstraintFacts{{Name: "fk", Table: "post", References: "thread", Columns: []string{"thread_id"}, Foreign: true, Validated: true}}}}
}

func index(name string, columns ...string) model.IndexFacts {
	return model.IndexFacts{OID: int64(len(name)), Name: name, Table: "post", Root: "post", RootIndex: name, Method: "btree", Columns: columns, Keys: len(columns), Signature: columns,
		Bytes: 20 << 20, Rows: 100_000, Fill: 90, Scans: 1000, Valid: true, Ready: true, Unique: strings.HasSuffix(name, "_pkey"), Primary: strings.HasSuffix(name, "_pkey")}
}

func TestTidy(t *testing.T) {
	t.Parallel()
	for _, f := range JudgePartition(tidy()) {
		if f.Verdict != model.Healthy || f.Said == "" || f.Node != "posts" || len(f.Items) > 0 && f.Check != "growth" {
			t.Errorf("%+v", f)
		}
	}
}

// TestPartitionChecks moves one fact at a time to each side of its limit.
func TestPartitionChecks(t *testing.T) {
	t.Parallel()
	with := func(i model.IndexFacts, change func(*model.IndexFacts)) func(*Partition) {
		change(&i)
		return func(p *Partition) { p.Schema.Indexes = append(p.Schema.Indexes, i) }
	}
	table := func(change func(*model.TableFacts)) func(*Partition) {
		return func(p *Partition) { change(&p.Schema.Tables[0]) }
	}
	young := func(age time.Duration) func(*Partition) {
		return func(p *Partition) { p.Server.StatsReset = now.Add(-age) }
	}
	for _, c := range []struct {
		check  string
		change func(*Partition)
		want   model.Verdict
		sql    string
	}{
		{"missing_index", table(func(v *model.TableFacts) { v.IdxScans, v.SeqScans = 95, 5 }), model.Healthy, ""},
		{"missing_index", table(func(v *model.TableFacts) { v.IdxScans, v.SeqScans = 94, 6 }), model.Warn, ""},
		{"missing_index", table(func(v *model.TableFacts) { v.IdxScans, v.SeqScans, v.Rows, v.Live = 0, 6, 9_999, 0 }), model.Healthy, ""},
		{"missing_index", young(time.Hour - 1), model.Unknown, ""},
		{"unused_index", with(index("a", "x"), func(i *model.IndexFacts) { i.Scans = 51 }), model.Healthy, ""},
		{"unused_index", with(index("a", "x"), func(i *model.IndexFacts) { i.Scans = 50 }), model.Warn, "DROP INDEX CONCURRENTLY posts.a;"},
		{"unused_index", with(index("a", "x"), func(i *model.IndexFacts) { i.Scans, i.Bytes = 0, 10<<20-1 }), model.Healthy, ""},
		{"unused_index", with(index("a", "x"), func(i *model.IndexFacts) { i.Scans, i.Unique = 0, true }), model.Healthy, ""},
		{"unused_index", func(p *Partition) {
			i := index("a", "x")
			i.Scans = 0
			p.Schema.Indexes = append(p.Schema.Indexes, i)
			i.Scans = 51
			p.Replicas = []model.SchemaFacts{{Indexes: []model.IndexFacts{i}}}
		}, model.Healthy, ""},
		{"unused_index", young(7*24*time.Hour - 1), model.Unknown, ""},
		{"duplicate_index", with(index("a", "thread_id"), func(*model.IndexFacts) {}), model.Warn, "DROP INDEX CONCURRENTLY posts.a;"},
		{"duplicate_index", with(index("a", "thread_id"), func(i *model.IndexFacts) { i.Unique = true }), model.Healthy, ""},
		{"duplicate_index", with(index("a", "thread_id"), func(i *model.IndexFacts) { i.Where = "x > 1" }), model.Healthy, ""},
		{"duplicate_index", with(index("a", "thread_id"), func(i *model.IndexFacts) { i.Method = "hash" }), model.Healthy, ""},
		{"duplicate_index", with(index("a", "thread_id", "body"), func(i *model.IndexFacts) { i.Keys, i.Signature = 1, i.Columns[:1] }), model.Healthy, ""},
		{"duplicate_index", with(index("z", "thread_id", "id"), func(*model.IndexFacts) {}), model.Warn, "DROP INDEX CONCURRENTLY posts.z;"},
		{"invalid_index", with(index("a", "x"), func(i *model.IndexFacts) { i.Valid = false }), model.Bad, "REINDEX INDEX CONCURRENTLY posts.a;"},
		{"invalid_index", func(p *Partition) {
			i := index("a", "x")
			i.Valid, i.OID = false, 77
			p.Schema.Indexes, p.Server.Building = append(p.Schema.Indexes, i), []int64{77}
		}, model.Healthy, ""},
		{"invalid_index", func(p *Partition) {
			i := index("a", "x")
			i.Valid, p.Server.Monitor = false, false
			p.Schema.Indexes = append(p.Schema.Indexes, i)
		}, model.Unknown, ""},
		{"index_bloat", with(index("a", "id"), func(i *model.IndexFacts) { i.Bytes = 99 << 20 }), model.Healthy, ""},
		{"index_bloat", with(index("a", "id"), func(i *model.IndexFacts) { i.Bytes = 200 << 20 }), model.Warn, "REINDEX INDEX CONCURRENTLY posts.a;"},
		{"index_bloat", with(index("a", "id"), func(i *model.IndexFacts) { i.Bytes, i.Rows = 200<<20, 9_000_000 }), model.Healthy, ""},
		{"index_bloat", with(index("a", "nobody"), func(i *model.IndexFacts) { i.Bytes = 200 << 20 }), model.Unknown, ""},
		{"vacuum", table(func(v *model.TableFacts) { v.Dead = 25_000 }), model.Healthy, ""},
		{"vacuum", table(func(v *model.TableFacts) { v.Dead = 25_001 }), model.Warn, "VACUUM (ANALYZE) posts.post;"},
		{"vacuum", table(func(v *model.TableFacts) { v.Dead, v.Vacuumed = 90_000, now.Add(-24*time.Hour) }), model.Healthy, ""},
		{"vacuum", table(func(v *model.TableFacts) { v.Analyzed = time.Time{} }), model.Warn, "ANALYZE posts.post;"},
		{"sequences", func(p *Partition) { p.Schema.Sequences[0].Type, p.Schema.Sequences[0].Last = "integer", 1_932_735_282 }, model.Healthy, ""},
		{"sequences", func(p *Partition) { p.Schema.Sequences[0].Type, p.Schema.Sequences[0].Last = "integer", 1_932_735_283 }, model.Warn, "ALTER TABLE posts.post ALTER COLUMN id TYPE bigint;"},
		{"sequences", func(p *Partition) { p.Schema.Sequences[0].Max, p.Schema.Sequences[0].Last = 100, 97 }, model.Bad, ""},
		{"sequences", func(p *Partition) { p.Schema.Sequences[0].Known = false }, model.Unknown, ""},
		{"int_keys", func(p *Partition) { p.Schema.Columns[0].Type, p.Schema.Columns[0].Top = "integer", "1073741823" }, model.Healthy, ""},
		{"int_keys", func(p *Partition) { p.Schema.Columns[0].Type, p.Schema.Columns[0].Top = "integer", "1073741824" }, model.Warn, "ALTER TABLE posts.post ALTER COLUMN id TYPE bigint;"},
		{"int_keys", func(p *Partition) { p.Schema.Columns[0].Type, p.Schema.Columns[0].Top = "smallint", "32000" }, model.Bad, ""},
		{"int_keys", func(p *Partition) { p.Schema.Columns[0].Type = "integer" }, model.Unknown, ""},
		{"constraints", func(p *Partition) { p.Schema.Constraints[0].Validated = false }, model.Warn, "ALTER TABLE posts.post VALIDATE CONSTRAINT fk;"},
		{"foreign_keys", func(p *Partition) { p.Schema.Indexes = p.Schema.Indexes[:1] }, model.Warn, "CREATE INDEX CONCURRENTLY ON posts.post (thread_id);"},
		{"foreign_keys", func(p *Partition) { p.Schema.Indexes[1].Partial = true }, model.Warn, ""},
		{"foreign_keys", func(p *Partition) { p.Schema.Constraints[0].Columns = []string{"id", "thread_id"} }, model.Healthy, ""},
		{"foreign_keys", func(p *Partition) { p.Schema.Constraints[0].Columns = []string{"thread_id", "author"} }, model.Warn, ""},
		{"foreign_keys", func(p *Partition) { p.Schema.Constraints[0].Columns = []string{"author", "id"} }, model.Healthy, ""}, // id tells one row
		{"growth", func(p *Partition) { p.PastDay = time.Time{} }, model.Unknown, ""},
		{"growth", func(p *Partition) { p.Schema.Tables[0].Total = 90<<20 + 1<<30 }, model.Healthy, ""},
		{"growth", func(p *Partition) { p.Schema.Tables[0].Total = 91<<20 + 1<<30 }, model.Warn, ""},
		{"suggested_index", func(p *Partition) { p.Statements = nil }, model.Unknown, ""},
	} {
		p := tidy()
		c.change(&p)
		f := at(t, JudgePartition(p), c.check)
		if f.Verdict != c.want || f.Said == "" {
			t.Errorf("%s: %s %q, want %s", c.check, f.Verdict, f.Said, c.want)
		}
		if c.sql != "" && (len(f.Items) != 1 || f.Items[0].SQL != c.sql || f.Advice == "") {
			t.Errorf("%s: %+v, want %s", c.check, f.Items, c.sql)
		}
	}
}

// TestTimePartitions: the indexes of days are judged as the one that they belong to.
func TestTimePartitions(t *testing.T) {
	t.Parallel()
	p := tidy()
	for _, day := range []string{"event_1", "event_2"} {
		i := index(day+"_idx", "x")
		i.Table, i.Root, i.RootIndex, i.Bytes, i.Scans = day, "event", "event_idx", 6<<20, 10
		p.Schema.Indexes = append(p.Schema.Indexes, i)
		p.Schema.Tables = append(p.Schema.Tables, model.TableFacts{Name: day, Root: "event", Rows: 8_000, SeqScans: 9, Total: 1})
	}
	f := at(t, JudgePartition(p), "unused_index")
	if len(f.Items) != 1 || f.Items[0].Name != "posts.event_idx" || f.Items[0].SQL != "DROP INDEX posts.event_idx;" || !strings.Contains(f.Items[0].Said, "20 scans") {
		t.Errorf("%+v", f.Items)
	}
	if f := at(t, JudgePartition(p), "missing_index"); len(f.Items) != 1 || !strings.Contains(f.Items[0].Said, "16 k rows") {
		t.Errorf("%+v", f.Items)
	}
	if space := Space(p.Schema, now); len(space) != 2 || space[1].Bytes != 2 || space[1].Relation != "event" {
		t.Errorf("%+v", space)
	}
}

func TestBounded(t *testing.T) {
	t.Parallel()
	p := tidy()
	for range maxItems + 5 {
		i := index("bad", "x")
		i.Valid = false
		p.Schema.Indexes = append(p.Schema.Indexes, i)
	}
	if f := at(t, JudgePartition(p), "invalid_index"); len(f.Items) != maxItems || f.More != 5 {
		t.Errorf("%d items and %d more", len(f.Items), f.More)
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	all := []model.Finding{{Verdict: model.Healthy}, {Verdict: model.Unknown}, {Verdict: model.Bad}, {Verdict: model.Warn}}
	Order(all)
	if all[0].Verdict != model.Bad || all[1].Verdict != model.Warn || all[2].Verdict != model.Unknown {
		t.Errorf("%+v", all)
	}
}
