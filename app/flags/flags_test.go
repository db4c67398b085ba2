package flags

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kibitz/app/db/dbtest"
	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/app/switches/flaghook"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

func newFlags(t testing.TB) *Flags {
	t.Helper()
	return New(store.New(dbtest.New(t)), model.NewIDs(1), slog.New(slog.DiscardHandler))
}

func message(id int, flag string, at time.Time) []byte {
	return fmt.Appendf(nil, `{"data":[{"action":"updated","change_id":%d,"created_at":%q,"created_by":{"id":"mara@example.org","type":"email"},"flag":%q}],"meta":{"version":1}}`,
		id, at.Format(time.RFC3339Nano), flag)
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestTake holds that signed messages are stored once, and others not at all.
func TestTake(t *testing.T) {
	t.Parallel()
	f, ctx := newFlags(t), context.Background()
	body := message(7, "new-cart", noon)
	if _, err := f.Take(ctx, "generic", flaghook.Headers{Sentry: flaghook.Sign("", body)}, body); errs.Of(err) != errs.Unauthorized {
		t.Errorf("without a secret: %v", err)
	}
	secret, err := f.NewSecret(ctx, "generic")
	if err != nil {
		t.Fatal(err)
	}
	signed := flaghook.Headers{Sentry: flaghook.Sign(secret, body)}
	for i, want := range []Taken{{1, 1}, {1, 0}} {
		if got, err := f.Take(ctx, "generic", signed, body); err != nil || got != want {
			t.Errorf("time %d: %+v, %v", i, got, err)
		}
	}
	if _, err := f.Take(ctx, "generic", signed, append(body, ' ')); errs.Of(err) != errs.Unauthorized {
		t.Errorf("changed: %v", err)
	}
	if _, err := f.Take(ctx, "flagsmith", signed, body); errs.Of(err) != errs.Unauthorized {
		t.Errorf("another provider: %v", err)
	}
	if _, err := f.Take(ctx, "nobody", signed, body); errs.Of(err) != errs.NotFound {
		t.Errorf("no provider: %v", err)
	}
	bad := []byte(`{"data":[{}],"meta":{"version":1}}`)
	if _, err := f.Take(ctx, "generic", flaghook.Headers{Sentry: flaghook.Sign(secret, bad)}, bad); errs.Of(err) != errs.Invalid {
		t.Errorf("unreadable: %v", err)
	}
	list, err := f.Foreign(ctx, model.FlagQuery{To: noon.Add(time.Hour)})
	if err != nil || len(list) != 1 || list[0].Flag != "new-cart" || list[0].By != "mara@example.org" || !list[0].At.Equal(noon) || list[0].ChangeID != 7 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestSecrets holds that secrets are shown by their beginning only, replaced, and ended at once.
func TestSecrets(t *testing.T) {
	t.Parallel()
	f, ctx := newFlags(t), context.Background()
	key, err := f.StreamKey(ctx)
	if err != nil || len(key) < 32 {
		t.Fatalf("%q, %v", key, err)
	}
	if again, err := f.StreamKey(ctx); err != nil || string(again) != string(key) {
		t.Errorf("another process gets another key: %v", err)
	}
	old, err := f.NewSecret(ctx, "unleash")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.UseSecret(ctx, "unleash", "short"); errs.Of(err) != errs.Unprocessable {
		t.Errorf("a short one: %v", err)
	}
	secret := strings.Repeat("s", 32)
	if err := f.UseSecret(ctx, "unleash", secret); err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"id":1,"type":"feature-created","createdAt":"2026-03-01T12:00:00Z","featureName":"f"}`)
	if _, err := f.Take(ctx, "unleash", flaghook.Headers{Auth: old}, body); errs.Of(err) != errs.Unauthorized {
		t.Errorf("the old one: %v", err)
	}
	if _, err := f.Take(ctx, "unleash", flaghook.Headers{Auth: secret}, body); err != nil {
		t.Error(err)
	}
	list, err := f.Secrets(ctx)
	if err != nil || len(list) != 1 || list[0].Secret != "ssssss" {
		t.Errorf("%+v, %v", list, err)
	}
	if err := f.RemoveSecret(ctx, "unleash"); err != nil {
		t.Fatal(err)
	}
	if err := f.RemoveSecret(ctx, "unleash"); errs.Of(err) != errs.NotFound {
		t.Errorf("twice: %v", err)
	}
	if err := f.RemoveSecret(ctx, streamKey); errs.Of(err) != errs.NotFound {
		t.Errorf("our own: %v", err)
	}
	if again, err := f.StreamKey(ctx); err != nil || string(again) != string(key) {
		t.Error("our own key is gone")
	}
	if _, err := f.Take(ctx, "unleash", flaghook.Headers{Auth: secret}, body); errs.Of(err) != errs.Unauthorized {
		t.Errorf("after it was removed: %v", err)
	}
}

// TestLog holds that own and foreign changes come in one order, page by page, each once.
func TestLog(t *testing.T) {
	t.Parallel()
	f, ctx := newFlags(t), context.Background()
	var foreign, own []model.FlagChange
	ids := model.NewIDs(2)
	for i := range 30 {
		at := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Duration(i/3) * time.Second) // three at each moment
		c := model.FlagChange{ID: ids.Next(), Provider: "generic", ChangeID: int64(i), Flag: fmt.Sprint("flag-", i%2), Action: "updated", At: at}
		if i%3 == 0 {
			c.ID = model.FirstIDAt(at) + int64(i)
			own = append(own, c)
			continue
		}
		foreign = append(foreign, c)
	}
	if n, err := f.store.AddFlagChanges(ctx, foreign); err != nil || n != 20 {
		t.Fatal(n, err)
	}
	ours := func(_ context.Context, key string, before int64, n int) (out []model.FlagChange, _ error) {
		for _, c := range own {
			if c.ID < before && (key == "" || c.Flag == key) && len(out) < n {
				out = append(out, c)
			}
		}
		return out, nil
	}
	seen := map[int64]bool{}
	q := model.FlagQuery{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Second), Limit: 7}
	for pages := 1; ; pages++ {
		list, more, err := f.Log(ctx, q, ours)
		if err != nil || len(list) == 0 {
			t.Fatalf("%v, %v", list, err)
		}
		if !slices.IsSortedFunc(list, func(a, b model.FlagChange) int { return b.At.Compare(a.At) }) {
			t.Errorf("not in order: %+v", list)
		}
		for _, c := range list {
			if seen[c.ID] {
				t.Errorf("twice: %+v", c)
			}
			seen[c.ID] = true
		}
		if q.To, q.BeforeID = list[len(list)-1].At, list[len(list)-1].ID; !more {
			if pages != 5 || len(seen) != 30 {
				t.Errorf("%d changes on %d pages", len(seen), pages)
			}
			break
		}
	}
	list, _, err := f.Log(ctx, model.FlagQuery{Flags: []string{"flag-1"}, From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Second)}, ours)
	if err != nil || len(list) != 15 {
		t.Errorf("%d of one flag, %v", len(list), err)
	}
}

// receiver is where changes are sent to.
type receiver struct {
	mu     sync.Mutex
	bodies [][]byte
	sums   []string
	answer func(n int) int // status of the n-th message
	got    chan struct{}
}

func newReceiver(t testing.TB, answer func(n int) int) (*receiver, string) {
	r := &receiver{answer: answer, got: make(chan struct{}, 100)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		r.bodies, r.sums = append(r.bodies, body), append(r.sums, q.Header.Get("X-Sentry-Signature"))
		status := r.answer(len(r.bodies))
		r.mu.Unlock()
		w.WriteHeader(status)
		r.got <- struct{}{}
	}))
	t.Cleanup(s.Close)
	return r, s.URL
}

// TestSender holds that changes arrive signed, in order, after failures, and that what is refused is counted.
func TestSender(t *testing.T) {
	t.Parallel()
	r, url := newReceiver(t, func(n int) int {
		switch n {
		case 1, 2:
			return 503
		case 4:
			return 403
		}
		return 200
	})
	dropped := make(chan string, 10)
	s := NewSender(SenderOptions{Addresses: []string{url}, Secret: "s3cret", Pause: time.Millisecond, Log: slog.New(slog.DiscardHandler),
		Dropped: func(reason string, n int64) { dropped <- fmt.Sprint(reason, "=", n) }})
	defer s.Close()
	s.Add([]flaghook.Item{{ID: 1, Action: flaghook.Updated, Flag: "a", By: "mara", ByType: flaghook.ByName, At: noon}})
	for range 3 {
		<-r.got
	}
	s.Add([]flaghook.Item{{ID: 2, Action: flaghook.Deleted, Flag: "b", At: noon}})
	<-r.got
	if got := <-dropped; got != "refused=1" {
		t.Error(got)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, body := range r.bodies {
		items, err := flaghook.Parse(flaghook.Generic, body)
		if err != nil || len(items) != 1 || items[0].ID != []int64{1, 1, 1, 2}[i] || r.sums[i] != flaghook.Sign("s3cret", body) {
			t.Errorf("message %d: %s %v", i, body, err)
		}
	}
	if sent, lost := s.Stats(); sent != 1 || lost != 1 {
		t.Errorf("%d sent, %d dropped", sent, lost)
	}
}

// TestSenderBounded holds that nobody waits for an address that does not answer, and that what is left out is counted.
func TestSenderBounded(t *testing.T) {
	t.Parallel()
	r, url := newReceiver(t, func(int) int { return 503 })
	var mu sync.Mutex
	reasons := map[string]int64{}
	s := NewSender(SenderOptions{Addresses: []string{url}, Pause: time.Hour, Log: slog.New(slog.DiscardHandler), Dropped: func(reason string, n int64) {
		mu.Lock()
		defer mu.Unlock()
		reasons[reason] += n
	}})
	s.Add([]flaghook.Item{{ID: 1, Action: flaghook.Updated, Flag: "a", At: noon}})
	<-r.got
	for i := range sendQueue + 50 {
		s.Add([]flaghook.Item{{ID: int64(i), Action: flaghook.Updated, Flag: "a", At: noon}})
	}
	s.Close()
	if reasons[QueueFull] != 50 || reasons[Closed] != sendQueue+1 {
		t.Errorf("%v", reasons)
	}
}

// TestSenderFollowsNobody holds that an address that points elsewhere is not followed.
func TestSenderFollowsNobody(t *testing.T) {
	t.Parallel()
	inner, target := newReceiver(t, func(int) int { return 200 })
	s := httptest.NewServer(http.RedirectHandler(target, http.StatusTemporaryRedirect))
	defer s.Close()
	dropped := make(chan string, 1)
	out := NewSender(SenderOptions{Addresses: []string{s.URL}, Log: slog.New(slog.DiscardHandler), Dropped: func(reason string, _ int64) { dropped <- reason }})
	defer out.Close()
	out.Add([]flaghook.Item{{ID: 1, Action: flaghook.Updated, Flag: "a", At: noon}})
	if got := <-dropped; got != Refused || len(inner.bodies) != 0 {
		t.Errorf("%s, %d messages", got, len(inner.bodies))
	}
}
