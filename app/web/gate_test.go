package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// open are the routes that answer without a session. Whoever adds a route must add it here or put it behind the gate.
var open = []string{"/-/live", "/-/ready", "/static/:name", "/favicon.ico", "/robots.txt", "/signin", "/setup/:token", "/theme"}

// tokenless are the forms that checkOrigin alone protects.
var tokenless = []string{"/signin", "/setup/:token", "/theme"}

// routesOf are the routes that handlers stand on, with an address for each.
func routesOf(s *Server) []fiber.Route {
	all := s.app.GetRoutes(true)
	return slices.DeleteFunc(all, func(r fiber.Route) bool { return r.Method == http.MethodConnect || r.Method == http.MethodTrace })
}

func address(r fiber.Route) string {
	path := r.Path
	for _, p := range r.Params {
		path = strings.Replace(path, ":"+p, "1", 1)
	}
	return path
}

func turnedAway(r reply) bool {
	return r.StatusCode == http.StatusUnauthorized || (r.StatusCode == http.StatusSeeOther && strings.HasPrefix(r.Header.Get("Location"), "/signin"))
}

func TestNothingAnswersWithoutASession(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	if n := len(routesOf(w.Server)); n < 40 {
		t.Fatalf("only %d routes were found", n)
	}
	visitors := map[string][]with{
		"nobody":            nil,
		"a made-up session": {cookies(&http.Cookie{Name: "kibitz_session", Value: strings.Repeat("A", 43)})},
		"a made-up token":   {header("Authorization", "Bearer kbz_"+strings.Repeat("A", 49))},
		"a program":         {header("Accept", "application/json")},
	}
	for _, r := range routesOf(w.Server) {
		for who, change := range visitors {
			got := w.do(t, r.Method, address(r), nil, append(change, ours())...)
			switch {
			case slices.Contains(open, r.Path):
				if got.StatusCode >= 500 {
					t.Errorf("%s %s for %s: %d", r.Method, r.Path, who, got.StatusCode)
				}
			case !turnedAway(got):
				t.Errorf("%s %s answers %d to %s", r.Method, r.Path, got.StatusCode, who)
			}
		}
	}
	for _, path := range []string{"/nothing", "/issues/../../etc/passwd", "/api/0/nothing/", "/%00", "/ISSUES", "//evil.example/"} {
		if got := w.do(t, "GET", path, nil); !turnedAway(got) {
			t.Errorf("%s answers %d to nobody", path, got.StatusCode)
		}
	}
}

func TestOnlyPostChangesThings(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	for _, r := range routesOf(w.Server) {
		if r.Method != "GET" && r.Method != "HEAD" && r.Method != "POST" {
			t.Errorf("%s %s: links and forms can do GET and POST", r.Method, r.Path)
		}
	}
	p := w.signIn(t)
	r := w.do(t, "GET", "/signout", nil, cookies(p.cookie)).wantStatus(t, http.StatusMethodNotAllowed)
	if r.Header.Get("Allow") != "POST" {
		t.Errorf("Allow is %q", r.Header.Get("Allow"))
	}
	w.do(t, "GET", "/settings/tokens", nil, cookies(p.cookie)).wantStatus(t, http.StatusOK)
}

// The last hop of CSRF: a cross-site request that carries all that a browser would attach, and even the token.
func TestForeignPagesCannotPost(t *testing.T) {
	t.Parallel()
	for _, base := range []string{plainBase, secureBase} {
		w := newSite(t, base)
		p := w.signIn(t)
		for _, r := range routesOf(w.Server) {
			if r.Method != "POST" {
				continue
			}
			for name, change := range map[string][]with{
				"cross-site":       {header("Sec-Fetch-Site", "cross-site"), header("Origin", w.base)},
				"same-site":        {header("Sec-Fetch-Site", "same-site")},
				"foreign origin":   {header("Origin", "https://evil.example")},
				"origin null":      {header("Origin", "null"), header("Referer", w.base+"/")},
				"foreign referer":  {header("Referer", "https://evil.example/"+w.base)},
				"says nothing":     nil,
				"lookalike origin": {header("Origin", strings.Replace(w.base, "kibitz.example", "kibitz.example.evil.example", 1))},
				"a token besides":  {header("Sec-Fetch-Site", "cross-site"), header("Authorization", "Bearer x")},
			} {
				got := w.do(t, "POST", address(r), url.Values{"csrf": {p.csrf}}, append(change, cookies(p.cookie))...)
				if got.StatusCode != http.StatusForbidden {
					t.Errorf("POST %s, %s: %d", r.Path, name, got.StatusCode)
				}
			}
		}
	}
}

func TestFormsOfASessionNeedItsToken(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	p := w.signIn(t)
	other := w.signIn(t)
	for _, r := range routesOf(w.Server) {
		if r.Method != "POST" || slices.Contains(tokenless, r.Path) {
			continue
		}
		for name, form := range map[string]url.Values{"none": {}, "empty": {"csrf": {""}}, "another session's": {"csrf": {other.csrf}}} {
			w.do(t, "POST", address(r), form, ours(), cookies(p.cookie)).wantStatus(t, http.StatusForbidden)
			if t.Failed() {
				t.Fatalf("token: %s", name)
			}
		}
	}
	// The header does as well, and the right token passes the gate.
	w.do(t, "POST", "/settings/tokens/1/revoke", nil, ours(), cookies(p.cookie), header("X-CSRF-Token", p.csrf)).wantStatus(t, http.StatusNotFound)
	w.do(t, "POST", "/settings/tokens/1/revoke", url.Values{"csrf": {p.csrf}}, ours(), cookies(p.cookie)).wantStatus(t, http.StatusNotFound)
}

