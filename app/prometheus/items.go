package prometheus

import (
	"cmp"
	"slices"
	"sync"
)

// maxItems bounds the different ends of items that are counted apart. Categories and reasons may come from senders; further
// ones are counted with category and reason other.
const maxItems = 2000

// Item is how items of a project ended. Project 0 is for those that could not be told whose they were.
type Item struct {
	Project                   int64
	Category, Outcome, Reason string
}

// Items counts since it was made where items ended. It is safe for use by several goroutines.
type Items struct {
	mu     sync.Mutex
	counts map[Item]int64
}

// NewItems makes a counter.
func NewItems() *Items { return &Items{counts: map[Item]int64{}} }

// Add counts n items (limit maxItems; see there).
func (i *Items) Add(item Item, n int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, ok := i.counts[item]; !ok && len(i.counts) >= maxItems {
		item.Category, item.Reason = Other, Other
	}
	i.counts[item] += n
}

// Write writes what was counted. project is the label of a project.
func (i *Items) Write(t *Text, project func(int64) string) {
	type row struct {
		Item
		n int64
	}
	var rows []row
	i.mu.Lock()
	for item, n := range i.counts {
		rows = append(rows, row{item, n})
	}
	i.mu.Unlock()
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Category, b.Category), cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Reason, b.Reason))
	})
	t.Family("kibitz_items_total", Counter, "Items that arrived, by where they ended and why. Category forward is of stored requests that could not be sent on.")
	for _, r := range rows {
		t.Sample(float64(r.n), "project", project(r.Project), "category", r.Category, "outcome", r.Outcome, "reason", r.Reason)
	}
}
