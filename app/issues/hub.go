package issues

import (
	"sync"

	"kibitz/app/store"
)

// Hub tells watchers in this process that issues got events. Nobody waits for a slow watcher: each holds at
// most one pending notice, which says "look again" and nothing more.
type Hub struct {
	mu      sync.Mutex
	waiting map[int64]map[chan struct{}]struct{} // by project
}

// NewHub makes a hub without watchers.
func NewHub() *Hub { return &Hub{waiting: map[int64]map[chan struct{}]struct{}{}} }

// Watch is a channel that is notified after each commit that stored events of a project, and the function
// that ends the watch.
func (h *Hub) Watch(project int64) (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting[project] == nil {
		h.waiting[project] = map[chan struct{}]struct{}{}
	}
	h.waiting[project][ch] = struct{}{}
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.waiting[project], ch)
		if len(h.waiting[project]) == 0 {
			delete(h.waiting, project)
		}
	}
}

// Publish notifies those who watch the projects of a stored batch.
func (h *Hub) Publish(d store.Digested) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ref := range d.Touched {
		for ch := range h.waiting[ref.ProjectID] {
			select {
			case ch <- struct{}{}:
			default:
			}
		}
	}
}
