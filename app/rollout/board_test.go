package rollout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/app/switches"
	"kibitz/app/switches/peers"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// clock is moved by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// nodes counts processes, so that each has ids of its own.
func newBoard(t testing.TB, number int, change func(*Options)) *Board {
	t.Helper()
	o := Options{Node: fmt.Sprint("n", number), Version: "test", IDs: model.NewIDs(number)}
	if change != nil {
		change(&o)
	}
	b := New(o)
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(context.Background()) })
	return b
}

var me = By{Name: "Ada", AccountID: 7, Kind: "person"}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func create(t testing.TB, b *Board, env, key string) Published {
	t.Helper()
	return must[Published](t)(b.Save(t.Context(), Edit{Env: env, Switch: switches.Switch{Key: key}, By: me, Why: "new"}))
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain until " + what)
		}
	}
}

func to(s switches.State) *switches.State { return &s }
func percent(p float64) *float64          { return &p }

// TestChanges is the life of a switch, with the database.
func TestChanges(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		b := newBoard(t, 1, nil)
		b.Attach(t.Context(), store.New(d))
		ctx := t.Context()
		p := create(t, b, Production, "a")
		if !p.Stored || p.Revision != 1 || p.Entry.State != switches.Off || p.Entry.Salt == "" || p.Entry.By != "Ada" {
			t.Errorf("%+v", p)
		}
		if _, err := b.Save(ctx, Edit{Env: Production, Switch: switches.Switch{Key: "a"}, By: me}); errs.Of(err) != errs.Conflict {
			t.Errorf("made twice: %v", err)
		}
		flip := must[Published](t)(b.Flip(ctx, Production, "a", Flip{State: to(switches.On)}, me, "go"))
		if !b.Holder(Production).On("a", nil) {
			t.Error("it is not on")
		}
		var conflict *Conflict
		_, err := b.Save(ctx, Edit{Env: Production, Switch: switches.Switch{Key: "a", State: switches.Off}, Base: p.Entry.Version, By: me})
		if !errors.As(err, &conflict) || conflict.Current.State != switches.On || errs.Of(err) != errs.Conflict {
			t.Errorf("an edit of what was changed meanwhile: %v", err)
		}
		kill := must[Published](t)(b.Kill(ctx, Production, "a", true, me, "bad"))
		edited := flip.Entry.Switch
		edited.Description, edited.Killed = "better", false
		must[Published](t)(b.Save(ctx, Edit{Env: Production, Switch: edited, Base: flip.Entry.Version, By: me}))
		if e, _ := b.Entry(Production, "a"); !e.Killed || e.KilledWhy != "bad" || e.Description != "better" || b.Holder(Production).On("a", nil) {
			t.Errorf("an edit lifted the kill: %+v", e)
		}
		must[Published](t)(b.Undo(ctx, kill.ChangeID, me))
		if !b.Holder(Production).On("a", nil) {
			t.Error("the kill was not taken back")
		}
		// A flip is taken back though the switch was edited since.
		must[Published](t)(b.Undo(ctx, flip.ChangeID, me))
		if e, _ := b.Entry(Production, "a"); e.State != switches.Off || e.Description != "better" {
			t.Errorf("undone to %+v", e)
		}
		if _, err := b.Undo(ctx, flip.ChangeID, me); errs.Of(err) != errs.Conflict {
			t.Errorf("undone twice: %v", err)
		}
		if _, err := b.Undo(ctx, p.ChangeID, me); !errors.As(err, &conflict) {
			t.Errorf("undone though edited since: %v", err)
		}
		gone := must[Published](t)(b.Delete(ctx, Production, "a", peers.Version{}, me, "done"))
		if _, ok := b.Entry(Production, "a"); ok {
			t.Error("it is there after it was removed")
		}
		must[Published](t)(b.Undo(ctx, gone.ChangeID, me))
		if e, ok := b.Entry(Production, "a"); !ok || e.Description != "better" {
			t.Errorf("removal undone to %+v", e)
		}
		lines := must[[]Change](t)(b.History(ctx, Production, "a", 0, 100))
		var actions []string
		for _, l := range lines {
			actions = append(actions, l.Action)
		}
		if got := strings.Join(actions, " "); got != "undo delete flip unkill edit kill flip create" {
			t.Error(got)
		}
		if l := lines[6]; l.Before == nil || l.Before.State != switches.Off || l.After.State != switches.On || l.UndoneBy != lines[2].ID || l.By != me || l.Why != "go" {
			t.Errorf("%+v", l)
		}
		if !lines[5].KilledAfter || lines[5].KilledBefore {
			t.Errorf("%+v", lines[5])
		}
		// Another process reads the same.
		o := newBoard(t, 2, nil)
		o.Attach(ctx, store.New(d))
		if o.Revision() != b.Revision() || o.set.Sums() != b.set.Sums() || o.Health().Source != FromDatabase {
			t.Error("another process reads something else")
		}
	})
}

