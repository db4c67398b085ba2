package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"kibitz/app/db/dbtest"
	"kibitz/app/errs"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	mara := f.owner(t)
	token, s, err := f.SignIn(ctx, "  Mara@Example.ORG ", goodPassword, "Browser/1\x00\xff", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Session(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	if got.Account.ID != mara.ID || got.Account.Role != "owner" || got.CSRF != s.CSRF || !got.Expires.Equal(f.now().Add(SessionLife)) {
		t.Errorf("session is %+v", got)
	}
	other, s2 := f.signIn(t)
	if other == token || s2.CSRF == s.CSRF || strings.Contains(token, s.CSRF) {
		t.Error("a second session shares something with the first")
	}
	if n := f.number(t, `SELECT count(*) FROM session s WHERE s::text LIKE '%' || $1 || '%' OR position(convert_to($1, 'UTF8') IN token_hash) > 0`, token); n != 0 {
		t.Error("the token stands in the database")
	}
	if n := f.number(t, `SELECT count(*) FROM session WHERE token_hash = sha256(convert_to($1, 'UTF8'))`, token); n != 1 {
		t.Error("the hash of the token does not stand in the database")
	}
	if err := f.SignOut(ctx, token); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Session(ctx, token); errs.Of(err) != errs.Unauthorized {
		t.Errorf("after sign-out: %v", err)
	}
	if _, err := f.Session(ctx, other); err != nil {
		t.Errorf("signing out of one browser ended another: %v", err)
	}
}

// Whatever is wrong, the answer is the same, so that nobody learns who has an account.
func TestSignInTellsNothing(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	f.owner(t)
	f.sql(t, `INSERT INTO account (id, email, role, password_hash, disabled_at)
		SELECT 7, 'gone@example.org', 'member', password_hash, now() FROM account`)
	for _, try := range [][2]string{
		{"mara@example.org", "wrong password"},
		{"mara@example.org", ""},
		{"mara@example.org", strings.Repeat("x", 1<<16)},
		{"nobody@example.org", goodPassword},
		{"gone@example.org", goodPassword},
		{"", ""},
		{"not an address", goodPassword},
		{"mara@example.org\x00", goodPassword},
		{"mara@example.org' OR true --", goodPassword},
		{"\xff\xfe@example.org", goodPassword},
	} {
		_, _, err := f.SignIn(ctx, try[0], try[1], "", "192.0.2.7")
		if err == nil || err.Error() != errSignIn.Error() || errs.Of(err) != errs.Unprocessable {
			t.Errorf("%.40q: %v", try, err)
		}
	}
	if n := f.number(t, `SELECT count(*) FROM session`); n != 0 {
		t.Errorf("%d sessions were opened", n)
	}
}

// The dummy hash must cost what a real one costs, or the clock tells who has an account.
func TestDummyHashCostsTheSame(t *testing.T) {
	t.Parallel()
	p, err := parsePHC(dummyHash)
	if err != nil {
		t.Fatal(err)
	}
	if p.memory != argonMemory || p.time != argonTime || p.threads != argonThreads || len(p.hash) != hashBytes || len(p.salt) != saltBytes {
		t.Errorf("dummy hash is %+v", p)
	}
}

func TestSignInIsThrottledByAccount(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	f.owner(t)
	for n := range triesPerAccount {
		_, _, err := f.SignIn(ctx, "Mara@example.org", "wrong password", "", fmt.Sprintf("192.0.2.%d", n))
		if errs.Of(err) != errs.Unprocessable {
			t.Fatalf("try %d: %v", n, err)
		}
	}
	_, _, err := f.SignIn(ctx, "mara@example.org", goodPassword, "", "198.51.100.1")
	var tries *TooManyTries
	if !errors.As(err, &tries) || errs.Of(err) != errs.Limited || tries.Wait != tryEvery {
		t.Fatalf("the eleventh try: %v", err)
	}
	if _, _, err := f.SignIn(ctx, "other@example.org", "wrong password", "", "198.51.100.1"); errs.Of(err) != errs.Unprocessable {
		t.Errorf("another account waits too: %v", err)
	}
	f.pass(tryEvery)
	f.signIn(t)
	f.signIn(t) // the first one that was right gave its try back
}

func TestSignInIsThrottledByAddress(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	f.owner(t)
	for n := range triesPerIP {
		_, _, err := f.SignIn(ctx, fmt.Sprintf("user%d@example.org", n), "wrong password", "", fmt.Sprintf("2001:db8:1:2::%x", n))
		if errs.Of(err) != errs.Unprocessable {
			t.Fatalf("try %d: %v", n, err)
		}
	}
	if _, _, err := f.SignIn(ctx, "mara@example.org", goodPassword, "", "2001:db8:1:2:ffff::1"); errs.Of(err) != errs.Limited {
		t.Errorf("the same /64 goes on: %v", err)
	}
	if _, _, err := f.SignIn(ctx, "mara@example.org", goodPassword, "", "2001:db8:1:3::1"); err != nil {
		t.Errorf("another /64 waits too: %v", err)
	}
}

func TestSuccessCostsNoTry(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.owner(t)
	for range triesPerAccount + 2 {
		f.signIn(t)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, tc := range []struct {
		name  string
		steps []time.Duration // between uses
		alive bool
	}{
		{"used within seven days", []time.Duration{7*day - time.Second}, true},
		{"idle for seven days", []time.Duration{7 * day}, false},
		{"use keeps it alive", []time.Duration{6 * day, 6 * day, 6 * day, 6 * day}, true},
		{"thirty days, used or not", []time.Duration{6 * day, 6 * day, 6 * day, 6 * day, 6 * day}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFixture(t), context.Background()
			f.owner(t)
			token, _ := f.signIn(t)
			var err error
			for n, step := range tc.steps {
				f.pass(step)
				if _, err = f.Session(ctx, token); err != nil && n < len(tc.steps)-1 {
					t.Fatalf("ended at step %d: %v", n, err)
				}
			}
			if (err == nil) != tc.alive || (err != nil && errs.Of(err) != errs.Unauthorized) {
				t.Errorf("alive should be %t, got %v", tc.alive, err)
			}
		})
	}
}

func TestDeadSessionsAreForgottenAtSignIn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.owner(t)
	f.signIn(t)
	f.signIn(t)
	f.pass(SessionIdle)
	f.signIn(t)
	if n := f.number(t, `SELECT count(*) FROM session`); n != 1 {
		t.Errorf("%d sessions are kept", n)
	}
}

