package views

import (
	"net/url"
	"strconv"
	"time"

	"kibitz/app/model"
	"kibitz/app/trace"
)

// RequestProps is one request, within its trace: the requests of all programs that the trace passed through.
type RequestProps struct {
	Project model.Project
	// Request is what its row knows. Its Spans are not looked at: Segments holds them.
	Request trace.Request
	View    RequestView
	// Segments are the requests of the trace whose spans are kept, this one among them, at most maxSegments of them.
	// None: nothing is kept of it, and the page says so.
	Segments []Segment
	// Kept is why its spans are stored, to stand behind "kept because": "it failed", "it was slower than the p99 here".
	Kept string
	// OneIn is one in how many ordinary requests keeps its spans; 0 unknown. It is said when nothing is kept.
	OneIn    float64
	Standing RequestStanding
	// Faster and Slower lead to its neighbours by duration, Before and After to those of the same user in time.
	// An empty address is none.
	Faster, Slower string
	Before, After  Neighbour
	EndpointURL    string // the endpoint's page; "" when there is none
	JSONURL        string // all of it as JSON
	Error          *LinkedError
	Findings       []RequestFinding
	Reasons        []DetectorReason
	Logs           []trace.LogLine
	MoreLogs       int // log lines beyond Logs
	Server         []ServerCall
}

// Segment is one program's request of a trace, with its spans.
type Segment struct {
	Request trace.Request
	URL     string // the page of this request; "" for the one that is shown
}

// maxSegments bounds the programs of a trace on one page: a loop of services could make any number of them.
const maxSegments = 100

// RequestStanding is where a request stands among those of its endpoint in the last hours. N is how many those are; with 0
// nothing is said.
type RequestStanding struct {
	SlowerThan    float64 // per cent of them
	Median        time.Duration
	MedianQueries int
	N             int64
}

// Neighbour is the request before or after, of the same user.
type Neighbour struct {
	URL, Name string
	Duration  time.Duration
}

// LinkedError is the issue whose event names this trace.
type LinkedError struct {
	Issue            model.Issue
	ShortID, EventID string
	More             int // events of this trace in other issues
}

// RequestFinding is what a detector found in this request.
type RequestFinding struct {
	Kind   string         // n+1, slow query ...
	Title  string         // "the same query 12 times"
	Text   string         // the sentence behind it, with advice
	Wasted time.Duration  // what mending it would save
	Spans  []trace.SpanID // the evidence
	// ShortID is the issue that it was filed in; "" when it was not.
	ShortID string
}

// DetectorReason is why a detector said nothing, with the numbers.
type DetectorReason struct{ Detector, Why string }

// RequestGoneProps is the page of a request that is not there: its days are over, or there never was one.
type RequestGoneProps struct {
	Trace string        // as it was asked for
	Days  time.Duration // how long requests are kept; 0 unknown
}

// RequestView is how the waterfall is shown: the query of the page's address.
type RequestView struct {
	Mode     string       // tree, time, queries or table
	Depth    int          // levels that are open; 0 is all
	Critical bool         // the critical path is marked
	Row      int          // the first row that is shown, from 0
	Span     trace.SpanID // whose details stand below; 0 is what was found
	Zoom     Stretch      // what the lanes show, since the beginning of the trace; the zero one is all of it
}

// requestModes are the choices of Mode, as the address has them and as people read them.
var requestModes = [][2]string{{"tree", "Tree"}, {"time", "By time"}, {"queries", "Queries only"}, {"table", "Table"}}

// ParseRequestView reads the query of a request page. What is not understood is as if it were not there.
func ParseRequestView(q url.Values) RequestView {
	v := RequestView{Mode: "tree", Critical: q.Get("critical") == "1", Depth: positive(q.Get("depth"), 1000), Row: positive(q.Get("row"), 1_000_000)}
	for _, m := range requestModes {
		if q.Get("view") == m[0] {
			v.Mode = m[0]
		}
	}
	v.Row = max(v.Row-1, 0) // people count from 1
	v.Span, _ = trace.ParseSpanID(q.Get("span"))
	if zoom, ok := parseZoom(q.Get("from"), q.Get("to")); ok {
		v.Zoom = zoom
	}
	return v
}

// positive is a number of an address, 0 when it is none, at most top.
func positive(text string, top int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0
	}
	return min(n, top)
}

// query is the view as an address has it; "" when it is the plain one.
func (v RequestView) query() string {
	q := url.Values{}
	if v.Mode != "tree" && v.Mode != "" {
		q.Set("view", v.Mode)
	}
	if v.Depth > 0 {
		q.Set("depth", strconv.Itoa(v.Depth))
	}
	if v.Critical {
		q.Set("critical", "1")
	}
	if v.Row > 0 {
		q.Set("row", strconv.Itoa(v.Row+1))
	}
	if v.Span != 0 {
		q.Set("span", v.Span.String())
	}
	if v.Zoom != (Stretch{}) {
		q.Set("from", zoomText(v.Zoom.From))
		q.Set("to", zoomText(v.Zoom.To))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// requestPath is where a request has its page. A trace of several programs has a page for each: the span tells which.
func requestPath(r *trace.Request) string {
	return "/requests/" + r.Trace.String() + "/" + r.Span.String()
}
