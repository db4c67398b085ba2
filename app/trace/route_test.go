package trace

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRoute(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"": "", "/": "/", "/users": "/users", "/users/": "/users/", "users/42": "users/{}",
		"/users/42":                     "/users/{}",
		"/users/42/":                    "/users/{}/",
		"/users/42/orders/7?page=2#top": "/users/{}/orders/{}",
		"/v2/oauth2/s3/h264":            "/v2/oauth2/s3/h264",
		"/api/0/projects":               "/api/{}/projects",
		"/o/123e4567-e89b-12d3-a456-426614174000/edit": "/o/{}/edit",
		"/c/9f86d081884c7d65":                          "/c/{}",
		"/c/deadbeef":                                  "/c/deadbeef", // a word by chance, without a digit
		"/c/d41d8cd9":                                  "/c/{}",
		"/log/2026-11-25/12:30:00":                     "/log/{}/12:30:00", // a colon marks parameters
		"/log/2026/11/25":                              "/log/{}/{}/{}",
		"/order-88213":                                 "/{}",
		"/tea/green-sencha":                            "/tea/green-sencha",
		"/img/8ab31f02.png":                            "/img/{}.png",
		"/img/logo.png":                                "/img/logo.png",
		"/u/mara@tealeaf.example":                      "/u/{}",
		"/t/eyJhbGciOiJIUzI1NiJ9x4":                    "/t/{}",
		"/q/caf%C3%A9":                                 "/q/{}",
		"/q/caf\u00e9":                                 "/q/caf\u00e9",
		"https://shop.example/orders/7?x=1":            "/orders/{}",
		"https://shop.example":                         "/",
		"/orders/:number/<int:line>/{id}/*":            "/orders/:number/<int:line>/{id}/*",
		"/" + strings.Repeat("a", 65):                  "/{}",
		strings.Repeat("/a", 30):                       strings.Repeat("/a", maxSegments) + "/*",
		"//a//":                                        "//a//",
		"/a\x00b\xff/1":                                "/{}/{}",
		strings.Repeat("/"+"abcdefg.hij"[:7], 5):       strings.Repeat("/abcdefg", 5),
	} {
		if got := Route(path); got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
}

// FuzzRoute holds that a route is bounded, and that what is one stays as it is.
func FuzzRoute(f *testing.F) {
	for _, seed := range []string{"/users/42/", "https://h/a?b", "/x/123e4567-e89b-12d3-a456-426614174000", strings.Repeat("/a0b1c2d3", 100), "/:a/{}/\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		route := Route(path)
		if len(route) > MaxName || strings.ContainsAny(route, "?#") || utf8.ValidString(path) && !utf8.ValidString(route) {
			t.Fatalf("%q becomes %q", path, route)
		}
		if again := Route(route); again != route && !strings.Contains(route, "://") {
			t.Fatalf("%q becomes %q and then %q", path, route, again)
		}
	})
}

func BenchmarkRoute(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Route("/shops/tealeaf/orders/88213/lines/123e4567-e89b-12d3-a456-426614174000?page=2")
	}
}
