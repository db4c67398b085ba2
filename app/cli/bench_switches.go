package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kibitz/app/switches/benchmark"
)

// switchBench is `kibitz bench switches`: each section prints figures of one part of switches.
type switchBench struct {
	out, log io.Writer
	rounds   int
	only     string
}

// benchSection is one part of `kibitz bench switches`.
type benchSection struct {
	name  string
	title string
	run   func(*switchBench, context.Context) error
}

// switchSections are run in this order; --only names one.
func switchSections() []benchSection {
	return []benchSection{
		{"evaluation", "one answer, in the process, on all cores", (*switchBench).evaluation},
		{"libraries", "the same two tasks by Go libraries, on all cores", (*switchBench).libraries},
		{"flip", "from a click in one of twelve processes until the last answers by it", (*switchBench).flip},
		{"protocols", "answers over HTTP, and pages that listen", (*switchBench).protocols},
	}
}

func sectionNames() string {
	var names []string
	for _, s := range switchSections() {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// benchSwitches is `kibitz bench switches`.
func benchSwitches(ctx context.Context, c *call) error {
	b := &switchBench{out: c.out, log: c.err}
	f := c.flags("bench switches")
	f.IntVar(&b.rounds, "rounds", 5, "how often each figure is measured; the best and the median are printed")
	f.StringVar(&b.only, "only", "", "one section: "+sectionNames())
	if err := f.Parse(c.args[1:]); err != nil || f.NArg() > 0 || b.rounds < 1 {
		return c.wrong("say `kibitz bench switches [--rounds 5] [--only SECTION]`; sections are " + sectionNames())
	}
	ran := false
	for _, s := range switchSections() {
		if b.only != "" && b.only != s.name {
			continue
		}
		ran = true
		fmt.Fprintf(b.out, "%s: %s\n", s.name, s.title)
		if err := s.run(b, ctx); err != nil {
			return fmt.Errorf("cannot measure %s: %w", s.name, err)
		}
	}
	if !ran {
		return c.wrong("there is no section " + b.only + "; there are " + sectionNames())
	}
	return nil
}

// evaluation measures our own answers, with their counters, beside what no library can do without. Rounds go by turns, so that
// whatever else the machine does meets all.
func (b *switchBench) evaluation(ctx context.Context) error {
	tasks := []struct {
		name string
		run  func(*testing.B)
	}{{"floor: hash of the id alone", benchmark.Floor}, {"a share of 25 %, counted", benchmark.Task(benchmark.Share)},
		{"two attributes and a share of 25 %, counted", benchmark.Task(benchmark.Rules)}}
	results := make([][]testing.BenchmarkResult, len(tasks))
	for range b.rounds {
		for i, t := range tasks {
			if err := ctx.Err(); err != nil {
				return err
			}
			results[i] = append(results[i], testing.Benchmark(t.run))
		}
	}
	fmt.Fprintf(b.out, "  %d cores at once; what one answer takes on its core, the median over stretches of 512\n", runtime.GOMAXPROCS(0))
	for i, t := range tasks {
		ns := make([]float64, len(results[i]))
		for j, r := range results[i] {
			ns[j] = r.Extra["ns/op"]
		}
		b.figure(t.name, ns, results[i][0].AllocsPerOp(), results[i][0].AllocedBytesPerOp())
	}
	return nil
}

// figure prints one line of several rounds.
func (b *switchBench) figure(name string, ns []float64, allocations, bytes int64) {
	slices.Sort(ns)
	fmt.Fprintf(b.out, "  %-48s best %7.1f ns, median %7.1f ns, %d allocations, %d bytes\n", name, ns[0], ns[len(ns)/2], allocations, bytes)
}

// peersDir is where the module stands that has the other libraries.
const peersDir = "app/switches/bench"

// libraries runs the benchmarks of the nested module, where Go and the source tree are there. Others' libraries are no part of
// Kibitz.
func (b *switchBench) libraries(ctx context.Context) error {
	dir, why := peersModule()
	if why != "" {
		fmt.Fprintln(b.out, "  not measured:", why)
		return nil
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", ".", "-benchtime", "500ms", "-count", strconv.Itoa(b.rounds))
	cmd.Dir = dir
	var failed bytes.Buffer
	cmd.Stderr = &failed
	text, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return err
		}
		fmt.Fprintf(b.out, "  not measured: %s\n", firstLine(failed.String()+string(text)))
		return nil
	}
	return b.printPeers(text)
}

// peersModule is the directory of the module, or why it cannot be used.
func peersModule() (dir, why string) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", "Go is not here"
	}
	at, err := os.Getwd()
	if err != nil {
		return "", err.Error()
	}
	for {
		dir = filepath.Join(at, filepath.FromSlash(peersDir))
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, ""
		}
		up := filepath.Dir(at)
		if up == at {
			return "", "the source tree is not here (looked for " + peersDir + " from the working directory upwards)"
		}
		at = up
	}
}

// printPeers reads what `go test -bench` prints.
func (b *switchBench) printPeers(text []byte) error {
	ns, names, rest := map[string][]float64{}, []string{}, map[string][2]int64{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		name, v, bytes, allocations, ok := parseBench(lines.Text())
		if !ok {
			continue
		}
		if ns[name] == nil {
			names = append(names, name)
		}
		ns[name] = append(ns[name], v)
		rest[name] = [2]int64{allocations, bytes}
	}
	if len(names) == 0 {
		return errors.New("no figures came of the benchmarks")
	}
	for _, name := range names {
		b.figure(name, ns[name], rest[name][0], rest[name][1])
	}
	return lines.Err()
}

// parseBench reads "BenchmarkShare/growthbook-2  100  417.4 ns/op  279 B/op  5 allocs/op".
func parseBench(line string) (name string, ns float64, bytes, allocations int64, ok bool) {
	f := strings.Fields(line)
	if len(f) < 8 || !strings.HasPrefix(f[0], "Benchmark") || f[3] != "ns/op" || f[5] != "B/op" || f[7] != "allocs/op" {
		return "", 0, 0, 0, false
	}
	name = strings.TrimPrefix(f[0], "Benchmark")
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		name = name[:i]
	}
	ns, err := strconv.ParseFloat(f[2], 64)
	bytes, err2 := strconv.ParseInt(f[4], 10, 64)
	allocations, err3 := strconv.ParseInt(f[6], 10, 64)
	return strings.ReplaceAll(name, "_", " "), ns, bytes, allocations, errors.Join(err, err2, err3) == nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
