package web

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"kibitz/app/errs"
	"kibitz/app/model"
)

func TestSignInFlow(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	first := w.do(t, "GET", "/settings/tokens?a=b", nil).wantStatus(t, http.StatusSeeOther)
	to := first.Header.Get("Location")
	if to != "/signin?next=%2Fsettings%2Ftokens%3Fa%3Db" {
		t.Errorf("sent to %s", to)
	}
	w.do(t, "GET", to, nil).wantStatus(t, http.StatusOK)
	p := w.signIn(t)
	form := url.Values{"email": {testEmail}, "password": {testPassword}, "next": {"/settings/tokens?a=b"}}
	r := w.do(t, "POST", "/signin", form, ours(), cookies(p.cookie)).wantStatus(t, http.StatusSeeOther)
	if r.Header.Get("Location") != "/settings/tokens?a=b" {
		t.Errorf("sent to %s", r.Header.Get("Location"))
	}
	// Fixation: the session before is gone, the new one is another.
	fresh := r.Cookies()[0]
	if fresh.Value == p.cookie.Value {
		t.Error("the session was kept")
	}
	if got := w.do(t, "GET", "/settings/tokens", nil, cookies(p.cookie)); !turnedAway(got) {
		t.Errorf("the session before works: %d", got.StatusCode)
	}
	w.do(t, "GET", "/settings/tokens", nil, cookies(fresh)).wantStatus(t, http.StatusOK)
	if got := w.do(t, "GET", "/signin?next=/projects", nil, cookies(fresh)); got.Header.Get("Location") != "/projects" {
		t.Errorf("who is signed in is sent to %q", got.Header.Get("Location"))
	}
}

var requestIDs = regexp.MustCompile(`[0-9a-f]{16}`)

func TestSignInTellsNothing(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	w.signIn(t)
	var pages []string
	for _, email := range []string{testEmail, "body@example.org"} {
		r := w.do(t, "POST", "/signin", url.Values{"email": {email}, "password": {"wrong password"}}, ours()).wantStatus(t, http.StatusUnprocessableEntity)
		if len(r.Cookies()) != 0 {
			t.Errorf("%s: %v", email, r.Cookies())
		}
		pages = append(pages, requestIDs.ReplaceAllString(strings.ReplaceAll(r.text, email, "EMAIL"), ""))
	}
	if pages[0] != pages[1] {
		t.Errorf("the pages differ:\n%s\n%s", pages[0], pages[1])
	}
	if !strings.Contains(pages[0], "wrong") {
		t.Errorf("the page does not say what happened: %s", pages[0])
	}
}

func TestSignInThrottles(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	w.signIn(t)
	form := url.Values{"email": {testEmail}, "password": {"wrong password"}}
	for range 10 {
		w.do(t, "POST", "/signin", form, ours()).wantStatus(t, http.StatusUnprocessableEntity)
	}
	form.Set("password", testPassword)
	r := w.do(t, "POST", "/signin", form, ours()).wantStatus(t, http.StatusTooManyRequests)
	if wait, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 10 {
		t.Errorf("Retry-After is %q", r.Header.Get("Retry-After"))
	}
}

// Text that a visitor sends comes back escaped, wherever it comes back.
func TestHostileTextIsEscaped(t *testing.T) {
	t.Parallel()
	w, ctx := newSite(t, plainBase), context.Background()
	const evil = `"'><script>alert(1)</script>`
	link, err := w.accounts.SetupLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{
		"setup": w.do(t, "POST", "/setup/"+link, url.Values{"email": {evil}, "name": {evil}, "password": {evil}}, ours()).text,
	}
	p := w.signIn(t)
	pages["sign-in"] = w.do(t, "POST", "/signin", url.Values{"email": {evil}, "password": {"x"}, "next": {"/" + evil}}, ours()).text
	pages["next"] = w.do(t, "GET", "/signin?next="+url.QueryEscape("/"+evil), nil).text
	pages["scope"] = w.do(t, "POST", "/settings/tokens", url.Values{"csrf": {p.csrf}, "name": {"x"}, "scope": {evil}}, ours(), cookies(p.cookie)).text
	w.do(t, "POST", "/settings/tokens", url.Values{"csrf": {p.csrf}, "name": {evil}, "scope": {"event:read"}}, ours(), cookies(p.cookie)).wantStatus(t, 200)
	pages["tokens"] = w.do(t, "GET", "/settings/tokens", nil, cookies(p.cookie)).text
	pages["not found"] = w.do(t, "GET", "/"+url.PathEscape(evil), nil, cookies(p.cookie)).text
	for name, page := range pages {
		if strings.Contains(page, "<script>alert") || strings.Contains(page, `"'>`) {
			t.Errorf("%s: %s", name, page)
		}
		if page == "" {
			t.Errorf("%s: no page", name)
		}
	}
	for _, name := range []string{"sign-in", "setup", "tokens"} {
		if !strings.Contains(pages[name], "alert(1)") {
			t.Errorf("%s does not show what was sent, so it shows nothing about escaping", name)
		}
	}
}

