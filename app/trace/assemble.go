package trace

import "time"

// Loose is a span that came by itself, in a message of spans of many requests.
type Loose struct {
	Trace   ID
	Start   time.Time // by the sender's clock, UTC
	Span    Span      // its Start means nothing
	Service string
	// Root is set when the span is a request, which then has all but Spans. Span is not read of it.
	Root *Request
	// Platform, User, Switches and Keep are for the request to which the span belongs.
	Platform string
	User     string
	Switches []Switch
	Keep     bool
}

// id and parent are those of the span, whether it is a request or not.
func (l *Loose) id() SpanID {
	if l.Root != nil {
		return l.Root.Span
	}
	return l.Span.ID
}

type spanKey struct {
	trace ID
	span  SpanID
}

// partKey is what spans without their request are put together by.
type partKey struct {
	trace   ID
	service string
}

// The states of an owner that is not known.
const (
	ownerUnknown = -1 // not looked for yet
	ownerNone    = -2
	ownerSought  = -3 // on the way that is being followed: to meet it again is a circle
	ownerTwice   = -4 // came before
)

// Assemble puts spans below the requests that they happened in: each below the nearest request among its ancestors. Those whose
// request is not among them become one partial request for each trace and service. It is linear in the number of spans, and
// whatever they name as parents. twice counts spans that came more than once; the first is taken.
func Assemble(loose []Loose) (requests []Request, twice int) {
	a := assembly{loose: loose, at: make(map[spanKey]int32, len(loose)), owner: make([]int32, len(loose)), partial: map[partKey]int32{}}
	twice = a.index()
	for i := range loose {
		a.settle(int32(i))
	}
	return a.requests(), twice
}

type assembly struct {
	loose   []Loose
	at      map[spanKey]int32
	owner   []int32 // index of the span that is the request
	path    []int32
	partial map[partKey]int32 // index among the results
}

// index finds spans by their ids. Those that came before are left out.
func (a *assembly) index() (twice int) {
	for i := range a.loose {
		l := &a.loose[i]
		key := spanKey{l.Trace, l.id()}
		a.owner[i] = ownerUnknown
		if _, had := a.at[key]; had && key.span != 0 {
			a.owner[i] = ownerTwice
			twice++
			continue
		}
		a.at[key] = int32(i)
	}
	return twice
}

// settle finds the owner of a span and of all that were met on the way to it.
func (a *assembly) settle(i int32) {
	a.path = a.path[:0]
	owner := int32(ownerNone)
	for {
		if a.owner[i] != ownerUnknown {
			owner = a.owner[i]
			break
		}
		if a.loose[i].Root != nil {
			a.owner[i], owner = i, i
			break
		}
		a.owner[i] = ownerSought
		a.path = append(a.path, i)
		parent, ok := a.at[spanKey{a.loose[i].Trace, a.loose[i].Span.Parent}]
		if !ok || a.loose[i].Span.Parent == 0 {
			break
		}
		i = parent
	}
	if owner == ownerSought {
		owner = ownerNone
	}
	for _, j := range a.path {
		a.owner[j] = owner
	}
}

// requests makes the requests in the order in which they came, then the partial ones.
func (a *assembly) requests() []Request {
	counts := make([]int32, len(a.loose))
	for _, owner := range a.owner {
		if owner >= 0 {
			counts[owner]++ // of a request, itself is one too many
		}
	}
	var out []Request
	for i := range a.loose {
		if a.owner[i] == int32(i) {
			q := *a.loose[i].Root
			if counts[i] > 1 {
				q.Spans = make([]Span, 0, counts[i]-1)
			}
			counts[i] = int32(len(out)) // from here on, its place
			out = append(out, q)
		}
	}
	out = a.parts(out)
	for i := range a.loose {
		switch l, owner := &a.loose[i], a.owner[i]; {
		case owner == ownerNone:
			out[a.partial[partKey{l.Trace, l.Service}]].adopt(l)
		case owner >= 0 && owner != int32(i):
			out[counts[owner]].adopt(l)
		}
	}
	return out
}

// parts adds the partial requests, which begin with the earliest of their spans.
func (a *assembly) parts(out []Request) []Request {
	for i := range a.loose {
		if a.owner[i] != ownerNone {
			continue
		}
		l := &a.loose[i]
		key := partKey{l.Trace, l.Service}
		at, ok := a.partial[key]
		if !ok {
			at = int32(len(out))
			a.partial[key] = at
			out = append(out, Request{Trace: l.Trace, Service: l.Service, Platform: l.Platform, Start: l.Start, Weight: 1, Partial: true})
		}
		if l.Start.Before(out[at].Start) {
			out[at].Start = l.Start
		}
	}
	return out
}

// adopt takes a span below the request.
func (q *Request) adopt(l *Loose) {
	s := l.Span
	s.Start = l.Start.Sub(q.Start)
	q.Spans = append(q.Spans, s)
	q.Keep = q.Keep || l.Keep
	if q.User == "" {
		q.User = l.User
	}
	q.AddSwitches(l.Switches)
}

// AddSwitches adds the answers of switches that are not there yet.
func (q *Request) AddSwitches(list []Switch) {
	for _, s := range list {
		known := len(q.Switches) >= MaxSwitches
		for _, had := range q.Switches {
			known = known || had.Key == s.Key
		}
		if !known {
			q.Switches = append(q.Switches, s)
		}
	}
}
