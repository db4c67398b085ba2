package issues

import (
	"cmp"
	"encoding/hex"
	"slices"

	"kibitz/app/errs"
	"kibitz/app/model"
)

// simulationLimits bound what a simulation holds. At these defaults that is about 100 MB.
type simulationLimits struct {
	groups, hashes, pairs int
}

func defaultSimulationLimits() simulationLimits {
	return simulationLimits{groups: 200_000, hashes: 500_000, pairs: 500_000}
}

// simulation files events as the digest would when nothing had been filed before: the first known hash of an event
// decides, its others are bound to the same group, and an event without a known one begins a group.
type simulation struct {
	limits     simulationLimits
	known      simKnown
	hashes     map[[16]byte]int32 // to the group
	groups     []simGroup
	pairs      map[simPair]int32 // to the count
	counts     []simCount
	unreadable map[int64]int64 // by issue
	together   map[int64]int32 // to the group of an issue that people merged others into
	events     int64
	last       int64 // id of the newest event that was looked at
}

// simKnown is what a simulation has to know of the present.
type simKnown struct {
	hidden map[int64]int64    // merged issues, to where they lead, and deleted ones, to 0
	merged map[[16]byte]int64 // hashes of issues that people merged others into: they stay together
}

// at is the issue that an event of an issue counts for; 0 when it is deleted.
func (k simKnown) at(issue int64) int64 {
	for range maxMergeChain {
		to, ok := k.hidden[issue]
		if !ok {
			return issue
		}
		issue = to
	}
	return 0
}

// maxMergeChain is how many merges of merges are followed; no chain is a ring, and people do not merge that often.
const maxMergeChain = 1000

// simGroup is a future issue.
type simGroup struct {
	hash   [16]byte // the primary hash of its first event
	first  int64    // id of that event
	events int64
	home   int64 // the present issue that it keeps; 0 for none
	fixed  bool  // the home is not to be found
}

// simPair is events that are in an issue and would be in a group.
type simPair struct {
	issue int64
	group int32
}

type simCount struct {
	simPair
	events   int64
	examples [3][16]byte // the first event ids
}

func newSimulation(limits simulationLimits, known simKnown) *simulation {
	return &simulation{limits: limits, known: known, hashes: map[[16]byte]int32{}, pairs: map[simPair]int32{},
		unreadable: map[int64]int64{}, together: map[int64]int32{}}
}

// add files the events of a chunk.
func (s *simulation) add(c *regroupChunk) error {
	for i := range c.events {
		e := &c.events[i]
		s.last = e.id
		issue := s.known.at(e.issue)
		if issue == 0 {
			continue
		}
		if s.events++; len(e.hashes) == 0 {
			s.unreadable[issue]++
			continue
		}
		s.count(e, simPair{issue, s.file(e)})
	}
	return s.within()
}

// file finds or makes the group of an event and binds all of its hashes.
func (s *simulation) file(e *regrouped) int32 {
	group, ok := s.hashes[e.hashes[0]]
	for n := 1; n < len(e.hashes) && !ok; n++ {
		group, ok = s.hashes[e.hashes[n]]
	}
	if !ok {
		group = s.begin(e)
	}
	for _, h := range e.hashes {
		if _, known := s.hashes[h]; !known {
			s.hashes[h] = group
		}
	}
	return group
}

// begin is a new group, or that of an issue which people put together.
func (s *simulation) begin(e *regrouped) int32 {
	home, fixed := s.known.merged[e.hashes[0]]
	if group, ok := s.together[home]; ok && fixed {
		return group
	}
	group := int32(len(s.groups))
	s.groups = append(s.groups, simGroup{hash: e.hashes[0], first: e.id, home: home, fixed: fixed})
	if fixed {
		s.together[home] = group
	}
	return group
}

func (s *simulation) count(e *regrouped, pair simPair) {
	s.groups[pair.group].events++
	at, ok := s.pairs[pair]
	if !ok {
		at = int32(len(s.counts))
		s.pairs[pair] = at
		s.counts = append(s.counts, simCount{simPair: pair})
	}
	c := &s.counts[at]
	if c.events < int64(len(c.examples)) {
		c.examples[c.events] = e.eventID
	}
	c.events++
}

// within fails when a limit is passed.
func (s *simulation) within() error {
	for _, l := range []struct {
		name       string
		have, most int
	}{
		{"rehearsal groups", len(s.groups), s.limits.groups},
		{"rehearsal hashes", len(s.hashes), s.limits.hashes},
		{"rehearsal moves (pairs of an issue and a group)", len(s.counts) + len(s.unreadable), s.limits.pairs},
	} {
		if l.have > l.most {
			return errs.New(errs.TooLarge, "The window holds more than %d %s, which is the limit. Take a shorter window, or look for a rule that "+
				"gives nearly every event a fingerprint of its own.", l.most, l.name)
		}
	}
	return nil
}

