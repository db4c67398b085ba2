package perf

import (
	"path"
	"runtime"
	"slices"
	"strings"
)

// place is a line of code.
type place struct {
	file, function string
	line           int
	helper         bool // no caller: a layer between the query and the code that wants it
}

// resolver finds the code behind program counters. Each is looked up once: naming one takes 300 ns, finding it again 20,
// and a program has no more of them than calls in its text. It belongs to the flushing goroutine.
type resolver struct {
	skip   []string
	places map[uintptr]place
}

// maxPlaces bounds the table. A large program has some 100,000 calls, of which few lead to a query.
const maxPlaces = 1 << 16

// helpers are packages through which queries and requests go, and never come from.
var helpers = []string{"kibitz/app/perf", "kibitz/app/perf/perfpgx", "kibitz/app/perf/perffiber", "github.com/jackc/pgx/", "database/sql",
	"net/http", "runtime"}

func newResolver(skip []string) *resolver {
	return &resolver{skip: append(slices.Clone(helpers), skip...), places: map[uintptr]place{}}
}

// caller is the first frame that is no helper's; the zero place when there is none.
func (r *resolver) caller(pcs []uintptr) place {
	for _, pc := range pcs {
		if p := r.place(pc); !p.helper {
			return p
		}
	}
	return place{}
}

func (r *resolver) place(pc uintptr) place {
	p, ok := r.places[pc]
	if ok {
		return p
	}
	// Callers gives inlined calls counters of their own, so one counter is one frame.
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	pkg := packageOf(frame.Function)
	p = place{file: fileOf(pkg, frame.File), function: shortFunction(frame.Function), line: frame.Line, helper: pkg == "" || r.skips(pkg)}
	if len(r.places) < maxPlaces {
		r.places[pc] = p
	}
	return p
}

func (r *resolver) skips(pkg string) bool {
	return slices.ContainsFunc(r.skip, func(s string) bool { return pkg == s || strings.HasSuffix(s, "/") && strings.HasPrefix(pkg, s) })
}

// packageOf is the import path in a function's name: what stands before the first dot after the last slash. Type
// parameters may hold slashes of their own.
func packageOf(function string) string {
	head, _, _ := strings.Cut(function, "[")
	slash := strings.LastIndexByte(head, '/') + 1
	dot := strings.IndexByte(head[slash:], '.')
	if dot < 0 {
		return ""
	}
	return strings.ReplaceAll(head[:slash+dot], "%2e", ".")
}

// shortFunction is a function with its package's last name: store.(*Store).Issues.
func shortFunction(function string) string {
	head, _, _ := strings.Cut(function, "[")
	return function[strings.LastIndexByte(head, '/')+1:]
}

// fileOf names a file by its package, so that it is the same wherever the program was built. Of a main package, whose
// path a program does not know, it is the directory and the file.
func fileOf(pkg, file string) string {
	dir, base := path.Split(file)
	if pkg == "main" {
		return path.Join(path.Base(dir), base)
	}
	return path.Join(pkg, base)
}
