package views

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"kibitz/app/model"
	"kibitz/ingest/sqltext"
	"kibitz/views/charts"
)

// QueriesProps is the digest of statements: of what the servers themselves count, or of what programs report.
type QueriesProps struct {
	Project    model.Project // whose programs report; the zero project: what servers count
	Period     model.Period  // of a project's statements
	Partition  string        // "" for all
	Partitions []string
	Rank       string // total, mean, calls, rows, io or p95
	Text       string // what must be in the statement or in an endpoint's name
	// From and To are the stretch of time that is summed up; both zero when nothing is known.
	From, To   time.Time
	Tiles      []VitalTile
	Rows       []StatementRow
	First      int // number of the first row, from 1
	Found      int // statements that match
	Statements int
	Others     int64 // statements that are summed up only, beyond a limit
	Calls      float64
	Total      time.Duration
	Next, Prev string
	CSV        string // address of all of it as a file
	// Notes say what is not in the numbers, and why.
	Notes []string
	// Suggested and Unused are findings of the checks; nil before the first one.
	Suggested, Unused []model.Finding
}

// StatementRow is a statement over the page's stretch of time.
type StatementRow struct {
	ID                 string // in addresses
	Partition          string // "" when it is none of ours
	Project            string // slug, when its programs reported it
	SQL                string // normalised; "" when the server did not tell it
	Total, Mean, P95   time.Duration
	Calls, RowsPerCall float64 // RowsPerCall is NaN where nobody told the rows
	HasP95             bool
	IO                 *model.StatementIO // nil: the server was not asked
	Share              float64            // of the total time, 0 to 1
	// Impact is System Impact: how much of one core's or connection's time it takes, 1 is all of it.
	Impact  float64
	Spark   []int64 // its time in equal steps
	Callers []StatementCaller
	Badges  []Badge
}

// StatementCaller is who sends a statement.
type StatementCaller struct {
	Endpoint, URL string
	Code          string // file and line; "" unknown
	Calls         float64
	Total         time.Duration
}

// Badge is a word with a tone: ok, warn or bad.
type Badge struct{ Tone, Text string }

// VitalTile is one vital sign with its hour.
type VitalTile struct {
	Name, Value, Unit, Sub string
	Verdict                model.Verdict
	Line                   []float64 // oldest first; fewer than two draw nothing
}

// StatementProps is the page of one statement.
type StatementProps struct {
	Row      StatementRow
	From, To time.Time
	Step     time.Duration // of Row.Spark
	Samples  []StatementSample
	Sample   string // the statement as it was once sent; "" when nobody told
	// Explainable tells whether a plan can be asked for, and why not in Reason.
	Explainable bool
	Reason      string
	Explain     *ExplainProps // the answer, when one was asked for
	Notes       []string
}

// StatementSample is one execution of a statement that was seen whole.
type StatementSample struct {
	At       time.Time
	Duration time.Duration
	URL      string // of its request
	Text     string
	// Server is how long it took for the server, and Plan what that logged of it (auto_explain); where its log is read.
	Server time.Duration
	Plan   string
}

// ExplainProps is a plan, or why there is none. Params are the types of placeholders, Values what was filled in for them.
type ExplainProps struct {
	Plan           *model.Plan
	Refused        string
	Params, Values []string
}

// queryRanks are by what statements are ranked, as the address has it and as people read it.
var queryRanks = [][2]string{{"total", "Total time"}, {"mean", "Mean"}, {"calls", "Calls"}, {"rows", "Rows"}, {"io", "I/O"}, {"p95", "p95"}}

// with is the address of the list with one choice changed.
func (p QueriesProps) with(key, value string) templ.SafeURL {
	if key == "rank" && value == "total" {
		value = ""
	}
	return p.address().with(key, value)
}

// address is the list as it is shown.
func (p QueriesProps) address() address {
	rank := p.Rank
	if rank == "total" {
		rank = ""
	}
	a := newAddress("/queries", model.Period{Name: model.PeriodChoices()[0].Name}, "project", p.Project.Slug, "partition", p.Partition, "rank", rank, "text", p.Text)
	if p.Project.Slug != "" {
		a = newAddress("/queries", p.Period, "project", p.Project.Slug, "rank", rank, "text", p.Text)
	}
	return a
}

