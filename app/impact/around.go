package impact

import (
	"context"
	"time"

	"kibitz/app/store"
	"kibitz/app/switches"
	"kibitz/app/switches/guard"
)

const (
	pastEvery   = time.Hour   // how often the past day is read
	peopleEvery = time.Minute // how often people are counted, and releases looked up
)

// pastDay is the failures of a switch by the minute of the past day, and the exposures and failures of those without it.
type pastDay struct {
	from   time.Time
	failed [24][]int64
	off    map[int64]guard.Arm // by the minute since 1970
	spread float64
}

// lookAround reads what changes slowly: the past day, releases, people.
func (w *watcher) lookAround(ctx context.Context, now time.Time) (err error) {
	if now.Sub(w.pastAt) >= pastEvery {
		if err := w.readPast(ctx, now); err != nil {
			return err
		}
		w.pastAt = now
	}
	if now.Sub(w.peopleAt) < peopleEvery {
		return nil
	}
	if w.releases, err = w.Store.NewestReleases(ctx); err != nil {
		return err
	}
	if err := w.countPeople(ctx, now); err != nil {
		return err
	}
	w.peopleAt = now
	return nil
}

func (w *watcher) readPast(ctx context.Context, now time.Time) error {
	to := now.Truncate(time.Minute)
	from := to.Add(-24 * time.Hour)
	minutes, err := w.Store.SwitchMinutes(ctx, from, to)
	if err != nil {
		return err
	}
	w.past = map[watched]*pastDay{}
	known := map[string]map[string]*switches.Switch{}
	for _, m := range minutes {
		key, variant := answerOf(m.Label)
		at := watched{w.envOf(m.Env), key}
		if known[at.env] == nil {
			known[at.env] = w.switchesOf(at.env)
		}
		if s := known[at.env][key]; s != nil {
			w.pastDay(at, from).add(m, isOff(s, variant))
		}
	}
	for _, p := range w.past {
		if p.spread, err = guard.Dispersion(p.failed[:]); err != nil {
			return err
		}
	}
	return nil
}

func (w *watcher) pastDay(at watched, from time.Time) *pastDay {
	p := w.past[at]
	if p == nil {
		p = &pastDay{from: from, off: map[int64]guard.Arm{}}
		for h := range p.failed {
			p.failed[h] = make([]int64, 60)
		}
		w.past[at] = p
	}
	return p
}

func (p *pastDay) add(m store.SwitchMinute, off bool) {
	minute := int(m.Bucket.Sub(p.from) / time.Minute)
	if minute < 0 || minute >= 24*60 {
		return
	}
	p.failed[minute/60][minute%60] += m.Hurt
	if off {
		arm := p.off[m.Bucket.Unix()/60]
		arm.Subjects, arm.Failed = arm.Subjects+m.Exposed, arm.Failed+m.Hurt
		p.off[m.Bucket.Unix()/60] = arm
	}
}

// spreadOf is how much more failures of a switch vary than by chance, as the past day shows.
func (w *watcher) spreadOf(at watched) guard.Spread {
	if p := w.past[at]; p != nil {
		return guard.Spread{Errors: p.spread, Slow: 1, Queries: 1}
	}
	return guard.Spread{Errors: 1, Slow: 1, Queries: 1}
}

// pastOf is a minute of those without the switch.
func (w *watcher) pastOf(at watched, minute time.Time) guard.Arm {
	if p := w.past[at]; p != nil {
		return p.off[minute.Unix()/60]
	}
	return guard.Arm{}
}

// sides counts the people of a switch since its share changed.
type sides struct {
	with, without *store.SwitchTotal
	seen, known   int64
}

// countPeople counts who had which answer of every switch that is partly on since its share changed: two statements, one for those
// that changed today, by the minute, and one for those that changed before, by the hour.
func (w *watcher) countPeople(ctx context.Context, now time.Time) error {
	var since [2]time.Time
	steps := [2]time.Duration{time.Minute, time.Hour}
	for _, t := range w.known {
		n := stepOf(t, now)
		if t.Share > 0 && t.Share < 100 && (since[n].IsZero() || t.ShareAt.Before(since[n])) {
			since[n] = t.ShareAt
		}
	}
	for n, from := range since {
		if from.IsZero() {
			continue
		}
		rows, err := w.Store.NamedSwitchSums(ctx, store.SwitchQuery{From: from.Truncate(steps[n]).Add(steps[n]), To: now.Add(time.Hour), Step: steps[n]})
		if err != nil {
			return err
		}
		if err := w.addPeople(rows, n, steps[n], now); err != nil {
			return err
		}
	}
	return nil
}

// stepOf is whether people are counted by the minute (0) or the hour (1).
func stepOf(t *tracked, now time.Time) int {
	if now.Sub(t.ShareAt) < 24*time.Hour {
		return 0
	}
	return 1
}

func (w *watcher) addPeople(rows []store.NamedSwitchSum, n int, step time.Duration, now time.Time) error {
	all, known := map[watched]*sides{}, map[string]map[string]*switches.Switch{}
	for _, env := range w.Environments() {
		known[env] = w.switchesOf(env)
	}
	for r := range rows {
		row := &rows[r]
		key, variant := answerOf(row.Label)
		at := watched{w.envOf(row.EnvName), key}
		t := w.known[at]
		if t == nil || stepOf(t, now) != n || row.Bucket.Before(t.ShareAt.Truncate(step).Add(step)) {
			continue
		}
		if all[at] == nil {
			all[at] = &sides{with: store.NewSwitchUnion(), without: store.NewSwitchUnion()}
		}
		if err := all[at].add(row, isOff(known[at.env][key], variant)); err != nil {
			return err
		}
	}
	for at, s := range all {
		if sw := known[at.env][at.key]; sw != nil {
			w.known[at].meet(s, sw)
		}
	}
	return nil
}

// add adds a sum to its side.
func (s *sides) add(row *store.NamedSwitchSum, off bool) error {
	s.seen, s.known = s.seen+row.Seen, s.known+row.Known
	to := s.with
	if off {
		to = s.without
	}
	return to.People().MergeEncoded(row.Subjects)
}

// knownShare is the share of requests whose user must be known before the share of people is checked: where nobody is known each
// request is a subject of its own, and the many requests of one visitor share an answer.
const knownShare = 0.95

// meet takes over who had the switch.
func (t *tracked) meet(s *sides, sw *switches.Switch) {
	with, without := s.with.People().Count(), s.without.People().Count()
	p := guard.People{With: with, Without: without}
	if meant := meantShare(sw); float64(s.known) >= knownShare*float64(s.seen) && offShare(with, without, meant) {
		p.Expected = meant
	}
	t.People, t.State.People, t.changed = with, p, true
}
