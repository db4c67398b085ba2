package health

import (
	"strings"
	"testing"
	"time"

	"kibitz/app/model"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// sound is a server with nothing wrong.
func sound() Server {
	return Server{ReadsNow: -1, ReadsBefore: -1, Schemas: []model.SchemaFacts{{Part: "ops", Indexes: []model.IndexFacts{{OID: 1, Name: "i", RootIndex: "i", Bytes: 1 << 20}}}},
		ServerFacts: model.ServerFacts{Node: "ops", Part: "ops", At: now, Started: now.AddDate(0, 0, -30), StatsReset: now.AddDate(0, 0, -30), Version: 150018, Monitor: true,
			Vitals:   model.Vitals{TableHits: 995_000, TableReads: 5_000, IndexHits: 995_000, IndexReads: 5_000, Connections: 5},
			Ages:     []model.XIDAge{{Database: "kibitz", XIDs: 100}},
			Settings: map[string]model.Setting{"max_connections": {Value: "100"}, "shared_buffers": {Value: "65536", Unit: "8kB"}, "fsync": {Value: "on"}}}}
}

func TestSound(t *testing.T) {
	t.Parallel()
	for _, f := range JudgeServer(sound()) {
		if f.Verdict != model.Healthy || f.Said == "" || f.Title == "" || f.Node != "ops" || f.Advice != "" {
			t.Errorf("%+v", f)
		}
	}
}

// at answers one check's finding.
func at(t *testing.T, all []model.Finding, check string) model.Finding {
	t.Helper()
	for _, f := range all {
		if f.Check == check {
			return f
		}
	}
	t.Fatalf("no check %q", check)
	return model.Finding{}
}

func session(kind, state string, running, inTx time.Duration) model.DBSession {
	return model.DBSession{PID: 7, Kind: kind, State: state, Running: running, InTx: inTx, SQL: "SELECT  1"}
}

// TestServerChecks moves one fact at a time to each side of its limit.
func TestServerChecks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		check  string
		change func(*Server)
		want   model.Verdict
		says   string
	}{
		{"table_hits", func(s *Server) { s.Vitals.TableHits, s.Vitals.TableReads = 990_000, 10_000 }, model.Healthy, "99 %"},
		{"table_hits", func(s *Server) { s.Vitals.TableHits, s.Vitals.TableReads = 989_000, 11_000 }, model.Warn, "98.9 %"},
		{"index_hits", func(s *Server) { s.Vitals.IndexHits, s.Vitals.IndexReads = 9_999, 0 }, model.Unknown, "10 k are needed"},
		{"index_hits", func(s *Server) { s.Vitals.IndexHits, s.Vitals.IndexReads = 9_999, 1 }, model.Healthy, "99.99 %"},
		{"connections", func(s *Server) { s.Vitals.Connections = 79 }, model.Healthy, "79 connections of 100"},
		{"connections", func(s *Server) { s.Vitals.Connections = 80 }, model.Warn, ""},
		{"connections", func(s *Server) { s.Vitals.Connections = 95 }, model.Bad, ""},
		{"connections", func(s *Server) {
			s.Vitals.Connections, s.Settings = 501, map[string]model.Setting{"max_connections": {Value: "5000"}}
		}, model.Warn, ""},
		{"connections", func(s *Server) { s.Monitor = false }, model.Unknown, "Not enough rights"},
		{"idle_in_transaction", func(s *Server) {
			s.Sessions = []model.DBSession{session("client backend", "idle in transaction", 0, 5*time.Minute-1)}
		}, model.Healthy, "1 session"},
		{"idle_in_transaction", func(s *Server) {
			s.Sessions = []model.DBSession{session("client backend", "idle in transaction (aborted)", 0, 5*time.Minute)}
		}, model.Warn, ""},
		{"idle_in_transaction", func(s *Server) {
			s.Sessions = []model.DBSession{session("client backend", "idle in transaction", 0, time.Hour)}
		}, model.Bad, ""},
		{"idle_in_transaction", func(s *Server) {
			for range 100 {
				s.Sessions = append(s.Sessions, session("client backend", "idle in transaction", 0, time.Second))
			}
		}, model.Warn, "100 sessions"},
		{"idle_in_transaction", func(s *Server) { s.Monitor = false }, model.Unknown, ""},
		{"long_queries", func(s *Server) {
			s.Sessions = []model.DBSession{session("client backend", "active", time.Minute-1, 0)}
		}, model.Healthy, ""},
		{"long_queries", func(s *Server) {
			s.Sessions = []model.DBSession{session("client backend", "active", time.Minute, 0)}
		}, model.Warn, "1 statement runs"},
		{"long_queries", func(s *Server) {
			s.Sessions = []model.DBSession{session("client backend", "active", 10*time.Minute, 0)}
		}, model.Bad, ""},
		{"long_queries", func(s *Server) {
			s.Sessions = []model.DBSession{session("autovacuum worker", "active", time.Hour, 0), session("walsender", "active", 99*time.Hour, 0)}
		}, model.Healthy, "2 processes work"},
		{"blocked", func(s *Server) { s.Vitals.Deadlocks = 2 }, model.Healthy, "2 deadlocks"},
		{"blocked", func(s *Server) {
			s.Sessions = []model.DBSession{{WaitsForLock: true, Running: 10 * time.Second, BlockedBy: []int{9}}}
		}, model.Warn, ""},
		{"blocked", func(s *Server) {
			s.Sessions = []model.DBSession{{WaitsForLock: true, Running: time.Minute}}
		}, model.Bad, ""},
		{"wraparound", func(s *Server) { s.Ages[0].XIDs = xidLimit - 1_500_000_001 }, model.Healthy, "1.5 G"},
		{"wraparound", func(s *Server) { s.Ages[0].XIDs = xidLimit - 1_500_000_000 }, model.Warn, ""},
		{"wraparound", func(s *Server) { s.Ages[0].MultiIDs = xidLimit - 200_000_000 }, model.Bad, "200 M"},
		{"wraparound", func(s *Server) { s.Ages = nil }, model.Unknown, ""},
		{"replication_lag", func(s *Server) { s.Recovery, s.Lag = true, 5*time.Second-1 }, model.Healthy, ""},
		{"replication_lag", func(s *Server) { s.Recovery, s.Lag = true, 5*time.Second }, model.Warn, "5 s behind"},
		{"replication_lag", func(s *Server) { s.Recovery, s.Lag, s.Monitor = true, 30*time.Second, false }, model.Bad, ""},
		{"replication_lag", func(s *Server) { s.Followers = []model.Follower{{Name: "r1", Lag: 38 * time.Second, Behind: 1 << 20}} }, model.Bad, "slowest 38 s"},
		{"replication_lag", func(s *Server) { s.Monitor = false }, model.Unknown, ""},
		{"slots", func(s *Server) { s.Slots = []model.ReplicationSlot{{Name: "a", Active: true, Retained: 1 << 40}} }, model.Healthy, ""},
		{"slots", func(s *Server) { s.Slots = []model.ReplicationSlot{{Name: "a", Retained: 1 << 30}} }, model.Warn, "1 slot"},
		{"slots", func(s *Server) { s.Slots = []model.ReplicationSlot{{Name: "a", Retained: 1<<30 + 1}} }, model.Bad, ""},
		{"slots", func(s *Server) { s.Slots = []model.ReplicationSlot{{Name: "a", Active: true, Status: "lost"}} }, model.Bad, ""},
		{"settings", func(s *Server) { s.Settings["fsync"] = model.Setting{Value: "off"} }, model.Bad, "1 setting"},
		{"settings", func(s *Server) { s.Settings["shared_buffers"] = model.Setting{Value: "16383", Unit: "8kB"} }, model.Warn, ""},
		{"settings", func(s *Server) { s.Settings["random_page_cost"] = model.Setting{Value: "4"} }, model.Warn, ""},
		{"settings", func(s *Server) { s.Settings["shared_preload_libraries"] = model.Setting{} }, model.Warn, ""},
		{"settings", func(s *Server) { s.Settings["wal_level"] = model.Setting{PendingRestart: true} }, model.Warn, ""},
		{"settings", func(s *Server) { s.Settings = nil }, model.Unknown, ""},
		{"settings", func(s *Server) { s.Settings = map[string]model.Setting{"jit": {}} }, model.Unknown, "rights"},
		{"statistics", func(s *Server) { s.StatsReset = now.Add(-24*time.Hour + 1) }, model.Unknown, "too young"},
		{"statistics", func(s *Server) { s.StatsReset = now.Add(-24 * time.Hour) }, model.Healthy, ""},
		{"statistics", func(s *Server) { s.StatsReset, s.Schemas[0].Made = time.Time{}, now.Add(-time.Hour) }, model.Unknown, ""},
		{"statistics", func(s *Server) { s.Settings["track_counts"] = model.Setting{Value: "off"} }, model.Unknown, "track_counts"},
	} {
		s := sound()
		c.change(&s)
		if f := at(t, JudgeServer(s), c.check); f.Verdict != c.want || !strings.Contains(f.Said, c.says) {
			t.Errorf("%s: %s %q, want %s %q", c.check, f.Verdict, f.Said, c.want, c.says)
		}
	}
}

