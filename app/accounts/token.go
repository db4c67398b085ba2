package accounts

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"regexp"
	"slices"
	"strings"
	"time"

	"kibitz/app/errs"
	"kibitz/app/model"
)

// Scope is something that a token may do.
type Scope struct{ Name, Help string }

// Scopes are all that there are, named as Sentry names them where it has them.
var Scopes = []Scope{
	{"org:read", "read the organization"},
	{"project:read", "list projects and read their settings"},
	{"project:write", "change projects and their keys"},
	{"event:read", "read issues and events"},
	{"event:write", "resolve, archive and merge issues"},
	{"metrics:read", "read /metrics"},
	{"switch:read", "read feature switches"},
	{"switch:evaluate", "ask what switches answer, without reading their rules: for pages, whose visitors can see the token"},
	{"switch:write", "flip feature switches"},
}

func scopeNames(all []Scope) []string {
	names := make([]string, 0, len(all))
	for _, s := range all {
		names = append(names, s.Name)
	}
	return names
}

// ScopesOf are the scopes that a role may have: owners and admins all, moderators and members what reads and what
// triages issues, viewers what reads.
func ScopesOf(role model.Role) []string {
	all := scopeNames(Scopes)
	switch role {
	case model.Owner, model.Admin:
		return all
	case model.Moderator, model.Member:
		return slices.DeleteFunc(all, func(s string) bool { return s == "project:write" || s == "switch:write" })
	case model.Viewer:
		return slices.DeleteFunc(all, func(s string) bool { return !strings.HasSuffix(s, ":read") && s != "switch:evaluate" })
	}
	return nil
}

// Limits of tokens.
const (
	maxTokens    = 100 // of an account, and of the installation
	maxTokenLife = 10 * 365 * 24 * time.Hour
	tokenPrefix  = "kbz_"
	// prefixShown is how much of a token is kept to recognise it by: 24 of its 256 bits.
	prefixShown = len(tokenPrefix) + 4
)

// AddToken makes a token of an account and gives its text, which is nowhere else after this. expires 0 is never.
func (a *Accounts) AddToken(ctx context.Context, account model.Account, name string, scopes []string, expires time.Duration) (text string, err error) {
	return a.addToken(ctx, account.ID, ScopesOf(account.Role), name, scopes, expires)
}

// AddSystemToken makes a token that belongs to the installation rather than to a person, for the command line.
func (a *Accounts) AddSystemToken(ctx context.Context, name string, scopes []string, expires time.Duration) (text string, err error) {
	return a.addToken(ctx, 0, scopeNames(Scopes), name, scopes, expires)
}

func (a *Accounts) addToken(ctx context.Context, account int64, allowed []string, name string, scopes []string, expires time.Duration) (string, error) {
	name, err := cleanName(name)
	if err != nil {
		return "", err
	}
	if name == "" {
		return "", errs.New(errs.Unprocessable, "Give the token a name, so that you know later what it is for.")
	}
	if scopes, err = cleanScopes(scopes, allowed); err != nil {
		return "", err
	}
	if expires < 0 || expires > maxTokenLife {
		return "", errs.New(errs.Unprocessable, "A token lives for ten years at most, or for ever.")
	}
	text, now := newTokenText(), a.now()
	t := model.APIToken{ID: a.ids.Next(), AccountID: account, Name: name, Prefix: text[:prefixShown], Scopes: scopes, CreatedAt: now}
	if expires > 0 {
		t.Expires = now.Add(expires)
	}
	if err := a.store.AddToken(ctx, t, secretHash(text), maxTokens); err != nil {
		return "", err
	}
	a.log.Info("made a token", "token", t.ID, "account", account, "scopes", scopes)
	return text, nil
}

