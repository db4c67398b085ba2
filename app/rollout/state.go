package rollout

import (
	"sync"
	"sync/atomic"
	"time"

	"kibitz/app/store"
	"kibitz/app/switches/peers"
)

// Where a process has its switches from.
const (
	FromNothing  = "nothing"
	FromFile     = "file"
	FromPeers    = "peers"
	FromDatabase = "database"
)

// state is what a board knows of its surroundings.
type state struct {
	mu      sync.Mutex
	store   *store.Store
	source  string
	savedAt time.Time // of the file, when it was read
	heard   time.Time // of a peer or the database, last
	down    time.Time // since when the database is away; zero: it is there, or there is none
	node    map[string]store.SwitchProcess
	lost    atomic.Int64 // changes whose lines of history were lost
	reread  chan struct{}
	mesh    *peers.Mesh // nil until the secret is known
	secret  []byte
	// fileSecret is what the file was written with, until the database confirms it.
	fileSecret []byte
}

// Health is what a page shows of how switches travel.
type Health struct {
	Source       string    `json:"source"`            // where this process has its switches from: nothing, file, peers, database
	SavedAt      time.Time `json:"saved_at,omitzero"` // of the file, when that is all it knows
	Heard        time.Time `json:"heard,omitzero"`    // of a peer or the database, last
	DatabaseDown time.Time `json:"database_down,omitzero"`
	Waiting      int       `json:"waiting"` // changes that are not stored yet
	Lost         int64     `json:"lost"`    // lines of history that were too many to wait for the database
	FileError    string    `json:"file_error,omitempty"`
	Address      string    `json:"address"` // that peers reach; empty when it joins nobody
}

// Health tells how this process stands.
func (b *Board) Health() Health {
	s, address := &b.state, b.address()
	s.mu.Lock()
	defer s.mu.Unlock()
	h := Health{Source: s.source, Heard: s.heard, DatabaseDown: s.down, Waiting: b.writer.Len(), Lost: s.lost.Load(), FileError: b.file.failure(), Address: address}
	if s.source == FromFile {
		h.SavedAt = s.savedAt
	}
	return h
}

func (b *Board) attached() bool {
	b.state.mu.Lock()
	defer b.state.mu.Unlock()
	return b.state.store != nil
}

// rows is the database; nil before Attach.
func (b *Board) rows() *store.Store {
	b.state.mu.Lock()
	defer b.state.mu.Unlock()
	return b.state.store
}

// database notes whether the database answered, and has everything compared with it when it is back.
func (b *Board) database(err error) {
	s := &b.state
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if s.down.IsZero() {
			s.down = b.opts.Now()
		}
		return
	}
	s.heard = b.opts.Now()
	if !s.down.IsZero() {
		s.down = time.Time{}
		select {
		case s.reread <- struct{}{}:
		default:
		}
	}
}

// heardFrom notes that switches came from somewhere; the best source stays.
func (b *Board) heardFrom(source string) {
	s := &b.state
	s.mu.Lock()
	defer s.mu.Unlock()
	if source != FromFile {
		s.heard = b.opts.Now()
	}
	if rank[source] > rank[s.source] {
		s.source = source
	}
}

var rank = map[string]int{FromNothing: 0, FromFile: 1, FromPeers: 2, FromDatabase: 3}
