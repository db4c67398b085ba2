package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/rollout"
	"kibitz/app/switches"
	"kibitz/views"
)

// auditShown is how many changes a page of the log has.
const auditShown = 50

// getSwitchAudit is all changes of an environment, or of a switch: GET /switches/audit.
func (s *Server) getSwitchAudit(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Audit log", "switches")
	if err != nil {
		return err
	}
	p := views.SwitchAuditProps{Key: clip(strings.TrimSpace(c.Query("key")), 300)}
	if p.SwitchScope, err = s.switchScope(c, strings.Clone(c.Query("env"))); err != nil {
		return err
	}
	before := int64(0)
	if text := c.Query("before"); text != "" {
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return errs.New(errs.Invalid, "The log has no such place.")
		}
	}
	changes, err := s.board.History(c.UserContext(), p.Env, p.Key, before, auditShown+1)
	if err != nil {
		return err
	}
	if p.First = before == 0; len(changes) > auditShown {
		changes = changes[:auditShown]
		p.Older = changes[auditShown-1].ID
	}
	p.Events = s.events(c, p.SwitchScope, changes)
	return s.render(c, fiber.StatusOK, views.SwitchAuditPage(chrome, p))
}

// silentProcess is how long a process may say nothing before it counts as silent: some beats of its heart.
const silentProcess = 30 * time.Second

// processes is which process answers by which revision.
func (s *Server) processes() views.ProcessesProps {
	p := views.ProcessesProps{Revision: s.board.Revision(), Pending: s.board.Health().Waiting}
	for _, x := range s.board.Processes() {
		p.Processes = append(p.Processes, views.ProcessRow{Node: x.Node, Address: x.Addr, Version: x.Version, Revision: x.Revision, Took: x.Took, Seen: x.Seen, Self: x.Self,
			Current: x.Revision >= p.Revision, Silent: !x.Self && x.Age > silentProcess})
	}
	return p
}

// getProcesses shows them: GET /switches/processes.
func (s *Server) getProcesses(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Processes", "switches")
	if err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, views.ProcessesPage(chrome, s.processes()))
}

// getStale is the report of switches that may go: GET /switches/stale.
func (s *Server) getStale(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Stale switches", "switches")
	if err != nil {
		return err
	}
	p := views.StaleProps{}
	if p.SwitchScope, err = s.switchScope(c, strings.Clone(c.Query("env"))); err != nil {
		return err
	}
	list, err := s.impact.Stale(c.UserContext(), p.Env, chrome.Now)
	if err != nil {
		return err
	}
	for _, x := range list {
		p.Rows = append(p.Rows, views.StaleRow{Key: x.Key, Owner: x.Owner, RemoveBy: x.RemoveBy, Answer: x.Answer, Caller: x.Caller, Why: x.Text, Asked: x.LastAsked})
	}
	return s.render(c, fiber.StatusOK, views.SwitchStalePage(chrome, p))
}

// getSegments is the list of segments, and one of them to edit: GET /switches/segments.
func (s *Server) getSegments(c *fiber.Ctx) error {
	scope, err := s.switchScope(c, strings.Clone(c.Query("env")))
	if err != nil {
		return err
	}
	var editor *views.SegmentForm
	if key := clip(c.Query("key"), 300); key != "" {
		g, ok := s.segment(scope.Env, key)
		if !ok {
			return errs.New(errs.NotFound, "There is no segment %q in %s.", clip(key, 100), scope.Env)
		}
		editor = &views.SegmentForm{Key: g.Key, Description: g.Description, Rules: views.RulesOf(g.When)}
	} else if c.Query("new") != "" {
		editor = &views.SegmentForm{New: true, Rules: []views.RuleForm{{Join: "and", Attribute: "user", Op: string(switches.Is)}}}
	}
	return s.segmentsPage(c, fiber.StatusOK, scope, editor)
}

func (s *Server) segment(env, key string) (switches.Segment, bool) {
	list := s.board.Segments(env)
	i := slices.IndexFunc(list, func(g switches.Segment) bool { return g.Key == key })
	if i < 0 {
		return switches.Segment{}, false
	}
	return list[i], true
}

