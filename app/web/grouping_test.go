package web

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/ingest"
)

// shop is a site with somebody signed in and a project that gets events.
type shop struct {
	*site
	t        *testing.T
	who      person
	project  model.Project
	digester *issues.Digester
	ids      *model.IDs
	at       ingest.Position
	zstd     *zstd.Encoder
	sent     byte
}

func newShop(t *testing.T) *shop {
	t.Helper()
	k := &shop{site: newSite(t, plainBase), t: t, ids: model.NewIDs(2)}
	k.who = k.signIn(t)
	var err error
	if k.project, _, err = k.projects.Ensure(context.Background(), "shop", "python"); err != nil {
		t.Fatal(err)
	}
	if k.digester, err = issues.NewDigester(store.New(k.db), k.groupings, nil, issues.NewHub(), k.Server.log); err != nil {
		t.Fatal(err)
	}
	if k.zstd, err = zstd.NewWriter(nil); err != nil {
		t.Fatal(err)
	}
	return k
}

// send stores events and answers their ids.
func (k *shop) send(bodies ...string) (ids []string) {
	k.t.Helper()
	var records []ingest.Record
	for _, body := range bodies {
		k.sent++
		r := ingest.Record{ID: k.ids.Next(), Project: k.project.ID, KeyID: 1, Kind: ingest.KindEvent, Received: time.Now().UTC().Truncate(time.Millisecond),
			EventID: [16]byte{1, k.sent}, Payload: k.zstd.EncodeAll([]byte(body), nil)}
		records, ids = append(records, r), append(ids, fmt.Sprintf("%x", r.EventID))
	}
	to := ingest.Position{Segment: 1, Offset: k.at.Offset + 100}
	if err := k.digester.Write(context.Background(), ingest.Batch{Node: "web-test", From: k.at, To: to, Records: records}); err != nil {
		k.t.Fatal(err)
	}
	k.at = to
	return ids
}

func thrown(kind, function string) string {
	return fmt.Sprintf(`{"platform":"python","exception":{"values":[{"type":%q,"value":"no 17","stacktrace":{"frames":[
		{"module":"django.core","function":"inner","in_app":false},{"module":"shop.totals","function":%q,"in_app":true}]}}]}}`, kind, function)
}

func (k *shop) get(path string) reply {
	k.t.Helper()
	return k.do(k.t, "GET", path, nil, cookies(k.who.cookie))
}

func (k *shop) post(path string, form url.Values) reply {
	k.t.Helper()
	form.Set("csrf", k.who.csrf)
	return k.do(k.t, "POST", path, form, ours(), cookies(k.who.cookie))
}

// follow goes where an answer leads, with its toast.
func (k *shop) follow(r reply) reply {
	k.t.Helper()
	r.wantStatus(k.t, http.StatusSeeOther)
	return k.do(k.t, "GET", r.Header.Get("Location"), nil, cookies(append(r.Cookies(), k.who.cookie)...)).wantStatus(k.t, http.StatusOK)
}

// wants fails for every text that a page lacks.
func (k *shop) wants(r reply, texts ...string) {
	k.t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.text, text) {
			k.t.Errorf("%s lacks %q: %s", r.Request.URL.Path, text, tagForm.ReplaceAllString(r.text, " "))
		}
	}
}

func (k *shop) lacks(r reply, texts ...string) {
	k.t.Helper()
	for _, text := range texts {
		if strings.Contains(r.text, text) {
			k.t.Errorf("%s has %q", r.Request.URL.Path, text)
		}
	}
}

var hashField = regexp.MustCompile(`name="hash" value="([0-9a-f]{32})"`)

var tagForm = regexp.MustCompile(`(?s)<svg.*?</svg>|<[^>]*>|\s+`)

// undo presses the button of the toast of a page.
func (k *shop) undo(r reply) reply {
	k.t.Helper()
	_, at, ok := strings.Cut(r.text, `class="toast"`)
	m := toastForm.FindStringSubmatch(at)
	if !ok || m == nil {
		k.t.Fatalf("no toast with an undo on %s: %.600s", r.Request.URL.Path, tagForm.ReplaceAllString(r.text, " "))
	}
	form := url.Values{}
	for _, f := range toastField.FindAllStringSubmatch(at, -1) {
		form.Add(f[1], strings.ReplaceAll(f[2], "&amp;", "&"))
	}
	return k.follow(k.post(m[1], form))
}

var (
	toastForm  = regexp.MustCompile(`<form method="post" action="([^"]+)"`)
	toastField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
)