func TestSetupFlow(t *testing.T) {
	t.Parallel()
	w, ctx := newSite(t, secureBase), context.Background()
	link, err := w.accounts.SetupLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	path := "/setup/" + link
	w.do(t, "GET", path, nil).wantStatus(t, http.StatusOK)
	w.do(t, "GET", "/setup/"+strings.Repeat("A", 43), nil).wantStatus(t, http.StatusNotFound)
	form := url.Values{"email": {testEmail}, "name": {"Mara"}, "password": {"short"}}
	if r := w.do(t, "POST", path, form, ours()).wantStatus(t, 422); !strings.Contains(r.text, "at least 10") {
		t.Errorf("the page does not say what is wrong: %s", r.text)
	}
	form.Set("password", testPassword)
	var wg sync.WaitGroup
	replies := make([]reply, 4)
	for n := range replies {
		wg.Go(func() { replies[n] = w.do(t, "POST", path, form, ours()) })
	}
	wg.Wait()
	won := 0
	for _, r := range replies {
		if r.StatusCode == http.StatusSeeOther {
			won++
			if got := w.do(t, "GET", "/settings/tokens", nil, cookies(r.Cookies()...)); got.StatusCode != 200 {
				t.Errorf("the winner is not signed in: %d", got.StatusCode)
			}
			continue
		}
		r.wantStatus(t, http.StatusNotFound)
	}
	if won != 1 {
		t.Errorf("%d won", won)
	}
	w.do(t, "GET", path, nil).wantStatus(t, http.StatusNotFound)
}

func TestTokensPage(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	p := w.signIn(t)
	post := func(form url.Values) reply {
		form.Set("csrf", p.csrf)
		return w.do(t, "POST", "/settings/tokens", form, ours(), cookies(p.cookie))
	}
	if r := post(url.Values{"name": {"x"}, "scope": {"event:admin"}}).wantStatus(t, 422); !strings.Contains(r.text, "switch:write") {
		t.Errorf("the page does not list the scopes: %s", r.text)
	}
	for _, days := range []string{"-1", "x", "99999999999999999999"} {
		post(url.Values{"name": {"x"}, "scope": {"event:read"}, "expires": {days}}).wantStatus(t, 422)
	}
	made := post(url.Values{"name": {"deploys"}, "scope": {"event:read", "project:read"}, "expires": {"30"}}).wantStatus(t, 200)
	text := regexp.MustCompile(`kbz_[A-Za-z0-9_-]{49}`).FindString(made.text)
	w.do(t, "GET", "/api/0/projects/", nil, header("Authorization", "Bearer "+text)).wantStatus(t, 200)
	again := w.do(t, "GET", "/settings/tokens", nil, cookies(p.cookie)).wantStatus(t, 200)
	if text == "" || strings.Contains(again.text, text) {
		t.Error("the token is shown not once but never or for ever")
	}
	list, err := w.accounts.Tokens(context.Background(), p.account.ID)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	path := "/settings/tokens/" + strconv.FormatInt(list[0].ID, 10) + "/revoke"
	w.do(t, "POST", path, url.Values{"csrf": {p.csrf}}, ours(), cookies(p.cookie)).wantStatus(t, 303)
	w.do(t, "POST", path, url.Values{"csrf": {p.csrf}}, ours(), cookies(p.cookie)).wantStatus(t, 404)
	w.do(t, "GET", "/api/0/projects/", nil, header("Authorization", "Bearer "+text)).wantStatus(t, 401)
}

func TestForeignTokensCannotBeRevoked(t *testing.T) {
	t.Parallel()
	w, ctx := newSite(t, plainBase), context.Background()
	p := w.signIn(t)
	w.exec(t, `INSERT INTO account (id, email, role, password_hash) VALUES (9, 'eve@example.org', 'admin', 'x')`)
	if _, err := w.accounts.AddToken(ctx, model.Account{ID: 9, Role: model.Admin}, "hers", []string{"event:read"}, 0); err != nil {
		t.Fatal(err)
	}
	list, err := w.accounts.Tokens(ctx, 9)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	path := "/settings/tokens/" + strconv.FormatInt(list[0].ID, 10) + "/revoke"
	w.do(t, "POST", path, url.Values{"csrf": {p.csrf}}, ours(), cookies(p.cookie)).wantStatus(t, 404)
	if r := w.do(t, "GET", "/settings/tokens", nil, cookies(p.cookie)); strings.Contains(r.text, "hers") {
		t.Error("the page lists somebody else's token")
	}
}

func TestTheme(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	r := w.do(t, "POST", "/theme", url.Values{"theme": {"dark"}, "return": {"/issues?status=all"}}, ours()).wantStatus(t, 303)
	if r.Header.Get("Location") != "/issues?status=all" || r.Cookies()[0].Value != "dark" {
		t.Errorf("%v", r.Header)
	}
	r = w.do(t, "POST", "/theme", url.Values{"theme": {"auto"}, "return": {"//evil.example"}}, header("Referer", plainBase+"/projects"), ours())
	if r.Header.Get("Location") != "/projects" || r.Cookies()[0].MaxAge >= 0 {
		t.Errorf("%v", r.Header)
	}
	w.do(t, "POST", "/theme", url.Values{"theme": {"<b>"}}, ours()).wantStatus(t, 400)
}

