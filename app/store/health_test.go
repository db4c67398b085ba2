package store

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/model"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// owner runs statements as the owner of a partition.
func owner(t testing.TB, d *db.DB, part db.Partition, statements ...string) {
	t.Helper()
	err := d.Owner(context.Background(), part, func(conn *pgx.Conn) error {
		for _, sql := range statements {
			if _, err := conn.Exec(context.Background(), sql); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestServerFacts(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		s := New(d)
		seen := map[string]bool{}
		for _, node := range s.Nodes() {
			f, err := s.ServerFacts(t.Context(), node)
			if err != nil {
				t.Fatal(err)
			}
			seen[f.Identity] = true
			if !f.Monitor || f.Version < 150000 || f.Size == 0 || f.Recovery || f.At.IsZero() || f.Settings["shared_buffers"].Value == "" ||
				len(f.Ages) == 0 || f.Vitals.Connections == 0 || !f.Statements {
				t.Errorf("%s: %+v", node, f)
			}
		}
		if len(seen) != 1 && len(seen) != 4 {
			t.Errorf("%d identities of servers", len(seen))
		}
	})
}

// TestFactsWithoutRights reads the facts as a role that may not see what others do: it learns less, and says so.
func TestFactsWithoutRights(t *testing.T) {
	t.Parallel()
	cfg := dbtest.Config(t, false)
	d := opened(t, cfg)
	owner(t, d, db.Ops, "CREATE ROLE lowly_ops LOGIN", `DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO lowly_ops', current_database()); END $$`,
		"GRANT USAGE ON SCHEMA ops TO lowly_ops", "GRANT SELECT ON migration TO lowly_ops")
	t.Cleanup(func() { owner(t, d, db.Ops, "DROP OWNED BY lowly_ops", "DROP ROLE lowly_ops") })
	part := cfg.Parts[db.Ops]
	part.Primary = strings.ReplaceAll(part.Primary, db.Role(db.Ops), "lowly_ops")
	cfg.Parts[db.Ops] = part
	s, node := New(opened(t, cfg)), db.Node{Part: db.Ops}
	f, err := s.ServerFacts(t.Context(), node)
	if err != nil || f.Monitor || f.Version == 0 {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := s.SchemaFacts(t.Context(), node); err != nil {
		t.Error(err)
	}
	if cached, err := s.IndexResidency(t.Context(), node); cached != nil || err != nil {
		t.Errorf("%v, %v", cached, err)
	}
}

func opened(t testing.TB, cfg db.Config) *db.DB {
	t.Helper()
	d, err := db.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func schemaFacts(t testing.TB, d *db.DB) model.SchemaFacts {
	t.Helper()
	f, err := New(d).SchemaFacts(context.Background(), db.Node{Part: db.Ops})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func find[T any](t testing.TB, all []T, is func(T) bool) (found T) {
	t.Helper()
	for _, v := range all {
		if is(v) {
			return v
		}
	}
	t.Fatalf("not among %d", len(all))
	return found
}

// TestSchemaFacts makes one of each kind of thing that checks judge, and finds it with its numbers.
func TestSchemaFacts(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	owner(t, d, db.Ops,
		`CREATE TABLE sick (id serial PRIMARY KEY, a int, b text, c bigint)`,
		`ALTER TABLE sick ADD CONSTRAINT sick_issue FOREIGN KEY (c) REFERENCES issue (id) NOT VALID`,
		`CREATE INDEX sick_a ON sick (a DESC) INCLUDE (b) WHERE a > 3`,
		`CREATE INDEX sick_expr ON sick (lower(b)) WITH (fillfactor = 70)`,
		`INSERT INTO sick (a, b) SELECT n % 10, repeat('x', 20) FROM generate_series(1, 1000) n`,
		`UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'sick_expr'::regclass`,
		`ANALYZE sick`, `GRANT SELECT ON sick TO kibitz_ops`)
	f := schemaFacts(t, d)
	table := find(t, f.Tables, func(v model.TableFacts) bool { return v.Name == "sick" })
	if table.Rows != 1000 || table.Root != "sick" || table.Bytes == 0 || table.Total <= table.Bytes {
		t.Errorf("%+v", table)
	}
	index := find(t, f.Indexes, func(v model.IndexFacts) bool { return v.Name == "sick_a" })
	if index.Keys != 1 || len(index.Columns) != 2 || index.Where != "a > 3" || !index.Valid || index.Unique || index.Table != "sick" || len(index.Signature) != 1 {
		t.Errorf("%+v", index)
	}
	index = find(t, f.Indexes, func(v model.IndexFacts) bool { return v.Name == "sick_expr" })
	if index.Valid || !index.Expressions || index.Fill != 70 || index.Columns[0] != "lower(b)" {
		t.Errorf("%+v", index)
	}
	column := find(t, f.Columns, func(v model.ColumnFacts) bool { return v.Table == "sick" && v.Name == "id" })
	if !column.Primary || column.Top != "1000" || column.Type != "integer" || column.Width != 4 {
		t.Errorf("%+v", column)
	}
	if c := find(t, f.Columns, func(v model.ColumnFacts) bool { return v.Table == "sick" && v.Name == "b" }); c.Top != "" || c.Width != 21 {
		t.Errorf("%+v", c)
	}
	sequence := find(t, f.Sequences, func(v model.SequenceFacts) bool { return v.Name == "sick_id_seq" })
	if sequence.Column != "sick.id" || sequence.Type != "integer" || sequence.Max != 1<<31-1 {
		t.Errorf("%+v", sequence)
	}
	key := find(t, f.Constraints, func(v model.ConstraintFacts) bool { return v.Table == "sick" })
	if !key.Foreign || key.Validated || key.References != "issue" || len(key.Columns) != 1 || key.Columns[0] != "c" {
		t.Errorf("%+v", key)
	}
	day := find(t, f.Indexes, func(v model.IndexFacts) bool { return v.Root == "event" && v.Table != "event" })
	if day.RootIndex == day.Name {
		t.Errorf("an index of a day belongs to none of the whole: %+v", day)
	}
}

func TestIndexResidency(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	cached, err := New(d).IndexResidency(t.Context(), db.Node{Part: db.Ops})
	if err != nil {
		t.Fatal(err)
	}
	if len(cached) == 0 {
		t.Error("no index of ops is in memory")
	}
}
