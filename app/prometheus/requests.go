package prometheus

import (
	"cmp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// bounds of the buckets of durations, in seconds: those that Prometheus's own clients have by default, which its dashboards
// expect.
var bounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// Other is the label of what is beyond a limit.
const Other = "other"

// Endpoint is what requests are counted by.
type Endpoint struct {
	Project               int64
	Service, Method, Name string
}

// Request is one request as it is counted.
type Request struct {
	Status   int // of HTTP; 0 when there is none
	Failed   bool
	Duration time.Duration
	Weight   float64 // how many requests it stands for; at least 1
}

// classes of statuses. The first is for requests without one.
var classes = [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

// classOf is the index of a status's class; what is no status of HTTP counts as none.
func classOf(status int) int {
	if status < 100 || status > 599 {
		return 0
	}
	return status / 100
}

// series is what an endpoint's requests sum up to. Counts are of requests that these stand for, and so not always whole.
type series struct {
	classes          [len(classes)]float64
	buckets          [12]float64 // one more than bounds
	failed, duration float64     // duration in seconds
}

func (s *series) add(r Request) {
	took := r.Duration.Seconds()
	at, _ := slices.BinarySearch(bounds, took)
	s.classes[classOf(r.Status)] += r.Weight
	s.buckets[at] += r.Weight
	s.duration += took * r.Weight
	if r.Failed {
		s.failed += r.Weight
	}
}

// Requests counts requests since it was made. It is safe for use by several goroutines.
type Requests struct {
	limit int

	mu     sync.Mutex
	series map[Endpoint]*series
	others float64 // requests that were counted under other
}

// NewRequests makes a counter of at most limit endpoints (metrics.endpoints). Requests of further ones are counted under
// other, once for each project.
func NewRequests(limit int) *Requests { return &Requests{limit: limit, series: map[Endpoint]*series{}} }

// Add counts a request.
func (r *Requests) Add(e Endpoint, q Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.series[e]
	if s == nil && len(r.series) >= r.limit {
		e = Endpoint{e.Project, Other, Other, Other}
		s = r.series[e]
		r.others += q.Weight
	}
	if s == nil {
		s = new(series)
		r.series[e] = s
	}
	s.add(q)
}

// counted is an endpoint with its sums, and its labels.
type counted struct {
	Endpoint
	series
	labels []string
}

// snapshot copies the sums, in order, so that nobody who adds waits for the writing.
func (r *Requests) snapshot(project func(int64) string) (list []counted, others float64) {
	r.mu.Lock()
	for e, s := range r.series {
		list = append(list, counted{Endpoint: e, series: *s})
	}
	others = r.others
	r.mu.Unlock()
	slices.SortFunc(list, func(a, b counted) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Method, b.Method))
	})
	for i := range list {
		c := &list[i]
		c.labels = []string{"project", project(c.Project), "service", c.Service, "method", c.Method, "endpoint", c.Name}
	}
	return list, others
}

// Write writes what was counted. project is the label of a project.
func (r *Requests) Write(t *Text, project func(int64) string) {
	list, others := r.snapshot(project)
	t.Family("kibitz_requests_total", Counter, "Requests that were stored, scaled up by what SDKs sampled, by class of status.")
	for _, c := range list {
		for i, n := range c.classes {
			if n > 0 {
				t.Sample(n, append(c.labels, "class", classes[i])...)
			}
		}
	}
	t.Family("kibitz_requests_failed_total", Counter, "Requests among them that failed.")
	for _, c := range list {
		t.Sample(c.failed, c.labels...)
	}
	t.Family("kibitz_request_duration_seconds", Histogram, "Durations of requests.")
	for _, c := range list {
		t.Buckets(bounds, c.buckets[:], c.duration, c.labels...)
	}
	t.One("kibitz_requests_beyond_limit_total", Counter, "Requests of endpoints beyond the limit metrics.endpoints, counted as other.", others)
}

// ProjectLabel is a project's label when its name is not known.
func ProjectLabel(id int64) string { return strconv.FormatInt(id, 10) }