func (s *Server) segmentsPage(c *fiber.Ctx, status int, scope views.SwitchScope, editor *views.SegmentForm) error {
	chrome, err := s.chrome(c, "Segments", "switches")
	if err != nil {
		return err
	}
	users, p := segmentUsers(s.board.Config(scope.Env)), views.SegmentsProps{SwitchScope: scope, Editor: editor}
	for _, g := range s.board.Segments(scope.Env) {
		p.Segments = append(p.Segments, views.SegmentRow{Segment: g, Used: users[g.Key]})
	}
	if editor != nil {
		editor.Used = users[editor.Key]
	}
	return s.render(c, status, views.SegmentsPage(chrome, p))
}

// segmentUsers are the switches that ask for each segment, by themselves or by another segment.
func segmentUsers(config switches.Config) map[string][]string {
	asks := map[string][]string{} // segments that a segment asks for
	for _, g := range config.Segments {
		asks[g.Key] = segmentsIn(g.When)
	}
	out := map[string][]string{}
	for _, sw := range config.Switches {
		seen, next := map[string]bool{}, []string{}
		for _, set := range sw.Sets {
			next = append(next, segmentsIn(set.When)...)
		}
		for len(next) > 0 {
			key := next[0]
			if next = next[1:]; seen[key] {
				continue
			}
			seen[key] = true
			out[key], next = append(out[key], sw.Key), append(next, asks[key]...)
		}
	}
	return out
}

func segmentsIn(w switches.When) (out []string) {
	for _, group := range w {
		for _, r := range group {
			if r.Op == switches.Within {
				out = append(out, r.Values...)
			}
		}
	}
	return out
}

// postSegments saves or removes a segment, or shows its form again with what a button did: POST /switches/segments.
func (s *Server) postSegments(c *fiber.Ctx) error {
	sent, scope, err := s.switchForm(c, false)
	if err != nil {
		return err
	}
	f := views.SegmentForm{Key: strings.TrimSpace(sent.Get("key")), Description: strings.TrimSpace(sent.Get("description")), New: sent.Get("new") != "", Rules: views.ReadRules(sent, "r"), Errors: map[string]string{}}
	switch do := sent.Get("do"); do {
	case "", "save":
		return s.saveSegment(c, scope, sent, f)
	case "delete":
		p, err := s.board.DeleteSegment(c.UserContext(), scope.Env, f.Key, s.by(c), clip(sent.Get("why"), maxWhy))
		if err != nil {
			return s.refused(c, err, segmentsPath(scope, f.Key))
		}
		s.setToast(c, toast{Text: "Segment " + clip(f.Key, 80) + " is removed. " + spread(p)})
		return c.Redirect(segmentsPath(scope, ""), fiber.StatusSeeOther)
	default:
		rules := views.SwitchForm{Sets: []views.SetForm{{Rules: f.Rules}}}
		rules.Do(do)
		f.Rules = rules.Sets[0].Rules
		return s.segmentsPage(c, fiber.StatusOK, scope, &f)
	}
}

func (s *Server) saveSegment(c *fiber.Ctx, scope views.SwitchScope, sent url.Values, f views.SegmentForm) error {
	g := switches.Segment{Key: f.Key, Description: f.Description, When: views.WhenOf("r", f.Rules, f.Errors)}
	if _, taken := s.segment(scope.Env, g.Key); f.New && taken {
		f.Errors["key"] = "There is such a segment already."
	}
	for _, p := range switches.CheckSegment(s.board.Config(scope.Env), g) {
		if !p.Warning {
			f.Problems = append(f.Problems, problemTexts([]switches.Problem{p})...)
		}
	}
	if len(f.Errors)+len(f.Problems) > 0 {
		return s.segmentsPage(c, fiber.StatusUnprocessableEntity, scope, &f)
	}
	p, err := s.board.SaveSegment(c.UserContext(), scope.Env, g, s.by(c), clip(sent.Get("why"), maxWhy))
	if errs.Of(err) == errs.Unprocessable {
		f.Problems = []string{errs.Message(err)}
		return s.segmentsPage(c, fiber.StatusUnprocessableEntity, scope, &f)
	}
	if err != nil {
		return err
	}
	s.setToast(c, toast{Text: "Segment " + clip(g.Key, 80) + " is saved. " + spread(p)})
	return c.Redirect(segmentsPath(scope, g.Key), fiber.StatusSeeOther)
}