func TestOwnPagesCanPost(t *testing.T) {
	t.Parallel()
	w := newSite(t, secureBase)
	for name, change := range map[string][]with{
		"same-origin":               {ours()},
		"typed":                     {header("Sec-Fetch-Site", "none")},
		"origin":                    {header("Origin", secureBase)},
		"referer":                   {header("Referer", secureBase+"/issues")},
		"another name of this host": {header("Origin", "https://kibitz.internal"), func(r *http.Request) { r.Host = "kibitz.internal" }},
		"a proxy that changes Host": {header("Origin", secureBase), func(r *http.Request) { r.Host = "127.0.0.1:8000" }},
	} {
		if got := w.do(t, "POST", "/theme", url.Values{"theme": {"dark"}}, change...); got.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %d", name, got.StatusCode)
		}
	}
	// A page of the same name without TLS is somebody else's.
	w.do(t, "POST", "/theme", url.Values{"theme": {"dark"}}, header("Origin", "http://kibitz.example")).wantStatus(t, http.StatusForbidden)
}

func TestCookies(t *testing.T) {
	t.Parallel()
	for _, base := range []string{plainBase, secureBase} {
		w := newSite(t, base)
		p := w.signIn(t)
		name := map[string]string{plainBase: "kibitz_session", secureBase: "__Host-kibitz"}[base]
		if p.cookie.Name != name || p.cookie.MaxAge != 30*24*3600 {
			t.Errorf("cookie is %v", p.cookie)
		}
		seen := map[string]bool{}
		for _, r := range routesOf(w.Server) {
			form := url.Values{"csrf": {p.csrf}, "theme": {"dark"}, "email": {testEmail}, "password": {testPassword}}
			var who []with
			if r.Path != "/signout" { // last, below
				who = append(who, cookies(p.cookie))
			}
			if r.Method != "POST" {
				form = nil
			}
			if r.Path == "/signin" && r.Method == "POST" {
				who = nil // it would end the session
			}
			for _, c := range w.do(t, r.Method, address(r), form, append(who, ours())...).Cookies() {
				seen[c.Name] = true
				if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure != (base == secureBase) {
					t.Errorf("%s %s sets %v", r.Method, r.Path, c)
				}
			}
		}
		if !seen[name] || !seen["theme"] {
			t.Errorf("the routes set only %v", seen)
		}
		out := w.do(t, "POST", "/signout", url.Values{"csrf": {p.csrf}}, cookies(p.cookie), ours()).wantStatus(t, http.StatusSeeOther)
		if c := out.Cookies()[0]; c.Name != name || c.MaxAge >= 0 || c.Value != "" || c.Secure != (base == secureBase) || c.Path != "/" {
			t.Errorf("signing out sets %v", c)
		}
		if got := w.do(t, "GET", "/issues", nil, cookies(p.cookie)); !turnedAway(got) {
			t.Errorf("the session works after signing out: %d", got.StatusCode)
		}
	}
}

func TestAPITokens(t *testing.T) {
	t.Parallel()
	w, ctx := newSite(t, plainBase), context.Background()
	tokens := map[string]string{}
	for _, scope := range []string{"org:read", "project:read", "event:read", "switch:read"} {
		text, err := w.accounts.AddSystemToken(ctx, scope, []string{scope}, 0)
		if err != nil {
			t.Fatal(err)
		}
		tokens[scope] = text
	}
	get := func(path, scope string) reply {
		return w.do(t, "GET", path, nil, header("Authorization", "Bearer "+tokens[scope]))
	}
	for _, tc := range []struct {
		path, scope string
		status      int
	}{
		{"/api/0/", "switch:read", 200},
		{"/api/0/projects/", "project:read", 200},
		{"/api/0/projects/", "event:read", 403},
		{"/api/0/organizations/", "org:read", 200},
		{"/api/0/organizations/", "project:read", 200},
		{"/api/0/organizations/", "event:read", 403},
		{"/api/0/issues/1/", "event:read", 404},
		{"/api/0/issues/1/", "project:read", 403},
		{"/api/0/nothing/", "org:read", 404},
	} {
		r := get(tc.path, tc.scope).wantStatus(t, tc.status)
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			t.Errorf("%s answers %s", tc.path, r.Header.Get("Content-Type"))
		}
		if tc.status == 403 && !strings.Contains(r.text, "scope") {
			t.Errorf("%s says %s", tc.path, r.text)
		}
	}
	// Every route of the API asks for a scope, but its root.
	for _, r := range routesOf(w.Server) {
		if r.Method != "GET" || !strings.HasPrefix(r.Path, "/api/0/") || r.Path == "/api/0/" {
			continue
		}
		if got := get(address(r), "switch:read"); got.StatusCode != http.StatusForbidden {
			t.Errorf("%s answers %d to a token without a scope for it", r.Path, got.StatusCode)
		}
	}
	// A token opens the API and no page.
	if got := get("/issues", "event:read"); !turnedAway(got) {
		t.Errorf("a token opens a page: %d", got.StatusCode)
	}
	r := w.do(t, "GET", "/api/0/", nil).wantStatus(t, http.StatusUnauthorized)
	if !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer") || !strings.Contains(r.text, `"detail"`) {
		t.Errorf("without a token: %v %s", r.Header, r.text)
	}
	p := w.signIn(t)
	w.do(t, "GET", "/api/0/projects/", nil, cookies(p.cookie)).wantStatus(t, http.StatusOK)
}
