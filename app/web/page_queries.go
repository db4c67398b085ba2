package web

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/app/switches"
	"kibitz/app/trace"
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

// getQueries is the digest of statements: GET /queries. Without a project it shows what the servers of Kibitz's own
// partitions count, which is in memory, and who of Kibitz sends it; with one what that project's programs report.
func (s *Server) getQueries(c *fiber.Ctx) error {
	chrome, p, rows, err := s.digestOf(c)
	if err != nil {
		return err
	}
	pageOf(&p, rows, c.QueryInt("page", 1))
	return s.render(c, fiber.StatusOK, views.QueriesPage(chrome, p))
}

// digestOf is what the digest shows, and all its statements in order.
func (s *Server) digestOf(c *fiber.Ctx) (chrome views.Chrome, p views.QueriesProps, rows []views.StatementRow, err error) {
	if chrome, err = s.chrome(c, "Queries", "queries"); err != nil {
		return chrome, p, nil, err
	}
	if _, err := chooseProject(&chrome, c.Query("project")); err != nil {
		return chrome, p, nil, err
	}
	p = views.QueriesProps{Partition: c.Query("partition"), Partitions: requests.PartitionNames(), Rank: c.Query("rank", "total"), Text: c.Query("text")}
	if err := checkDigestQuery(p); err != nil {
		return chrome, p, nil, err
	}
	if chrome.Project != nil {
		p.Project, p.Partition, p.Partitions = *chrome.Project, "", nil
		rows, err = s.projectStatements(c, &p, chrome.Now)
	} else {
		rows, err = s.serverStatements(c, &p, chrome)
	}
	return chrome, p, ranked(&p, rows), err
}