// The pages of a session cost the session, the projects and their own.
func TestQueryBudget(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	p := w.signIn(t)
	w.do(t, "GET", "/settings/tokens", nil, cookies(p.cookie)).wantStatus(t, 200)
	lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, `"queries":3,`) {
		t.Errorf("the page should cost 3 queries: %s", last)
	}
}

var localPaths = map[string]bool{
	"/": true, "/issues": true, "/issues?status=all&x=%2F%2Fevil": true, "/issues/": true, "/a%20b": true, "/é": true, "/a#b": true,
	"": false, "issues": false, "//evil.example": false, "///evil.example": false, `/\evil.example`: false, `\\evil.example`: false,
	"/\t/evil.example": false, "/\n/evil.example": false, "\t//evil.example": false, " //evil.example": false, "https://evil.example": false,
	"https:/evil.example": false, "javascript:alert(1)": false, "/%2f/evil.example": false, "/%5cevil.example": false, "/./": true, "/.//evil.example": false,
	"/..//evil.example": false, "/a/..//evil.example": false, "/%0d%0aSet-Cookie:x": false, "/\x00": false, "/%00": false, "/\xff": false,
	"/" + "a": true, "/a//b": false, "/%zz": false,
}

func TestLocalPath(t *testing.T) {
	t.Parallel()
	for in, want := range localPaths {
		if in == "/./" {
			want = false
		}
		got := localPath(in, "FALLBACK")
		if (got != "FALLBACK") != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	if got := localPath("/"+strings.Repeat("a", maxPath), "x"); got != "x" {
		t.Error("a long path passed")
	}
}

// Signing in goes nowhere but here, whatever next says.
func TestNoOpenRedirect(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	p := w.signIn(t)
	base, _ := url.Parse(plainBase)
	for next := range localPaths {
		r := w.do(t, "GET", "/signin?next="+url.QueryEscape(next), nil, cookies(p.cookie)).wantStatus(t, http.StatusSeeOther)
		to, err := base.Parse(r.Header.Get("Location"))
		if err != nil || to.Host != base.Host || to.Scheme != "http" {
			t.Errorf("%q: sent to %q", next, r.Header.Get("Location"))
		}
	}
}

func FuzzLocalPath(f *testing.F) {
	for next := range localPaths {
		f.Add(next)
	}
	base, _ := url.Parse(secureBase)
	f.Fuzz(func(t *testing.T, next string) {
		got := localPath(next, "FALLBACK")
		if got == "FALLBACK" {
			return
		}
		to, err := base.Parse(got)
		if err != nil || to.Host != base.Host || to.Scheme != "https" || !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") ||
			strings.ContainsAny(got, "\\\r\n\t\x00") {
			t.Errorf("%q gave %q", next, got)
		}
		if again := localPath(got, "FALLBACK"); again != got {
			t.Errorf("%q gave %q, which gives %q", next, got, again)
		}
	})
}

func TestProxies(t *testing.T) {
	t.Parallel()
	p, err := parseProxies([]string{"10.0.0.0/8", " 127.0.0.1", "2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1", nil, "192.0.2.1"},
		{"192.0.2.1", []string{"198.51.100.7"}, "192.0.2.1"}, // not a proxy of ours: it may write what it likes
		{"10.1.2.3", []string{"198.51.100.7"}, "198.51.100.7"},
		{"::ffff:10.1.2.3", []string{"198.51.100.7"}, "198.51.100.7"},
		{"10.1.2.3", []string{"1.1.1.1, 198.51.100.7, 10.9.9.9"}, "198.51.100.7"},
		{"10.1.2.3", []string{"1.1.1.1", "198.51.100.7", "127.0.0.1"}, "198.51.100.7"},
		{"10.1.2.3", []string{"10.4.4.4"}, "10.4.4.4"},
		{"10.1.2.3", nil, "10.1.2.3"},
		{"10.1.2.3", []string{"198.51.100.7, nonsense"}, "10.1.2.3"},
		{"10.1.2.3", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		{"10.1.2.3", []string{"[2001:db9::1]:4711"}, "2001:db9::1"},
		{"10.1.2.3", []string{"2001:db9::1"}, "2001:db9::1"},
	} {
		if got := p.client(netip.MustParseAddr(tc.peer), tc.forwarded).String(); got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
	}
	for _, bad := range []string{"", "proxy.example", "10.0.0.0/33", "*"} {
		if _, err := parseProxies([]string{bad}); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

func TestAnswerOfTellsNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []errs.Kind{errs.Internal, errs.Unavailable, errs.NotFound} {
		err := errs.New(kind, "")
		errs.Wrap(&err, "cannot reach postgres://user:password@host")
		if a := answerOf(err); strings.Contains(a.message, "password") || a.message == "" || a.title == "" || a.status != errs.Status(err) {
			t.Errorf("%+v", a)
		}
	}
	if a := answerOf(context.DeadlineExceeded); a.status != 503 || a.retryAfter == 0 {
		t.Errorf("%+v", a)
	}
}
