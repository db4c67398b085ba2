package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/ingest/pglog"
	"kibitz/ingest/sqltext"
)

// queried is a line of `kibitz queries --json`. It is a contract with scripts. Rows is null where nothing tells them, and
// endpoints is empty where no request is known, which both is so of a log file.
type queried struct {
	SQL         string   `json:"sql"`
	Calls       int64    `json:"calls"`
	TotalMS     float64  `json:"total_ms"`
	MeanMS      float64  `json:"mean_ms"`
	P95MS       float64  `json:"p95_ms"`
	Rows        *int64   `json:"rows"`
	Endpoints   []string `json:"endpoints"`
	MinMS       float64  `json:"min_ms"`
	MaxMS       float64  `json:"max_ms"`
	Fingerprint string   `json:"fingerprint"` // 16 hexadecimal digits
	*served              // of a server's digest, not of a log file
}

// queriesCommand is what of a digest is wanted, and how it is printed.
type queriesCommand struct {
	c       *call
	file    string
	log     pglog.Options
	json    bool
	top     int
	sort    pglog.Order
	from    time.Time // zero for all
	project string
	source  model.StatementSource // 0 for all
	sql     *sqltext.Normalizer
	writes  io.Writer
}

// formsMemory is how many bytes the normalised forms of repeated statements may take.
const formsMemory = 32 << 20

// queries prints the statements of a project, or of a PostgreSQL log (what pgBadger is used for), those that took most time
// first.
func queries(ctx context.Context, c *call) error {
	q, err := c.queriesFlags()
	if err != nil {
		return err
	}
	if q.file == "" {
		return q.fromServer(ctx)
	}
	return q.fromFile()
}

// queriesFlags reads the command line.
func (c *call) queriesFlags() (*queriesCommand, error) {
	f := c.flags("queries")
	q := &queriesCommand{c: c, writes: c.out, sql: sqltext.NewNormalizer(formsMemory)}
	f.StringVar(&q.project, "project", "default", "the project's slug; not with --file")
	source := f.String("source", "all", fmt.Sprintf("who saw the statements: %v; not with --file", sourceNames()))
	f.StringVar(&q.file, "file", "", "read a log of PostgreSQL in place of the server's digest, also gzipped; - is the standard input")
	format := f.String("format", string(pglog.Auto), fmt.Sprintf("of the log: %v", pglog.Formats()))
	prefix := f.String("prefix", "", "log_line_prefix of stderr and syslog; found from the log when it is empty")
	f.BoolVar(&q.json, "json", false, "print a JSON line for each statement")
	f.IntVar(&q.top, "top", 0, "how many statements; 0 for all with --json, and 20 without")
	order := f.String("sort", string(pglog.ByTotal), fmt.Sprintf("the largest first: %v; a log tells neither rows nor io", requests.QueryOrders()))
	since := f.String("since", "", "from then on only: a time such as 2024-01-31T12:00:00Z, or how long ago, such as 24h; without --file 1h when empty")
	if err := f.Parse(c.args); err != nil {
		return nil, errUsage
	}
	if f.NArg() > 0 {
		return nil, c.wrong("there is no argument %q; say `--file %s` to read a log", f.Arg(0), f.Arg(0))
	}
	now := time.Now()
	q.sort, q.source = pglog.Order(*order), sources[*source]
	q.log = pglog.Options{Format: pglog.Format(*format), Prefix: *prefix, Now: now, Normalizer: q.sql}
	var err error
	if q.from, err = sinceWhen(*since, now); err != nil {
		return nil, c.wrong("--since: %v", err)
	}
	return q, q.check(*source)
}

// check refuses what cannot be done.
func (q *queriesCommand) check(source string) error {
	if _, known := sources[source]; !known {
		return q.c.wrong("there is no source %q; there are %v", source, sourceNames())
	}
	orders := requests.QueryOrders()
	if q.file != "" {
		orders = slices.DeleteFunc(orders, func(o requests.QueryOrder) bool { return o == requests.QueriesByRows || o == requests.QueriesByIO })
	}
	if !slices.Contains(orders, requests.QueryOrder(q.sort)) {
		return q.c.wrong("there is no order %q; there are %v", q.sort, orders)
	}
	if !slices.Contains(pglog.Formats(), q.log.Format) {
		return q.c.wrong("there is no format %q; there are %v", q.log.Format, pglog.Formats())
	}
	if q.top < 0 {
		return q.c.wrong("--top %d is less than 0", q.top)
	}
	return nil
}

// sinceWhen reads a time or how long ago it was; "" is the zero time.
func sinceWhen(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a time nor how long ago", text)
}

