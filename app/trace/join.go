package trace

// maxClimb bounds how far a span's ancestors are followed: no program nests deeper, and cycles end.
const maxClimb = 1000

// Join gives loose spans of a trace to the requests of that trace below which they happened: to the one that an ancestor of
// theirs leads to, or else to the only request of their service. It tells which are left. A span that its request
// has already is dropped.
func Join(requests []*Request, loose *Request) (left []Span) {
	home := map[SpanID]*Request{} // of every span of the requests
	for _, q := range requests {
		home[q.Span] = q
		for i := range q.Spans {
			home[q.Spans[i].ID] = q
		}
	}
	parents := make(map[SpanID]SpanID, len(loose.Spans))
	for i := range loose.Spans {
		parents[loose.Spans[i].ID] = loose.Spans[i].Parent
	}
	only := onlyOf(requests, loose.Service)
	for i := range loose.Spans {
		s := loose.Spans[i]
		q := home[climb(parents, s.ID)]
		if q == nil {
			q = only
		}
		switch {
		case q == nil:
			left = append(left, s)
		case home[s.ID] == nil:
			s.Start += loose.Start.Sub(q.Start)
			q.Spans = append(q.Spans, s)
		}
	}
	return left
}

// climb is the topmost ancestor that is named, whether it is among the spans or not.
func climb(parents map[SpanID]SpanID, id SpanID) SpanID {
	for range maxClimb {
		parent, ok := parents[id]
		if !ok {
			return id
		}
		id = parent
	}
	return 0
}

func onlyOf(requests []*Request, service string) (only *Request) {
	for _, q := range requests {
		if q.Service != service {
			continue
		}
		if only != nil {
			return nil
		}
		only = q
	}
	return only
}
