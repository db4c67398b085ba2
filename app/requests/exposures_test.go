package requests

import (
	"encoding/json"
	"testing"
	"time"

	"kibitz/app/db/dbtest"
	"kibitz/app/store"
	"kibitz/app/trace"
	"kibitz/ingest"
)

// fault stores an error event of a trace, as one batch, alone or after requests.
func (k *desk) fault(id trace.ID, user string, flags map[string]any, requests ...trace.Request) {
	k.t.Helper()
	var values []object
	for name, result := range flags {
		values = append(values, object{"flag": name, "result": result})
	}
	event := object{"level": "error", "environment": "production", "message": "out of tea",
		"contexts": object{"trace": object{"trace_id": id.String(), "span_id": "00000000000000aa"}, "flags": object{"values": values}}}
	if user != "" {
		event["user"] = object{"id": user}
	}
	body, err := json.Marshal(event)
	if err != nil {
		k.t.Fatal(err)
	}
	records := []ingest.Record{{ID: k.ids.Next(), Project: k.project.ID, KeyID: 1, Kind: ingest.KindEvent, Received: k.now, EventID: eventID(k.ids.Next()), Payload: k.perf.out.EncodeAll(body, nil)}}
	if len(requests) > 0 {
		records = append(records, ingest.Record{ID: k.ids.Next(), Project: k.project.ID, KeyID: 1, Kind: ingest.KindRequests, Received: k.now,
			Payload: k.perf.out.EncodeAll(trace.Append(nil, requests), nil)})
	}
	to := ingest.Position{Segment: 1, Offset: k.at.Offset + 100}
	if err := k.digester.Write(k.ctx, ingest.Batch{Node: "n", From: k.at, To: to, Records: records}); err != nil {
		k.t.Fatal(err)
	}
	k.at = to
}

func eventID(n int64) (id [16]byte) {
	for i := range 8 {
		id[i] = byte(n >> (8 * i))
	}
	return id
}

// by is request n of a user who got an answer of the switch tea.
func (k *desk) by(n int, user, answer string) trace.Request {
	q := k.page(n, "/a")
	q.User, q.Switches = user, []trace.Switch{{Key: "tea", Variant: answer}}
	return q
}

// answered reads a sum of the answers on of the switch tea.
func answered(column string) string {
	return "SELECT sum(s." + column + ") FROM switch_raw s JOIN label l ON l.id = s.switch_id WHERE s.endpoint_id = 0 AND l.value = 'tea=on'"
}

// TestExposures holds that requests are counted once under each answer, for their endpoint and the project, and subjects once a window.
func TestExposures(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1000)
	a, b, c := k.by(1, "id:1", "on"), k.by(2, "id:1", "on"), k.by(3, "id:2", "on")
	c.Weight, c.Failed = 4, true
	c.Switches = append(c.Switches, trace.Switch{Key: "cart", Variant: "off"})
	k.take(a, b, c)
	k.take(a, c) // sent again
	k.expect(map[string]float64{answered("n"): 6, answered("seen"): 3, answered("failed"): 4, answered("exposed"): 2, answered("hurt"): 1,
		"SELECT sum(n) FROM switch_raw WHERE endpoint_id <> 0": 10, "SELECT sum(exposed) FROM switch_raw WHERE endpoint_id <> 0": 0})
	k.take(k.by(4, "id:1", "on"), k.by(5, "id:3", "on"))
	k.expect(map[string]float64{answered("n"): 8, answered("exposed"): 3})
	k.now = k.now.Add(11 * time.Second) // two windows later
	k.take(k.by(6, "id:1", "on"))
	k.expect(map[string]float64{answered("exposed"): 4, answered("hurt"): 1})
	k.checkPeople(3)
}

