package issues

import (
	"context"
	"strings"

	"kibitz/app/errs"
	"kibitz/app/model"
)

// Numbers are the numbers of issues within their projects, by id; an issue that is gone is not in it.
func (i *Issues) Numbers(ctx context.Context, ids []int64) (map[int64]int64, error) {
	list, err := i.store.IssuesByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[int64]int64, len(list))
	for _, issue := range list {
		out[issue.ID] = issue.Number
	}
	return out, nil
}

// Largest is the issue with the most events of several, the oldest of equals: the one that takes the others in when
// nobody says which.
func (i *Issues) Largest(ctx context.Context, ids []int64) (into model.Issue, from []int64, err error) {
	if len(ids) < 2 || len(ids) > MaxPageSize {
		return into, nil, errs.New(errs.Unprocessable, "Choose 2 to %d issues to merge.", MaxPageSize)
	}
	list, err := i.store.IssuesByID(ctx, ids)
	if err != nil {
		return into, nil, err
	}
	if len(list) < len(ids) {
		return into, nil, errs.New(errs.NotFound, "One of these issues is gone. Reload the list.")
	}
	into = list[0]
	for _, issue := range list[1:] {
		if issue.Events > into.Events {
			into = issue
		}
	}
	for _, issue := range list {
		if issue.ID != into.ID {
			from = append(from, issue.ID)
		}
	}
	return into, from, nil
}

// Locate is an event of a project by its id, with the issue that it is in now. Its body is not read out.
func (i *Issues) Locate(ctx context.Context, project int64, eventID string) (model.StoredEvent, error) {
	return i.store.Event(ctx, project, strings.ReplaceAll(strings.ToLower(eventID), "-", ""))
}