// fromFile digests the log and prints what came of it.
func (q *queriesCommand) fromFile() error {
	in, size, err := openInput(q.file)
	if err != nil {
		return err
	}
	defer in.Close()
	d := pglog.NewDigest(q.sql)
	p := newProgress(q.c.err, size)
	stats, err := pglog.Read(p.reader(in), q.log, func(e *pglog.Entry) {
		if !e.Time.Before(q.from) {
			d.Add(e)
		}
	})
	p.done()
	if err != nil {
		return plain(err)
	}
	d.Close()
	q.remarks(stats, d)
	return q.print(d)
}

// openInput answers a file with its size, 0 when it has none.
func openInput(name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), 0, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot open the log: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory", name)
	}
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("cannot read the log: %w", err)
	}
	return f, info.Size(), nil
}

// remarks says on the standard error what could not be read, since a digest of half a log looks like one of a whole.
func (q *queriesCommand) remarks(s pglog.Stats, d *pglog.Digest) {
	for _, r := range []struct {
		n    int64
		text string
	}{
		{s.Malformed, "records could not be read"},
		{s.Unclaimed, "lines belong to no entry"},
		{s.Truncated, "entries were longer than 10 MiB and lost a part (limit pglog.MaxEntry)"},
		{s.Evicted, "entries were closed early (limit pglog.MaxOpen)"},
		{d.Totals.Unlisted, "calls are of statements beyond the first 50,000 (limit pglog.MaxStatements)"},
		{d.Totals.Forgotten, "backends were forgotten before they ended (limit pglog.MaxOpen)"},
	} {
		if r.n > 0 {
			fmt.Fprintf(q.c.err, "kibitz: %d %s\n", r.n, r.text)
		}
	}
	if s.Cut {
		fmt.Fprintln(q.c.err, "kibitz: the compressed log ends in its middle; what precedes has been read")
	}
	if s.Entries == 0 && s.Lines > 0 {
		fmt.Fprintf(q.c.err, "kibitz: no entry was found in %d lines read as %s; --format and --prefix say how the log is written\n", s.Lines, s.Format)
	}
}

// defaultTop is how many statements the table has.
const defaultTop = 20

func (q *queriesCommand) print(d *pglog.Digest) error {
	if q.json {
		return q.printJSON(d.Top(q.sort, q.top))
	}
	if q.top == 0 {
		q.top = defaultTop
	}
	return q.printTable(d)
}

func (q *queriesCommand) printJSON(list []*pglog.Stat) error {
	enc := json.NewEncoder(q.writes)
	enc.SetEscapeHTML(false)
	for _, s := range list {
		if err := enc.Encode(queriedOf(s)); err != nil {
			return fmt.Errorf("cannot print the digest: %w", err)
		}
	}
	return nil
}

func queriedOf(s *pglog.Stat) queried {
	return queried{SQL: s.Form.Text, Calls: s.Calls, TotalMS: inMS(s.Total), MeanMS: inMS(s.Mean()), P95MS: inMS(s.Quantile(0.95)), Endpoints: []string{},
		MinMS: inMS(s.Min), MaxMS: inMS(s.Max), Fingerprint: fmt.Sprintf("%016x", s.Form.Fingerprint)}
}

// inMS is in milliseconds, to the microsecond that PostgreSQL writes.
func inMS(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}

// tableSQL is how much of a statement the table shows, in characters.
const tableSQL = 100

func (q *queriesCommand) printTable(d *pglog.Digest) error {
	t := d.Totals
	fmt.Fprintf(q.writes, "%d calls in %.3f s (parse %.3f s, bind %.3f s beside), %d errors, %d temporary files\n\n",
		t.Calls, t.Executed.Seconds(), t.Parsed.Seconds(), t.Bound.Seconds(), t.Errors, t.TempFiles)
	w := tabwriter.NewWriter(q.writes, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "total ms\tshare\tcalls\tmean\tp95\tmax\t  SQL")
	for _, s := range d.Top(q.sort, q.top) {
		fmt.Fprintf(w, "%.1f\t%.1f %%\t%d\t%.3f\t%.3f\t%.3f\t  %s\n", inMS(s.Total), 100*share(s.Total, t.Executed), s.Calls, inMS(s.Mean()), inMS(s.Quantile(0.95)), inMS(s.Max), oneLine(s.Form.Text))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("cannot print the digest: %w", err)
	}
	return nil
}

func share(part, whole time.Duration) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// oneLine bounds a statement, and takes out what would move a terminal's cursor: a log is text from outside.
func oneLine(sql string) string {
	var b strings.Builder
	n := 0
	for _, r := range sql {
		if n++; n > tableSQL {
			b.WriteString("…")
			break
		}
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			r = '\uFFFD'
		}
		b.WriteRune(r)
	}
	return b.String()
}