// settle gives groups their homes: the issue that most of a group's events come from. An issue is home to one group, the
// largest that wants it, and the others become new issues. It may be asked again after more events.
func (s *simulation) settle() {
	wants := make([]*simCount, len(s.groups)) // the largest count of each group
	for i := range s.counts {
		c := &s.counts[i]
		if w := wants[c.group]; w == nil || c.events > w.events || c.events == w.events && c.issue < w.issue {
			wants[c.group] = c
		}
	}
	order := make([]int32, len(s.groups))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(s.groups[b].events, s.groups[a].events), cmp.Compare(a, b))
	})
	taken := map[int64]bool{}
	for home := range s.together {
		taken[home] = true
	}
	for _, g := range order {
		group, issue := &s.groups[g], wants[g].issue
		switch {
		case group.fixed:
		case taken[issue]:
			group.home = 0
		default:
			taken[issue], group.home = true, issue
		}
	}
}

// Limits of a result: it is read by people.
const (
	maxChanges = 100
	maxParts   = 20
)

// result sums up; titles are not in it yet. The groups have settled.
func (s *simulation) result() *model.RehearsalResult {
	out := &model.RehearsalResult{Events: s.events, IssuesAfter: len(s.groups)}
	byIssue, byGroup := map[int64][]*simCount{}, make([][]*simCount, len(s.groups))
	for i := range s.counts {
		c := &s.counts[i]
		byIssue[c.issue], byGroup[c.group] = append(byIssue[c.issue], c), append(byGroup[c.group], c)
		if s.groups[c.group].home != c.issue {
			out.Moved += c.events
		}
	}
	out.IssuesBefore = len(byIssue)
	s.countUnreadable(out, byIssue)
	for issue, list := range byIssue {
		if len(list) > 1 {
			out.SplitCount++
			out.Splits = append(out.Splits, s.change(issue, list, s.goesTo))
		}
	}
	for g, list := range byGroup {
		if len(list) > 1 {
			out.MergeCount++
			out.Merges = append(out.Merges, s.change(s.groups[g].home, list, s.comesFrom))
		}
	}
	out.Splits, out.Merges = largest(out.Splits), largest(out.Merges)
	return out
}

// countUnreadable counts events that stay where they are, and the issues that would hold nothing else.
func (s *simulation) countUnreadable(out *model.RehearsalResult, byIssue map[int64][]*simCount) {
	homes := make(map[int64]bool, len(s.groups))
	for i := range s.groups {
		homes[s.groups[i].home] = true
	}
	for issue, n := range s.unreadable {
		out.Unreadable += n
		if byIssue[issue] == nil {
			out.IssuesBefore++
		}
		if !homes[issue] {
			out.IssuesAfter++
		}
	}
}

// change is an issue or group with its parts, the largest first.
func (s *simulation) change(issue int64, list []*simCount, side func(*simCount) int64) model.RehearsedChange {
	out := model.RehearsedChange{IssueID: issue, More: max(0, len(list)-maxParts)}
	slices.SortFunc(list, func(a, b *simCount) int {
		return cmp.Or(cmp.Compare(b.events, a.events), cmp.Compare(a.issue, b.issue), cmp.Compare(a.group, b.group))
	})
	for _, c := range list {
		out.Events += c.events
	}
	for _, c := range list[:min(len(list), maxParts)] {
		part := model.RehearsedPart{IssueID: side(c), Hash: hex.EncodeToString(s.groups[c.group].hash[:]), Events: c.events}
		for _, id := range c.examples[:min(c.events, int64(len(c.examples)))] {
			part.Examples = append(part.Examples, hex.EncodeToString(id[:]))
		}
		out.Parts = append(out.Parts, part)
	}
	return out
}

func (s *simulation) goesTo(c *simCount) int64    { return s.groups[c.group].home }
func (s *simulation) comesFrom(c *simCount) int64 { return c.issue }

func largest(list []model.RehearsedChange) []model.RehearsedChange {
	slices.SortFunc(list, func(a, b model.RehearsedChange) int {
		return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(a.IssueID, b.IssueID), cmp.Compare(a.Parts[0].Hash, b.Parts[0].Hash))
	})
	return list[:min(len(list), maxChanges)]
}
