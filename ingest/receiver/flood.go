package receiver

import (
	"sync"
	"time"
)

// securityPerMinute is how many browser reports a project takes in a minute: one page with a broken policy sends one for
// every visitor and every violation.
const securityPerMinute = 600

// flood counts what each project sends within the running minute.
type flood struct {
	mu     sync.Mutex
	minute int64
	n      map[int64]int
}

// admit says whether a project may send one more. Only projects with a valid key are counted, so the map stays small.
func (f *flood) admit(project int64, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m := now.Unix() / 60; m != f.minute || f.n == nil {
		f.minute, f.n = m, map[int64]int{}
	}
	f.n[project]++
	return f.n[project] <= securityPerMinute
}
