// Package flags exchanges changes of feature flags with others: it takes what providers tell of theirs, in Sentry's forms, and
// tells others of ours.
package flags

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/app/switches/flaghook"
)

// Flags is the use case.
type Flags struct {
	store *store.Store
	ids   *model.IDs
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	secrets []model.FlagSecret
	read    time.Time
}

// Limits.
const (
	// secretsEvery is how long secrets are remembered: strangers who send messages cost no query each.
	secretsEvery = 2 * time.Second
	// MaxPage is how many changes are told at once.
	MaxPage = 100
	// ours is the provider of our own changes.
	ours = "kibitz"
	// streamKey is the row of the key that addresses of streams are signed with.
	streamKey = "#streams"
	// SecretShown is how much of a secret is shown once it was made.
	SecretShown = 6
)

// New makes the use case.
func New(s *store.Store, ids *model.IDs, log *slog.Logger) *Flags {
	return &Flags{store: s, ids: ids, log: log, now: time.Now}
}

// ProviderOf is the provider of a name; errs.NotFound with those there are when there is none.
func ProviderOf(name string) (flaghook.Provider, error) {
	p := flaghook.Provider(name)
	if slices.Contains(flaghook.Providers, p) {
		return p, nil
	}
	var names []string
	for _, p := range flaghook.Providers {
		names = append(names, string(p))
	}
	return "", errs.New(errs.NotFound, "There is no provider %q. There are %s; whoever is not among them sends the generic form.", clip(name), strings.Join(names, ", "))
}

func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

// NewSecret makes the secret of a provider, in place of the one before; it is nowhere else to be read after this.
func (f *Flags) NewSecret(ctx context.Context, provider string) (string, error) {
	p, err := ProviderOf(provider)
	if err != nil {
		return "", err
	}
	text := randomText()
	if err := f.store.SetFlagSecret(ctx, string(p), text); err != nil {
		return "", err
	}
	f.forget()
	f.log.Info("made a secret for changes of flags", "provider", p)
	return text, nil
}

// UseSecret takes a secret that the provider has made itself.
func (f *Flags) UseSecret(ctx context.Context, provider, secret string) error {
	p, err := ProviderOf(provider)
	if err != nil {
		return err
	}
	if secret = strings.TrimSpace(secret); len(secret) < 16 || len(secret) > 256 {
		return errs.New(errs.Unprocessable, "A secret has 16 to 256 characters.")
	}
	if err := f.store.SetFlagSecret(ctx, string(p), secret); err != nil {
		return err
	}
	f.forget()
	return nil
}

// RemoveSecret ends a provider's secret: its messages are refused from then on. errs.NotFound when it has none.
func (f *Flags) RemoveSecret(ctx context.Context, provider string) error {
	p, err := ProviderOf(provider)
	if err != nil {
		return err
	}
	removed, err := f.store.RemoveFlagSecret(ctx, string(p))
	if err != nil {
		return err
	}
	if !removed {
		return errs.New(errs.NotFound, "%s has no secret.", p)
	}
	f.forget()
	return nil
}

// Secrets are the providers that have one, of which the beginning is told.
func (f *Flags) Secrets(ctx context.Context) ([]model.FlagSecret, error) {
	list, err := f.store.FlagSecrets(ctx)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(s model.FlagSecret) bool { return s.Provider == streamKey })
	for i := range list {
		list[i].Secret = list[i].Secret[:min(SecretShown, len(list[i].Secret))]
	}
	return list, nil
}

// StreamKey is the key of addresses of streams, the same in all processes of a database.
func (f *Flags) StreamKey(ctx context.Context) ([]byte, error) {
	text, err := f.store.KeepFlagSecret(ctx, streamKey, randomText())
	return []byte(text), err
}

// randomText is 32 random bytes as text.
func randomText() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (f *Flags) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read = time.Time{}
}

// secretsOf are the secrets of a provider, read anew every secretsEvery; what was read last stands while the database is away.
func (f *Flags) secretsOf(ctx context.Context, p flaghook.Provider) (out []string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.now(); now.Sub(f.read) >= secretsEvery {
		list, err := f.store.FlagSecrets(ctx)
		if err != nil && f.read.IsZero() {
			return nil, err
		}
		if err == nil {
			f.secrets, f.read = list, now
		}
	}
	for _, s := range f.secrets {
		if s.Provider == string(p) {
			out = append(out, s.Secret)
		}
	}
	return out, nil
}

// Taken is what became of a message.
type Taken struct {
	Changes int   // in the message
	New     int64 // that were not told before
}

// Take reads a message of a provider and stores its changes. errs.Unauthorized when its signature does not fit, errs.Invalid
// when it cannot be read: then nothing of it is taken.
func (f *Flags) Take(ctx context.Context, provider string, h flaghook.Headers, body []byte) (Taken, error) {
	p, err := ProviderOf(provider)
	if err != nil {
		return Taken{}, err
	}
	secrets, err := f.secretsOf(ctx, p)
	if err != nil {
		return Taken{}, err
	}
	if !flaghook.Signed(p, secrets, h, body) {
		return Taken{}, errs.New(errs.Unauthorized, "The signature does not fit. `kibitz switch webhook add %s` makes the secret to sign with.", p)
	}
	items, err := flaghook.Parse(p, body)
	if err != nil || len(items) == 0 {
		return Taken{}, err
	}
	list := make([]model.FlagChange, 0, len(items))
	for _, i := range items {
		list = append(list, model.FlagChange{ID: f.ids.Next(), Provider: provider, ChangeID: i.ID, Flag: i.Flag, Action: string(i.Action),
			By: i.By, ByType: string(i.ByType), At: i.At})
	}
	fresh, err := f.store.AddFlagChanges(ctx, list)
	if err != nil {
		return Taken{}, err
	}
	f.log.Info("took changes of flags", "provider", p, "changes", len(list), "new", fresh)
	return Taken{len(list), fresh}, nil
}

// Foreign are changes that others told of, newest first: marks on charts.
func (f *Flags) Foreign(ctx context.Context, q model.FlagQuery) ([]model.FlagChange, error) {
	if q.Limit <= 0 || q.Limit > MaxPage {
		q.Limit = MaxPage
	}
	return f.store.FlagChanges(ctx, q)
}
