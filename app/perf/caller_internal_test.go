package perf

import (
	"testing"
	"time"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ function, file, pkg, short, path string }{
		{"kibitz/app/store.(*Store).Issues.func1", "/build/x/app/store/ops_issues.go", "kibitz/app/store", "store.(*Store).Issues.func1", "kibitz/app/store/ops_issues.go"},
		{"main.main", "/home/me/shop/cmd/shop/main.go", "main", "main.main", "shop/main.go"},
		{"gopkg.in/yaml%2ev3.Unmarshal", "/go/yaml.go", "gopkg.in/yaml.v3", "yaml%2ev3.Unmarshal", "gopkg.in/yaml.v3/yaml.go"},
		{"kibitz/app/x.Map[go.shape.struct { a/b.C }].func2", "m.go", "kibitz/app/x", "x.Map[go.shape.struct { a/b.C }].func2", "kibitz/app/x/m.go"},
		{"", "", "", "", ""},
	} {
		pkg := packageOf(c.function)
		if pkg != c.pkg || shortFunction(c.function) != c.short || fileOf(pkg, c.file) != c.path {
			t.Errorf("%s: %q, %q, %q", c.function, pkg, shortFunction(c.function), fileOf(pkg, c.file))
		}
	}
}

// TestSkips holds which packages are no callers.
func TestSkips(t *testing.T) {
	t.Parallel()
	r := newResolver([]string{"shop/db", "shop/helpers/"})
	for pkg, want := range map[string]bool{"shop/db": true, "shop/dbx": false, "shop/db/sub": false, "shop/helpers/a": true, "shop/store": false,
		"kibitz/app/perf": true, "kibitz/app/perf_test": false, "github.com/jackc/pgx/v5/pgxpool": true, "runtime": true} {
		if r.skips(pkg) != want {
			t.Errorf("%s: %v", pkg, !want)
		}
	}
	if p := r.caller([]uintptr{1}); p.line != 0 || !r.place(1).helper {
		t.Errorf("a counter from nowhere is at %+v", p)
	}
}

func TestMilliseconds(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "0.000", 999: "0.000", 1500 * time.Microsecond: "1.500", 12_034_567_000: "12034.567"} {
		if got := string(appendMilliseconds(nil, d)); got != want {
			t.Errorf("%s: %s", d, got)
		}
	}
}
