package impact

import (
	"context"
	"sync"
	"time"
)

// latelyFor is how long sums are shown again before they are read anew: adding up a day of a hundred switches takes some 80 ms, and
// all who look at the list ask for the same.
const latelyFor = 5 * time.Second

// lately keeps what Rows gave last, by environment and stretch of time.
type lately struct {
	mu  sync.Mutex
	all map[stretch]*recent
}

type stretch struct {
	env   string
	since time.Duration
}

// recent is one answer of Rows. Its lock is held while it is read, so that those who come at once wait for one reading.
type recent struct {
	mu   sync.Mutex
	at   time.Time
	rows map[string]SwitchImpact
}

// RowsLately is Rows as it was at most five seconds ago. The answer is shared: nobody may change it.
func (i *Impact) RowsLately(ctx context.Context, env string, since time.Duration) (map[string]SwitchImpact, error) {
	r := i.lately.of(stretch{env, since})
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rows != nil && time.Since(r.at) < latelyFor {
		return r.rows, nil
	}
	rows, err := i.Rows(ctx, env, since)
	if err != nil {
		return nil, err
	}
	r.at, r.rows = time.Now(), rows
	return rows, nil
}

// of is the place of a stretch; there are as many as environments, for the list asks for one length.
func (l *lately) of(s stretch) *recent {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[stretch]*recent{}
	}
	if l.all[s] == nil {
		l.all[s] = &recent{}
	}
	return l.all[s]
}
