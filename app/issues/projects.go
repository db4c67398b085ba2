package issues

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
)

// Platforms are the languages that a project can be of, as SDKs name them.
var Platforms = []string{"python", "javascript", "node", "go", "java", "php", "ruby", "csharp", "rust"}

// SelfProject is the slug of the project in which Kibitz reports its own exceptions.
const SelfProject = "kibitz"

var slugForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Projects knows the projects and holds their keys in memory, so that an event costs no query.
type Projects struct {
	store *store.Store
	log   *slog.Logger
	keys  atomic.Pointer[keySnapshot]
	// refreshing lets one reload run at a time; lookups that miss wait for it.
	refreshing sync.Mutex
	last       atomic.Pointer[[]model.Project] // as All read them
}

type keySnapshot struct {
	keys map[string]model.ProjectKey
	at   time.Time
}

// NewProjects makes the use case; Refresh fills the snapshot.
func NewProjects(s *store.Store, log *slog.Logger) *Projects {
	p := &Projects{store: s, log: log}
	p.keys.Store(&keySnapshot{keys: map[string]model.ProjectKey{}})
	return p
}

// missEvery bounds how often an unknown key makes us read the table again: five times a second, however many
// senders try however many keys.
const missEvery = 200 * time.Millisecond

// Key is the key with this public text. A key made a moment ago by another process is found too.
func (p *Projects) Key(ctx context.Context, public string) (model.ProjectKey, bool) {
	if k, ok := p.keys.Load().keys[public]; ok {
		return k, true
	}
	if time.Since(p.keys.Load().at) < missEvery {
		return model.ProjectKey{}, false
	}
	if err := p.Refresh(ctx); err != nil {
		p.log.Warn("cannot look for new project keys", "err", err)
	}
	k, ok := p.keys.Load().keys[public]
	return k, ok
}

// Refresh reads all keys. With the database down the keys known so far stay valid.
func (p *Projects) Refresh(ctx context.Context) error {
	asked := time.Now()
	p.refreshing.Lock()
	defer p.refreshing.Unlock()
	if p.keys.Load().at.After(asked) {
		return nil
	}
	keys, err := p.store.ProjectKeys(ctx)
	if err != nil {
		// Try again after missEvery, not with every event.
		p.keys.Store(&keySnapshot{p.keys.Load().keys, time.Now()})
		return err
	}
	next := &keySnapshot{make(map[string]model.ProjectKey, len(keys)), time.Now()}
	for _, k := range keys {
		next.keys[k.Public] = k
	}
	p.keys.Store(next)
	return nil
}

// Run refreshes the keys every few seconds until ctx ends, so that a key that was switched off by another
// process stops working.
func (p *Projects) Run(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := p.Refresh(ctx); err != nil && ctx.Err() == nil {
				p.log.Warn("cannot refresh project keys", "err", err)
			}
		}
	}
}

// All are the projects, by slug; while the database is away those that were read last, so that pages which need no more can be shown.
func (p *Projects) All(ctx context.Context) ([]model.Project, error) {
	list, err := p.store.Projects(ctx)
	if err == nil {
		kept := slices.Clone(list)
		p.last.Store(&kept)
	} else if last := p.last.Load(); last != nil && errs.Of(err) == errs.Unavailable {
		return slices.Clone(*last), nil
	}
	return list, err
}

// Find is the project with a slug; errs.NotFound when there is none.
func (p *Projects) Find(ctx context.Context, slug string) (model.Project, error) {
	all, err := p.store.Projects(ctx)
	if err != nil {
		return model.Project{}, err
	}
	for _, pr := range all {
		if pr.Slug == slug {
			return pr, nil
		}
	}
	return model.Project{}, errs.New(errs.NotFound, "There is no project %q.", slug)
}

