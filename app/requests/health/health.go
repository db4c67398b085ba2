// Package health judges databases: facts in, findings out. It is pure; each check names its limits, and says "unknown"
// with the reason where the facts are too young, too few or hidden from our role. What to list and most limits are those
// that people know from PgHero 4; where ours differ, the limit says why.
package health

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"kibitz/app/model"
)

// Server is one database server with all schemas of ours on it.
type Server struct {
	model.ServerFacts
	Schemas []model.SchemaFacts
	// ReadsNow and ReadsBefore are index blocks read a second in the last minutes and in the hour before; negative when
	// they have not been watched that long.
	ReadsNow, ReadsBefore float64
}

// Partition is one partition's schema on its primary, and what its replicas count of the same.
type Partition struct {
	Server   model.ServerFacts
	Schema   model.SchemaFacts
	Replicas []model.SchemaFacts
	// Past is how large its relations were a week ago; PastDay is the zero time when nobody looked then.
	Past    []model.SpaceSample
	PastDay time.Time
	// Statements are what was run of late, for suggestions; nil when it is not known.
	Statements []Statement
}

// Statement is a normalised statement with what it cost of late.
type Statement struct {
	SQL   string
	Calls int64
	Total time.Duration
}

// maxItems bounds what a finding lists, the worst first; the rest is counted.
const maxItems = 20

// checkServer and checkPartition are checks by name and title.
type checkServer struct {
	name, title string
	judge       func(Server) model.Finding
}

type checkPartition struct {
	name, title string
	judge       func(Partition) model.Finding
}

var serverChecks = []checkServer{
	{"table_hits", "Table hits", tableHits},
	{"index_hits", "Index hits", indexHits},
	{"index_memory", "Indexes in memory", indexMemory},
	{"connections", "Connections", connections},
	{"idle_in_transaction", "Idle in transaction", idleInTransaction},
	{"long_queries", "Long queries", longQueries},
	{"blocked", "Waiting for locks", blocked},
	{"wraparound", "Transaction ids", wraparound},
	{"replication_lag", "Replication lag", replicationLag},
	{"slots", "Replication slots", slots},
	{"settings", "Settings", settings},
	{"statistics", "Statistics", statistics},
}

var partitionChecks = []checkPartition{
	{"missing_index", "Missing indexes", missingIndexes},
	{"suggested_index", "Indexes worth having", suggestedIndexes},
	{"unused_index", "Unused indexes", unusedIndexes},
	{"duplicate_index", "Duplicate indexes", duplicateIndexes},
	{"invalid_index", "Invalid indexes", invalidIndexes},
	{"index_bloat", "Index bloat", indexBloat},
	{"vacuum", "Dead rows", vacuum},
	{"sequences", "Sequences", sequences},
	{"int_keys", "Keys of 4 bytes", intKeys},
	{"constraints", "Constraints", constraints},
	{"foreign_keys", "Foreign keys", foreignKeys},
	{"growth", "Growth in 7 days", growth},
}

// JudgeServer answers a finding of each check of a server.
func JudgeServer(s Server) (out []model.Finding) {
	for _, c := range serverChecks {
		f := c.judge(s)
		f.Check, f.Title, f.Node = c.name, c.title, s.Node
		out = append(out, bounded(f))
	}
	return out
}

// JudgePartition answers a finding of each check of a partition.
func JudgePartition(p Partition) (out []model.Finding) {
	for _, c := range partitionChecks {
		f := c.judge(p)
		f.Check, f.Title, f.Node = c.name, c.title, p.Schema.Part
		out = append(out, bounded(f))
	}
	return out
}

// Unreachable answers for a server that cannot be asked: every check is unknown, and one says why.
func Unreachable(node, why string) []model.Finding {
	return []model.Finding{{Check: "reachable", Title: "Server", Node: node, Verdict: model.Bad, Said: why,
		Advice: "While it does not answer, nothing is known of it."}}
}

func bounded(f model.Finding) model.Finding {
	if len(f.Items) > maxItems {
		f.More, f.Items = len(f.Items)-maxItems, f.Items[:maxItems]
	}
	return f
}

// Order sorts findings: bad, warnings, unknown, then what is well; within each as the checks stand.
func Order(findings []model.Finding) {
	rank := map[model.Verdict]int{model.Bad: 0, model.Warn: 1, model.Unknown: 2, model.Healthy: 3}
	slices.SortStableFunc(findings, func(a, b model.Finding) int { return cmp.Compare(rank[a.Verdict], rank[b.Verdict]) })
}

func well(format string, args ...any) model.Finding {
	return model.Finding{Verdict: model.Healthy, Said: fmt.Sprintf(format, args...)}
}

func unknown(format string, args ...any) model.Finding {
	return model.Finding{Verdict: model.Unknown, Said: fmt.Sprintf(format, args...)}
}

// hidden is the answer of checks that look at other people's sessions, for a role that may not.
func hidden(s Server) model.Finding {
	f := unknown("Not enough rights: the role may not see what other sessions do.")
	f.Advice = "Let the role read statistics. It need not inherit the right; it takes it for one transaction."
	f.Items = []model.FindingItem{{Name: "pg_monitor", SQL: "GRANT pg_monitor TO " + Ident("kibitz_"+s.Part) + ";"}}
	return f
}

func withValue(f model.Finding, value, unit string) model.Finding {
	f.Value, f.Unit = value, unit
	return f
}

// worst is the worse of two verdicts that are known.
func worst(a, b model.Verdict) model.Verdict {
	if a == model.Bad || b == model.Bad {
		return model.Bad
	}
	if a == model.Warn || b == model.Warn {
		return model.Warn
	}
	return model.Healthy
}

// verdict compares a number with what warns and what is bad.
func verdict[N cmp.Ordered](n, warn, bad N) model.Verdict {
	switch {
	case n >= bad:
		return model.Bad
	case n >= warn:
		return model.Warn
	}
	return model.Healthy
}

// since is the moment from which on a partition's counters count.
func (p Partition) since() time.Time {
	if !p.Server.StatsReset.IsZero() {
		return p.Server.StatsReset
	}
	return p.Schema.Made
}

// age is for how long they have.
func (p Partition) age() time.Duration { return p.Server.At.Sub(p.since()) }

func (s Server) age() time.Duration {
	since := s.StatsReset
	for _, schema := range s.Schemas {
		if s.StatsReset.IsZero() && (since.IsZero() || schema.Made.Before(since)) {
			since = schema.Made
		}
	}
	if since.IsZero() {
		since = s.Started
	}
	return s.At.Sub(since)
}

// Ident writes a name as SQL needs it: quoted when it is not plain lower case.
func Ident(name string) string {
	plain := name != ""
	for i, r := range name {
		if !(r == '_' || r >= 'a' && r <= 'z' || i > 0 && r >= '0' && r <= '9') {
			plain = false
		}
	}
	if plain {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func qualified(part, name string) string { return Ident(part) + "." + Ident(name) }
