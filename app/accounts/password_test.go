package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"kibitz/app/errs"
)

func TestCheckPassword(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ password, says string }{
		{"", "has 0 characters; it needs at least 10"},
		{"nine char", "has 9 characters"},
		{"ten chars!", ""},
		{strings.Repeat("é", 5) + "12345", ""},
		{strings.Repeat("pq", 500), ""},
		{strings.Repeat("pq", 500) + "1", "has 1001 characters; at most 1000"},
		{"aaaaaaaaaaaaaaa", "over and over"},
		{"Mara@Example.org", "is the email address"},
		{"broken \xff\xfe utf8", "not valid UTF-8"},
		{"with\x00nul and more", ""},
	} {
		err := checkPassword(tc.password, "mara@example.org")
		if (err == nil) != (tc.says == "") || (err != nil && !strings.Contains(err.Error(), tc.says)) {
			t.Errorf("%.20q: %v, want %q", tc.password, err, tc.says)
		}
		if err != nil && errs.Of(err) != errs.Unprocessable {
			t.Errorf("%.20q: kind %v", tc.password, errs.Of(err))
		}
	}
}

func TestCleanEmail(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"mara@example.org": "mara@example.org", " Mara@Example.org\t": "Mara@Example.org", "a+b@x.y.z": "a+b@x.y.z",
		"": "", "mara": "", "@example.org": "", "Mara <mara@example.org>": "", "a@b, c@d": "", "a\x00@b.c": "", "a\n@b.c": "", "\xff@b.c": "",
		strings.Repeat("a", 251) + "@b.c": "",
	} {
		got, err := cleanEmail(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%.30q: %q, %v", in, got, err)
		}
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	h, ctx := newHasher(), context.Background()
	one, err := h.hash(ctx, goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(one, "$argon2id$v=19$m=19456,t=2,p=1$") || len(one) != len(dummyHash) {
		t.Errorf("hash is %s", one)
	}
	two, _ := h.hash(ctx, goodPassword)
	if one == two {
		t.Error("two hashes share their salt")
	}
	for password, want := range map[string]bool{goodPassword: true, goodPassword + " ": false, "": false} {
		ok, stale, err := h.verify(ctx, password, one)
		if ok != want || stale || err != nil {
			t.Errorf("%q: %t, %t, %v", password, ok, stale, err)
		}
	}
}

// The reference vector was made with the argon2 command of the reference implementation:
// echo -n password | argon2 somesalt -id -v 13 -t 2 -k 65536 -p 1
func TestVerifyReference(t *testing.T) {
	t.Parallel()
	const text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	ok, stale, err := newHasher().verify(context.Background(), "password", text)
	if !ok || !stale || err != nil {
		t.Errorf("%t, %t, %v", ok, stale, err)
	}
}

func TestStaleHashIsRenewedAtSignIn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.owner(t)
	p := phc{memory: 64, time: 1, threads: 1, salt: []byte("saltsaltsaltsalt")}
	p.hash = p.derive(goodPassword, 32)
	f.sql(t, `UPDATE account SET password_hash = $1`, p.String())
	f.signIn(t)
	if n := f.number(t, `SELECT count(*) FROM account WHERE password_hash LIKE '$argon2id$v=19$m=19456,t=2,p=1$%'`); n != 1 {
		t.Error("the hash is as cheap as before")
	}
	f.signIn(t)
}

func TestHasherIsBounded(t *testing.T) {
	t.Parallel()
	h := newHasher()
	for range cap(h.slots) {
		if err := h.enter(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.enter(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting with nobody there: %v", err)
	}
	h.waiting.Store(maxHashWaiters)
	if err := h.enter(context.Background()); errs.Of(err) != errs.Limited {
		t.Errorf("with a full queue: %v", err)
	}
	if n := h.waiting.Load(); n != maxHashWaiters {
		t.Errorf("%d wait", n)
	}
	h.leave()
	h.waiting.Store(0)
	if err := h.enter(context.Background()); err != nil {
		t.Errorf("with a free slot: %v", err)
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add(dummyHash)
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$AAAA$AAAA")
	f.Add("$argon2id$v=19$m=-1,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODw")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePHC(text)
		if err != nil {
			return
		}
		if p.memory > maxArgonMemory || p.time > maxArgonTime || p.time == 0 || p.threads == 0 || len(p.hash) < 16 || len(p.hash) > 64 {
			t.Errorf("%q gave %+v", text, p)
		}
		if again, err := parsePHC(p.String()); err != nil || fmt.Sprint(again) != fmt.Sprint(p) {
			t.Errorf("%q does not come back: %v, %v", text, again, err)
		}
	})
}