// checkPeople holds how many people were counted under tea=on, before and after sums are merged.
func (k *desk) checkPeople(want int64) {
	k.t.Helper()
	for range 2 {
		rows, err := k.store.NamedSwitchSums(k.ctx, store.SwitchQuery{Envs: []string{"production"}, Key: "tea", From: k.now.Add(-time.Hour), To: k.now.Add(time.Hour), Step: time.Minute})
		if err != nil {
			k.t.Fatal(err)
		}
		total := store.NewSwitchTotal(store.SwitchRollup{})
		for i := range rows {
			if err := total.Add(&rows[i].SwitchRollup); err != nil {
				k.t.Fatal(err)
			}
		}
		if got := total.People().Count(); got != want {
			k.t.Errorf("%d people, not %d", got, want)
		}
		if _, err := k.store.MergeRollups(k.ctx); err != nil {
			k.t.Fatal(err)
		}
	}
	k.expect(map[string]float64{"SELECT count(*) FROM switch_minute WHERE endpoint_id = 0 AND octet_length(subjects) = 0": 0})
}

// TestFaults holds that an error event and the request of its trace make one failure, whichever comes first, and that an event
// that names switches counts without a request.
func TestFaults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		want float64
		do   func(k *desk)
	}{
		"event after its request": {1, func(k *desk) { q := k.by(1, "id:1", "on"); k.take(q); k.fault(q.Trace, "", nil) }},
		"event before it":         {1, func(k *desk) { q := k.by(1, "id:1", "on"); k.fault(q.Trace, "", nil); k.take(q) }},
		"in one batch":            {1, func(k *desk) { q := k.by(1, "id:1", "on"); k.fault(q.Trace, "1", map[string]any{"tea": "on"}, q) }},
		"both fail": {1, func(k *desk) {
			q := k.by(1, "id:1", "on")
			q.Failed = true
			k.take(q)
			k.fault(q.Trace, "", map[string]any{"tea": "on"})
		}},
		"named before a request that fails": {1, func(k *desk) {
			q := k.by(1, "id:1", "on")
			q.Failed = true
			k.fault(q.Trace, "", map[string]any{"tea": "on"})
			k.take(q)
		}},
		"named alone": {1, func(k *desk) { k.fault(trace.ID{7}, "1", map[string]any{"tea": "on", "cart": true}) }},
		"two of one person": {1, func(k *desk) {
			k.fault(trace.ID{7}, "1", map[string]any{"tea": "on"})
			k.fault(trace.ID{8}, "1", map[string]any{"tea": "on"})
		}},
		"two people": {2, func(k *desk) {
			k.fault(trace.ID{7}, "1", map[string]any{"tea": "on"})
			k.fault(trace.ID{8}, "2", map[string]any{"tea": "on"})
		}},
		"of a stranger":     {0, func(k *desk) { k.take(k.by(1, "id:1", "on")); k.fault(trace.ID{9}, "1", nil) }},
		"of another answer": {0, func(k *desk) { q := k.by(1, "id:1", "off"); k.take(q); k.fault(q.Trace, "", nil) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newDesk(t, dbtest.New(t), 1000)
			test.do(k)
			k.expect(map[string]float64{answered("hurt"): test.want})
		})
	}
}

// TestFlagsCounted holds that the answers an issue's events name are counted apart from its tags.
func TestFlagsCounted(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1000)
	k.fault(trace.ID{7}, "1", map[string]any{"tea": true})
	k.fault(trace.ID{8}, "1", map[string]any{"tea": true, "cart": "blue"})
	k.expect(map[string]float64{"SELECT n FROM issue_tag WHERE key = 'flags[tea]' AND value = 'true'": 2, "SELECT n FROM issue_tag WHERE key = 'flags[cart]' AND value = 'blue'": 1})
	tags, err := k.store.IssueTags(k.ctx, int64(k.number("SELECT id FROM issue")))
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range tags {
		if tag.Key == store.FlagTag("tea") {
			t.Errorf("the page would show %+v", tag)
		}
	}
}