// Add makes a project with a key. The slug is made from the name when it is empty.
func (p *Projects) Add(ctx context.Context, name, slug, platform string) (model.Project, model.ProjectKey, error) {
	name = strings.TrimSpace(name)
	if slug == "" {
		slug = Slug(name)
	}
	if !slugForm.MatchString(slug) {
		return model.Project{}, model.ProjectKey{}, errs.New(errs.Unprocessable,
			"A project needs a short name of letters a to z, digits and dashes, at most 63, beginning with a letter or digit.")
	}
	if len(name) > 200 {
		return model.Project{}, model.ProjectKey{}, errs.New(errs.Unprocessable, "That name is longer than 200 characters.")
	}
	if name == "" {
		name = slug
	}
	project, key, err := p.store.AddProject(ctx, model.Project{Slug: slug, Name: name, Platform: knownPlatform(platform)}, NewPublicKey())
	if err != nil {
		return project, key, err
	}
	return project, key, p.Refresh(ctx)
}

// Ensure is the project with a slug, made when it is not there, and its active key.
func (p *Projects) Ensure(ctx context.Context, slug, platform string) (model.Project, model.ProjectKey, error) {
	project, key, err := p.Add(ctx, slug, slug, platform)
	if errs.Of(err) != errs.Conflict {
		return project, key, err
	}
	if project, err = p.Find(ctx, slug); err != nil {
		return project, key, err
	}
	key, err = p.ActiveKey(ctx, project.ID)
	return project, key, err
}

// ActiveKey is the newest key of a project that may send; errs.NotFound when all are off.
func (p *Projects) ActiveKey(ctx context.Context, project int64) (model.ProjectKey, error) {
	if err := p.Refresh(ctx); err != nil {
		return model.ProjectKey{}, err
	}
	return p.activeKey(project)
}

func (p *Projects) activeKey(project int64) (found model.ProjectKey, err error) {
	for _, k := range p.keys.Load().keys {
		if k.ProjectID == project && k.Active && k.ID > found.ID {
			found = k
		}
	}
	if found.ID == 0 {
		return found, errs.New(errs.NotFound, "This project has no active key.")
	}
	return found, nil
}

// ActiveKeys are the newest active keys of all projects, from memory.
func (p *Projects) ActiveKeys() map[int64]model.ProjectKey {
	out := map[int64]model.ProjectKey{}
	for _, k := range p.keys.Load().keys {
		if k.Active && k.ID > out[k.ProjectID].ID {
			out[k.ProjectID] = k
		}
	}
	return out
}

// Rotate gives a project a new key and switches the old ones off.
func (p *Projects) Rotate(ctx context.Context, project int64) error {
	if err := p.store.RotateKey(ctx, project, NewPublicKey()); err != nil {
		return err
	}
	return p.Refresh(ctx)
}

// Activity is how busy each project has been since a moment, by project id.
func (p *Projects) Activity(ctx context.Context, since time.Time) (map[int64]store.ProjectActivity, error) {
	rows, err := p.store.ProjectsActivity(ctx, since)
	if err != nil {
		return nil, err
	}
	out := make(map[int64]store.ProjectActivity, len(rows))
	for _, r := range rows {
		out[r.ProjectID] = r
	}
	return out, nil
}

// Outcomes are where a project's items have ended since a moment.
func (p *Projects) Outcomes(ctx context.Context, project int64, since time.Time) ([]model.OutcomeCount, error) {
	return p.store.Outcomes(ctx, project, since)
}

// DSN is the address that SDKs send to.
func DSN(base string, k model.ProjectKey) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", errs.New(errs.Internal, "public_url is not an address")
	}
	u.User = url.User(k.Public)
	return strings.TrimSuffix(u.String(), "/") + "/" + strconv.FormatInt(k.ProjectID, 10), nil
}

// NewPublicKey is 32 random hex digits.
func NewPublicKey() string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// Slug turns a name into a slug: "Tealeaf Shop!" becomes "tealeaf-shop".
func Slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	slug := b.String()
	return strings.Trim(slug[:min(len(slug), 63)], "-")
}

func knownPlatform(p string) string {
	for _, known := range Platforms {
		if p == known {
			return p
		}
	}
	return ""
}
