package trace

import (
	"testing"
	"time"
)

func TestJoin(t *testing.T) {
	t.Parallel()
	at := time.Unix(1000, 0)
	front := &Request{Span: 1, Service: "front", Start: at, Spans: []Span{{ID: 11, Parent: 1}}}
	back := &Request{Span: 2, Parent: 11, Service: "back", Start: at.Add(time.Second)}
	loose := &Request{Service: "back", Start: at.Add(2 * time.Second), Spans: []Span{
		{ID: 21, Parent: 2, Start: 5},
		{ID: 22, Parent: 21},
		{ID: 23, Parent: 99},                       // of a parent that nobody knows: the only request of its service takes it
		{ID: 24, Parent: 25}, {ID: 25, Parent: 24}, // each other's parent
		{ID: 12, Parent: 11}, {ID: 11, Parent: 1}, // the second is there already
	}}
	if left := Join([]*Request{front, back}, loose); len(left) != 0 {
		t.Errorf("left over: %+v", left)
	}
	if len(front.Spans) != 2 || front.Spans[1].ID != 12 || len(back.Spans) != 5 {
		t.Fatalf("%+v\n%+v", front.Spans, back.Spans)
	}
	if got := back.Spans[0].Start; got != time.Second+5 {
		t.Errorf("a span at 5 ns of what began a second later is at %v of its request", got)
	}
	other := &Request{Service: "worker", Spans: []Span{{ID: 31, Parent: 98}}}
	if left := Join([]*Request{front, back}, other); len(left) != 1 || left[0].ID != 31 {
		t.Errorf("a span of nobody is left as %+v", left)
	}
}
