package requests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kibitz/app/db"
	"kibitz/app/db/pglocal"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/migrations"
)

// TestHealthReplica checks a primary and a streaming replica of it: both are judged, each by its own counters.
func TestHealthReplica(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "kibitz-test-") // PostgreSQL may run as another user, who cannot enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	primary, err := pglocal.Start(ctx, pglocal.Options{Dir: filepath.Join(dir, "primary"), Log: discard(), Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, primary) })
	if err := db.Provision(ctx, primary.DSN(pglocal.Superuser, "postgres"), "kibitz"); err != nil {
		t.Fatal(err)
	}
	parts := map[db.Partition]db.PartConfig{}
	for _, p := range db.Partitions {
		parts[p] = db.PartConfig{Primary: primary.DSN(db.Role(p), "kibitz"), Owner: primary.DSN(pglocal.Superuser, "kibitz")}
	}
	replica, err := primary.Replica(ctx, filepath.Join(dir, "replica"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, replica) })
	part := parts[db.Ops]
	part.Replicas = []string{replica.DSN(db.Role(db.Ops), "kibitz")}
	parts[db.Ops] = part
	d, err := db.Open(ctx, db.Config{Parts: parts, Pools: map[db.Use]int{db.Web: 4, db.Ingest: 2, db.Jobs: 2}, Log: discard(), WebWait: patient})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	if err := d.Migrate(ctx, migrations.Files, func(string, string) {}); err != nil {
		t.Fatal(err)
	}
	h := newHealth(d)
	eventually(t, func() string {
		r := checked(t, h)
		if len(r.Servers) != 2 || r.Servers[0].Facts.Recovery == r.Servers[1].Facts.Recovery {
			return "not a primary and a replica"
		}
		own, seen := finding(t, r, "replication_lag", "ops replica 1"), finding(t, r, "replication_lag", "forums")
		if strings.Contains(own.Said, "behind its primary") && own.Verdict == model.Healthy && strings.Contains(seen.Said, "1 replica follows") {
			return ""
		}
		return own.Said + " " + seen.Said
	})
	s := NewStatements(store.New(d), discard())
	s.Sample(ctx)
	if servers := s.Recent.Hour("").Servers; len(servers) != 2 || servers[0].Missing != "" || servers[1].Missing != "" {
		t.Errorf("%+v", servers)
	}
}