// serverStatements are the last hour's statements of the partitions' servers. What Kibitz itself recorded of the same
// statements gives them their callers and percentiles: four queries.
func (s *Server) serverStatements(c *fiber.Ctx, p *views.QueriesProps, chrome views.Chrome) (rows []views.StatementRow, err error) {
	hour := s.statements.Hour(p.Partition)
	p.From, p.To, p.Others, p.Notes = hour.From, hour.To, hour.Others, notesOf(hour)
	report := s.health.Report()
	p.Tiles, p.Suggested, p.Unused = tilesOf(report, p.Partition), answersOf(report, "suggested_index", p.Partition), answersOf(report, "unused_index", p.Partition)
	self := selfProject(chrome.Projects)
	sums, err := s.requests.StatementSums(c.UserContext(), self.ID, lastHour(hour, chrome.Now), nil)
	if err != nil {
		return nil, err
	}
	recorded := map[int64]requests.StatementSum{}
	for _, sum := range sums {
		recorded[int64(sum.Fingerprint)] = sum
	}
	for _, st := range hour.Statements {
		r := statementRow(st, hour)
		if sum, ok := recorded[st.Fingerprint]; ok && st.Partition != "" {
			addRecorded(&r, sum, self)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// selfProject is the project in which Kibitz records itself.
func selfProject(all []model.Project) model.Project {
	for _, p := range all {
		if p.Slug == issues.SelfProject {
			return p
		}
	}
	return model.Project{}
}

// lastHour is the stretch of time for which the servers' counters are known, as a period.
func lastHour(h requests.Hour, now time.Time) model.Period {
	if h.From.IsZero() {
		return model.Period{From: now.Add(-time.Hour), To: now}
	}
	return model.Period{From: h.From, To: h.To}
}

// addRecorded gives a server's statement what programs know of it.
func addRecorded(r *views.StatementRow, sum requests.StatementSum, project model.Project) {
	r.P95, r.HasP95 = sum.P95, true
	for _, caller := range sum.Callers {
		v := views.StatementCaller{Code: caller.Code, Calls: caller.N, Total: caller.Total}
		if caller.Endpoint.ID != 0 {
			v.Endpoint, v.URL = strings.TrimSpace(caller.Endpoint.Method+" "+caller.Endpoint.Name), endpointPath(project, caller.Endpoint)
		}
		r.Callers = append(r.Callers, v)
	}
}

// projectStatements are the statements that a project's programs and logs reported in a period.
func (s *Server) projectStatements(c *fiber.Ctx, p *views.QueriesProps, now time.Time) (rows []views.StatementRow, err error) {
	if p.Period, err = periodOf(c, now); err != nil {
		return nil, err
	}
	p.From, p.To = p.Period.From, p.Period.To
	sums, err := s.requests.StatementSums(c.UserContext(), p.Project.ID, p.Period, nil)
	if err != nil {
		return nil, err
	}
	for _, sum := range sums {
		rows = append(rows, recordedRow(sum, p.Period, p.Project))
	}
	return rows, nil
}

// recordedRow is a statement as programs report it. They know nothing of blocks.
func recordedRow(sum requests.StatementSum, p model.Period, project model.Project) views.StatementRow {
	r := views.StatementRow{ID: fmt.Sprintf("%016x", sum.Fingerprint), Project: project.Slug, SQL: sum.SQL, Total: sum.Total, Calls: sum.N, Spark: sum.Spark, NoBlocks: true,
		RowsPerCall: math.NaN()}
	if sum.N > 0 {
		r.Mean = time.Duration(float64(sum.Total) / sum.N)
	}
	if sum.RowsKnown > 0 {
		r.RowsPerCall = sum.Rows / sum.RowsKnown
	}
	if window := p.To.Sub(p.From); window > 0 {
		r.Impact = float64(sum.Total) / float64(window)
	}
	addRecorded(&r, sum, project)
	if sum.Failed > 0 {
		r.Badges = append(r.Badges, views.Badge{Tone: "bad", Text: plural(int(sum.Failed+0.5), "call failed", "calls failed")})
	}
	return r
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

// ranked sums statements up in the props, and gives those that are asked for, in order, with their shares.
func ranked(p *views.QueriesProps, rows []views.StatementRow) []views.StatementRow {
	for _, r := range rows {
		p.Calls, p.Total, p.Statements = p.Calls+r.Calls, p.Total+r.Total, p.Statements+1
	}
	rows = slices.DeleteFunc(rows, func(r views.StatementRow) bool { return !matches(r, strings.ToLower(p.Text)) })
	by := ranks[p.Rank]
	slices.SortStableFunc(rows, func(a, b views.StatementRow) int {
		return cmp.Or(cmp.Compare(by(b), by(a)), cmp.Compare(b.Total, a.Total), strings.Compare(a.ID, b.ID))
	})
	for i := range rows {
		rows[i].Share = share(rows[i].Total, p.Total)
	}
	return rows
}

// pageOf puts one page of statements into the props.
func pageOf(p *views.QueriesProps, rows []views.StatementRow, page int) {
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
	p.CSV = strings.Replace(digestURL(*p, 1), "/queries?", "/queries.csv?", 1)
}

func share(part, whole time.Duration) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// matches tells whether a text, in small letters, is in a statement or in who sends it.
func matches(r views.StatementRow, text string) bool {
	if strings.Contains(strings.ToLower(r.SQL), text) {
		return true
	}
	return slices.ContainsFunc(r.Callers, func(c views.StatementCaller) bool {
		return strings.Contains(strings.ToLower(c.Endpoint+" "+c.Code), text)
	})
}

func digestURL(p views.QueriesProps, page int) string {
	q := url.Values{"page": {strconv.Itoa(page)}}
	for key, v := range map[string]string{"project": p.Project.Slug, "partition": p.Partition, "rank": p.Rank, "text": p.Text} {
		if v != "" {
			q.Set(key, v)
		}
	}
	if p.Project.Slug != "" {
		maps.Copy(q, p.Period.Fields())
	}
	return "/queries?" + q.Encode()
}

// statementRow is one statement of the hour.
func statementRow(st requests.HourStatement, hour requests.Hour) views.StatementRow {
	calls := max(st.Calls, 1)
	r := views.StatementRow{ID: st.ID(), Partition: st.Partition, SQL: st.SQL, Total: st.Total, Calls: float64(st.Calls), Mean: st.Total / time.Duration(calls),
		RowsPerCall: float64(st.Rows) / float64(calls), Hit: st.Hit, Read: st.Read, TempBlocks: st.TempDone, WAL: st.WALBytes, ReadTime: st.ReadTime,
		Spark: inSteps(st.Spark, sparkSteps)}
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
	if c.Query("project") != "" {
		return s.showRecorded(c, chrome)
	}
	st, hour, err := s.statement(c)
	if err != nil {
		return err
	}
	row := statementRow(st, hour)
	var total time.Duration
	for _, other := range hour.Statements {
		total += other.Total
	}
	row.Share = share(st.Total, total)
	sample, err := s.addCallers(c, &row, st, lastHour(hour, chrome.Now), selfProject(chrome.Projects))
	if err != nil {
		return err
	}
	p := views.StatementProps{Row: row, From: hour.From, To: hour.To, Step: time.Hour / sparkSteps, Explain: explain, Notes: notesOf(hour), Sample: sample}
	p.Explainable, p.Reason = explainable(st.StatementDelta)
	return s.render(c, fiber.StatusOK, views.StatementPage(chrome, p))
}

// addCallers adds what Kibitz recorded of its own statement, and answers it as it was once sent.
func (s *Server) addCallers(c *fiber.Ctx, row *views.StatementRow, st requests.HourStatement, p model.Period, self model.Project) (sample string, err error) {
	if st.Fingerprint == 0 || st.Partition == "" {
		return "", nil
	}
	known, ok, err := s.requests.FindStatement(c.UserContext(), self.ID, uint64(st.Fingerprint))
	if err != nil || !ok {
		return "", err
	}
	sums, err := s.requests.StatementSums(c.UserContext(), self.ID, p, []int32{known.ID})
	if len(sums) == 1 {
		addRecorded(row, sums[0], self)
	}
	return known.Sample, err
}

// showRecorded is a statement of a project's programs.
func (s *Server) showRecorded(c *fiber.Ctx, chrome views.Chrome) error {
	if _, err := chooseProject(&chrome, c.Query("project")); err != nil {
		return err
	}
	period, err := periodOf(c, chrome.Now)
	if err != nil {
		return err
	}
	id, err := strconv.ParseUint(c.Params("id"), 16, 64)
	if err != nil {
		return noStatement()
	}
	known, ok, err := s.requests.FindStatement(c.UserContext(), chrome.Project.ID, id)
	if err != nil {
		return err
	}
	if !ok {
		return noStatement()
	}
	sums, err := s.requests.StatementSums(c.UserContext(), chrome.Project.ID, period, []int32{known.ID})
	if err != nil {
		return err
	}
	sum := requests.StatementSum{Statement: known, Spark: make([]int64, sparkSteps)}
	if len(sums) == 1 {
		sum = sums[0]
	}
	p := views.StatementProps{Row: recordedRow(sum, period, *chrome.Project), From: period.From, To: period.To, Step: period.To.Sub(period.From) / sparkSteps, Sample: known.Sample,
		Reason: "This program's database is not one of Kibitz's own, so there is no server to ask. Plans that its server logs (auto_explain) come with its requests."}
	if p.Samples, err = s.callSamples(c, chrome.Project.ID, known.ID, period); err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, views.StatementPage(chrome, p))
}

// maxSamples is how many calls the page of a statement lists.
const maxSamples = 20

// callSamples are calls of a statement, of kept requests and of servers' logs: one statement to the database.
func (s *Server) callSamples(c *fiber.Ctx, project int64, statement int32, p model.Period) (out []views.StatementSample, err error) {
	list, err := s.requests.CallSamples(c.UserContext(), project, statement, p, maxSamples)
	for _, call := range list {
		sample := views.StatementSample{At: call.At, Duration: call.Client, Server: call.Server, Plan: call.Plan, Text: cmp.Or(call.Note, call.Params)}
		if call.Trace != (trace.ID{}) {
			sample.URL = "/requests/" + call.Trace.String()
		}
		out = append(out, sample)
	}
	return out, err
}

func noStatement() error {
	return errs.New(errs.NotFound, "No such statement ran within the time that is known. The list of queries shows what did.")
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
	return requests.HourStatement{}, hour, noStatement()
}

// postExplain asks for the plan of a statement: POST /queries/:id/explain. The text is the server's own; a form can choose
// only values for its placeholders, and whether it is run.
func (s *Server) postExplain(c *fiber.Ctx) error {
	if err := s.needFeature(c, switches.OwnExplain); err != nil {
		return err
	}
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
