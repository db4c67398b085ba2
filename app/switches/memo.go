package switches

import (
	"context"
	"sync"
)

// memo is what one request was answered. It holds on to the table of its first question: a flip in the midst of a request
// changes nothing for it, neither the switch nor those that it asks.
type memo struct {
	holder *Holder
	sub    Subject

	mu      sync.Mutex
	table   *table
	answers []Answer
}

type memoKey struct{}

// With gives a request's context its subject, so that IsOn and Of can be asked with the context alone. Whatever is asked twice
// is answered and counted once. What lives longer than a request, such as a stream or a worker, asks the Holder.
func With(ctx context.Context, h *Holder, sub Subject) context.Context {
	return context.WithValue(ctx, memoKey{}, &memo{holder: h, sub: sub})
}

// SubjectIn is the subject of a context, to be read only; nil when there is none.
func SubjectIn(ctx context.Context) *Subject {
	if m, ok := ctx.Value(memoKey{}).(*memo); ok {
		return &m.sub
	}
	return nil
}

// IsOn says whether a switch is on for the subject of a context. It is off where there is no subject, or no such switch.
func IsOn(ctx context.Context, key string) bool { return Of(ctx, key).On }

// Of is the whole answer for the subject of a context.
func Of(ctx context.Context, key string) Answer {
	m, ok := ctx.Value(memoKey{}).(*memo)
	if !ok || m.holder == nil {
		return Answer{Key: key, Reason: NotFound, Bucket: -1}
	}
	a, first := m.answer(key)
	if first && a.Reason != NotFound && m.holder.OnAnswer != nil {
		m.holder.OnAnswer(ctx, key, a.Variant)
	}
	return a
}

// answer looks for one given before. Requests ask few switches, so that a list is faster than a map.
func (m *memo) answer(key string) (a Answer, first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.answers {
		if m.answers[i].Key == key {
			return m.answers[i], false
		}
	}
	if m.table == nil {
		m.table = m.holder.table.Load()
	}
	a = m.holder.answer(m.table, key, &m.sub)
	m.answers = append(m.answers, a)
	return a, true
}