func statementURL(r StatementRow, what string) templ.SafeURL {
	address := "/queries/" + url.PathEscape(r.ID) + what
	switch {
	case r.Project != "":
		address += "?" + url.Values{"project": {r.Project}}.Encode()
	case r.Partition != "":
		address += "?" + url.Values{"partition": {r.Partition}}.Encode()
	}
	return templ.SafeURL(address)
}

// digits writes a number with three figures at most: 0.69, 12.9 k.
func digits(f float64) string {
	if math.IsNaN(f) {
		return "–"
	}
	for _, u := range []struct {
		n    float64
		name string
	}{{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if f >= u.n*0.9995 {
			return threeFigures(f/u.n) + u.name
		}
	}
	return threeFigures(f)
}

func threeFigures(f float64) string {
	decimals := 2
	switch {
	case f >= 99.95 || f == 0:
		decimals = 0
	case f >= 9.995:
		decimals = 1
	}
	text := strconv.FormatFloat(f, 'f', decimals, 64)
	if decimals > 0 {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// msText is a duration in milliseconds, without its unit.
func msText(d time.Duration) string {
	f := float64(d) / float64(time.Millisecond)
	if f >= 1000 {
		return count(int64(f + 0.5))
	}
	return threeFigures(f)
}

// timeSum is a sum of durations in seconds, with its unit.
func timeSum(d time.Duration) string {
	if d < time.Second {
		return msText(d) + " ms"
	}
	if d >= 1000*time.Second {
		return count(int64(d.Seconds())) + " s"
	}
	return digits(d.Seconds()) + " s"
}

func shareOf(f float64) string { return threeFigures(f*100) + " %" }

func barWidth(f float64) templ.SafeCSS {
	return templ.SafeCSS("--v:" + oneDecimal(min(max(f, 0), 1)*100))
}

// sqlLine is a statement as the list shows it, coloured by the page's tokens.
func sqlLine(r StatementRow) []token {
	text := shortSQL(strings.Join(strings.Fields(cutText(r.SQL, maxLineSQL)), " "))
	if text == "" {
		return []token{{"", "(the server did not tell the text again)"}}
	}
	return sqlTokens(text)
}

// sqlTokens are the colours of a statement.
func sqlTokens(text string) (out []token) {
	for _, t := range sqltext.Tokens(text) {
		out = append(out, token{sqlClasses[t.Kind], t.Text})
	}
	return out
}

// maxLineSQL bounds the statement in a line of the list; two lines of it are seen.
const maxLineSQL = 1200

// statementTitle is a statement's name: what it does, and where.
func statementTitle(r StatementRow) string {
	line := strings.Join(strings.Fields(cutText(r.SQL, 4000)), " ")
	if line == "" {
		return "Statement " + r.ID
	}
	return cutText(shortSQL(line), 80)
}

func queriesSub(p QueriesProps) string {
	if p.From.IsZero() {
		return "nothing measured yet"
	}
	return fmt.Sprintf("%s calls of %s in the last %s, %s in the database", digits(p.Calls), plural(int64(p.Statements), "statement"), span(p.To.Sub(p.From)), timeSum(p.Total))
}

// rowsShown says which statements a page of the list has.
func rowsShown(p QueriesProps) string {
	var share float64
	for _, r := range p.Rows {
		share += r.Share
	}
	text := fmt.Sprintf("%d to %d of %s, %s of the time", p.First, p.First+len(p.Rows)-1, count(int64(p.Found)), shareOf(min(share, 1)))
	if p.Others > 0 {
		text += fmt.Sprintf("; %s more are summed up as one (limit maxRecent)", count(p.Others))
	}
	return text
}

// blockHits is the share of a statement's blocks that were found in shared buffers.
func blockHits(r StatementRow) string {
	if r.IO == nil || r.IO.Hit+r.IO.Read == 0 {
		return "–"
	}
	return shareOf(float64(r.IO.Hit) / float64(r.IO.Hit+r.IO.Read))
}

// Moved is how many blocks it moved (model.StatementIO.Moved); 0 where nobody told.
func (r StatementRow) Moved() int64 {
	if r.IO == nil {
		return 0
	}
	return r.IO.Moved()
}

// ioSub says which blocks a statement moved, the two kinds with the most first.
func ioSub(io model.StatementIO) string {
	type part struct {
		n    int64
		what string
	}
	parts := []part{{io.Read, " read"}, {io.Written, " written"}, {io.TempRead + io.TempDone, " temporary"}}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.n, a.n) })
	text := digits(float64(parts[0].n)) + parts[0].what
	if parts[1].n > 0 {
		text += ", " + digits(float64(parts[1].n)) + parts[1].what
	}
	return text
}

