package ingest

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"kibitz/app/model"
	"kibitz/app/prometheus"
)

// maxOutcomeKeys bounds the different outcomes that are counted apart between two flushes. Categories and reasons
// come from senders; further ones are counted under the reason "other".
const maxOutcomeKeys = 2000

// maxReason bounds the text of a reason or category.
const maxReason = 64

// flushEvery is how often counts go to the spool. A kill loses the counts of at most that long; it never loses
// those of stored events, which are counted where they are stored.
const flushEvery = time.Second

// Outcomes counts the items that do not become records, and sends the sums the same way that events go.
type Outcomes struct {
	spool *Spool
	ids   *model.IDs
	log   *slog.Logger
	now   func() time.Time
	stop  chan struct{}
	done  chan struct{}
	ends  *prometheus.Items

	mu     sync.Mutex
	counts map[OutcomeCount]int64 // N of the key is 0
}

// NewOutcomes makes a counter; Start runs it.
func NewOutcomes(s *Spool, ids *model.IDs, log *slog.Logger) *Outcomes {
	return &Outcomes{spool: s, ids: ids, log: log, now: time.Now, stop: make(chan struct{}), done: make(chan struct{}), ends: prometheus.NewItems(), counts: map[OutcomeCount]int64{}}
}

// Ends are the sums since the process began. Whoever stores items adds those to it that were stored.
func (o *Outcomes) Ends() *prometheus.Items { return o.ends }

// Count adds n items of a category that ended in an outcome for a reason. Project 0 counts what could not be
// told whose it was.
func (o *Outcomes) Count(project int64, category string, outcome Outcome, reason string, n int64) {
	if n <= 0 {
		return
	}
	key := OutcomeCount{Project: project, Hour: o.now().UTC().Truncate(time.Hour), Category: word(category), Outcome: outcome, Reason: word(reason)}
	o.ends.Add(prometheus.Item{Project: project, Category: key.Category, Outcome: string(outcome), Reason: key.Reason}, n)
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.counts[key]; !ok && len(o.counts) >= maxOutcomeKeys {
		key.Category, key.Reason = "other", "other"
	}
	o.counts[key] += n
}

// word keeps a name to letters, digits, dots, dashes and underscores, so that text from outside stays a name.
func word(text string) string {
	b := []byte(text[:min(len(text), maxReason)])
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '.', c == '-', c >= 'A' && c <= 'Z':
		default:
			b[i] = '_'
		}
	}
	return string(b)
}

// Pending are the counts that have not been flushed.
func (o *Outcomes) Pending() []OutcomeCount {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]OutcomeCount, 0, len(o.counts))
	for key, n := range o.counts {
		key.N = n
		out = append(out, key)
	}
	return out
}

// Start flushes every second in the background.
func (o *Outcomes) Start() {
	go func() {
		defer close(o.done)
		tick := time.NewTicker(flushEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				o.flush()
			case <-o.stop:
				o.flush()
				return
			}
		}
	}()
}

// Stop flushes once more and ends.
func (o *Outcomes) Stop() {
	close(o.stop)
	<-o.done
}

// flush moves the counts into the spool. When that fails they stay and go with the next.
func (o *Outcomes) flush() {
	list := o.Pending()
	if len(list) == 0 {
		return
	}
	payload, err := json.Marshal(list)
	if err == nil {
		err = o.spool.Append(context.Background(), Record{ID: o.ids.Next(), Kind: KindOutcomes, Received: o.now(), Payload: payload})
	}
	if err != nil {
		o.log.Warn("cannot keep outcome counts; trying again", "err", err)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range list {
		n := c.N
		c.N = 0
		if o.counts[c] -= n; o.counts[c] == 0 {
			delete(o.counts, c)
		}
	}
}
