package accounts

import (
	"context"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/model"
	"kibitz/app/store"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// fixture is the use case over a clean database with a clock that the test moves.
type fixture struct {
	*Accounts
	db    *db.DB
	clock *atomic.Int64 // Unix nanoseconds
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	d := dbtest.New(t)
	f := &fixture{New(store.New(d), model.NewIDs(1), slog.New(slog.DiscardHandler)), d, new(atomic.Int64)}
	f.clock.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	f.now = func() time.Time { return time.Unix(0, f.clock.Load()).UTC() }
	return f
}

func (f *fixture) pass(d time.Duration) { f.clock.Add(int64(d)) }

// sql runs a statement on the users partition and answers how many rows it touched.
func (f *fixture) sql(t testing.TB, sql string, args ...any) int64 {
	t.Helper()
	tag, err := f.db.Write(context.Background(), db.Key{Part: db.Users}).Exec(context.Background(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	return tag.RowsAffected()
}

func (f *fixture) number(t testing.TB, sql string, args ...any) (n int64) {
	t.Helper()
	ctx := context.Background()
	if err := f.db.Write(ctx, db.Key{Part: db.Users}).QueryRow(ctx, sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

const goodPassword = "correct horse battery"

// owner makes mara@example.org, who has goodPassword.
func (f *fixture) owner(t testing.TB) model.Account {
	t.Helper()
	ctx := context.Background()
	if err := f.Bootstrap(ctx, "mara@example.org", goodPassword); err != nil {
		t.Fatal(err)
	}
	a, _, err := f.store.AccountByEmail(ctx, "mara@example.org")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (f *fixture) signIn(t testing.TB) (token string, s model.Session) {
	t.Helper()
	token, s, err := f.SignIn(context.Background(), "mara@example.org", goodPassword, "Browser/1", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return token, s
}