// TestDatabaseLater: changes that are made without a database are written when it comes, with their history, and a process that has
// only their records writes them as well.
func TestDatabaseLater(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), store.New(dbtest.New(t))
	b := newBoard(t, 1, nil)
	p := create(t, b, Production, "a")
	if p.Stored || !p.Entry.Pending {
		t.Errorf("%+v", p)
	}
	must[Published](t)(b.Kill(ctx, Production, "a", true, me, "now"))
	if lines, err := b.History(ctx, Production, "a", 0, 10); errs.Of(err) != errs.Unavailable || len(lines) != 2 || !lines[0].Pending {
		t.Errorf("%v %v", lines, err)
	}
	o := newBoard(t, 2, nil)
	o.receive(b.set.All()) // as a peer has it
	o.Attach(ctx, s)
	until(t, "the other process has stored them", func() bool {
		lines, err := o.History(ctx, Production, "a", 0, 10)
		return err == nil && len(lines) == 2
	})
	b.Attach(ctx, s)
	until(t, "nothing waits", func() bool { e, _ := b.Entry(Production, "a"); return b.Health().Waiting == 0 && !e.Pending })
	lines := must[[]Change](t)(b.History(ctx, Production, "a", 0, 10))
	if len(lines) != 2 || lines[0].Action != "kill" || !lines[0].KilledAfter || lines[1].Action != "create" || lines[0].Pending {
		t.Errorf("%+v", lines)
	}
	rows := must[[]peers.Record](t)(s.SwitchRegisters(ctx))
	if len(rows) != 2 {
		t.Errorf("%d rows", len(rows))
	}
}

// TestOlderRowLoses: an older value that is stored late does not take the place of a newer one.
func TestOlderRowLoses(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), store.New(dbtest.New(t))
	id := peers.ID{Kind: peers.Switch, Env: Production, Key: "a"}
	row := func(revision int64, node, body string) store.SwitchChange {
		return store.SwitchChange{Record: peers.Record{ID: id, Version: peers.Version{Revision: revision, Node: node}, Body: []byte(body), At: time.Now(), Change: revision}}
	}
	for _, r := range []store.SwitchChange{row(5, "b", `{"n":5}`), row(4, "z", `{"n":4}`), row(5, "a", `{"n":0}`), row(5, "B", `{"n":1}`)} {
		if err := s.StoreSwitches(ctx, []store.SwitchChange{r}, false); err != nil {
			t.Fatal(err)
		}
	}
	if rows := must[[]peers.Record](t)(s.SwitchRegisters(ctx)); len(rows) != 1 || string(rows[0].Body) != `{"n":5}` {
		t.Errorf("%+v", rows)
	}
}

// TestAway takes the database away under a running board, and gives it back.
func TestAway(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), dbtest.New(t)
	b := newBoard(t, 1, nil)
	b.Attach(ctx, store.New(d))
	create(t, b, Production, "a")
	away(t, d, func() {
		for i := range 3 {
			p := must[Published](t)(b.Flip(ctx, Production, "a", Flip{State: to(switches.Partial), Percent: percent(float64(i))}, me, "away"))
			if p.Stored || !p.Entry.Pending {
				t.Errorf("stored without a database: %+v", p)
			}
		}
		if h := b.Health(); h.DatabaseDown.IsZero() || h.Waiting == 0 {
			t.Errorf("%+v", h)
		}
		if _, err := b.Undo(ctx, b.recent.pick("", "", 0)[3].Change, me); err != nil {
			t.Errorf("cannot undo what is remembered: %v", err)
		}
	})
	until(t, "all is stored", func() bool { return b.Health().Waiting == 0 })
	lines := must[[]Change](t)(b.History(ctx, Production, "a", 0, 10))
	if len(lines) != 5 || lines[1].UndoneBy != lines[0].ID || lines[0].After.Everyone.Percent != 1 {
		t.Errorf("%+v", lines)
	}
}

