package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"kibitz/app/model"
	"kibitz/app/requests"
)

// sources are what --source calls them.
var sources = map[string]model.StatementSource{"all": 0, "spans": model.FromSpans, "log": model.FromLog, "pgstat": model.FromPgStat}

func sourceNames() []string { return []string{"all", "spans", "log", "pgstat"} }

func sourceName(s model.StatementSource) string {
	for name, source := range sources {
		if source == s {
			return name
		}
	}
	return ""
}

// served is what else a line of a server's digest says. Times of p95_ms and max_ms are 0 where only sums are known (source
// pgstat). Shares are of the statement's time, 0 to 1.
type served struct {
	Source  string  `json:"source"`
	Failed  int64   `json:"failed"`
	Impact  float64 `json:"impact"` // mean duration over mean interval: the share of one connection's time, 0 to 1 and more
	RowsPer float64 `json:"rows_per_call"`
	Senders []user  `json:"senders"` // endpoints with their shares
	Callers []user  `json:"callers"`
	Before  *totals `json:"before"` // the period before; null when it did not run
	Others  []other `json:"others"` // what other sources say of the same executions
	Trend   []point `json:"trend"`
	IO      *moved  `json:"io"` // of pg_stat_statements; null where it was not read
}

// moved is what a statement read and wrote: blocks are of 8 kB, unless the server was built otherwise.
type moved struct {
	Hit       int64   `json:"blocks_hit"`
	Read      int64   `json:"blocks_read"`
	Dirtied   int64   `json:"blocks_dirtied"`
	Written   int64   `json:"blocks_written"`
	TempRead  int64   `json:"blocks_temp_read"`
	TempDone  int64   `json:"blocks_temp_written"`
	ReadMS    float64 `json:"read_ms"` // 0 unless track_io_timing is on
	WrittenMS float64 `json:"write_ms"`
	WALBytes  int64   `json:"wal_bytes"`
}

type user struct {
	Name    string  `json:"name"`
	Calls   int64   `json:"calls"`
	TotalMS float64 `json:"total_ms"`
	Share   float64 `json:"share"`
}

type totals struct {
	Calls   int64   `json:"calls"`
	TotalMS float64 `json:"total_ms"`
	MeanMS  float64 `json:"mean_ms"`
	P95MS   float64 `json:"p95_ms"`
}

type other struct {
	Source string `json:"source"`
	totals
}

type point struct {
	At      time.Time `json:"at"`
	TotalMS float64   `json:"total_ms"`
}

// servedSince is how far back a server's digest goes when nobody says.
const servedSince = time.Hour

// fromServer prints the digest of a project; it works beside a running server.
func (q *queriesCommand) fromServer(ctx context.Context) error {
	now := time.Now()
	if q.from.IsZero() {
		q.from = now.Add(-servedSince)
	}
	if !q.from.Before(now) {
		return q.c.wrong("--since %s lies ahead", q.from.Format(time.RFC3339))
	}
	if q.top == 0 && !q.json {
		q.top = defaultTop
	}
	if err := q.c.configure(); err != nil {
		return err
	}
	return withStore(ctx, q.c, func(p *Program) error {
		project, err := p.Projects.Find(ctx, q.project)
		if err != nil {
			return plain(err)
		}
		d, err := p.Requests.QueryDigest(ctx, requests.QueryOptions{Project: project.ID, Period: model.Period{From: q.from, To: now}, Source: q.source,
			Sort: requests.QueryOrder(q.sort), Top: q.top, Compare: true})
		if err != nil {
			return plain(err)
		}
		if q.json {
			return q.servedJSON(&d)
		}
		return q.servedTable(&d)
	})
}

func (q *queriesCommand) servedJSON(d *requests.QueryDigest) error {
	enc := json.NewEncoder(q.writes)
	enc.SetEscapeHTML(false)
	for i := range d.Queries {
		if err := enc.Encode(servedOf(&d.Queries[i], d.Trend)); err != nil {
			return fmt.Errorf("cannot print the digest: %w", err)
		}
	}
	return nil
}

