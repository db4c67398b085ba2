package health

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"kibitz/app/model"
)

const (
	// manyConnections is PgHero's limit: each costs the server some MB and every snapshot of transactions time.
	manyConnections = 500
	// warnShare and badShare are shares of max_connections; at the whole of it nobody gets in, not even to look.
	warnShare, badShare = 0.8, 0.95
	// manyIdle is PgHero's limit of sessions idle in a transaction.
	manyIdle = 100
	// idleWarn and idleBad are for one of them: what it has seen cannot be vacuumed away in the whole database.
	idleWarn, idleBad = 5 * time.Minute, time.Hour
	// longQuery is PgHero's limit.
	longQuery, veryLongQuery = time.Minute, 10 * time.Minute
	lockWarn, lockBad        = 10 * time.Second, time.Minute
	// xidLimit is where PostgreSQL stops taking writes, less the 3 million it keeps for the repair.
	xidLimit        = 1<<31 - 1 - 3_000_000
	xidWarn, xidBad = 1_500_000_000, 200_000_000 // ids left; the first is PgHero's
	// lagWarn is PgHero's limit.
	lagWarn, lagBad = 5 * time.Second, 30 * time.Second
	// slotBad is WAL kept for a slot that nobody reads.
	slotBad = 1 << 30
)

func connections(s Server) model.Finding {
	if !s.Monitor {
		return hidden(s)
	}
	most, _ := strconv.Atoi(s.Settings["max_connections"].Value)
	n := s.Vitals.Connections
	f := well("%s of %d are open.", plural(n, "connection", "connections"), most)
	if most > 0 {
		f.Verdict = verdict(float64(n)/float64(most), warnShare, badShare)
	}
	if n > manyConnections {
		f.Verdict = worst(f.Verdict, model.Warn)
	}
	for _, g := range s.Connections {
		if g.Kind == "client backend" {
			f.Items = append(f.Items, model.FindingItem{Name: strings.TrimSpace(g.User + " " + g.App), Said: fmt.Sprintf("%d %s", g.N, g.State)})
		}
	}
	if f.Verdict != model.Healthy {
		f.Advice = "Close what is not needed, lower database.pool.* of processes that have too many, or put a pooler between."
	}
	return withValue(f, strconv.Itoa(n), "of "+strconv.Itoa(most))
}

func idleInTransaction(s Server) model.Finding {
	if !s.Monitor {
		return hidden(s)
	}
	f := well("No session sits in a transaction.")
	var oldest time.Duration
	for _, v := range s.Sessions {
		if !strings.HasPrefix(v.State, "idle in transaction") {
			continue
		}
		oldest = max(oldest, v.InTx)
		f.Items = append(f.Items, sessionItem(v, "in a transaction for "+Span(v.InTx)))
	}
	if n := len(f.Items); n > 0 {
		f.Said = fmt.Sprintf("%s in a transaction and waits for its client, the longest for %s.", plural(n, "session sits", "sessions sit"), Span(oldest))
		f.Verdict = verdict(oldest, idleWarn, idleBad)
		if n >= manyIdle {
			f.Verdict = worst(f.Verdict, model.Warn)
		}
	}
	if f.Verdict != model.Healthy {
		f.Advice = "Find the client that forgets to commit. idle_in_transaction_session_timeout ends such sessions by itself."
	}
	return withValue(f, strconv.Itoa(len(f.Items)), "")
}

// sessionItem names a session, with what would end it. A vacuum against wraparound is never to be ended.
func sessionItem(v model.DBSession, said string) model.FindingItem {
	item := model.FindingItem{Name: strings.TrimSpace(fmt.Sprintf("pid %d %s %s", v.PID, v.User, v.App)), Said: said + ": " + clipped(v.SQL)}
	if !v.VacuumForWrapping && v.Kind == "client backend" {
		item.SQL = fmt.Sprintf("SELECT pg_terminate_backend(%d);", v.PID)
	}
	return item
}

// maxSaid bounds a statement within a sentence.
const maxSaid = 160

func clipped(sql string) string {
	sql = strings.Join(strings.Fields(sql), " ")
	if runes := []rune(sql); len(runes) > maxSaid {
		return string(runes[:maxSaid]) + " ..."
	}
	return sql
}

// longQueries looks at people's statements. Vacuums and senders of WAL are meant to run long and are told apart.
func longQueries(s Server) model.Finding {
	if !s.Monitor {
		return hidden(s)
	}
	f, others := well("No statement has run for %s.", Span(longQuery)), 0
	var longest time.Duration
	for _, v := range s.Sessions {
		switch {
		case v.State != "active" || v.Running < longQuery:
		case v.Kind == "client backend" || v.Kind == "parallel worker":
			longest = max(longest, v.Running)
			f.Items = append(f.Items, sessionItem(v, "runs for "+Span(v.Running)))
		default:
			others++
		}
	}
	if len(f.Items) > 0 {
		f.Said = fmt.Sprintf("%s for more than %s, the longest for %s.", plural(len(f.Items), "statement runs", "statements run"), Span(longQuery), Span(longest))
		f.Verdict = verdict(longest, longQuery, veryLongQuery)
		f.Advice = "Look at its plan under Queries. statement_timeout ends statements by itself."
	}
	if others > 0 {
		f.Said += fmt.Sprintf(" Besides, %s of the server itself (vacuum, replication).", plural(others, "process works", "processes work"))
	}
	return withValue(f, strconv.Itoa(len(f.Items)), "")
}

