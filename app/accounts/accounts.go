// Package accounts knows who may do what: people with passwords, their sessions, and tokens for scripts.
//
// Whatever lets somebody in (session token, API token, setup link) is 32 random bytes, of which the database holds
// the SHA-256 only: a stolen backup opens nothing. SHA-256 without salt is enough for them, since nobody can try
// 2^256 values; passwords, which people choose, go through argon2id.
package accounts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/mail"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
)

// Accounts is the use case.
type Accounts struct {
	store     *store.Store
	ids       *model.IDs
	log       *slog.Logger
	now       func() time.Time
	hasher    *hasher
	byAccount *limiter // failed sign-ins
	byIP      *limiter
	recall    recall
	owned     atomic.Bool // an owner has been seen; there is one for ever after
}

// Limits of signing in. A person who mistypes never meets them; a program that guesses gets six a minute.
const (
	triesPerAccount = 10
	triesPerIP      = 20
	tryEvery        = 10 * time.Second // one try grows back
	// limiterKeys bounds the memory of each limiter to about 2 MB.
	limiterKeys = 16 << 10
)

// New makes the use case.
func New(s *store.Store, ids *model.IDs, log *slog.Logger) *Accounts {
	return &Accounts{store: s, ids: ids, log: log, now: time.Now, hasher: newHasher(),
		byAccount: newLimiter(triesPerAccount, tryEvery, limiterKeys), byIP: newLimiter(triesPerIP, tryEvery, limiterKeys)}
}

// Names are the names of accounts; 0 is Kibitz itself. With the users partition down, and for accounts that are
// gone, there is a stand-in: a name is not worth failing a page for.
func (a *Accounts) Names(ctx context.Context, ids []int64) map[int64]string {
	out := map[int64]string{}
	var ask []int64
	for _, id := range ids {
		if _, known := out[id]; !known && id != 0 {
			ask = append(ask, id)
		}
		out[id] = "somebody"
	}
	if len(ask) > 0 {
		names, err := a.store.AccountNames(ctx, ask)
		if err != nil {
			a.log.Warn("cannot read names", "err", err)
		}
		for id, name := range names {
			out[id] = name
		}
	}
	if slices.Contains(ids, 0) {
		out[0] = systemName
	}
	return out
}

const systemName = "Kibitz"

// Limits of what an account is made of, in characters.
const (
	maxEmail    = 254 // RFC 5321
	maxName     = 100
	minPassword = 10
	maxPassword = 1000
)

// cleanEmail is an address as we keep it, or errs.Unprocessable.
func cleanEmail(text string) (string, error) {
	text = strings.TrimSpace(text)
	wrong := errs.New(errs.Unprocessable, "That is not an email address. It looks like name@example.org.")
	if len(text) > maxEmail || !plainText(text) {
		return "", wrong
	}
	// ParseAddress takes "Name <a@b>" too; that is not what a form means.
	if parsed, err := mail.ParseAddress(text); err != nil || parsed.Address != text {
		return "", wrong
	}
	return text, nil
}

func cleanName(text string) (string, error) {
	text = strings.TrimSpace(text)
	if utf8.RuneCountInString(text) > maxName || !plainText(text) {
		return "", errs.New(errs.Unprocessable, "A name has at most %d characters, on one line.", maxName)
	}
	return text, nil
}

// plainText is text on one line that PostgreSQL can hold: no NUL, no broken UTF-8.
func plainText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// checkPassword says what is wrong with a new password. There are no rules of composition: length is what counts.
func checkPassword(password, email string) error {
	switch n := utf8.RuneCountInString(password); {
	case n < minPassword:
		return errs.New(errs.Unprocessable, "The password has %d characters; it needs at least %d. Four random words are a good one.", n, minPassword)
	case n > maxPassword:
		return errs.New(errs.Unprocessable, "The password has %d characters; at most %d are allowed.", n, maxPassword)
	case !utf8.ValidString(password):
		return errs.New(errs.Unprocessable, "The password is not valid UTF-8 text.")
	case strings.EqualFold(password, email):
		return errs.New(errs.Unprocessable, "The password is the email address; that is the first thing that others try.")
	case len(strings.Trim(password, password[:1])) == 0:
		return errs.New(errs.Unprocessable, "The password is one character over and over; that is among the first things that others try.")
	}
	return nil
}

// secretBytes is the length of everything random that lets somebody in.
const secretBytes = 32

// newSecret is a random text of 43 characters.
func newSecret() string {
	b := make([]byte, secretBytes)
	rand.Read(b) // never fails: it ends the process rather than give weak bytes
	return base64.RawURLEncoding.EncodeToString(b)
}

// secretHash is what the database holds of a secret.
func secretHash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// secretForm tells whether a text can be one of newSecret at all, so that nonsense costs no query.
func secretForm(text string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(b) == secretBytes
}

// clip cuts outside text for a column: n bytes, one line, valid UTF-8.
func clip(text string, n int) string {
	text = strings.ToValidUTF8(text[:min(len(text), n)], "")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}
