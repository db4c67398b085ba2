package switches

import (
	"context"
	"slices"
)

// AnswersIn are the answers that the request of a context has been given so far, in the order in which it asked: what an event or a
// trace of it says about switches. Nil where there are none.
func AnswersIn(ctx context.Context) []Answer {
	m, ok := ctx.Value(memoKey{}).(*memo)
	if !ok {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.answers), func(a Answer) bool { return a.Reason == NotFound })
}
