package accounts

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"kibitz/app/errs"
	"kibitz/app/model"
)

const (
	// maxRecalled bounds the sessions that are remembered to some 5 MB.
	maxRecalled = 10_000
	// recallAfter is how long a database that does not answer is waited for when the session is remembered.
	recallAfter = time.Second
)

// recall is the sessions that this process read from the database. It lets those go on whose database is away, since an outage is
// when a switch must be turned off: one that was ended elsewhere meanwhile goes on until the database is back.
type recall struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]model.Session
}

func (r *recall) put(hash []byte, s model.Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[[sha256.Size]byte]model.Session{}
	}
	if key := [sha256.Size]byte(hash); len(r.all) >= maxRecalled {
		for other := range r.all {
			if other != key {
				delete(r.all, other)
				break
			}
		}
	}
	r.all[[sha256.Size]byte(hash)] = s
}

func (r *recall) forget(hash []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, [sha256.Size]byte(hash))
}

// get is a session that is remembered and still lives.
func (r *recall) get(hash []byte, now time.Time) (model.Session, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.all[[sha256.Size]byte(hash)]
	return s, ok && now.Before(s.Expires) && now.Sub(s.LastSeen) < SessionIdle
}

// readSession is the session of a hash by the database, and by memory when that is away.
func (a *Accounts) readSession(ctx context.Context, hash []byte, now time.Time) (s model.Session, recalled bool, err error) {
	known, ok := a.recall.get(hash, now)
	if !ok {
		s, err = a.store.Session(ctx, hash, now)
	} else {
		soon, cancel := context.WithTimeout(ctx, recallAfter)
		defer cancel()
		s, err = a.store.Session(soon, hash, now)
		if away := errs.Of(err) == errs.Unavailable || errors.Is(err, context.DeadlineExceeded); away && ctx.Err() == nil {
			return known, true, nil
		}
	}
	switch {
	case err == nil:
		a.recall.put(hash, s)
	case errs.Of(err) == errs.NotFound:
		a.recall.forget(hash)
	}
	return s, false, err
}