func blocked(s Server) model.Finding {
	if !s.Monitor {
		return hidden(s)
	}
	f := well("Nobody waits for a lock; %s since the counters began.", plural(int(s.Vitals.Deadlocks), "deadlock", "deadlocks"))
	var longest time.Duration
	for _, v := range s.Sessions {
		if v.WaitsForLock {
			longest = max(longest, v.Running)
			f.Items = append(f.Items, sessionItem(v, fmt.Sprintf("waits for %s, blocked by %v", Span(v.Running), v.BlockedBy)))
		}
	}
	if len(f.Items) > 0 {
		f.Said = fmt.Sprintf("%s for a lock, the longest for %s.", plural(len(f.Items), "session waits", "sessions wait"), Span(longest))
		f.Verdict = verdict(longest, lockWarn, lockBad)
		f.Advice = "The session that blocks is named; when it is idle in a transaction, ending it lets the others go on."
	}
	return withValue(f, strconv.Itoa(int(s.Vitals.Deadlocks)), "deadlocks")
}

func wraparound(s Server) model.Finding {
	if len(s.Ages) == 0 {
		return unknown("The server told no age of a database.")
	}
	f, least := well(""), int64(xidLimit)
	for _, a := range s.Ages {
		left := xidLimit - max(a.XIDs, a.MultiIDs)
		least = min(least, left)
		f.Items = append(f.Items, model.FindingItem{Name: a.Database, Said: Count(left) + " ids left"})
	}
	f.Said = fmt.Sprintf("%s transaction ids are left before writes stop.", Count(least))
	f.Verdict = verdict(-least, -int64(xidWarn), -int64(xidBad))
	if f.Verdict != model.Healthy {
		f.Advice = "Vacuum the database with the oldest ids, and look for what holds vacuum back: old transactions, slots, prepared transactions."
		f.Items[0].SQL = "VACUUM (FREEZE, VERBOSE); -- in database " + Ident(s.Ages[0].Database)
	}
	return withValue(f, Count(least), "ids")
}

// replicationLag is a replica's own word of itself, and a primary's word of those that follow it.
func replicationLag(s Server) model.Finding {
	if s.Recovery {
		f := well("It is %s behind its primary.", Span(s.Lag))
		f.Verdict = verdict(s.Lag, lagWarn, lagBad)
		return withValue(lagAdvice(f), strconv.FormatFloat(s.Lag.Seconds(), 'f', 1, 64), "s")
	}
	if !s.Monitor {
		return hidden(s)
	}
	if len(s.Followers) == 0 {
		return withValue(well("No replica follows this server."), "none", "")
	}
	var longest time.Duration
	f := well("")
	for _, v := range s.Followers {
		longest = max(longest, v.Lag)
		f.Items = append(f.Items, model.FindingItem{Name: v.Name, Said: fmt.Sprintf("%s, %s, %s and %s behind", v.State, v.Sync, Span(v.Lag), Bytes(v.Behind))})
	}
	f.Said = fmt.Sprintf("%s, the slowest %s behind.", plural(len(f.Items), "replica follows", "replicas follow"), Span(longest))
	f.Verdict = verdict(longest, lagWarn, lagBad)
	return withValue(lagAdvice(f), strconv.FormatFloat(longest.Seconds(), 'f', 1, 64), "s")
}

func lagAdvice(f model.Finding) model.Finding {
	if f.Verdict != model.Healthy {
		f.Advice = "Pages that read from the replica show old data. Look for long statements on it, and for its disk and network."
	}
	return f
}

func slots(s Server) model.Finding {
	f := well("No slot keeps WAL that nobody reads.")
	for _, v := range s.Slots {
		state := model.Healthy
		switch {
		case v.Status == "lost" || v.Status == "unreserved" || !v.Active && v.Retained > slotBad:
			state = model.Bad
		case !v.Active:
			state = model.Warn
		}
		if state == model.Healthy {
			continue
		}
		f.Verdict = worst(f.Verdict, state)
		f.Items = append(f.Items, model.FindingItem{Name: v.Name, Said: fmt.Sprintf("%s, %s, keeps %s of WAL", v.Kind, v.Status, Bytes(v.Retained)),
			SQL: "SELECT pg_drop_replication_slot(" + literal(v.Name) + ");"})
	}
	if len(f.Items) > 0 {
		f.Said = fmt.Sprintf("%s nobody reads, and WAL is kept for it until the disk is full.", plural(len(f.Items), "slot that", "slots that"))
		f.Advice = "Bring its reader back, or drop the slot. max_slot_wal_keep_size bounds what a slot may keep."
	}
	return withValue(f, strconv.Itoa(len(s.Slots)), "")
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Ages that statistics need before they tell anything.
const (
	youngStatistics = 24 * time.Hour
	// unusedAge: some indexes serve a report that runs once a week.
	unusedAge = 7 * 24 * time.Hour
	hourly    = time.Hour
)

func statistics(s Server) model.Finding {
	if age := s.age(); age < youngStatistics {
		f := unknown("The counters are %s old, too young to judge habits by (%s).", Span(age), Span(youngStatistics))
		f.Advice = "They begin anew after a crash, a failover or pg_stat_reset(). Wait."
		return withValue(f, Span(age), "")
	}
	if s.Settings["track_counts"].Value == "off" {
		return unknown("track_counts is off: the server counts nothing.")
	}
	return withValue(well("The counters are %s old.", Span(s.age())), Span(s.age()), "")
}