// away runs fn while nobody gets into the database.
func away(t *testing.T, d *db.DB, fn func()) {
	t.Helper()
	err := d.Owner(t.Context(), db.Ops, func(conn *pgx.Conn) error {
		for _, sql := range []string{"ALTER DATABASE %s CONNECTION LIMIT 0", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"} {
			if strings.Contains(sql, "%s") {
				sql = fmt.Sprintf(sql, conn.Config().Database)
			}
			if _, err := conn.Exec(t.Context(), sql); err != nil {
				return err
			}
		}
		fn()
		_, err := conn.Exec(t.Context(), "ALTER DATABASE "+conn.Config().Database+" CONNECTION LIMIT -1")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFile: without database and peers a start answers from the file; a damaged one, and a disk that cannot be written, stop nobody.
func TestFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "switches")
	with := func(o *Options) { o.Dir, o.Secret, o.Listen = dir, "s", "127.0.0.1:0" }
	b := newBoard(t, 1, with)
	create(t, b, Production, "a")
	must[Published](t)(b.Flip(t.Context(), Production, "a", Flip{State: to(switches.On)}, me, ""))
	until(t, "the file is written", func() bool {
		text, _ := os.ReadFile(filepath.Join(dir, lastFile))
		return strings.Contains(string(text), `"on"`)
	})
	for _, name := range []string{lastFile, doorFile} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	b.Close(t.Context())
	o := newBoard(t, 2, with)
	if h := o.Health(); !o.Holder(Production).On("a", nil) || h.Source != FromFile || h.SavedAt.IsZero() {
		t.Errorf("%+v", h)
	}
	o.Close(t.Context())
	if err := os.WriteFile(filepath.Join(dir, lastFile), []byte(`{"records":[{`), 0o600); err != nil {
		t.Fatal(err)
	}
	x := newBoard(t, 3, with)
	if x.Health().Source != FromNothing {
		t.Error("a damaged file was read")
	}
	y := newBoard(t, 4, func(o *Options) { o.Dir = filepath.Join(dir, lastFile, "no directory") })
	create(t, y, Production, "b")
	until(t, "it says that it cannot write", func() bool { return y.Health().FileError != "" })
}

// TestForeignFile: the file of another installation is forgotten.
func TestForeignFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	with := func(o *Options) { o.Dir, o.Listen = dir, "127.0.0.1:0" }
	b := newBoard(t, 1, with)
	b.Attach(t.Context(), store.New(dbtest.New(t)))
	create(t, b, Production, "a")
	b.Close(t.Context())
	o := newBoard(t, 2, with)
	if len(o.List(Production)) != 1 {
		t.Fatal("the file was not read")
	}
	o.Attach(t.Context(), store.New(dbtest.New(t)))
	if n := len(o.List(Production)); n != 0 {
		t.Errorf("%d switches of another installation", n)
	}
}

// TestPeers: two processes and no database.
func TestPeers(t *testing.T) {
	t.Parallel()
	with := func(o *Options) { o.Secret, o.Listen = "s", "127.0.0.1:0" }
	a := newBoard(t, 1, with)
	b := newBoard(t, 2, func(o *Options) { with(o); o.Peers = []string{a.address()} })
	until(t, "they know each other", func() bool { return len(a.Processes()) == 2 && len(b.Processes()) == 2 })
	changed, stop := b.Watch(Production)
	defer stop()
	create(t, a, Production, "a")
	p := must[Published](t)(a.Flip(t.Context(), Production, "a", Flip{State: to(switches.On)}, me, ""))
	if p.Told != 1 || p.Peers != 1 || !b.Holder(Production).On("a", nil) || <-changed == 0 {
		t.Errorf("%+v", p)
	}
	late := newBoard(t, 3, func(o *Options) { with(o); o.Peers = []string{b.address()} })
	until(t, "a new one has it from peers", func() bool { return late.Health().Source == FromPeers && late.Holder(Production).On("a", nil) })
}