func servedOf(q *requests.Query, trend requests.Buckets) queried {
	t := totalsOf(&q.QueryTotals)
	least, _ := q.Quantile(0)
	line := queried{SQL: q.SQL, Calls: t.Calls, TotalMS: t.TotalMS, MeanMS: t.MeanMS, P95MS: t.P95MS, Endpoints: []string{}, MinMS: inMS(least), MaxMS: inMS(q.Max),
		Fingerprint: fmt.Sprintf("%016x", q.Fingerprint)}
	line.served = &served{Source: sourceName(q.Source), Failed: whole(q.Failed), Impact: q.Impact, Senders: []user{}, Callers: []user{}, Others: []other{}, Trend: []point{}}
	if per, ok := q.RowsPerCall(); ok {
		rows := whole(q.Rows)
		line.Rows, line.RowsPer = &rows, per
	}
	for _, u := range q.Endpoints {
		line.Endpoints = append(line.Endpoints, endpointName(u.Endpoint))
		line.Senders = append(line.Senders, userOf(endpointName(u.Endpoint), u))
	}
	for _, u := range q.Callers {
		line.Callers = append(line.Callers, userOf(u.Code, u))
	}
	if q.Before != nil {
		before := totalsOf(q.Before)
		line.Before = &before
	}
	for _, source := range []model.StatementSource{model.FromSpans, model.FromLog, model.FromPgStat} {
		if t := q.Others[source]; t != nil {
			line.Others = append(line.Others, other{sourceName(source), totalsOf(t)})
		}
	}
	if io, ok := q.IO(); ok {
		line.IO = &moved{io.Hit, io.Read, io.Dirtied, io.Written, io.TempRead, io.TempDone, inMS(io.ReadTime), inMS(io.WriteTime), io.WALBytes}
	}
	for i, spent := range q.Trend {
		line.Trend = append(line.Trend, point{trend.From.Add(time.Duration(i) * trend.Step), inMS(spent)})
	}
	return line
}

func totalsOf(t *requests.QueryTotals) totals {
	p95, _ := t.Quantile(0.95)
	return totals{whole(t.N), inMS(t.Total), inMS(t.Mean()), inMS(p95)}
}

func userOf(name string, u requests.QueryUser) user {
	return user{name, whole(u.N), inMS(u.Total), math.Round(u.Share*10_000) / 10_000}
}

// whole is a sum of weights as a number of calls.
func whole(n float64) int64 { return int64(math.Round(n)) }

// endpointName is an endpoint as people read it: GET /cart/{}/.
func endpointName(e model.Endpoint) string { return strings.TrimSpace(e.Method + " " + e.Name) }

func (q *queriesCommand) servedTable(d *requests.QueryDigest) error {
	fmt.Fprintf(q.writes, "%d calls of %d statements in %.3f s since %s\n\n", whole(d.Calls), d.Found, d.Total.Seconds(), q.from.UTC().Format("2006-01-02 15:04 MST"))
	w := tabwriter.NewWriter(q.writes, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "total ms\tshare\tcalls\tmean\tp95\trows/call\tI/O blocks\timpact\tsource\t  SQL")
	for i := range d.Queries {
		s := &d.Queries[i]
		t := totalsOf(&s.QueryTotals)
		fmt.Fprintf(w, "%.1f\t%.1f %%\t%d\t%.3f\t%s\t%s\t%s\t%.1f %%\t%s\t  %s\n", t.TotalMS, 100*share(s.Total, d.Total), t.Calls, t.MeanMS,
			known(s.Quantile(0.95)), rowsKnown(s), blocksKnown(s), 100*s.Impact, sourceName(s.Source), oneLine(s.SQL))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("cannot print the digest: %w", err)
	}
	return nil
}

// known is a duration in milliseconds, or a dash.
func known(d time.Duration, ok bool) string {
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.3f", inMS(d))
}

func rowsKnown(q *requests.Query) string {
	per, ok := q.RowsPerCall()
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.1f", per)
}

// blocksKnown is how many blocks a statement moved, or a dash.
func blocksKnown(q *requests.Query) string {
	io, ok := q.IO()
	if !ok {
		return "-"
	}
	return strconv.FormatInt(io.Moved(), 10)
}
