package requests

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"kibitz/app/db"
	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/requests/health"
	"kibitz/app/store"
)

const (
	// vitalsEvery is how often servers are asked for their vital signs; vitalsKept is an hour of them.
	vitalsEvery = time.Minute
	vitalsKept  = 60
	// checkEvery is how often everything is judged anew. Catalogs change slowly, and some hundred tables take 50 ms to read.
	checkEvery = 10 * time.Minute
	// checkSoon is when the second check comes: by then statements have been watched for a minute.
	checkSoon = 2 * time.Minute
	// trendMinutes is what "now" means in the trend of index reads; what is before it in the hour is "before".
	trendMinutes = 10
	// aWeek is how far growth looks back.
	aWeek = 7
)

// Health checks the databases in the background and keeps the last answer.
type Health struct {
	store      *store.Store
	statements *RecentStatements
	log        *slog.Logger
	local      func(part string) bool
	memory     func() int64

	checking sync.Mutex // one check at a time
	mu       sync.Mutex
	report   HealthReport
	vitals   map[string][]VitalSample // by server, oldest first
}

// HealthOptions are what the checks connect.
type HealthOptions struct {
	Store      *store.Store
	Statements *RecentStatements
	Log        *slog.Logger
	// Local tells whether a partition's server runs on this machine, so that Memory is its memory.
	Local func(part string) bool
	// Memory is what the machine could give to its page cache, in bytes; 0 when it does not say.
	Memory func() int64
}

// HealthReport is what all checks said at one moment.
type HealthReport struct {
	At       time.Time // the zero time before the first check
	Took     time.Duration
	Servers  []HealthServer
	Findings []model.Finding // worst first
}

// HealthServer is one server, whichever partitions are on it.
type HealthServer struct {
	Facts  model.ServerFacts
	Nodes  []string // all names of the server: "ops", "users replica 1"
	Parts  []string
	Vitals []VitalSample // of the last hour, oldest first
	Down   string        // why it cannot be asked; "" when it can
}

// VitalSample is a server's vital signs at a moment.
type VitalSample struct {
	At time.Time
	model.Vitals
	Lag time.Duration
}

// NewHealth makes the checks.
func NewHealth(o HealthOptions) *Health {
	return &Health{store: o.Store, statements: o.Statements, log: o.Log, local: o.Local, memory: o.Memory, vitals: map[string][]VitalSample{}}
}

