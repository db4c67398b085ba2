package rollout

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"kibitz/app/switches"
	"kibitz/app/switches/peers"
)

// view is what the registers of an environment come to. Callers hold the board's lock.
type view struct {
	env      string
	holder   *switches.Holder
	switches map[string]*item
	keys     []string // of switches, sorted
	segments map[string]switches.Segment
	kills    map[string]peers.Record    // of switches that are killed
	opts     map[string]map[string]bool // key -> who -> in
	problems map[string][]switches.Problem
	watchers map[chan int64]bool
}

// item is a switch as it was saved.
type item struct {
	saved  switches.Switch
	record peers.Record
}

func newView(env string) *view {
	return &view{env: env, holder: switches.NewHolder(env), switches: map[string]*item{}, segments: map[string]switches.Segment{},
		kills: map[string]peers.Record{}, problems: map[string][]switches.Problem{}, opts: map[string]map[string]bool{}, watchers: map[chan int64]bool{}}
}

// view is that of an environment, made when it is new.
func (b *Board) view(env string) *view {
	v := b.views[env]
	if v == nil {
		v = newView(env)
		v.holder.OnAnswer = b.opts.Answered
		b.views[env] = v
	}
	return v
}

// killBody and optBody are the values of those registers.
type killBody struct {
	Killed bool `json:"killed"`
}
type optBody struct {
	Key string `json:"key"`
	ID  string `json:"id"`
	In  bool   `json:"in"`
}

// take puts a record into the view that it belongs to, and gives that.
func (b *Board) take(r peers.Record) (*view, error) {
	v := b.view(r.Env)
	switch r.Kind {
	case peers.Switch:
		return v, v.takeSwitch(r)
	case peers.Segment:
		return v, v.takeSegment(r)
	case peers.Kill:
		var k killBody
		err := decode(r, &k)
		if delete(v.kills, r.Key); k.Killed && err == nil {
			v.kills[r.Key] = r
		}
		return v, err
	case peers.Opt:
		return v, v.takeOpt(r)
	}
	return v, nil
}

func decode(r peers.Record, into any) error {
	if r.Deleted || len(r.Body) == 0 {
		return nil
	}
	return json.Unmarshal(r.Body, into)
}

func (v *view) takeSwitch(r peers.Record) error {
	if r.Deleted {
		if _, ok := v.switches[r.Key]; ok {
			delete(v.switches, r.Key)
			v.keys = slices.DeleteFunc(v.keys, func(k string) bool { return k == r.Key })
		}
		return nil
	}
	i := &item{record: r}
	err := decode(r, &i.saved)
	i.saved.Key, i.saved.Killed = r.Key, false
	if v.switches[r.Key] == nil {
		at, _ := slices.BinarySearch(v.keys, r.Key)
		v.keys = slices.Insert(v.keys, at, r.Key)
	}
	v.switches[r.Key] = i
	return err
}

func (v *view) takeSegment(r peers.Record) error {
	if r.Deleted {
		delete(v.segments, r.Key)
		return nil
	}
	var s switches.Segment
	err := decode(r, &s)
	s.Key = r.Key
	v.segments[r.Key] = s
	return err
}

func (v *view) takeOpt(r peers.Record) error {
	var o optBody
	if err := json.Unmarshal(r.Body, &o); err != nil {
		return err
	}
	if r.Deleted {
		delete(v.opts[o.Key], o.ID)
		return nil
	}
	if v.opts[o.Key] == nil {
		v.opts[o.Key] = map[string]bool{}
	}
	v.opts[o.Key][o.ID] = o.In
	return nil
}

// merged is a switch with its kill and people's opinions.
func (v *view) merged(key string) switches.Switch {
	s := v.switches[key].saved
	_, s.Killed = v.kills[key]
	if s.Labs != nil {
		labs := *s.Labs
		for _, id := range slices.Sorted(maps.Keys(v.opts[key])) {
			if v.opts[key][id] {
				labs.In = append(labs.In, id)
			} else {
				labs.Out = append(labs.Out, id)
			}
		}
		s.Labs = &labs
	}
	return s
}