func hasIO(rows []StatementRow) bool {
	return slices.ContainsFunc(rows, func(r StatementRow) bool { return r.IO != nil })
}

// rankOffered tells whether a ranking means anything: percentiles and blocks are not known of all statements.
func rankOffered(p QueriesProps, rank string) bool {
	switch rank {
	case p.Rank:
		return true
	case "p95":
		return hasP95(p.Rows)
	case "io":
		return hasIO(p.Rows)
	}
	return true
}

// sparkline is the line of a vital sign, drawn between its own least and most.
func sparkline(values []float64) string {
	if len(values) < 2 {
		return ""
	}
	least, most := values[0], values[0]
	for _, v := range values {
		least, most = min(least, v), max(most, v)
	}
	var b strings.Builder
	for i, v := range values {
		y := 96.0
		if most > least {
			y = 96 - 92*(v-least)/(most-least)
		}
		b.WriteString(cmp.Or(map[int]string{0: "M"}[i], "L"))
		b.WriteString(oneDecimal(float64(i)*1000/float64(len(values)-1)) + " " + oneDecimal(y))
	}
	return b.String()
}

func oneDecimal(f float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}

// verdictState is how a verdict is drawn: a disc, triangle, square, or ring for what cannot be told.
func verdictState(v model.Verdict) string {
	if v == model.Unknown || v == "" {
		return "idle"
	}
	return string(v)
}

func verdictWord(v model.Verdict) string {
	switch v {
	case model.Healthy:
		return "well"
	case model.Warn:
		return "look at this"
	case model.Bad:
		return "wrong"
	}
	return "not enough data"
}

// trend is the statement's time over the page's stretch of time.
func (p StatementProps) trend() Chart {
	values := make([]float64, len(p.Row.Spark))
	for i, us := range p.Row.Spark {
		values[i] = float64(us) / 1000
	}
	return Chart{Title: "Time in this statement", Sub: timeSum(p.Row.Total) + " in " + span(p.To.Sub(p.From)), Kind: Bars, Unit: charts.Duration,
		Clock: charts.Clock{From: p.From, Step: p.Step, N: len(values)}, Lines: []ChartLine{{charts.Series{Name: "time", Values: values, By: charts.Sum}, "db", nil}}, Height: 84}
}

// shareText stands below the total time; a page of a project knows this statement alone.
func (p StatementProps) shareText() string {
	if p.Row.Share == 0 {
		return "in " + span(p.To.Sub(p.From))
	}
	return shareOf(p.Row.Share) + " of all"
}

// meanText says whose clock the mean is of.
func (p StatementProps) meanText() string {
	if p.Row.Project != "" {
		return "a call"
	}
	return "of the server's own time"
}

func trendPath(values []int64) string { return charts.Bars(values, nil, charts.Most(values), 0.2) }

// trendLabel says a trend in a sentence.
func trendLabel(values []int64) string {
	var sum, most int64
	for _, v := range values {
		sum, most = sum+v, max(most, v)
	}
	return fmt.Sprintf("Time in this statement: %s in all, at most %s in a step", timeSum(micros(sum)), timeSum(micros(most)))
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

func hasP95(rows []StatementRow) bool {
	for _, r := range rows {
		if r.HasP95 {
			return true
		}
	}
	return false
}

// whose is the partition of a statement, or the project; statements of other roles are nobody's.
func whose(r StatementRow) string { return cmp.Or(r.Project, r.Partition, "other") }

// callersShown are the endpoints that a line has room for, each once.
func callersShown(all []StatementCaller) (shown []StatementCaller) {
	for _, c := range all {
		if c.Endpoint != "" && len(shown) < 3 && !slices.ContainsFunc(shown, func(o StatementCaller) bool { return o.Endpoint == c.Endpoint }) {
			shown = append(shown, c)
		}
	}
	return shown
}

// shareOfFirst is how long a row's bar is: beside the longest on the page.
func shareOfFirst(p QueriesProps, r StatementRow) float64 {
	most := 0.0
	for _, other := range p.Rows {
		most = max(most, other.Share)
	}
	if most <= 0 {
		return 0
	}
	return r.Share / most
}

// OrDash is the tile with a dash where there is no number.
func (t VitalTile) OrDash() VitalTile {
	t.Value = cmp.Or(t.Value, "–")
	return t
}
