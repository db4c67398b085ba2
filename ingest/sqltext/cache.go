package sqltext

import (
	"strings"
	"sync"
)

// Normalizer remembers the forms of statements that it has seen, by their source, so that one which comes again costs a
// look-up in a map. It is for many goroutines at once. Make it with NewNormalizer.
type Normalizer struct {
	bytes int // of one generation

	mu         sync.RWMutex
	young, old map[string]Form // what was used lately, and before that
	size       int             // bytes of young
}

// Form is a normalised statement.
type Form struct {
	Text        string
	Fingerprint uint64
}

// maxRemembered is the longest source that is remembered, in bytes (limit sqltext.maxRemembered): long ones hold
// literals and do not come again.
const maxRemembered = 16 << 10

// overhead is what an entry costs beside its texts, roughly.
const overhead = 100

// NewNormalizer makes one that uses about so many bytes.
func NewNormalizer(bytes int) *Normalizer {
	return &Normalizer{bytes: bytes / 2, young: map[string]Form{}, old: map[string]Form{}}
}

// Normalize is the function of this name, remembered.
func (n *Normalizer) Normalize(sql string) Form {
	n.mu.RLock()
	form, young := n.young[sql]
	var old bool
	if !young {
		form, old = n.old[sql]
	}
	n.mu.RUnlock()
	if young {
		return form
	}
	if !old {
		form.Text, form.Fingerprint = Normalize(sql)
	}
	if len(sql) <= maxRemembered {
		n.remember(strings.Clone(sql), form)
	}
	return form
}

// remember puts a form into the young generation. When that is full it becomes the old one, which is forgotten.
func (n *Normalizer) remember(sql string, form Form) {
	cost := len(sql) + len(form.Text) + overhead
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.size+cost > n.bytes {
		n.old, n.young, n.size = n.young, map[string]Form{}, 0
	}
	if _, ok := n.young[sql]; !ok {
		n.size += cost
	}
	n.young[sql] = form
}