func TestDisabledAccountIsOutAtOnce(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	mara := f.owner(t)
	token, _ := f.signIn(t)
	text, err := f.AddToken(ctx, mara, "script", []string{"event:read"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.sql(t, `UPDATE account SET disabled_at = now()`)
	if _, err := f.Session(ctx, token); errs.Of(err) != errs.Unauthorized {
		t.Errorf("session: %v", err)
	}
	if _, _, err := f.TokenByText(ctx, text); errs.Of(err) != errs.Unauthorized {
		t.Errorf("token: %v", err)
	}
}

func TestUseIsNotedOnceAMinute(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	mara := f.owner(t)
	token, _ := f.signIn(t)
	text, err := f.AddToken(ctx, mara, "script", []string{"event:read"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	use := func(statements int) {
		t.Helper()
		dbtest.Budget(t, ctx, statements, func(ctx context.Context) {
			if _, err := f.Session(ctx, token); err != nil {
				t.Error(err)
			}
			if _, _, err := f.TokenByText(ctx, text); err != nil {
				t.Error(err)
			}
		})
	}
	f.pass(touchEvery)
	use(4)
	f.pass(touchEvery - time.Second)
	use(2)
	if n := f.number(t, `SELECT count(*) FROM session s, api_token t WHERE s.last_seen = $1 AND t.last_used = $1`, f.now().Add(time.Second-touchEvery)); n != 1 {
		t.Error("the use was not noted as it should be")
	}
}

func TestNonsenseTokensCostNoQuery(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	for _, token := range []string{"", "x", strings.Repeat("A", 44), strings.Repeat("é", 43), "kbz_" + strings.Repeat("A", 49)} {
		dbtest.Budget(t, ctx, 0, func(ctx context.Context) {
			if _, err := f.Session(ctx, token); errs.Of(err) != errs.Unauthorized {
				t.Errorf("session %q: %v", token, err)
			}
			if _, _, err := f.TokenByText(ctx, token); errs.Of(err) != errs.Unauthorized {
				t.Errorf("token %q: %v", token, err)
			}
			if err := f.ValidSetup(ctx, token); errs.Of(err) != errs.NotFound {
				t.Errorf("setup %q: %v", token, err)
			}
		})
	}
}

func TestSameToken(t *testing.T) {
	t.Parallel()
	if SameToken("", "") || SameToken("a", "b") || SameToken("a", "") || !SameToken("a", "a") {
		t.Error("SameToken is wrong")
	}
}
