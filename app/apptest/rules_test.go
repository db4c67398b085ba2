package apptest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// lines of the layers; a package imports only what stands on a lower one.
var layers = map[string]int{
	"app": 6, "app/apptest": 6, "app/cli": 5, "app/web": 4, "app/jobs": 4,
	"app/comments": 3, "app/issues": 3, "app/requests": 3, "app/alerts": 3, "app/accounts": 3, "ingest/receiver": 3, "ingest/receiver/sockets": 3, "ingest/receiver/tail": 3,
	"app/impact": 3,
	"app/store":  2, "app/queue": 2, "ingest": 2, "views": 2,
	"app/db": 1, "app/db/dbtest": 2, "app/cache": 1, "app/model": 1, "app/switches": 1, "app/config": 1,
	"app/requests/filter": 1, "app/requests/health": 2, "app/requests/sqlscan": 0, "app/mail": 1, "app/mail/mailtest": 0, "app/perf": 1, "app/perf/perffiber": 2, "app/perf/perfpgx": 2, "app/forward": 3, "app/prometheus": 0, "app/detect": 1, "ingest/otlp": 1, "ingest/syslog": 1, "ingest/envelope": 1,
	"app/switches/peers": 1, "app/rollout": 3,
	"app/switches/ofrep": 2, "app/switches/unleash": 2, "app/switches/openfeature": 2, "app/switches/flaghook": 1, "app/switches/jsonout": 0, "app/flags": 3,
	"app/hostmetrics": 0, "app/trace": 0, "app/trace/tracetest": 1, "app/sketch": 0, "ingest/sqltext": 0,
	"app/switches/guard": 0, "app/switches/guard/simulate": 1, "app/switches/exchange": 2,
	"app/switches/switchestest": 2, "app/switches/benchmark": 2, "app/switches/switchfiber": 2,
	"app/errs": 0, "app/files": 0, "app/markup": 0, "grouping": 0, "ingest/pglog": 1,
	"views/ui": 0, "views/charts": 0, "migrations": 0, "static": 0, "app/db/pglocal": 0,
}

// only says which packages may import a module.
var only = map[string][]string{
	"github.com/jackc/pgx/":          {"app/db", "app/db/dbtest", "app/store", "app/queue", "app/perf/perfpgx"},
	"github.com/gofiber/fiber":       {"app/web", "ingest/receiver", "app/perf/perffiber", "app/switches/switchfiber", "app/apptest/sdk/perf_gofiber"},
	"github.com/getsentry/sentry-go": {"app/cli", "app/apptest/sdk/go", "app/apptest/sdk/perf_gofiber"},
}

// root is the top of the source tree.
const root = "../.."

// eachGo hands every Go file of ours to fn, by its directory.
func eachGo(t *testing.T, fn func(dir, name string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." && d.Name() != ".")) {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".go") {
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			fn(filepath.ToSlash(filepath.Dir(rel)), name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestImports holds the layers: what a package may import, and who may use the database, the web framework and the SDK.
func TestImports(t *testing.T) {
	t.Parallel()
	eachGo(t, func(dir, name string) {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			return
		}
		test := strings.HasSuffix(name, "_test.go")
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Error(err)
			}
			checkImport(t, dir, name, path, test)
		}
	})
}

func checkImport(t *testing.T, dir, name, path string, test bool) {
	t.Helper()
	for module, who := range only {
		if strings.HasPrefix(path, module) && !test && !contains(who, dir) {
			t.Errorf("%s imports %s, which is for %s", name, path, strings.Join(who, ", "))
		}
	}
	ours, ok := strings.CutPrefix(path, "kibitz/")
	if !ok || test || strings.HasPrefix(dir, "app/apptest") {
		return
	}
	from, known := layers[dir]
	to, knownTo := layers[ours]
	if !known || !knownTo {
		t.Errorf("%s: %s or %s has no place among the layers", name, dir, ours)
	} else if to >= from {
		t.Errorf("%s imports %s: layer %d must not import layer %d", name, ours, from, to)
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// forbidden is what no source may contain, and why.
var forbidden = []struct {
	form *regexp.Regexp
	why  string
}{
	{regexp.MustCompile(`\bc\.Body\(\)|BodyParser\(|StreamRequestBody:`), "it inflates without a bound: use BodyRaw and the receiver's decoder"},
	{regexp.MustCompile(`(?m)^func init\(\)`), "nothing runs by being imported"},
	{regexp.MustCompile(`templ\.Raw\([a-z]+\.[A-Z]`), "text from outside must be escaped"},
	{regexp.MustCompile(`/(root|work)/`), "a path of one machine"},
}

// exempt is the one file that may do what is forbidden: it writes coloured source, and escapes each piece of it itself,
// which TestHostile of views looks at.
var exempt = map[string]string{`templ\.Raw\([a-z]+\.[A-Z]`: "views/code.go"}

// maxLines keeps files readable.
const maxLines = 600

// TestSources holds rules that a compiler does not know.
func TestSources(t *testing.T) {
	t.Parallel()
	eachGo(t, func(dir, name string) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
			return
		}
		if strings.HasSuffix(name, "_templ.go") || strings.HasSuffix(name, "rules_test.go") {
			return
		}
		if n := strings.Count(string(text), "\n"); n > maxLines {
			t.Errorf("%s has %d lines; %d are allowed", name, n, maxLines)
		}
		for _, f := range forbidden {
			if strings.HasSuffix(name, exempt[f.form.String()]) && exempt[f.form.String()] != "" {
				continue
			}
			if f.form.Match(text) && !strings.HasSuffix(name, "_test.go") {
				t.Errorf("%s contains %s: %s", name, f.form, f.why)
			}
		}
		if strings.Contains(string(text), "os.Getenv(") && dir != "app/config" && !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(dir, "app/apptest/sdk/") {
			t.Errorf("%s reads the environment, which config does", name)
		}
	})
}
