package requests

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"kibitz/app/db"
	"kibitz/app/model"
)

const (
	// recentMinutes is how much of the past RecentStatements holds.
	recentMinutes = 60
	// maxRecent bounds the statements of a minute, those with the most time; the rest of it is summed up as one.
	maxRecent = 500
	// maxGaps bounds the gaps that are remembered, the newest last.
	maxGaps = 100
)

// RecentStatements is the last hour of statements, by the minute, in memory: at most 60 x 500 sums, some 6 MB.
type RecentStatements struct {
	mu      sync.Mutex
	minutes []recentMinute // oldest first
	gaps    []model.StatementGap
	servers map[string]ServerStatements
}

type recentMinute struct {
	at     time.Time
	deltas []model.StatementDelta
	others int64 // statements beyond maxRecent
}

// ServerStatements is whether a server's statements are known. Missing is "" when they are; extension, library or rights when not.
type ServerStatements struct {
	Node    string
	Missing string
	Since   time.Time // of the first snapshot
}

// NewRecentStatements makes an empty hour.
func NewRecentStatements() *RecentStatements {
	return &RecentStatements{servers: map[string]ServerStatements{}}
}

// Add is a StatementSink.
func (r *RecentStatements) Add(_ context.Context, deltas []model.StatementDelta, gaps []model.StatementGap) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gaps = append(r.gaps, gaps...)
	if n := len(r.gaps) - maxGaps; n > 0 {
		r.gaps = slices.Delete(r.gaps, 0, n)
	}
	if len(deltas) == 0 {
		return
	}
	at := deltas[0].To
	minute := recentMinute{at: at}
	minute.deltas, minute.others = mostExpensive(deltas)
	r.minutes = append(r.minutes, minute)
	r.minutes = slices.DeleteFunc(r.minutes, func(m recentMinute) bool { return m.at.Before(at.Add(-recentMinutes * time.Minute)) })
}

// mostExpensive keeps the statements with the most time, and puts the others together without a text.
func mostExpensive(deltas []model.StatementDelta) (kept []model.StatementDelta, others int64) {
	kept = slices.Clone(deltas)
	slices.SortStableFunc(kept, func(a, b model.StatementDelta) int { return cmp.Compare(b.Total, a.Total) })
	if len(kept) <= maxRecent {
		return kept, 0
	}
	rest := model.StatementDelta{Server: kept[0].Server, From: kept[0].From, To: kept[0].To}
	for _, d := range kept[maxRecent:] {
		rest = plus(rest, d)
	}
	others = int64(len(kept) - maxRecent)
	return append(kept[:maxRecent:maxRecent], rest), others
}

func plus(a, b model.StatementDelta) model.StatementDelta {
	a.Calls, a.Rows, a.Total = a.Calls+b.Calls, a.Rows+b.Rows, a.Total+b.Total
	a.StatementIO = a.StatementIO.Plus(b.StatementIO)
	return a
}

func (r *RecentStatements) state(server string, node db.Node, snap model.StatementSnapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was, seen := r.servers[server]
	if !seen {
		was.Since = time.Now()
	}
	was.Node, was.Missing = node.String(), snap.Missing
	r.servers[server] = was
}

func (r *RecentStatements) forget(server string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.servers, server)
}

// Hour is what the statements of the last hour add up to.
type Hour struct {
	From, To   time.Time // of what is known; both zero when nothing is
	Statements []HourStatement
	Others     int64 // statements that are summed up only
	Gaps       []model.StatementGap
	Servers    []ServerStatements
}

// HourStatement is one statement over that hour.
type HourStatement struct {
	model.StatementDelta
	Spark []time.Duration // its time by the minute, from Hour.From on
}

// Hour adds up the last hour, of one partition or of all ("").
func (r *RecentStatements) Hour(partition string) (h Hour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h.Gaps = slices.Clone(r.gaps)
	for _, s := range r.servers {
		h.Servers = append(h.Servers, s)
	}
	slices.SortFunc(h.Servers, func(a, b ServerStatements) int { return strings.Compare(a.Node, b.Node) })
	if len(r.minutes) == 0 {
		return h
	}
	h.From, h.To = r.minutes[0].at.Add(-statementsEvery), r.minutes[len(r.minutes)-1].at
	at := map[recentKey]int{}
	for _, m := range r.minutes {
		h.Others = max(h.Others, m.others)
		for _, d := range m.deltas {
			if partition == "" || d.Partition == partition {
				h.add(at, m.at, d)
			}
		}
	}
	return h
}

// recentKey is a statement over all its servers, where our fingerprint is known.
type recentKey struct {
	partition, server string
	id                int64
}

func keyOf(d model.StatementDelta) recentKey {
	if d.Fingerprint != 0 {
		return recentKey{d.Partition, "", d.Fingerprint}
	}
	return recentKey{d.Partition, d.Server, d.QueryID}
}

func (h *Hour) add(at map[recentKey]int, minute time.Time, d model.StatementDelta) {
	k := keyOf(d)
	n, seen := at[k]
	if !seen {
		n = len(h.Statements)
		at[k] = n
		blank := d
		h.Statements = append(h.Statements, HourStatement{minusAll(blank), make([]time.Duration, recentMinutes)})
	}
	s := &h.Statements[n]
	s.StatementDelta = plus(s.StatementDelta, d)
	s.To = minute
	if slot := int(minute.Sub(h.From) / time.Minute); slot >= 0 {
		s.Spark[min(slot, recentMinutes-1)] += d.Total
	}
}

// minusAll keeps who a difference is of, without its sums.
func minusAll(d model.StatementDelta) model.StatementDelta { return minus(d, d) }

// ID is a statement's name in addresses: our fingerprint, or where there is none the server's own id.
func (s HourStatement) ID() string {
	if s.Fingerprint != 0 {
		return fmt.Sprintf("%016x", uint64(s.Fingerprint))
	}
	return fmt.Sprintf("q%016x", uint64(s.QueryID))
}

// PartitionNames are the partitions' names, in their order.
func PartitionNames() []string { return partNames() }