func segmentsPath(scope views.SwitchScope, key string) string {
	q := url.Values{}
	if key != "" {
		q.Set("key", key)
	}
	if env := envOf(scope); env != "" {
		q.Set("env", env)
	}
	if len(q) == 0 {
		return "/switches/segments"
	}
	return "/switches/segments?" + q.Encode()
}

// getLabs is what is offered to this person: GET /labs.
func (s *Server) getLabs(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Labs", "labs")
	if err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, views.LabsPage(chrome, views.LabsProps{Offers: s.offers(c)}))
}

// offers are the labs of the first environment, where people are.
func (s *Server) offers(c *fiber.Ctx) (out []views.LabsOffer) {
	scope, err := s.switchScope(c, "")
	if err != nil {
		return nil
	}
	forum := clip(strings.TrimSpace(c.Query("forum")), 100)
	for _, e := range s.board.List(scope.Env) {
		if e.Labs == nil {
			continue
		}
		o := views.LabsOffer{Env: e.Env, Key: e.Key, Title: e.Labs.Title, Text: e.Labs.Text, Feedback: e.Labs.Feedback, PerForum: e.Labs.Per == "forum", In: len(e.Labs.In), Cap: e.Labs.Cap, Killed: e.Killed}
		who := s.labsID(c, e.Switch, forum)
		if o.PerForum {
			o.Forum = forum
		}
		o.Opted = opted(e, who)
		out = append(out, o)
	}
	return out
}

// labsID is who decides: a forum, or this person by the id of their account, which Kibitz's own pages ask switches with.
func (s *Server) labsID(c *fiber.Ctx, sw switches.Switch, forum string) string {
	if sw.Labs != nil && sw.Labs.Per == "forum" {
		return forum
	}
	return strconv.FormatInt(s.session(c).Account.ID, 10)
}

func opted(e rollout.Entry, who string) *bool {
	in, out := who != "" && slices.Contains(e.Labs.In, who), who != "" && slices.Contains(e.Labs.Out, who)
	if !in && !out {
		return nil
	}
	return &in
}

// forumRoles are those who decide for a forum.
var forumRoles = []model.Role{model.Owner, model.Admin, model.Moderator}

// postLabs opts in or out, or leaves it to the switch: POST /labs.
func (s *Server) postLabs(c *fiber.Ctx) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	scope, err := s.switchScope(c, form.Get("env"))
	if err != nil {
		return err
	}
	e, err := s.entryOf(scope.Env, form.Get("key"))
	if err != nil {
		return s.refused(c, err, "/labs")
	}
	forum := clip(strings.TrimSpace(form.Get("forum")), 100)
	back := "/labs"
	if forum != "" {
		back += "?forum=" + url.QueryEscape(forum)
	}
	// Roles are the installation's, not a forum's: whoever may speak for forums has one that moderates.
	if e.Labs != nil && e.Labs.Per == "forum" && !slices.Contains(forumRoles, s.session(c).Account.Role) {
		return s.refused(c, errs.New(errs.Conflict, "Moderators, admins and owners decide for a forum."), back)
	}
	in := form.Get("do") == "in"
	choice := &in
	if form.Get("do") == "forget" {
		choice = nil
	}
	p, err := s.board.Opt(c.UserContext(), scope.Env, e.Key, s.labsID(c, e.Switch, forum), choice)
	if err != nil {
		return s.refused(c, err, back)
	}
	words := map[string]string{"in": "You take part", "out": "It stays off", "forget": "Decided for you, as for everybody"}[form.Get("do")]
	s.setToast(c, toast{Text: words + ". " + spread(p)})
	return c.Redirect(back, fiber.StatusSeeOther)
}
