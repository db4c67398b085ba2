package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
)

// Life of a session.
const (
	SessionLife = 30 * 24 * time.Hour // from sign-in, used or not
	SessionIdle = 7 * 24 * time.Hour  // from its last use
	// touchEvery is how exact "last seen" is: a write a minute rather than one a request.
	touchEvery = time.Minute
)

// TooManyTries is errs.Limited with the time to wait.
type TooManyTries struct{ Wait time.Duration }

// Error implements error.
func (e *TooManyTries) Error() string { return e.Unwrap().Error() }

// Unwrap is the error that a visitor may read.
func (e *TooManyTries) Unwrap() error {
	return errs.New(errs.Limited, "Too many tries. Wait %d seconds, then try again.", int64((e.Wait+time.Second-1)/time.Second))
}

// errSignIn is the one answer to whatever does not fit, so that it tells nothing about who has an account.
var errSignIn = errs.New(errs.Unprocessable, "The email address or the password is wrong.")

// SignIn opens a session. Whatever is wrong with the address, the password or the account, the answer is the same
// errs.Unprocessable and takes as long. Failed tries are limited per account and per address: *TooManyTries.
// Somebody else's tries can so make an account wait; sessions that are open go on.
func (a *Accounts) SignIn(ctx context.Context, email, password, userAgent, ip string) (token string, s model.Session, err error) {
	account, hash, err := a.check(ctx, email, password, ip)
	if err != nil {
		return "", s, err
	}
	if hash != "" {
		a.rehash(ctx, account.ID, password, hash)
	}
	return a.StartSession(ctx, account, userAgent, ip)
}

// check is the account of an address and a password, and its hash when that is to be renewed.
func (a *Accounts) check(ctx context.Context, email, password, ip string) (account model.Account, staleHash string, err error) {
	refund, err := a.takeTry(email, ip)
	if err != nil {
		return account, "", err
	}
	account, hash, err := a.findAccount(ctx, email)
	if err != nil {
		refund()
		return account, "", err
	}
	if len(password) > 4*maxPassword {
		password = "" // longer than any in bytes: nobody's, and not worth hashing
	}
	ok, stale, err := a.hasher.verify(ctx, password, hash)
	if err != nil {
		refund()
		return account, "", err
	}
	if !ok || account.ID == 0 || account.Disabled {
		return account, "", errSignIn
	}
	refund()
	if stale {
		return account, hash, nil
	}
	return account, "", nil
}

// takeTry takes a try of the account and one of the address; refund gives both back.
func (a *Accounts) takeTry(email, ip string) (refund func(), err error) {
	// The hash keeps the keys of one length, however long the texts.
	who, from := string(secretHash(strings.ToLower(strings.TrimSpace(email)))), network(ip)
	if wait, ok := a.byIP.take(from, a.now()); !ok {
		return nil, &TooManyTries{wait}
	}
	if wait, ok := a.byAccount.take(who, a.now()); !ok {
		return nil, &TooManyTries{wait}
	}
	return func() { a.byIP.refund(from); a.byAccount.refund(who) }, nil
}

// findAccount is the account of an address with its hash, or the zero account with one that fits no password.
func (a *Accounts) findAccount(ctx context.Context, email string) (model.Account, string, error) {
	clean, err := cleanEmail(email)
	if err != nil {
		return model.Account{}, dummyHash, nil
	}
	account, hash, err := a.store.AccountByEmail(ctx, clean)
	if errs.Of(err) == errs.NotFound {
		return model.Account{}, dummyHash, nil
	}
	return account, hash, err
}

// rehash brings a password's hash to today's cost. A failure waits for the next sign-in.
func (a *Accounts) rehash(ctx context.Context, account int64, password, was string) {
	hash, err := a.hasher.hash(ctx, password)
	if err == nil {
		err = a.store.RehashPassword(ctx, account, was, hash)
	}
	if err != nil {
		a.log.Warn("cannot renew a password hash", "account", account, "err", err)
	}
}

// StartSession opens a session for an account that has just proved who it is. Its token is new each time, so that
// one planted in a browser before sign-in is worth nothing after.
func (a *Accounts) StartSession(ctx context.Context, account model.Account, userAgent, ip string) (token string, s model.Session, err error) {
	token, now := newSecret(), a.now()
	s = model.Session{Account: account, Created: now, LastSeen: now, Expires: now.Add(SessionLife), CSRF: csrfOf(token)}
	err = a.store.AddSession(ctx, store.NewSession{TokenHash: secretHash(token), AccountID: account.ID, Created: now, Expires: s.Expires,
		Idle: SessionIdle, UserAgent: clip(userAgent, 200), IP: clip(ip, 64)})
	if err != nil {
		return "", model.Session{}, err
	}
	return token, s, nil
}

// Session is the open session of a token; errs.Unauthorized when there is none (any more). While the database is away it is what
// this process read last.
func (a *Accounts) Session(ctx context.Context, token string) (model.Session, error) {
	unknown := errs.New(errs.Unauthorized, "Sign in first.")
	if !secretForm(token) {
		return model.Session{}, unknown
	}
	now, hash := a.now(), secretHash(token)
	s, recalled, err := a.readSession(ctx, hash, now)
	if errs.Of(err) == errs.NotFound {
		return model.Session{}, unknown
	}
	if err != nil {
		return model.Session{}, err
	}
	s.CSRF = csrfOf(token)
	if before := now.Add(-touchEvery); !recalled && !s.LastSeen.After(before) {
		if err := a.store.TouchSession(ctx, hash, now, before); err != nil {
			a.log.Warn("cannot note that a session is used", "err", err)
		}
	}
	return s, nil
}

// SignOut ends the session of a token, if it is one.
func (a *Accounts) SignOut(ctx context.Context, token string) error {
	if !secretForm(token) {
		return nil
	}
	hash := secretHash(token)
	a.recall.forget(hash)
	return a.store.EndSession(ctx, hash)
}

// csrfOf is the token for the forms of a session: made from what only the browser and we know, so that there is
// nothing to store, and it cannot be turned back into the session's token.
func csrfOf(token string) string {
	mac := hmac.New(sha256.New, []byte(token))
	fmt.Fprint(mac, "kibitz form token 1")
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// SameToken compares two tokens in a time that tells nothing about them. Empty ones are never the same.
func SameToken(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