func (k *shop) idOf(number int64) string {
	k.t.Helper()
	issue, err := k.issues.Find(context.Background(), k.project.ID, number)
	if err != nil {
		k.t.Fatal(err)
	}
	return strconv.FormatInt(issue.ID, 10)
}

// queriesOf is how many queries the last request cost.
func (k *shop) queriesOf() int {
	k.t.Helper()
	lines := strings.Split(strings.TrimSpace(k.site.log.String()), "\n")
	m := regexp.MustCompile(`"queries":(\d+)`).FindStringSubmatch(lines[len(lines)-1])
	if m == nil {
		k.t.Fatalf("the log does not count queries: %s", lines[len(lines)-1])
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// TestGroupingBudgets: a page costs the same queries however much it shows.
func TestGroupingBudgets(t *testing.T) {
	t.Parallel()
	k := newShop(t)
	k.send(thrown("KeyError", "tax_for"), thrown("ValueError", "price_line"), thrown("TypeError", "total"))
	k.follow(k.post("/issues", url.Values{"do": {"merge"}, "id": {k.idOf(1), k.idOf(2)}}))
	k.post("/issues/SHOP-3", url.Values{"do": {"discard"}})
	for n := range int64(3) {
		k.post("/projects/shop/grouping", url.Values{"do": {"save"}, "version": {strconv.FormatInt(n, 10)}, "config": {"newstyle:2026-01-20"}, "stack_rules": {fmt.Sprintf("function:f%d -app", n)}}).wantStatus(t, 303)
	}
	r := k.post("/projects/shop/grouping", url.Values{"do": {"rehearse"}, "version": {"3"}, "config": {"newstyle:2026-01-20"}}).wantStatus(t, 303)
	for path, most := range map[string]int{
		"/projects/shop/grouping":          11, // session, projects, project, grouping, history, rehearsals, discarded, moves with issues and names, names
		r.Header.Get("Location"):           6,  // session, project, rehearsal, projects, name, grouping
		"/issues/SHOP-1/hashes":            8,  // session, projects, issue, hashes with their newest events, moves, their issues, names
		"/issues/SHOP-1":                   14, // suspects and flips of switches, as without moves, which are 8, and the moves, their issues, names, the history's names
		"/compare?a=SHOP-1&b=SHOP-1/first": 8,  // session, projects, and issue, event for each, with their days
	} {
		k.get(path).wantStatus(t, http.StatusOK)
		if n := k.queriesOf(); n > most {
			t.Errorf("%s costs %d queries, %d are allowed", path, n, most)
		}
	}
}

func (k *shop) draft(do string, version int64, stack, prints string) url.Values {
	return url.Values{"do": {do}, "version": {strconv.FormatInt(version, 10)}, "config": {"newstyle:2026-01-20"}, "stack_rules": {stack}, "fingerprint_rules": {prints}, "window": {"24h"}}
}

// TestRulesAreCheckedSavedAndRestored: a mistake keeps the text and changes nothing, a saved version can be undone, and
// whoever comes second sees both texts.
func TestRulesAreCheckedSavedAndRestored(t *testing.T) {
	t.Parallel()
	k := newShop(t)
	const page = "/projects/shop/grouping"
	k.wants(k.get(page), "without rules of this project", "Nobody has changed anything", "None yet")

	part := k.post(page+"/check?part=1", k.draft("", 0, "functoin:a -app", "")).wantStatus(t, 200)
	k.wants(part, "1 mistake", "line 1, column 1")
	k.lacks(part, "<html", "<title")
	k.wants(k.post(page+"/check", k.draft("", 0, "\r\nfunctoin:a -app\r\n", "")).wantStatus(t, 200), "1 mistake", "line 2", ">\n\nfunctoin:a -app\n</textarea>")
	k.wants(k.post(page, k.draft("save", 0, "functoin:a -app", "x -> y")).wantStatus(t, 422), "were not used", "functoin:a -app</textarea>", "x -&gt; y</textarea>")
	k.wants(k.post(page, k.draft("check", 0, "function:a -app", "")).wantStatus(t, 200), "The rules can be used: 1 stack trace rule")

	saved := k.follow(k.post(page, k.draft("save", 0, "function:a -app", "")))
	k.wants(saved, "Version 1 is in force for new events", "1 stack trace rule and 0 fingerprint rules", "Version 1</b> edited", testEmail, "function:a -app</textarea>")
	late := k.post(page, k.draft("save", 0, "function:b -app", "")).wantStatus(t, http.StatusConflict)
	k.wants(late, "Somebody was faster", `data-del data-n="−">function:a -app`, `data-add data-n="+">function:b -app`, "function:b -app</textarea>", `name="version" value="1"`)
	k.wants(k.post(page, k.draft("rehearse", 0, "function:b -app", "")).wantStatus(t, http.StatusConflict), "Somebody was faster")
	k.wants(k.follow(k.post(page, k.draft("save", 1, "function:b -app", ""))), "Version 2 is in force")

	back := k.undo(k.follow(k.post(page+"/restore", url.Values{"version": {"1"}})))
	k.wants(back, "Version 4</b> restored version 2", "function:b -app</textarea>")
	first := k.follow(k.post(page+"/restore", url.Values{"version": {"0"}}))
	k.wants(first, "without rules of this project")
	for path, form := range map[string]url.Values{page: {"do": {"save"}}, page + "/restore": {"version": {"x"}}, page + "/check": {"version": {"0"}, "config": {"none"}}} {
		k.post(path, form).wantStatus(t, http.StatusBadRequest)
	}
	k.post(page, k.draft("check", math.MinInt64, "", "")).wantStatus(t, http.StatusBadRequest)
	k.post(page, k.draft("save", math.MaxInt64, "", "")).wantStatus(t, http.StatusConflict)
	k.post("/projects/none/grouping", k.draft("save", 0, "", "")).wantStatus(t, http.StatusNotFound)
	k.post(page+"/restore", url.Values{"version": {"99"}}).wantStatus(t, http.StatusNotFound)
}

// TestLargeRules: rules up to their own limit pass the form's, and beyond it the limit is named and the text kept.
func TestLargeRules(t *testing.T) {
	t.Parallel()
	k := newShop(t)
	long := strings.Repeat("# ü\n", 40_000) // 200 KB, three times that in a form
	k.post("/projects/shop/grouping", k.draft("save", 0, long, "")).wantStatus(t, 303)
	k.wants(k.post("/projects/shop/grouping", k.draft("save", 1, long+long, "")).wantStatus(t, 422), "1 mistake", "256")
	if r := k.post("/issues", url.Values{"do": {long}}); r.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("another form of that size answers %d", r.StatusCode)
	}
}

// TestMergeSplitDelete goes through the pages of a merge, a split and deletions, and takes each back.
func TestMergeSplitDelete(t *testing.T) {
	t.Parallel()
	k := newShop(t)
	first := k.send(thrown("KeyError", "tax_for"), thrown("KeyError", "tax_for"), thrown("ValueError", "price_line"))
	ids := []string{k.idOf(1), k.idOf(2)}
	merged := k.follow(k.post("/issues", url.Values{"do": {"merge"}, "id": ids, "return": {"/issues?project=shop"}}))
	k.wants(merged, "1 issue merged into the one with the most events", "SHOP-1")
	k.lacks(merged, "SHOP-2")

	r := k.get("/issues/SHOP-2").wantStatus(t, 303)
	if to := r.Header.Get("Location"); to != "/issues/SHOP-1?merged=SHOP-2" {
		t.Errorf("the merged issue leads to %s", to)
	}
	k.wants(k.get("/issues/SHOP-1?merged=SHOP-2"), "SHOP-2 was merged into this issue", "merged others into it:")
	k.lacks(k.get("/issues/SHOP-1?merged=%3Cscript%3E"), "was merged into")
	k.wants(k.get("/api/0/issues/"+ids[1]+"/"), `"shortId":"SHOP-1"`)
	hashes := k.get("/issues/SHOP-1/hashes")
	k.wants(hashes, "4 hashes lead to this issue", "2 of them came by a merge", "SHOP-2", "Split off")
	all := hashField.FindAllStringSubmatch(hashes.text, -1)
	if len(all) != 4 { // app and system of each
		t.Fatalf("%d hashes", len(all))
	}
	k.wants(k.post("/issues/SHOP-1/hashes", url.Values{}).wantStatus(t, 422), "Choose the hashes")
	k.wants(k.post("/issues/SHOP-1/hashes", url.Values{"hash": {all[0][1], all[1][1], all[2][1], all[3][1]}}).wantStatus(t, 422), "must keep one hash", "checked")
	k.post("/issues/SHOP-1/hashes", url.Values{"hash": {"zz"}}).wantStatus(t, 400)

	back := k.undo(merged)
	k.wants(back, "Undone", "SHOP-1", "SHOP-2")
	k.wants(k.follow(k.post("/issues", url.Values{"do": {"merge"}, "id": ids[:1]})), "Choose 2 to")

	gone := k.follow(k.post("/issues/SHOP-2", url.Values{"do": {"discard"}}))
	k.wants(gone, "1 issue deleted, and discarded from now on")
	k.lacks(gone, "SHOP-2")
	k.get("/issues/SHOP-2").wantStatus(t, http.StatusNotFound)
	rules := k.get("/projects/shop/grouping")
	k.wants(rules, "ValueError", "Accept again", "deleted 1 issue and discards what comes later")
	k.wants(k.undo(gone), "Undone", "SHOP-2")
	k.follow(k.post("/issues/SHOP-2", url.Values{"do": {"discard"}}))
	var both []string
	for _, m := range hashField.FindAllStringSubmatch(k.get("/projects/shop/grouping").text, -1) {
		both = append(both, m[1])
	}
	k.wants(k.follow(k.post("/projects/shop/grouping/accept", url.Values{"hash": both})), "Accepted again", "Nothing is discarded")
	k.wants(k.follow(k.post("/projects/shop/grouping/accept", url.Values{"hash": both})), "not discarded")

	k.post("/refiles/17/undo", url.Values{}).wantStatus(t, 303)
	k.post("/refiles/x/undo", url.Values{}).wantStatus(t, 404)
	r = k.get("/projects/shop/events/"+first[0]).wantStatus(t, 303)
	if to := r.Header.Get("Location"); to != "/issues/SHOP-1/events/"+first[0] {
		t.Errorf("the event leads to %s", to)
	}
	k.get("/projects/shop/events/"+strings.Repeat("f", 32)).wantStatus(t, 404)
}

// TestCompare: two events by every way to name them, and what cannot be found.
func TestCompare(t *testing.T) {
	t.Parallel()
	k := newShop(t)
	ids := k.send(thrown("KeyError", "tax_for"), thrown("KeyError", "tax_for"), thrown("KeyError", "price_line"))
	k.wants(k.get("/compare").wantStatus(t, 200), "Choose two events")
	for _, b := range []string{"SHOP-1/first", "SHOP-1/" + ids[0], ids[0], "shop-1"} {
		k.wants(k.get("/compare?a=SHOP-1&b="+url.QueryEscape(b)).wantStatus(t, 200), "Together: the same exception type and frame count", "They are in one issue.")
	}
	apart := k.get("/compare?a=SHOP-1&b=SHOP-2").wantStatus(t, 200)
	k.wants(apart, "Apart: the function of a frame is “tax_for” in A and “price_line” in B.", "They are in different issues.", "data-hit", "What differs")
	k.wants(k.get("/compare?project=shop&a="+ids[0]+"&b="+ids[2]).wantStatus(t, 200), "Apart:")
	for query, want := range map[string]string{"a=SHOP-1&b=SHOP-99": "Event B:", "a=nothing&b=SHOP-1": "Event A: write the number", "a=SHOP-1&b=" + strings.Repeat("f", 32): "Event B:",
		"a=" + ids[0] + "&b=" + ids[1]: "choose the project", "a=NONE-1&b=SHOP-1": "no such project"} {
		r := k.get("/compare?" + query)
		k.wants(r, want, `role="alert"`)
		if r.StatusCode < 400 || r.StatusCode >= 500 {
			t.Errorf("%s answers %d", query, r.StatusCode)
		}
	}
}

// TestExplanation: the tree as text and as JSON.
func TestExplanation(t *testing.T) {
	t.Parallel()
	k := newShop(t)
	ids := k.send(thrown("KeyError", "tax_for"))
	page := k.get("/issues/SHOP-1")
	k.wants(page, "Why grouped here", "Grouped by its exception type and frame.", "/issues/SHOP-1/events/"+ids[0]+"/grouping.json", "shop.totals", "Try a rule on 30 days")
	text := k.get("/issues/SHOP-1/events/"+ids[0]+"/grouping.txt").wantStatus(t, 200)
	k.wants(text, "newstyle:2026-01-20", "* app ", "tax_for")
	if kind := text.Header.Get("Content-Type"); kind != "text/plain; charset=utf-8" {
		t.Errorf("the text is %s", kind)
	}
	k.wants(k.get("/issues/SHOP-1/events/latest/grouping.json").wantStatus(t, 200), `"strategy": "exception"`, `"tax_for"`)
	k.get("/issues/SHOP-1/events/"+strings.Repeat("f", 32)+"/grouping.txt").wantStatus(t, 404)
}

// TestRehearsalPages: a draft is rehearsed, its page tells how far it is and what would change.
func TestRehearsalPages(t *testing.T) {
	t.Parallel()
	k := newShop(t)
	k.send(thrown("KeyError", "tax_for"), thrown("KeyError", "tax_for"), thrown("KeyError", "price_line"))
	k.wants(k.post("/projects/shop/grouping", k.draft("rehearse", 0, "functoin:a -app", "")).wantStatus(t, 422), "1 mistake")
	start := k.post("/projects/shop/grouping", k.draft("rehearse", 0, "", "error.type:KeyError -> keys"))
	page := start.Header.Get("Location")
	k.wants(k.follow(start), "waits for its turn", "Cancel", `http-equiv="refresh"`, "error.type:KeyError")
	k.wants(k.follow(k.post(page+"/cancel", url.Values{})), "was cancelled")
	k.follow(k.post(page+"/cancel", url.Values{}))

	page = k.post("/projects/shop/grouping", k.draft("rehearse", 0, "", "error.type:KeyError -> keys")).Header.Get("Location")
	k.work(page)
	done := k.get(page)
	k.wants(done, "Of 3 events in 2 issues, 1 would move: 1 issue takes others in.", "Apply to the past and from now on", "SHOP-1", "SHOP-2", "Edit these rules")
	k.lacks(done, `http-equiv="refresh"`)
	why := regexp.MustCompile(`href="(/compare[^"]+)"`).FindStringSubmatch(done.text)
	if why == nil {
		t.Fatal("the parts are not compared")
	}
	k.wants(k.get(strings.ReplaceAll(why[1], "&amp;", "&")).wantStatus(t, 200), "Together: their fingerprint is the same: “keys”.", "by the rules of a rehearsal")
	k.wants(k.get("/projects/shop/grouping?rehearsal="+page[strings.LastIndex(page, "/")+1:]), "error.type:KeyError -&gt; keys</textarea>", "3 events looked at")
	k.get("/projects/kibitz/rehearsals/1").wantStatus(t, 404)
	k.get("/projects/shop/rehearsals/x").wantStatus(t, 404)

	k.post("/projects/shop/grouping", k.draft("save", 0, "function:z -app", "")).wantStatus(t, 303)
	k.wants(k.get(page), "was changed since this rehearsal", "Rehearse again")
	k.wants(k.post(page+"/apply", url.Values{}).wantStatus(t, http.StatusConflict), `role="alert"`)
}

// TestApplyAndUndo puts a rehearsal into force and takes it back, through the pages.
func TestApplyAndUndo(t *testing.T) {
	t.Parallel()
	k := newShop(t)
	k.send(thrown("KeyError", "tax_for"), thrown("KeyError", "tax_for"), thrown("KeyError", "price_line"))
	page := k.post("/projects/shop/grouping", k.draft("rehearse", 0, "", "error.type:KeyError -> keys")).Header.Get("Location")
	k.work(page)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	go k.refiles.Run(ctx)
	applied := k.follow(k.post(page+"/apply", url.Values{}))
	k.wants(applied, "Applied. Events of the past move", "applied it:")
	k.until(ctx, func() bool { return strings.Contains(k.get(page).text, "applied it: 3 events filed anew") })
	list := k.get("/issues?project=shop")
	k.wants(list, "SHOP-1")
	k.lacks(list, "SHOP-2", "Apply to the past")
	rules := k.get("/projects/shop/grouping")
	k.wants(rules, "error.type:KeyError -&gt; keys</textarea>", "applied", "Version 1")
	k.lacks(rules, "http-equiv=\"refresh\"")
	k.wants(k.undo(applied), "Undone")
	k.until(ctx, func() bool { return strings.Contains(k.get(page).text, "The application was undone") })
	k.wants(k.get("/issues?project=shop"), "SHOP-1", "SHOP-2")
	k.wants(k.get("/projects/shop/grouping"), "without rules of this project", ">undone<", "undid the application of")
	k.wants(k.undo(applied), "has been undone already")
}

// work runs the jobs until the rehearsal of a page has ended.
func (k *shop) work(page string) {
	k.t.Helper()
	id, err := strconv.ParseInt(page[strings.LastIndex(page, "/")+1:], 10, 64)
	if err != nil {
		k.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ended := make(chan struct{})
	go func() { defer close(ended); k.rehearsals.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	k.until(ctx, func() bool {
		r, err := k.rehearsals.Get(ctx, id)
		if err != nil {
			k.t.Fatal(err)
		}
		return r.State != model.JobQueued && r.State != model.JobRunning
	})
}

// until waits for a condition.
func (k *shop) until(ctx context.Context, ok func() bool) {
	k.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			k.t.Fatal("waited in vain")
		case <-tick.C:
		}
	}
}
