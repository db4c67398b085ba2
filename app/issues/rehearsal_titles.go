package issues

import (
	"context"
	"maps"
	"slices"
	"strings"

	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/grouping"
)

// describe settles a simulation and puts names to what it found: titles and numbers of issues that exist, and for new
// ones the title that their first event gives them.
func (r *Rehearsals) describe(ctx context.Context, project int64, setup grouping.Setup, sim *simulation) (*model.RehearsalResult, error) {
	sim.settle()
	out := sim.result()
	names, err := r.store.IssueNames(ctx, issuesIn(out))
	if err != nil {
		return nil, err
	}
	titles, err := r.newTitles(ctx, project, setup, sim.firsts(out))
	if err != nil {
		return nil, err
	}
	eachChange(out, func(c *model.RehearsedChange) {
		n := names[c.IssueID]
		c.Number, c.Title = n.Number, n.Title
		if c.IssueID == 0 {
			c.Title = titles[c.Parts[0].Hash]
		}
		for i := range c.Parts {
			p := &c.Parts[i]
			n := names[p.IssueID]
			p.Number, p.Title = n.Number, n.Title
			if p.IssueID == 0 {
				p.Title = titles[p.Hash]
			}
		}
	})
	return out, nil
}

func eachChange(out *model.RehearsalResult, fn func(*model.RehearsedChange)) {
	for _, list := range [][]model.RehearsedChange{out.Splits, out.Merges} {
		for i := range list {
			fn(&list[i])
		}
	}
}

func issuesIn(out *model.RehearsalResult) (ids []int64) {
	seen := map[int64]bool{0: true}
	add := func(id int64) {
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	eachChange(out, func(c *model.RehearsedChange) {
		add(c.IssueID)
		for i := range c.Parts {
			add(c.Parts[i].IssueID)
		}
	})
	return ids
}

// firsts are the first events of the new issues that a result names, to the hash that names them there.
func (s *simulation) firsts(out *model.RehearsalResult) map[int64]string {
	firsts := map[int64]string{}
	add := func(hash string) {
		if h, err := parseHash(hash); err == nil {
			if g := s.groups[s.hashes[h]]; g.home == 0 {
				firsts[g.first] = hash
			}
		}
	}
	eachChange(out, func(c *model.RehearsedChange) {
		for i := range c.Parts {
			add(c.Parts[i].Hash)
		}
	})
	return firsts
}

// newTitles groups first events again for the titles that they would give their issues, by hash.
func (r *Rehearsals) newTitles(ctx context.Context, project int64, setup grouping.Setup, firsts map[int64]string) (map[string]string, error) {
	again, err := newRegrouper(setup)
	if err != nil {
		return nil, err
	}
	defer again.close()
	titles := map[string]string{}
	err = r.store.EventBodies(ctx, project, slices.Collect(maps.Keys(firsts)), func(e store.RawEvent) error {
		if result, err := again.event(e.Body); err == nil {
			titles[firsts[e.ID]] = strings.Clone(result.Title)
		}
		return nil
	})
	return titles, err
}
