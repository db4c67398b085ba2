package flags

import (
	"cmp"
	"context"
	"slices"
	"time"

	"kibitz/app/model"
)

// manyFlags is how many of our own changes are looked through when several flags are asked for at once.
const manyFlags = 1000

// Log is what was changed, of foreign flags and of our own switches, newest first; more tells that there is more behind it. own
// gives our changes of one switch ("" all) before an id, newest first; nil for none.
func (f *Flags) Log(ctx context.Context, q model.FlagQuery, own func(ctx context.Context, key string, before int64, n int) ([]model.FlagChange, error)) (list []model.FlagChange, more bool, err error) {
	if q.Limit <= 0 || q.Limit > MaxPage {
		q.Limit = MaxPage
	}
	ask := q
	ask.Limit++
	if list, err = f.store.FlagChanges(ctx, ask); err != nil {
		return nil, false, err
	}
	if own != nil {
		ours, err := ownChanges(ctx, ask, own)
		if err != nil {
			return nil, false, err
		}
		list = append(list, ours...)
	}
	slices.SortFunc(list, func(a, b model.FlagChange) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID)) })
	if len(list) > q.Limit {
		return list[:q.Limit], true, nil
	}
	return list, false, nil
}

func ownChanges(ctx context.Context, q model.FlagQuery, own func(context.Context, string, int64, int) ([]model.FlagChange, error)) (out []model.FlagChange, err error) {
	key, n := "", q.Limit+1
	switch len(q.Flags) {
	case 0:
	case 1:
		key = q.Flags[0]
	default:
		n = manyFlags
	}
	// Ids follow the clock to the millisecond; what is at the very moment is told apart below.
	list, err := own(ctx, key, model.FirstIDAt(q.To.Add(time.Millisecond)), n)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if c.At.Before(q.From) || c.At.After(q.To) || (c.At.Equal(q.To) && c.ID >= q.BeforeID) || (len(q.Flags) > 0 && !slices.Contains(q.Flags, c.Flag)) {
			continue
		}
		c.Provider = ours
		out = append(out, c)
	}
	return out, nil
}
