package impact

import (
	"context"
	"sync"
	"testing"
	"time"

	"kibitz/app/db/dbtest"
	"kibitz/app/trace"
)

// TestRowsLately holds that many readers at once cost one statement, and that an answer is read anew when it is old.
func TestRowsLately(t *testing.T) {
	t.Parallel()
	k := newDesk(t, partly("tea", 50))
	k.now = time.Now().UTC()
	k.take([]trace.Request{k.visit(1, false, answer("tea", true))}...)
	dbtest.Budget(t, k.ctx, 1, func(ctx context.Context) {
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				if rows, err := k.RowsLately(ctx, "production", 24*time.Hour); err != nil || len(rows) != 1 {
					t.Errorf("%v, %v", rows, err)
				}
			})
		}
		wait.Wait()
	})
	k.take([]trace.Request{k.visit(2, false, answer("tea", true))}...)
	r := k.lately.of(stretch{"production", 24 * time.Hour})
	r.at = r.at.Add(-latelyFor)
	rows, err := k.RowsLately(k.ctx, "production", 24*time.Hour)
	if err != nil || rows["tea"].Variants[0].Requests != 2 {
		t.Errorf("when it is old: %+v, %v", rows["tea"], err)
	}
}