func (v *view) segmentList() []switches.Segment {
	out := make([]switches.Segment, 0, len(v.segments))
	for _, key := range slices.Sorted(maps.Keys(v.segments)) {
		out = append(out, v.segments[key])
	}
	return out
}

func (v *view) config(revision int64) switches.Config {
	c := switches.Config{Environment: v.env, Revision: revision, Switches: make([]switches.Switch, 0, len(v.keys)), Segments: v.segmentList()}
	for _, key := range v.keys {
		c.Switches = append(c.Switches, v.merged(key))
	}
	return c
}

// compile makes the view what this process answers from.
func (v *view) compile(revision int64, now time.Time) {
	snapshot, problems := switches.Compile(v.config(revision), now)
	v.problems = map[string][]switches.Problem{}
	for _, p := range problems {
		v.problems[p.Key] = append(v.problems[p.Key], p)
	}
	v.holder.Publish(snapshot)
}

// maxOneByOne is up to how many changed switches are compiled one by one rather than with all others.
const maxOneByOne = 8

// update is compile after only these switches have changed; nil: anything may have.
func (v *view) update(keys map[string]bool, revision int64, now time.Time) {
	if keys == nil || len(keys) > maxOneByOne {
		v.compile(revision, now)
		return
	}
	snapshot, segments := v.holder.Snapshot(), v.segmentList()
	found := map[string][]switches.Problem{}
	for key := range keys {
		if v.switches[key] == nil {
			if snapshot.Has(key) {
				v.compile(revision, now)
				return
			}
			continue // a kill or an opinion of what was removed
		}
		next, problems, ok := snapshot.With(v.merged(key), segments, revision, now)
		if !ok {
			v.compile(revision, now)
			return
		}
		snapshot, found[key] = next, problems
	}
	for key, problems := range found {
		if delete(v.problems, key); len(problems) > 0 {
			v.problems[key] = problems
		}
	}
	v.holder.Publish(snapshot)
}

// about adds the switch that a record is about; nil when it may be about all.
func about(keys map[string]bool, r *peers.Record, first bool) map[string]bool {
	if first {
		keys = map[string]bool{}
	}
	if keys == nil || r.Kind == peers.Segment || r.Kind == peers.Environment {
		return nil
	}
	key, _, _ := strings.Cut(r.Key, "\n")
	keys[key] = true
	return keys
}

// tell tells those who watch; one that has not read the last revision yet finds the newer one in its place.
func (v *view) tell(revision int64) {
	for ch := range v.watchers {
		select {
		case <-ch:
		default:
		}
		select {
		case ch <- revision:
		default:
		}
	}
}

// merge takes records in, publishes what changed, and gives that. The caller holds the lock.
func (b *Board) merge(records []peers.Record) []peers.Record {
	changed := b.set.Merge(records)
	dirty := map[*view]map[string]bool{}
	for _, r := range changed {
		v, err := b.take(r)
		if err != nil {
			b.log.Error("cannot read a switch; it is as if it were not there", "env", r.Env, "kind", r.Kind, "key", r.Key, "err", err)
		}
		keys, was := dirty[v]
		dirty[v] = about(keys, &r, !was)
	}
	revision := b.set.Revision()
	for v, keys := range dirty {
		v.update(keys, revision, b.opts.Now())
		v.tell(revision)
	}
	if len(changed) > 0 {
		b.file.changed()
	}
	return changed
}

// receive takes in what came from elsewhere: peers, the database, a file.
func (b *Board) receive(records []peers.Record) []peers.Record {
	valid := make([]peers.Record, 0, len(records))
	for i := range records {
		if err := records[i].Check(); err != nil {
			b.log.Warn("left out a record of switches", "kind", records[i].Kind, "key", records[i].Key, "err", err)
			continue
		}
		valid = append(valid, records[i])
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	changed := b.merge(valid)
	b.recent.add(changed)
	return changed
}