// cleanScopes are scopes in our order, once each; all must be among the allowed.
func cleanScopes(scopes, allowed []string) ([]string, error) {
	var out, env []string
	for _, s := range scopes {
		s = strings.TrimSpace(s)
		if isEnvironment(s) {
			env = append(env, s)
			continue
		}
		if !slices.Contains(allowed, s) {
			return nil, errs.New(errs.Unprocessable, "There is no scope %q for this token. The scopes are %s.", clip(s, 40), strings.Join(allowed, ", "))
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, errs.New(errs.Unprocessable, "Choose at least one scope. The scopes are %s.", strings.Join(allowed, ", "))
	}
	slices.SortFunc(out, func(a, b string) int { return slices.Index(allowed, a) - slices.Index(allowed, b) })
	if len(env) > 1 {
		return nil, errs.New(errs.Unprocessable, "A token is for one environment, or for all of them.")
	}
	return append(slices.Compact(out), env...), nil
}

// environmentScope stands before the environment that a token is for. It is no right but a bound: it is kept when rights are taken
// away.
const environmentScope = "env:"

var environmentForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

func isEnvironment(scope string) bool {
	env, ok := strings.CutPrefix(scope, environmentScope)
	return ok && environmentForm.MatchString(env)
}

// EnvironmentScope is what is put beside the scopes of a token that is for one environment of switches only.
func EnvironmentScope(env string) string { return environmentScope + env }

// EnvironmentOf is the environment of switches that a token is for; "" any.
func EnvironmentOf(t model.APIToken) string {
	for _, s := range t.Scopes {
		if isEnvironment(s) {
			return strings.TrimPrefix(s, environmentScope)
		}
	}
	return ""
}

// newTokenText is kbz_, 32 random bytes and the CRC-32 of all that, so that a scanner for leaked secrets, and we
// without a query, can tell a token from a typing error.
func newTokenText() string {
	text := tokenPrefix + newSecret()
	return text + tokenSum(text)
}

func tokenSum(text string) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(text)))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func tokenForm(text string) bool {
	const sum = 6 // characters of four bytes
	body, ok := strings.CutPrefix(text, tokenPrefix)
	if !ok || len(body) <= sum {
		return false
	}
	cut := len(text) - sum
	return secretForm(text[len(tokenPrefix):cut]) && tokenSum(text[:cut]) == text[cut:]
}

// TokenByText is the living token with a text and the account it acts for, with the scopes that the account's role
// has today. A token of the installation acts for an account with id 0. Else errs.Unauthorized.
func (a *Accounts) TokenByText(ctx context.Context, text string) (model.APIToken, model.Account, error) {
	unknown := errs.New(errs.Unauthorized, "This token is unknown, expired or revoked.")
	if !tokenForm(text) {
		return model.APIToken{}, model.Account{}, unknown
	}
	now := a.now()
	t, account, err := a.store.TokenByHash(ctx, secretHash(text), now)
	if errs.Of(err) == errs.NotFound {
		return t, account, unknown
	}
	if err != nil {
		return t, account, err
	}
	if t.AccountID == 0 {
		account = model.Account{Name: systemName, CreatedAt: t.CreatedAt}
	} else {
		has := ScopesOf(account.Role)
		t.Scopes = slices.DeleteFunc(t.Scopes, func(s string) bool { return !slices.Contains(has, s) && !isEnvironment(s) })
	}
	if before := now.Add(-touchEvery); !t.LastUsed.After(before) {
		if err := a.store.TouchToken(ctx, t.ID, now, before); err != nil {
			a.log.Warn("cannot note that a token is used", "token", t.ID, "err", err)
		}
	}
	return t, account, nil
}

// Tokens are the tokens of an account, newest first.
func (a *Accounts) Tokens(ctx context.Context, account int64) ([]model.APIToken, error) {
	return a.store.Tokens(ctx, account)
}

// AllTokens are the tokens of everybody and of the installation, newest first.
func (a *Accounts) AllTokens(ctx context.Context) ([]model.APIToken, error) {
	return a.store.AllTokens(ctx)
}

// RevokeToken ends a token of an account; errs.NotFound when the account has no such token.
func (a *Accounts) RevokeToken(ctx context.Context, account, id int64) error {
	if err := a.store.RevokeToken(ctx, account, id, a.now()); err != nil {
		return err
	}
	a.log.Info("revoked a token", "token", id, "account", account)
	return nil
}

// RevokeAnyToken ends a token whoever it belongs to; errs.NotFound when there is none.
func (a *Accounts) RevokeAnyToken(ctx context.Context, id int64) error {
	if err := a.store.RevokeAnyToken(ctx, id, a.now()); err != nil {
		return err
	}
	a.log.Info("revoked a token", "token", id)
	return nil
}
