package impact

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/app/sketch"
	"kibitz/app/store"
	"kibitz/app/switches"
	"kibitz/app/trace"
	"kibitz/ingest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// desk is the use cases over a clean database, with a drain and switches of its own.
type desk struct {
	*Impact
	t        testing.TB
	ctx      context.Context
	db       *db.DB
	digester *issues.Digester
	project  model.Project
	at       ingest.Position
	now      time.Time
	list     []switches.Switch
	killed   []string
	alerts   []Alert
	n        int
	zip      *zstd.Encoder
}

func newDesk(t testing.TB, list ...switches.Switch) *desk {
	t.Helper()
	d := dbtest.New(t)
	s, ids, log := store.New(d), model.NewIDs(1), slog.New(slog.NewTextHandler(io.Discard, nil))
	groupings := issues.NewGroupings(s, log)
	perf, err := requests.NewDigester(requests.DigesterOptions{Store: s, IDs: ids, Log: log, KeepOneIn: 1_000_000})
	if err != nil {
		t.Fatal(err)
	}
	digester, err := issues.NewDigester(s, groupings, perf, issues.NewHub(), log)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	k := &desk{t: t, ctx: t.Context(), db: d, digester: digester, list: list, zip: zip, now: time.Now().UTC().Truncate(model.GuardWindow).Add(-20 * time.Minute)}
	if k.project, _, err = issues.NewProjects(s, log).Ensure(k.ctx, "shop", "go"); err != nil {
		t.Fatal(err)
	}
	k.Impact = New(Options{Store: s, IDs: ids, Log: log, Environments: func() []string { return []string{"production", "staging"} },
		Switches: func(env string) []switches.Switch {
			if env == "production" {
				return k.list
			}
			return nil
		},
		Kill: func(_ context.Context, env, key, why string) error {
			k.killed = append(k.killed, key)
			for n := range k.list {
				k.list[n].Killed = k.list[n].Killed || k.list[n].Key == key
			}
			return nil
		},
		Alert: func(_ context.Context, a Alert) error { k.alerts = append(k.alerts, a); return nil }})
	return k
}

// visit is a request of a user at the desk's moment, with what switches answered.
func (k *desk) visit(user int, failed bool, answers ...trace.Switch) trace.Request {
	k.n++
	var id trace.ID
	binary.BigEndian.PutUint64(id[:], uint64(k.n))
	id[15] = 1
	return trace.Request{Trace: id, Span: trace.SpanID(k.n), Name: "/cart", Source: "route", Op: "http.server", Method: "GET", Status: 200, State: "ok", Start: k.now,
		Duration: 20 * time.Millisecond, Release: "shop@1", User: fmt.Sprintf("id:%d", user), Weight: 1, Failed: failed, Switches: answers}
}

// take stores requests, received at the desk's moment.
func (k *desk) take(list ...trace.Request) {
	k.t.Helper()
	k.write(ingest.KindRequests, trace.Append(nil, list))
}

func (k *desk) write(kind ingest.Kind, raw []byte) {
	k.t.Helper()
	r := ingest.Record{ID: k.IDs.Next(), Project: k.project.ID, KeyID: 1, Kind: kind, Received: k.now, EventID: [16]byte(binary.BigEndian.AppendUint64(make([]byte, 8), uint64(k.IDs.Next()))),
		Payload: k.zip.EncodeAll(raw, nil)}
	to := ingest.Position{Segment: 1, Offset: k.at.Offset + 100}
	if err := k.digester.Write(k.ctx, ingest.Batch{Node: "n", From: k.at, To: to, Records: []ingest.Record{r}}); err != nil {
		k.t.Fatal(err)
	}
	k.at = to
	k.exec(`UPDATE switch_raw SET received = $1 WHERE received > now() - interval '1 minute'`, k.now)
}

// fault stores an error event with the answers of switches in it.
func (k *desk) fault(message string, user int, flags map[string]string) {
	k.t.Helper()
	values := []map[string]any{}
	for key, answer := range flags {
		values = append(values, map[string]any{"flag": key, "result": answer})
	}
	body, err := json.Marshal(map[string]any{"level": "error", "message": message, "user": map[string]any{"id": fmt.Sprint(user)},
		"timestamp": float64(k.now.Unix()), "contexts": map[string]any{"flags": map[string]any{"values": values}}})
	if err != nil {
		k.t.Fatal(err)
	}
	k.write(ingest.KindEvent, body)
}

func (k *desk) exec(sql string, args ...any) {
	k.t.Helper()
	if _, err := k.db.Write(k.ctx, db.Key{Part: db.Ops}).Exec(k.ctx, sql, args...); err != nil {
		k.t.Fatal(err)
	}
}

// gets is whether a user is among a share of everyone, for a switch of a salt.
func gets(user int, salt uint64, percent float64) bool {
	return float64(sketch.Mix(uint64(user)<<8^salt)%100_000) < 1000*percent
}

func answer(key string, on bool) trace.Switch {
	if on {
		return trace.Switch{Key: key, Variant: "on"}
	}
	return trace.Switch{Key: key, Variant: "off"}
}

// begin lets the guard begin at the desk's moment.
func (k *desk) begin() {
	k.t.Helper()
	k.exec(`INSERT INTO rollup_state (name, until) VALUES ('guard', $1) ON CONFLICT (name) DO UPDATE SET until = excluded.until`, k.now)
}

// watch lets the guard look at all that was received.
func (k *desk) watch() {
	k.t.Helper()
	if err := (&watcher{Impact: k.Impact, limit: k.now}).catchUp(k.ctx); err != nil {
		k.t.Fatal(err)
	}
}

// window is a window of 100 visits of different people: the share gets risky and tea, and one in so many fails with risky on.
func (k *desk) window(percent float64, failOneIn int) {
	k.t.Helper()
	var list []trace.Request
	for range 100 {
		user := k.n
		risky, tea := gets(user, 1, percent), gets(user, 2, percent)
		failed := user%200 == 7 || (risky && failOneIn > 0 && k.n%failOneIn == 0)
		list = append(list, k.visit(user, failed, answer("risky", risky), answer("tea", tea)))
	}
	k.take(list...)
	k.now = k.now.Add(model.GuardWindow)
}

func partly(key string, percent float64) switches.Switch {
	return switches.Switch{Key: key, State: switches.Partial, Everyone: switches.Rollout{Percent: percent}}
}