// TestNotified: two processes that do not reach each other hear of changes through the database, small and large ones.
func TestNotified(t *testing.T) {
	t.Parallel()
	s := store.New(dbtest.New(t))
	a, b := newBoard(t, 1, nil), newBoard(t, 2, nil)
	a.Attach(t.Context(), s)
	b.Attach(t.Context(), s)
	for _, n := range []int{10, 9000} {
		key := fmt.Sprint("k", n)
		must[Published](t)(a.Save(t.Context(), Edit{Env: Production, Switch: switches.Switch{Key: key, Variants: []switches.Variant{{Name: "off"}, {Name: "on", Value: []byte(`"` + strings.Repeat("x", n) + `"`)}}}, By: me}))
		until(t, "the other has "+key, func() bool { _, ok := b.Entry(Production, key); return ok })
	}
}

func TestCopySegmentsLabs(t *testing.T) {
	t.Parallel()
	b, ctx := newBoard(t, 1, nil), t.Context()
	if got := b.Environments(); len(got) != 2 || got[0] != Production || got[1] != "staging" {
		t.Error(got)
	}
	must[Published](t)(b.AddEnvironment(ctx, "qa", me))
	must[Published](t)(b.SaveSegment(ctx, Production, switches.Segment{Key: "staff", When: switches.When{{{Attribute: "role", Op: switches.Is, Values: []string{"staff"}}}}}, me, ""))
	sw := switches.Switch{Key: "a", State: switches.Partial, Labs: &switches.Labs{Title: "A", Cap: 1},
		Sets: []switches.Set{{When: switches.When{{{Attribute: "segment", Op: switches.Within, Values: []string{"staff"}}}}, Rollout: switches.Rollout{Percent: 100}}}}
	must[Published](t)(b.Save(ctx, Edit{Env: Production, Switch: sw, By: me}))
	if _, err := b.DeleteSegment(ctx, Production, "staff", me, ""); errs.Of(err) != errs.Conflict {
		t.Errorf("a segment that is asked for was removed: %v", err)
	}
	must[Published](t)(b.Copy(ctx, Production, "qa", nil, me, ""))
	staff := &switches.Subject{ID: "s", Role: "staff"}
	if !b.Holder("qa").On("a", staff) || len(b.Segments("qa")) != 1 {
		t.Error("the copy does not answer as the original")
	}
	if _, err := b.Copy(ctx, Production, "moon", nil, me, ""); errs.Of(err) != errs.NotFound {
		t.Error(err)
	}
	yes := true
	must[Published](t)(b.Opt(ctx, Production, "a", "u1", &yes))
	if !b.Holder(Production).On("a", &switches.Subject{ID: "u1"}) || !b.Opted(Production, "u1")["a"] {
		t.Error("who opted in does not get it")
	}
	if _, err := b.Opt(ctx, Production, "a", "u2", &yes); errs.Of(err) != errs.Conflict {
		t.Errorf("more are in than may be: %v", err)
	}
	must[Published](t)(b.Opt(ctx, Production, "a", "u1", nil))
	if b.Holder(Production).On("a", &switches.Subject{ID: "u1"}) {
		t.Error("who has no opinion gets it still")
	}
}

// TestAsked: a switch that code asks for is made, off, with who asked; one that was removed is not made again.
func TestAsked(t *testing.T) {
	t.Parallel()
	b := newBoard(t, 1, func(o *Options) { o.AutoCreate = true })
	b.heardFrom(FromPeers)
	b.Holder(Production).On("unknown", nil)
	b.makeAsked(t.Context(), Production)
	e, ok := b.Entry(Production, "unknown")
	if !ok || e.State != switches.Off || !strings.Contains(e.Description, "board_test.go:") {
		t.Fatalf("%+v", e)
	}
	must[Published](t)(b.Delete(t.Context(), Production, "unknown", peers.Version{}, me, ""))
	b.Holder(Production).On("unknown", nil)
	b.makeAsked(t.Context(), Production)
	if _, ok := b.Entry(Production, "unknown"); ok {
		t.Error("a switch that was removed is back")
	}
}
