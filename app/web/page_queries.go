package web

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/views"
)

const (
	// statementsPage is how many statements a page of the digest lists.
	statementsPage = 50
	// maxFilter bounds the text that statements are filtered by, in bytes.
	maxFilter = 200
	// sparkSteps is how many bars the hour of a statement is drawn with.
	sparkSteps = 30
)

// getQueries is the digest of statements: GET /queries. It reads no database: the last hour is in memory.
func (s *Server) getQueries(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Queries", "queries")
	if err != nil {
		return err
	}
	p := views.QueriesProps{Partition: c.Query("partition"), Partitions: requests.PartitionNames(), Rank: c.Query("rank", "total"), Text: c.Query("text")}
	if err := checkDigestQuery(p); err != nil {
		return err
	}
	s.fillDigest(&p, c.QueryInt("page", 1))
	report := s.health.Report()
	p.Tiles, p.Suggested, p.Unused = tilesOf(report, p.Partition), answersOf(report, "suggested_index", p.Partition), answersOf(report, "unused_index", p.Partition)
	return s.render(c, fiber.StatusOK, views.QueriesPage(chrome, p))
}

func checkDigestQuery(p views.QueriesProps) error {
	if p.Partition != "" && !slices.Contains(p.Partitions, p.Partition) {
		return errs.New(errs.NotFound, "There is no partition %q.", p.Partition)
	}
	if _, ok := ranks[p.Rank]; !ok {
		return errs.New(errs.Invalid, "Statements are ranked by total, mean, calls, rows, io or p95.")
	}
	if len(p.Text) > maxFilter {
		return errs.New(errs.TooLarge, "The filter may have %d bytes (limit maxFilter).", maxFilter)
	}
	return nil
}

// ranks are what statements are sorted by, the most first.
var ranks = map[string]func(views.StatementRow) float64{
	"total": func(r views.StatementRow) float64 { return float64(r.Total) },
	"mean":  func(r views.StatementRow) float64 { return float64(r.Mean) },
	"calls": func(r views.StatementRow) float64 { return r.Calls },
	"rows":  func(r views.StatementRow) float64 { return r.RowsPerCall },
	"io":    func(r views.StatementRow) float64 { return float64(r.Read) },
	"p95":   func(r views.StatementRow) float64 { return float64(r.P95) },
}

// fillDigest puts one page of the last hour's statements into the props.
func (s *Server) fillDigest(p *views.QueriesProps, page int) {
	hour := s.statements.Hour(p.Partition)
	p.From, p.To, p.Others, p.Notes = hour.From, hour.To, hour.Others, notesOf(hour)
	var rows []views.StatementRow
	for _, st := range hour.Statements {
		p.Calls, p.Total, p.Statements = p.Calls+float64(st.Calls), p.Total+st.Total, p.Statements+1
	}
	for _, st := range hour.Statements {
		if p.Text == "" || strings.Contains(strings.ToLower(st.SQL), strings.ToLower(p.Text)) {
			rows = append(rows, statementRow(st, hour, p.Total))
		}
	}
	by := ranks[p.Rank]
	slices.SortStableFunc(rows, func(a, b views.StatementRow) int {
		return cmp.Or(cmp.Compare(by(b), by(a)), cmp.Compare(b.Total, a.Total), strings.Compare(a.ID, b.ID))
	})
	p.Found = len(rows)
	last := max((p.Found-1)/statementsPage, 0) + 1
	page = min(max(page, 1), last)
	p.First = (page-1)*statementsPage + 1
	p.Rows = rows[p.First-1 : min(p.First-1+statementsPage, p.Found)]
	if page > 1 {
		p.Prev = digestURL(*p, page-1)
	}
	if page < last {
		p.Next = digestURL(*p, page+1)
	}
}

func digestURL(p views.QueriesProps, page int) string {
	q := url.Values{"page": {strconv.Itoa(page)}}
	for key, v := range map[string]string{"partition": p.Partition, "rank": p.Rank, "text": p.Text} {
		if v != "" {
			q.Set(key, v)
		}
	}
	return "/queries?" + q.Encode()
}

// statementRow is one statement of the hour. total is the time of all statements that it is compared with.
func statementRow(st requests.HourStatement, hour requests.Hour, total time.Duration) views.StatementRow {
	calls := max(st.Calls, 1)
	r := views.StatementRow{ID: st.ID(), Partition: st.Partition, SQL: st.SQL, Total: st.Total, Calls: float64(st.Calls), Mean: st.Total / time.Duration(calls),
		RowsPerCall: float64(st.Rows) / float64(calls), Hit: st.Hit, Read: st.Read, TempBlocks: st.TempDone, WAL: st.WALBytes, ReadTime: st.ReadTime,
		Spark: inSteps(st.Spark, sparkSteps)}
	if total > 0 {
		r.Share = float64(st.Total) / float64(total)
	}
	if window := hour.To.Sub(hour.From); window > 0 {
		r.Impact = float64(st.Total) / float64(window)
	}
	return r
}