// TestIndexMemory asks whether indexes fit, for every place where they can find room.
func TestIndexMemory(t *testing.T) {
	t.Parallel()
	const shared = 512 << 20
	for _, c := range []struct {
		name        string
		bytes       int64
		available   int64
		hits, reads int64
		want        model.Verdict
	}{
		{"in shared buffers", shared, 0, 0, 0, model.Healthy},
		{"in the page cache", shared + 100, 100, 0, 0, model.Healthy},
		{"too large, and missed", shared + 101, 100, 900_000, 100_000, model.Bad},
		{"too large, and what is read is there", shared + 101, 100, 995_000, 5_000, model.Healthy},
		{"memory unknown, and missed", shared + 1, 0, 900_000, 100_000, model.Warn},
		{"memory unknown, not missed", shared + 1, 0, 995_000, 5_000, model.Unknown},
		{"too large, hardly read", shared + 101, 100, 10, 10, model.Unknown},
	} {
		s := sound()
		s.Schemas[0].Indexes[0].Bytes, s.MemoryAvailable = c.bytes, c.available
		s.Vitals.IndexHits, s.Vitals.IndexReads = c.hits, c.reads
		if f := indexMemory(s); f.Verdict != c.want || len(f.Items) == 0 {
			t.Errorf("%s: %s %q", c.name, f.Verdict, f.Said)
		}
	}
	s := sound()
	s.ReadsNow, s.ReadsBefore, s.Cached = 100, 20, map[int64]int64{1: 512 << 10}
	if f := indexMemory(s); f.Verdict != model.Warn || !strings.Contains(f.Said, "20 to 100") || !strings.Contains(f.Said, "50 %") {
		t.Errorf("rising reads: %+v", f)
	}
	s.ReadsBefore = 60
	if f := indexMemory(s); f.Verdict != model.Healthy {
		t.Errorf("steady reads: %+v", f)
	}
	s.Schemas = nil
	if f := indexMemory(s); f.Verdict != model.Unknown {
		t.Errorf("no schema: %+v", f)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{Bytes(0): "0 B", Bytes(1 << 20): "1 MB", Bytes(1288490189): "1.2 GB", Bytes(-2048): "-2 kB", Bytes(999): "999 B", Bytes(1000): "0.98 kB",
		Count(999): "999", Count(12_940): "12.9 k", Count(38_100_000): "38.1 M", Span(1500 * time.Millisecond): "1.5 s", Span(90 * time.Second): "1 min",
		Span(47 * time.Hour): "47 h", Span(72 * time.Hour): "3 days", percent(0.9999): "99.99", percent(1): "100", percent(0.5): "50",
		Ident("a_1"): "a_1", Ident("1a"): `"1a"`, Ident(`x"; DROP`): `"x""; DROP"`, Ident(""): `""`, literal("a'b"): "'a''b'"} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
