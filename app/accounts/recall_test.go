package accounts

import (
	"fmt"
	"testing"
	"time"

	"kibitz/app/model"
)

// TestRecall holds that sessions are remembered until they end, are forgotten when they are ended, and that their number is bounded.
func TestRecall(t *testing.T) {
	t.Parallel()
	var r recall
	now := time.Now()
	s := model.Session{Account: model.Account{ID: 7}, LastSeen: now, Expires: now.Add(SessionLife)}
	one := secretHash("one")
	r.put(one, s)
	if got, ok := r.get(one, now.Add(time.Hour)); !ok || got.Account.ID != 7 {
		t.Errorf("%+v, %v", got, ok)
	}
	for what, at := range map[string]time.Time{"unused too long": now.Add(SessionIdle), "expired": s.Expires} {
		if _, ok := r.get(one, at); ok {
			t.Errorf("a session goes on that is %s", what)
		}
	}
	r.forget(one)
	if _, ok := r.get(one, now); ok {
		t.Error("a session goes on that was ended")
	}
	for i := range maxRecalled + 10 {
		r.put(secretHash(fmt.Sprint(i)), s)
	}
	if len(r.all) != maxRecalled {
		t.Errorf("%d are remembered", len(r.all))
	}
	if _, ok := r.get(secretHash(fmt.Sprint(maxRecalled+9)), now); !ok {
		t.Error("the newest is not among them")
	}
}

// TestSessionWithoutDatabase holds that who is signed in goes on while the database is away, and nobody else comes in.
func TestSessionWithoutDatabase(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	mara := f.owner(t)
	token, _, err := f.StartSession(t.Context(), mara, "", "")
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := f.StartSession(t.Context(), mara, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Session(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	f.db.Close()
	if s, err := f.Session(t.Context(), token); err != nil || s.Account.ID != mara.ID || s.CSRF == "" {
		t.Errorf("who is signed in gets %+v, %v", s, err)
	}
	if _, err := f.Session(t.Context(), other); err == nil {
		t.Error("a session that was never read goes on")
	}
}