// Run takes vital signs and checks until ctx ends.
func (h *Health) Run(ctx context.Context) {
	tick := time.NewTicker(vitalsEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		if n%int(checkEvery/vitalsEvery) == 0 || n == int(checkSoon/vitalsEvery) {
			if err := h.Check(ctx); err != nil && ctx.Err() == nil {
				h.log.Warn("cannot check the databases", "err", err)
			}
		} else {
			h.takeVitals(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Report is the last answer, with the vital signs of the hour.
func (h *Health) Report() HealthReport {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.report
	r.Findings, r.Servers = slices.Clone(r.Findings), slices.Clone(r.Servers)
	for i := range r.Servers {
		r.Servers[i].Vitals = slices.Clone(h.vitals[r.Servers[i].Facts.Identity])
	}
	return r
}

// recheckAfter is how old an answer must be before somebody may ask for another one.
const recheckAfter = 5 * time.Second

// Again checks now, unless that was done in the last seconds: a button must not become a load.
func (h *Health) Again(ctx context.Context) error {
	if h.checking.TryLock() {
		h.checking.Unlock()
	} else {
		return errs.New(errs.Conflict, "A check is running; its answer comes in a moment.")
	}
	if time.Since(h.Report().At) < recheckAfter {
		return nil
	}
	return h.Check(ctx)
}

// Check asks every server and partition and judges what they say. What cannot be asked is a finding; an error means that
// nothing could be noted or read of our own.
func (h *Health) Check(ctx context.Context) error {
	h.checking.Lock()
	defer h.checking.Unlock()
	start := time.Now()
	round := h.ask(ctx)
	past, err := h.store.SpaceOn(ctx, partNames(), start.UTC().AddDate(0, 0, -aWeek))
	if err != nil {
		h.log.Warn("cannot compare sizes with last week's", "err", err)
	}
	var findings []model.Finding
	for _, s := range round.servers {
		findings = append(findings, h.judgeServer(s)...)
	}
	for _, p := range db.Partitions {
		findings = append(findings, h.judgePartition(round, string(p), past)...)
	}
	health.Order(findings)
	h.keep(round, HealthReport{At: start, Took: time.Since(start), Servers: round.list(), Findings: findings})
	return h.store.AddSpace(ctx, round.space(start.UTC()))
}

func partNames() (names []string) {
	for _, p := range db.Partitions {
		names = append(names, string(p))
	}
	return names
}

func (h *Health) judgeServer(s *asked) []model.Finding {
	if s.Down != "" {
		return health.Unreachable(strings.Join(s.Nodes, ", "), s.Down)
	}
	now, before := h.trend(s.Facts.Identity)
	out := health.JudgeServer(health.Server{ServerFacts: s.Facts, Schemas: s.schemas, ReadsNow: now, ReadsBefore: before})
	for i := range out {
		out[i].Node = strings.Join(s.Nodes, ", ")
	}
	return out
}

// judgePartition judges what stands on a partition's primary, with the scans that its replicas counted.
func (h *Health) judgePartition(r *round, part string, past []model.SpaceSample) []model.Finding {
	schema, server := r.primary(part)
	switch {
	case schema == nil && server != nil && server.Down == "":
		return []model.Finding{{Check: "schema", Title: "Schema", Node: part, Verdict: model.Unknown, Said: "What stands in it could not be read; the log says why."}}
	case schema == nil:
		return nil // its server is down, which is a finding already
	}
	p := health.Partition{Server: server.Facts, Schema: *schema, Replicas: r.replicas[part], Statements: h.statementsOf(part)}
	for _, s := range past {
		if s.Part == part {
			p.Past, p.PastDay = append(p.Past, s), s.Day
		}
	}
	return health.JudgePartition(p)
}

// statementsOf are a partition's statements of the last hour; nil when they are not watched.
func (h *Health) statementsOf(part string) []health.Statement {
	if h.statements == nil {
		return nil
	}
	hour := h.statements.Hour(part)
	if hour.From.IsZero() {
		return nil
	}
	out := []health.Statement{}
	for _, s := range hour.Statements {
		out = append(out, health.Statement{SQL: s.SQL, Calls: s.Calls, Total: s.Total})
	}
	return out
}

// trend is index blocks read a second, in the last minutes and in the hour before; -1 when they were not watched that long.
func (h *Health) trend(server string) (now, before float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.vitals[server]
	if len(all) < 2*trendMinutes {
		return -1, -1
	}
	rate := func(a, b VitalSample) float64 {
		return max(float64(b.IndexReads-a.IndexReads)/max(b.At.Sub(a.At).Seconds(), 1), 0)
	}
	middle := all[len(all)-1-trendMinutes]
	return rate(middle, all[len(all)-1]), rate(all[0], middle)
}

func (h *Health) keep(r *round, report HealthReport) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.report = report
	for _, s := range r.servers {
		h.addVitals(s.Facts)
	}
	for server := range h.vitals {
		if !slices.ContainsFunc(r.servers, func(s *asked) bool { return s.Facts.Identity == server }) {
			delete(h.vitals, server)
		}
	}
}

func (h *Health) addVitals(f model.ServerFacts) {
	if f.Identity == "" {
		return
	}
	all := append(h.vitals[f.Identity], VitalSample{f.At, f.Vitals, f.Lag})
	h.vitals[f.Identity] = all[max(len(all)-vitalsKept, 0):]
}

// takeVitals asks each server once.
func (h *Health) takeVitals(ctx context.Context) {
	r := &round{}
	for _, node := range h.store.Nodes() {
		r.askServer(ctx, h, node)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range r.servers {
		h.addVitals(s.Facts)
	}
}

// MemoryAvailable is what this machine could give to its page cache, in bytes: MemAvailable, or what is left of our
// container's limit when that is less. 0 where neither is told.
func MemoryAvailable() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	available := memAvailable(string(text))
	limit, used := numberIn("/sys/fs/cgroup/memory.max"), numberIn("/sys/fs/cgroup/memory.current")
	if limit > 0 {
		available = min(available, max(limit-used, 0))
	}
	return available
}

func memAvailable(meminfo string) int64 {
	for line := range strings.Lines(meminfo) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == "MemAvailable:" {
			kb, _ := strconv.ParseInt(f[1], 10, 64)
			return kb << 10
		}
	}
	return 0
}

// numberIn is the number in a file; 0 when there is none, as with "max".
func numberIn(name string) int64 {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
