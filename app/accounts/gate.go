package accounts

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kibitz/app/errs"
	"kibitz/app/store"
)

// Grant is what a token of switches lets its bearer do.
type Grant struct {
	ID      int64
	Scopes  []string
	Expires time.Time // zero: never
}

// Has tells whether a grant holds a scope.
func (g Grant) Has(scope string) bool { return slices.Contains(g.Scopes, scope) }

// Gate answers from memory what a token may do with switches: programs ask so often that no query may stand between. It
// knows every living token with a scope of switches, and reads them anew every gateEvery, so that a revoked one is refused
// within that time. While the database is away what was read last stands: a switch never waits.
type Gate struct {
	store *store.Store
	log   *slog.Logger
	now   func() time.Time
	known atomic.Pointer[gateList]
	used  sync.Map   // id of a token that was used since its use was last noted -> struct{}
	read  sync.Mutex // one reads at a time
	begun time.Time  // when the last one began

	file    string // what is known is kept there; "" nowhere
	written []byte // what the file holds
}

// gateList is all that a gate knows; it is never changed.
type gateList struct {
	tokens map[[sha256.Size]byte]gateToken
	ends   map[int64]time.Time // by id; zero: never
}

func newGateList(n int) *gateList {
	return &gateList{make(map[[sha256.Size]byte]gateToken, n), make(map[int64]time.Time, n)}
}

func (l *gateList) add(hash [sha256.Size]byte, t gateToken) {
	l.tokens[hash], l.ends[t.ID] = t, t.Expires
}

type gateToken struct {
	Grant
	noted time.Time // last use that the database knows
}

// Limits of a gate.
const (
	// gateEvery is how long a revoked token may go on.
	gateEvery = 2 * time.Second
	// gateApart is how far apart reads are that unknown tokens ask for; who brings one waits so long at the most.
	gateApart = 200 * time.Millisecond
	// gateTime is how long a read may take: those who bring unknown tokens wait for it.
	gateTime = 3 * time.Second
)

// NewGate makes a gate that has read nothing yet. Without a store it knows what it remembers, and no more.
func NewGate(s *store.Store, log *slog.Logger) *Gate {
	return &Gate{store: s, log: log, now: time.Now}
}

// Run reads the tokens until ctx ends.
func (g *Gate) Run(ctx context.Context) {
	tick := time.NewTicker(gateEvery)
	defer tick.Stop()
	for {
		g.read.Lock()
		err := g.refresh(ctx)
		g.read.Unlock()
		if err != nil && ctx.Err() == nil {
			g.log.Warn("cannot read the tokens of switches; those read before stand", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// refresh reads all tokens and notes which were used; the caller holds g.read.
func (g *Gate) refresh(ctx context.Context) error {
	begun := g.now()
	if g.store == nil {
		g.begun = begun
		return errs.New(errs.Unavailable, "Tokens cannot be read while the database is away.")
	}
	ctx, cancel := context.WithTimeout(ctx, gateTime)
	defer cancel()
	list, err := g.store.LivingTokens(ctx, []string{"switch:read", "switch:evaluate", "switch:write"}, begun)
	if err != nil {
		return err
	}
	next := newGateList(len(list))
	for _, t := range list {
		if len(t.Hash) != sha256.Size {
			continue
		}
		if t.AccountID != 0 {
			has := ScopesOf(t.Role)
			t.Scopes = slices.DeleteFunc(t.Scopes, func(s string) bool { return !slices.Contains(has, s) })
		}
		next.add([sha256.Size]byte(t.Hash), gateToken{Grant{t.ID, t.Scopes, t.Expires}, t.LastUsed})
	}
	g.known.Store(next)
	g.begun = begun
	g.keep(next)
	return g.noteUses(ctx, next, begun)
}

// noteUses writes down who was used, a minute apart at the least.
func (g *Gate) noteUses(ctx context.Context, list *gateList, now time.Time) error {
	var ids []int64
	before := now.Add(-touchEvery)
	for _, t := range list.tokens {
		if _, used := g.used.Load(t.ID); used && !t.noted.After(before) {
			g.used.Delete(t.ID)
			ids = append(ids, t.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return g.store.TouchTokens(ctx, ids, now, before)
}

// Grant is what the token with a text may do; errs.Unauthorized when there is no such token, and the database's error when
// nothing could ever be read. A token that is not known yet, since it was made a moment ago, costs one read.
func (g *Gate) Grant(ctx context.Context, text string) (Grant, error) {
	if !tokenForm(text) {
		return Grant{}, errUnknownToken()
	}
	hash := sha256.Sum256([]byte(text))
	now := g.now()
	if list := g.known.Load(); list != nil {
		if t, ok := list.tokens[hash]; ok {
			return g.admit(t, now)
		}
	}
	if err := g.readSince(ctx, now); err != nil {
		return Grant{}, err
	}
	if t, ok := g.known.Load().tokens[hash]; ok {
		return g.admit(t, now)
	}
	return Grant{}, errUnknownToken()
}

// errUnknownToken says no more to those who guess.
func errUnknownToken() error {
	return errs.New(errs.Unauthorized, "This token is unknown, expired or revoked.")
}

// Living tells whether a token is neither revoked nor expired, by its id: for connections that were let in earlier.
func (g *Gate) Living(id int64) bool {
	list := g.known.Load()
	if list == nil {
		return false
	}
	end, ok := list.ends[id]
	return ok && (end.IsZero() || end.After(g.now()))
}

func (g *Gate) admit(t gateToken, now time.Time) (Grant, error) {
	if !t.Expires.IsZero() && !t.Expires.After(now) {
		return Grant{}, errUnknownToken()
	}
	if _, noted := g.used.Load(t.ID); !noted {
		g.used.Store(t.ID, struct{}{})
	}
	return t.Grant, nil
}

// readSince makes sure that the tokens were read after a moment. Strangers who try tokens share the reads, which are
// gateApart apart.
func (g *Gate) readSince(ctx context.Context, moment time.Time) error {
	g.read.Lock()
	defer g.read.Unlock()
	if g.begun.After(moment) && g.known.Load() != nil {
		return nil
	}
	if wait := gateApart - g.now().Sub(g.begun); wait > 0 && wait <= gateApart {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
	}
	err := g.refresh(ctx)
	if g.known.Load() != nil {
		return nil // what is known stands
	}
	return err
}

// TokenOf is the token that the headers of a program carry: Authorization with Bearer or, as Unleash's clients send it,
// alone, else X-API-Key.
func TokenOf(authorization, apiKey string) string {
	text := strings.TrimSpace(authorization)
	if scheme, rest, ok := strings.Cut(text, " "); ok {
		if !strings.EqualFold(scheme, "bearer") {
			return strings.TrimSpace(apiKey)
		}
		text = strings.TrimSpace(rest)
	}
	if text == "" {
		return strings.TrimSpace(apiKey)
	}
	return text
}