// inSteps puts minutes together, in microseconds.
func inSteps(minutes []time.Duration, steps int) []int64 {
	out := make([]int64, steps)
	for i, d := range minutes {
		out[min(i*steps/len(minutes), steps-1)] += d.Microseconds()
	}
	return out
}

// notesOf say in words what is not in the numbers.
func notesOf(h requests.Hour) (notes []string) {
	for _, srv := range h.Servers {
		switch srv.Missing {
		case "extension":
			notes = append(notes, "The server of "+srv.Node+" has no pg_stat_statements: CREATE EXTENSION pg_stat_statements; in its database, and shared_preload_libraries = 'pg_stat_statements' in its settings.")
		case "library":
			notes = append(notes, "The server of "+srv.Node+" has not loaded pg_stat_statements: set shared_preload_libraries = 'pg_stat_statements' and restart it.")
		case "rights":
			notes = append(notes, "The role on "+srv.Node+" may not read pg_stat_statements: GRANT pg_monitor to it.")
		}
	}
	counts := map[string]int64{}
	for _, g := range h.Gaps {
		counts[g.Reason] += max(g.Times, 1)
	}
	if n := counts["reset"]; n > 0 {
		notes = append(notes, "Somebody reset the counters "+plural(int(n), "time", "times")+" within the hour: what ran between the last reading and the reset is missing.")
	}
	if n := counts["evicted"]; n > 0 {
		notes = append(notes, "The server ran out of room for statements "+plural(int(n), "time", "times")+" within the hour and forgot the rarest: raise pg_stat_statements.max.")
	}
	if n := counts["unreachable"]; n > 0 {
		notes = append(notes, "A server could not be read "+plural(int(n), "time", "times")+" within the hour.")
	}
	return notes
}

// getStatement is one statement: GET /queries/:id.
func (s *Server) getStatement(c *fiber.Ctx) error {
	return s.showStatement(c, nil)
}

// showStatement renders the page of a statement, with the plan that was asked for or none.
func (s *Server) showStatement(c *fiber.Ctx, explain *views.ExplainProps) error {
	chrome, err := s.chrome(c, "Query", "queries")
	if err != nil {
		return err
	}
	st, hour, err := s.statement(c)
	if err != nil {
		return err
	}
	var total time.Duration
	for _, other := range hour.Statements {
		total += other.Total
	}
	p := views.StatementProps{Row: statementRow(st, hour, total), From: hour.From, To: hour.To, Step: time.Hour / sparkSteps, Explain: explain, Notes: notesOf(hour)}
	p.Explainable, p.Reason = explainable(st.StatementDelta)
	return s.render(c, fiber.StatusOK, views.StatementPage(chrome, p))
}

// explainable tells whether a plan can be asked for.
func explainable(st model.StatementDelta) (ok bool, reason string) {
	switch {
	case st.Partition == "":
		return false, "It was not run by a role of a partition, so there is nobody to ask in its name."
	case st.SQL == "":
		return false, "Its text is not known."
	}
	return true, ""
}

// statement finds the statement of the address.
func (s *Server) statement(c *fiber.Ctx) (requests.HourStatement, requests.Hour, error) {
	hour := s.statements.Hour(c.Query("partition"))
	for _, st := range hour.Statements {
		if st.ID() == c.Params("id") {
			return st, hour, nil
		}
	}
	return requests.HourStatement{}, hour, errs.New(errs.NotFound, "No such statement ran within the last hour. It may have rested; the list of queries shows what did.")
}

// postExplain asks for the plan of a statement: POST /queries/:id/explain. The text is the server's own; a form can choose
// only values for its placeholders, and whether it is run.
func (s *Server) postExplain(c *fiber.Ctx) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	st, _, err := s.statement(c)
	if err != nil {
		return err
	}
	if ok, reason := explainable(st.StatementDelta); !ok {
		return errs.New(errs.Unprocessable, "%s", reason)
	}
	run := form.Get("run") == "1"
	var values []string
	if run || form.Get("with") == "1" {
		values = form["value"]
	}
	got, err := s.explainer.Explain(c.UserContext(), st.Partition, st.SQL, values, run)
	answer := &views.ExplainProps{Plan: got.Plan, Refused: got.Refused, Params: got.Params, Values: form["value"]}
	if err != nil && errs.Of(err) != errs.Unprocessable && errs.Of(err) != errs.TooLarge {
		return err
	}
	if err != nil {
		answer.Refused = errs.Message(err)
	}
	return s.showStatement(c, answer)
}
