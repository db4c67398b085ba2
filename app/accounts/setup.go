package accounts

import (
	"context"
	"fmt"
	"time"

	"kibitz/app/errs"
	"kibitz/app/model"
)

// setupLife is how long a setup link works. It stands in the log of a start, so not for long; `kibitz setup`
// prints another.
const setupLife = time.Hour

// Bootstrap makes the owner that the environment names. It may run at every start: an account that exists keeps its
// password, whoever changed it since, and is made an owner that can sign in.
func (a *Accounts) Bootstrap(ctx context.Context, email, password string) error {
	owner, err := a.newOwner(email, "", password)
	if err != nil {
		return err
	}
	was, _, err := a.store.AccountByEmail(ctx, owner.Email)
	if err != nil && errs.Of(err) != errs.NotFound {
		return err
	}
	if err == nil && was.Role == model.Owner && !was.Disabled {
		return nil
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	added, err := a.store.EnsureOwner(ctx, owner, hash)
	if err != nil {
		return err
	}
	a.log.Info("made an owner", "email", owner.Email, "new", added)
	return nil
}

// SetupLink is the token of a new link that makes the first owner; errs.Conflict when there is one.
func (a *Accounts) SetupLink(ctx context.Context) (token string, err error) {
	token = newSecret()
	now := a.now()
	if err := a.store.AddSetupLink(ctx, secretHash(token), now, now.Add(setupLife)); err != nil {
		return "", err
	}
	return token, nil
}

// errSetup answers a link that is unknown, spent or old alike.
var errSetup = errs.New(errs.NotFound, "This setup link has been used, has expired, or never was one. "+
	"As long as there is no owner, `kibitz setup` on the server prints a new one.")

// ValidSetup is nil while a link works, else errs.NotFound.
func (a *Accounts) ValidSetup(ctx context.Context, token string) error {
	if !secretForm(token) {
		return errSetup
	}
	works, err := a.store.SetupLinkWorks(ctx, secretHash(token), a.now())
	if err != nil {
		return err
	}
	if !works {
		return errSetup
	}
	return nil
}

// Setup spends a link and makes the first owner. Of several at once, with the same link or others, one wins; the
// rest get errs.NotFound.
func (a *Accounts) Setup(ctx context.Context, token, email, name, password string) (model.Account, error) {
	// The link is looked at first: who has none may not make us hash.
	if err := a.ValidSetup(ctx, token); err != nil {
		return model.Account{}, err
	}
	owner, err := a.newOwner(email, name, password)
	if err != nil {
		return owner, err
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return owner, err
	}
	if err := a.store.UseSetupLink(ctx, secretHash(token), owner, hash); err != nil {
		if errs.Of(err) == errs.NotFound {
			return owner, errSetup
		}
		return owner, err
	}
	a.log.Info("set up the first owner", "email", owner.Email)
	return owner, nil
}

// HasOwner tells whether anybody owns this installation yet.
func (a *Accounts) HasOwner(ctx context.Context) (bool, error) {
	if a.owned.Load() {
		return true, nil
	}
	yes, err := a.store.HasOwner(ctx)
	if yes {
		a.owned.Store(true)
	}
	return yes, err
}

func (a *Accounts) newOwner(email, name, password string) (owner model.Account, err error) {
	owner = model.Account{ID: a.ids.Next(), Role: model.Owner, CreatedAt: a.now()}
	if owner.Email, err = cleanEmail(email); err != nil {
		return owner, err
	}
	if owner.Name, err = cleanName(name); err != nil {
		return owner, err
	}
	if err := checkPassword(password, owner.Email); err != nil {
		return owner, fmt.Errorf("cannot take the password of %s: %w", owner.Email, err)
	}
	return owner, nil
}
