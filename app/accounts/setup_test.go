package accounts

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"kibitz/app/errs"
	"kibitz/app/model"
)

func TestSetup(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	if has, err := f.HasOwner(ctx); has || err != nil {
		t.Fatal(has, err)
	}
	link, err := f.SetupLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	other, err := f.SetupLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []string{link, other} {
		if err := f.ValidSetup(ctx, l); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Setup(ctx, link, "mara@example.org", "Mara", "short"); errs.Of(err) != errs.Unprocessable || !strings.Contains(errs.Message(err), "at least 10") {
		t.Fatalf("short password: %v", err)
	}
	owner, err := f.Setup(ctx, link, "mara@example.org", " Mara ", goodPassword)
	if err != nil || owner.Role != model.Owner || owner.Name != "Mara" {
		t.Fatal(owner, err)
	}
	f.signIn(t)
	for _, l := range []string{link, other} {
		if err := f.ValidSetup(ctx, l); errs.Of(err) != errs.NotFound {
			t.Errorf("a link works after: %v", err)
		}
		if _, err := f.Setup(ctx, l, "eve@example.org", "", goodPassword); errs.Of(err) != errs.NotFound {
			t.Errorf("a link was used after: %v", err)
		}
	}
	if _, err := f.SetupLink(ctx); errs.Of(err) != errs.Conflict {
		t.Errorf("a new link: %v", err)
	}
	if has, err := f.HasOwner(ctx); !has || err != nil {
		t.Error(has, err)
	}
	if n := f.number(t, `SELECT count(*) FROM setup_link WHERE token_hash = convert_to($1, 'UTF8')`, link); n != 0 {
		t.Error("the link stands in the database")
	}
}

func TestSetupLinkExpires(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	link, err := f.SetupLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f.pass(setupLife)
	if _, err := f.Setup(ctx, link, "mara@example.org", "", goodPassword); errs.Of(err) != errs.NotFound {
		t.Errorf("an old link: %v", err)
	}
	if _, err := f.SetupLink(ctx); err != nil {
		t.Fatal(err)
	}
	if n := f.number(t, `SELECT count(*) FROM setup_link`); n != 1 {
		t.Errorf("%d links are kept", n)
	}
}

// Many at once, with one link and with several: one owner.
func TestSetupRace(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	var links []string
	for range 3 {
		link, err := f.SetupLink(ctx)
		if err != nil {
			t.Fatal(err)
		}
		links = append(links, link)
	}
	errors := make([]error, 9)
	var wg sync.WaitGroup
	for n := range errors {
		wg.Go(func() {
			_, errors[n] = f.Setup(ctx, links[n%len(links)], fmt.Sprintf("user%d@example.org", n), "", goodPassword)
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errors {
		if err == nil {
			won++
		} else if errs.Of(err) != errs.NotFound {
			t.Errorf("a loser got %v", err)
		}
	}
	if n := f.number(t, `SELECT count(*) FROM account`); won != 1 || n != 1 {
		t.Errorf("%d won, there are %d accounts", won, n)
	}
}

// The race that hashing cannot hide: all transactions begin together, after the checks.
func TestUseSetupLinkRace(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	var links [][]byte
	for range 8 {
		link, err := f.SetupLink(ctx)
		if err != nil {
			t.Fatal(err)
		}
		links = append(links, secretHash(link))
	}
	var wg sync.WaitGroup
	for n, link := range links {
		wg.Go(func() {
			a := model.Account{ID: int64(n + 1), Email: fmt.Sprintf("user%d@example.org", n), CreatedAt: f.now()}
			if err := f.store.UseSetupLink(ctx, link, a, "hash"); err != nil && errs.Of(err) != errs.NotFound {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := f.number(t, `SELECT count(*) FROM account WHERE role = 'owner'`); n != 1 {
		t.Errorf("there are %d owners", n)
	}
}

func TestSetupTakesNobodysAddress(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	f.sql(t, `INSERT INTO account (id, email, role, password_hash) VALUES (5, 'Mara@Example.org', 'member', 'x')`)
	link, err := f.SetupLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Setup(ctx, link, "mara@example.org", "", goodPassword); errs.Of(err) != errs.Conflict {
		t.Errorf("got %v", err)
	}
	if err := f.ValidSetup(ctx, link); err != nil {
		t.Errorf("the link is spent: %v", err)
	}
}

func TestBootstrap(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	mara := f.owner(t)
	if mara.Role != model.Owner {
		t.Fatal(mara)
	}
	// Again, with another password: nothing changes.
	if err := f.Bootstrap(ctx, "MARA@example.org", "another password"); err != nil {
		t.Fatal(err)
	}
	f.signIn(t)
	// Demoted and disabled: owner again, with the password as it was.
	f.sql(t, `UPDATE account SET role = 'viewer', disabled_at = now()`)
	if err := f.Bootstrap(ctx, "mara@example.org", "another password"); err != nil {
		t.Fatal(err)
	}
	_, s := f.signIn(t)
	if s.Account.Role != model.Owner || s.Account.ID != mara.ID {
		t.Errorf("account is %+v", s.Account)
	}
	if err := f.Bootstrap(ctx, "new@example.org", "short"); errs.Of(err) != errs.Unprocessable {
		t.Errorf("short password: %v", err)
	}
	if _, err := f.SetupLink(ctx); errs.Of(err) != errs.Conflict {
		t.Errorf("a setup link beside an owner: %v", err)
	}
}

func TestBootstrapRace(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := f.Bootstrap(ctx, "mara@example.org", goodPassword); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := f.number(t, `SELECT count(*) FROM account`); n != 1 {
		t.Errorf("there are %d accounts", n)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	f.sql(t, `INSERT INTO account (id, email, name, role, password_hash) VALUES (1, 'a@example.org', 'Ada', 'member', 'x'), (2, 'b@example.org', '', 'member', 'x')`)
	got := f.Names(ctx, []int64{0, 1, 2, 3, 1})
	want := map[int64]string{0: "Kibitz", 1: "Ada", 2: "b@example.org", 3: "somebody"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v", got)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if got := f.Names(gone, []int64{0, 1}); got[0] != "Kibitz" || got[1] != "somebody" {
		t.Errorf("without a database: %v", got)
	}
}
