package accounts

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"kibitz/app/errs"
	"kibitz/app/model"
)

func TestToken(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	mara := f.owner(t)
	text, err := f.AddToken(ctx, mara, "deploys", []string{"event:write", " event:read", "event:read"}, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text, "kbz_") || len(text) != 53 {
		t.Errorf("token is %q", text)
	}
	got, account, err := f.TokenByText(ctx, text)
	if err != nil {
		t.Fatal(err)
	}
	if account.ID != mara.ID || !slices.Equal(got.Scopes, []string{"event:read", "event:write"}) || got.Name != "deploys" || got.Prefix != text[:8] {
		t.Errorf("%+v for %+v", got, account)
	}
	list, err := f.Tokens(ctx, mara.ID)
	if err != nil || len(list) != 1 || !list[0].LastUsed.Equal(f.now()) || !list[0].Expires.Equal(f.now().Add(24*time.Hour)) {
		t.Errorf("%+v, %v", list, err)
	}
	if n := f.number(t, `SELECT count(*) FROM api_token t WHERE t::text LIKE '%' || $1 || '%' OR token_hash <> sha256(convert_to($1, 'UTF8'))`, text); n != 0 {
		t.Error("the database holds something else than the token's hash")
	}
	f.pass(24 * time.Hour)
	if _, _, err := f.TokenByText(ctx, text); errs.Of(err) != errs.Unauthorized {
		t.Errorf("after it expired: %v", err)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	mara := f.owner(t)
	text, err := f.AddToken(ctx, mara, "one", []string{"event:read"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	system, err := f.AddSystemToken(ctx, "two", []string{"project:read"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	all, err := f.AllTokens(ctx)
	if err != nil || len(all) != 2 || all[0].Name != "two" || all[0].AccountID != 0 {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := f.RevokeToken(ctx, mara.ID+1, all[1].ID); errs.Of(err) != errs.NotFound {
		t.Errorf("somebody else revoked it: %v", err)
	}
	if err := f.RevokeToken(ctx, mara.ID, all[0].ID); errs.Of(err) != errs.NotFound {
		t.Errorf("an account revoked the installation's: %v", err)
	}
	if err := f.RevokeToken(ctx, mara.ID, all[1].ID); err != nil {
		t.Error(err)
	}
	if err := f.RevokeToken(ctx, mara.ID, all[1].ID); errs.Of(err) != errs.NotFound {
		t.Errorf("twice: %v", err)
	}
	if err := f.RevokeAnyToken(ctx, all[0].ID); err != nil {
		t.Error(err)
	}
	if err := f.RevokeAnyToken(ctx, 12345); errs.Of(err) != errs.NotFound {
		t.Errorf("unknown: %v", err)
	}
	for _, token := range []string{text, system} {
		if _, _, err := f.TokenByText(ctx, token); errs.Of(err) != errs.Unauthorized {
			t.Errorf("after it was revoked: %v", err)
		}
	}
	if list, err := f.AllTokens(ctx); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestSystemToken(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	text, err := f.AddSystemToken(ctx, "ci", []string{"switch:write", "org:read"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, account, err := f.TokenByText(ctx, text)
	if err != nil || account.ID != 0 || account.Name != "Kibitz" || !slices.Equal(got.Scopes, []string{"org:read", "switch:write"}) || !got.Expires.IsZero() {
		t.Errorf("%+v, %+v, %v", got, account, err)
	}
}

func TestWrongTokens(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	mara := f.owner(t)
	viewer := mara
	viewer.Role = model.Viewer
	for _, tc := range []struct {
		account model.Account
		name    string
		scopes  []string
		life    time.Duration
		says    string
	}{
		{mara, "x", []string{"event:admin"}, 0, `no scope "event:admin" for this token. The scopes are org:read, project:read, project:write, event:read, event:write, metrics:read, switch:read, switch:evaluate, switch:write.`},
		{mara, "x", nil, 0, "at least one scope"},
		{mara, "x", []string{""}, 0, `no scope ""`},
		{mara, " ", []string{"event:read"}, 0, "a name"},
		{mara, "a\nb", []string{"event:read"}, 0, "on one line"},
		{mara, "x", []string{"event:read"}, -time.Hour, "ten years"},
		{viewer, "x", []string{"event:write"}, 0, "The scopes are org:read, project:read, event:read, metrics:read, switch:read, switch:evaluate."},
	} {
		_, err := f.AddToken(ctx, tc.account, tc.name, tc.scopes, tc.life)
		if errs.Of(err) != errs.Unprocessable || !strings.Contains(errs.Message(err), tc.says) {
			t.Errorf("%+v: %v", tc, err)
		}
	}
	if n := f.number(t, `SELECT count(*) FROM api_token`); n != 0 {
		t.Errorf("%d tokens were made", n)
	}
}

// A role that is taken away takes its scopes out of tokens that exist.
func TestTokenFollowsRole(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	mara := f.owner(t)
	text, err := f.AddToken(ctx, mara, "x", []string{"event:read", "event:write", "project:write"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for role, want := range map[string]string{"owner": "project:write event:read event:write", "member": "event:read event:write", "viewer": "event:read"} {
		f.sql(t, `UPDATE account SET role = $1`, role)
		got, _, err := f.TokenByText(ctx, text)
		if err != nil || strings.Join(got.Scopes, " ") != want {
			t.Errorf("%s: %v, %v", role, got.Scopes, err)
		}
	}
}

func TestTokensAreBounded(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	for range maxTokens {
		if _, err := f.AddSystemToken(ctx, "x", []string{"event:read"}, 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.AddSystemToken(ctx, "x", []string{"event:read"}, 0); errs.Of(err) != errs.Conflict {
		t.Errorf("got %v", err)
	}
	if _, err := f.AddToken(ctx, f.owner(t), "x", []string{"event:read"}, 0); err != nil {
		t.Errorf("another owner: %v", err)
	}
}

func FuzzTokenForm(f *testing.F) {
	good := newTokenText()
	f.Add(good)
	f.Add(good[:52])
	f.Add("kbz_" + good)
	f.Add("kbz_AAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		if tokenForm(text) && (len(text) != 53 || tokenSum(text[:47]) != text[47:]) {
			t.Errorf("%q passed", text)
		}
	})
}

func TestTokenFormFindsTypingErrors(t *testing.T) {
	t.Parallel()
	good := newTokenText()
	if !tokenForm(good) {
		t.Fatalf("%q is refused", good)
	}
	for n := range good {
		for _, b := range []byte("A-z9") {
			if wrong := good[:n] + string(b) + good[n+1:]; wrong != good && tokenForm(wrong) {
				t.Errorf("%q passed for %q", wrong, good)
			}
		}
	}
}

// TestTokenOfEnvironment: the bound to an environment stays when the role of its account takes rights away.
func TestTokenOfEnvironment(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), context.Background()
	mara := f.owner(t)
	text, err := f.AddToken(ctx, mara, "a", []string{EnvironmentScope("staging"), "switch:read"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := f.TokenByText(ctx, text)
	if err != nil || EnvironmentOf(got) != "staging" || !slices.Contains(got.Scopes, "switch:read") {
		t.Errorf("%+v %v", got, err)
	}
	if EnvironmentOf(model.APIToken{Scopes: []string{"switch:read"}}) != "" {
		t.Error("a token without a bound has one")
	}
	for _, scopes := range [][]string{{"env:staging"}, {"switch:read", "env:a", "env:b"}, {"switch:read", "env:"}, {"switch:read", "env:A B"}} {
		if _, err := f.AddSystemToken(ctx, "x", scopes, 0); errs.Of(err) != errs.Unprocessable {
			t.Errorf("%v: %v", scopes, err)
		}
	}
}
