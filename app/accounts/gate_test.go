package accounts

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kibitz/app/errs"
)

// newGate is a gate with the fixture's clock.
func newGate(f *fixture) *Gate {
	g := NewGate(f.store, slog.New(slog.DiscardHandler))
	g.now = f.now
	return g
}

// TestGate holds that a gate knows a token that was just made, tells its scopes, and forgets it when it is revoked or expires.
func TestGate(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	g := newGate(f)
	text, err := f.AddSystemToken(ctx, "app", []string{"switch:read"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	f.pass(time.Second)
	grant, err := g.Grant(ctx, text)
	if err != nil || !grant.Has("switch:read") || grant.Has("switch:write") || !g.Living(grant.ID) {
		t.Fatalf("%+v, %v", grant, err)
	}
	if n := f.number(t, `SELECT count(*) FROM api_token WHERE last_used IS NOT NULL`); n != 0 {
		t.Error("a use was noted before the next read")
	}
	f.pass(gateEvery)
	if err := g.refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if n := f.number(t, `SELECT count(*) FROM api_token WHERE last_used = $1`, f.now()); n != 1 {
		t.Error("the use was not noted")
	}
	if err := f.RevokeAnyToken(ctx, grant.ID); err != nil {
		t.Fatal(err)
	}
	if err := g.refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Grant(ctx, text); errs.Of(err) != errs.Unauthorized || g.Living(grant.ID) {
		t.Errorf("after it was revoked: %v", err)
	}
}

// TestGateExpires holds that a token ends at its time without a read.
func TestGateExpires(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	g := newGate(f)
	text, err := f.AddSystemToken(ctx, "app", []string{"switch:evaluate"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Grant(ctx, text); err != nil {
		t.Fatal(err)
	}
	f.pass(time.Hour)
	if _, err := g.Grant(ctx, text); errs.Of(err) != errs.Unauthorized {
		t.Errorf("after it expired: %v", err)
	}
}

// TestGateRole holds that a token loses what its account's role may not do.
func TestGateRole(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	g, mara := newGate(f), f.owner(t)
	text, err := f.AddToken(ctx, mara, "app", []string{"switch:read", "switch:write"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.sql(t, `UPDATE account SET role = 'viewer' WHERE id = $1`, mara.ID)
	f.pass(time.Second)
	if grant, err := g.Grant(ctx, text); err != nil || !grant.Has("switch:read") || grant.Has("switch:write") {
		t.Errorf("%+v, %v", grant, err)
	}
}

// TestGateAway holds that known tokens pass while the database is away, unknown ones do not, and a gate that never read says so.
func TestGateAway(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	g, fresh := newGate(f), newGate(f)
	text, err := f.AddSystemToken(ctx, "app", []string{"switch:read"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	other, err := f.AddSystemToken(ctx, "metrics", []string{"metrics:read"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Grant(ctx, text); err != nil {
		t.Fatal(err)
	}
	f.db.Close()
	f.pass(time.Hour)
	if _, err := g.Grant(ctx, text); err != nil {
		t.Errorf("with the database away: %v", err)
	}
	if _, err := g.Grant(ctx, other); errs.Of(err) != errs.Unauthorized {
		t.Errorf("a token without a scope of switches: %v", err)
	}
	if _, err := fresh.Grant(ctx, text); err == nil || errs.Of(err) == errs.Unauthorized {
		t.Errorf("a gate that never read: %v", err)
	}
}

func TestTokenOf(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"Bearer a", "", "a"}, {"bearer  a ", "b", "a"}, {"a", "", "a"}, {"", "b", "b"}, {"Basic a", "b", "b"}, {"Basic a", "", ""}, {"", "", ""},
	} {
		if got := TokenOf(c[0], c[1]); got != c[2] {
			t.Errorf("%q and %q give %q", c[0], c[1], got)
		}
	}
}

// TestGateRemembers holds that a gate lets those in without a database whom the last one knew, and nobody else; and that what it
// keeps are no tokens.
func TestGateRemembers(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	name := filepath.Join(t.TempDir(), "gate", "tokens.json")
	text, err := f.AddSystemToken(ctx, "app", []string{"switch:read"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	with := newGate(f)
	with.Remember(name)
	if err := with.refresh(ctx); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(name)
	if err != nil || strings.Contains(string(kept), text) {
		t.Fatalf("%s, %v", kept, err)
	}
	without := NewGate(nil, slog.New(slog.DiscardHandler))
	if _, err := without.Grant(ctx, text); errs.Of(err) != errs.Unavailable {
		t.Errorf("a gate that knows nothing says %v", err)
	}
	without.Remember(name)
	if grant, err := without.Grant(ctx, text); err != nil || !grant.Has("switch:read") || !without.Living(grant.ID) {
		t.Errorf("%+v, %v", grant, err)
	}
	if _, err := without.Grant(ctx, text[:len(text)-2]+"xx"); errs.Of(err) != errs.Unauthorized {
		t.Errorf("another token: %v", err)
	}
	for _, damaged := range []string{"", "{", `[{"hash":"AAA="}]`, `[null]`} {
		if err := os.WriteFile(name, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		g := NewGate(nil, slog.New(slog.DiscardHandler))
		if g.Remember(name); errs.Of(func() error { _, err := g.Grant(ctx, text); return err }()) == errs.Internal {
			t.Errorf("a damaged file lets somebody in or ends badly: %q", damaged)
		}
	}
}
