package issues

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/grouping"
	"kibitz/ingest/envelope"
)

// Detail is all that an issue page shows.
type Detail struct {
	Issue    model.Issue
	Row      model.StoredEvent
	Event    *envelope.Event // nil when no event is kept any more
	Grouping grouping.Result
	Place    store.EventPlace
	Stats    []model.Bucket
	Tags     []model.TagShare
	Activity []store.Activity
}

// Find is the issue of a project with a number.
func (i *Issues) Find(ctx context.Context, project, number int64) (model.Issue, error) {
	return i.store.Issue(ctx, project, number)
}

// ByID is the issue with an id.
func (i *Issues) ByID(ctx context.Context, id int64) (model.Issue, error) {
	return i.store.IssueByID(ctx, id)
}

// Detail reads an issue with one of its events: "latest", "first" or an event id. An issue whose events have
// all passed their days still has its page: then Event is nil.
func (i *Issues) Detail(ctx context.Context, issue model.Issue, which string, since time.Time) (Detail, error) {
	d, err := i.Summary(ctx, issue, since)
	if err != nil {
		return d, err
	}
	d.Row, d.Event, err = i.Event(ctx, issue, which)
	if errs.Of(err) == errs.NotFound && which == "latest" {
		return d, nil
	}
	if err != nil {
		return d, err
	}
	return d, i.place(ctx, &d)
}

// Summary is an issue's graph, tags and history, without an event.
func (i *Issues) Summary(ctx context.Context, issue model.Issue, since time.Time) (d Detail, err error) {
	d.Issue = issue
	stats, err := i.store.IssueStats(ctx, []int64{issue.ID}, since)
	if err != nil {
		return d, err
	}
	d.Stats = stats[issue.ID]
	if d.Tags, err = i.store.IssueTags(ctx, issue.ID); err != nil {
		return d, err
	}
	d.Activity, err = i.store.IssueActivity(ctx, issue.ID, 20)
	return d, err
}

// EventDetail is one event of a project with its grouping and neighbours, without its issue.
func (i *Issues) EventDetail(ctx context.Context, project int64, eventID string) (d Detail, err error) {
	if d.Row, d.Event, err = i.ProjectEvent(ctx, project, eventID); err != nil {
		return d, err
	}
	return d, i.place(ctx, &d)
}

// place groups the event again by the project's present rules, to explain it, and finds its neighbours.
func (i *Issues) place(ctx context.Context, d *Detail) (err error) {
	d.Grouping = i.groupings.Setup(d.Row.ProjectID).Primary.Explain(GroupingEvent(d.Event))
	d.Place, err = i.store.EventPlace(ctx, d.Row)
	return err
}

// Event is one event of an issue, parsed whole.
func (i *Issues) Event(ctx context.Context, issue model.Issue, which string) (row model.StoredEvent, ev *envelope.Event, err error) {
	switch which {
	case "latest":
		row, err = i.store.LatestEvent(ctx, issue)
	case "first", "oldest":
		row, err = i.store.FirstEvent(ctx, issue)
	default:
		row, err = i.store.Event(ctx, issue.ProjectID, strings.ReplaceAll(strings.ToLower(which), "-", ""))
		if err == nil {
			err = i.leadsTo(ctx, row.IssueID, issue)
		}
	}
	if err != nil {
		return row, nil, err
	}
	ev, err = parseRow(&row)
	return row, ev, err
}

// leadsTo refuses an event that belongs elsewhere. One whose issue was merged into this is here, though the job that brings
// it may still be on its way.
func (i *Issues) leadsTo(ctx context.Context, from int64, to model.Issue) error {
	if from == to.ID {
		return nil
	}
	at, err := i.store.Taker(ctx, from)
	if err == nil && at.ID != to.ID {
		err = errs.New(errs.NotFound, "That event belongs to another issue.")
	}
	return err
}

// Taker is the issue that took another in, at the end of however many merges; the issue itself when it was not merged.
func (i *Issues) Taker(ctx context.Context, issue model.Issue) (model.Issue, error) {
	if issue.MergedInto == 0 {
		return issue, nil
	}
	return i.store.Taker(ctx, issue.ID)
}

// ProjectEvent is one event of a project, parsed whole.
func (i *Issues) ProjectEvent(ctx context.Context, project int64, eventID string) (model.StoredEvent, *envelope.Event, error) {
	row, err := i.store.Event(ctx, project, strings.ReplaceAll(strings.ToLower(eventID), "-", ""))
	if err != nil {
		return row, nil, err
	}
	ev, err := parseRow(&row)
	return row, ev, err
}

// Events is one page of an issue's events without bodies, newest first.
func (i *Issues) Events(ctx context.Context, issue model.Issue, before, after int64, limit int) ([]model.StoredEvent, error) {
	return i.store.IssueEvents(ctx, issue, before, after, limit)
}

// parseRow inflates the body of a row in place and parses it.
func parseRow(row *model.StoredEvent) (*envelope.Event, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxBody), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("cannot make a decoder: %w", err)
	}
	defer d.Close()
	if row.Body, err = d.DecodeAll(row.Body, nil); err != nil {
		return nil, fmt.Errorf("cannot inflate event %s: %w", row.EventID, err)
	}
	ev, err := envelope.ParseEvent(row.Body, envelope.Full)
	if err != nil {
		return nil, fmt.Errorf("cannot parse event %s: %w", row.EventID, err)
	}
	return ev, nil
}

// SetStatus resolves, archives or reopens issues and tells what changed.
func (i *Issues) SetStatus(ctx context.Context, ids []int64, status model.Status, account int64) ([]store.StatusChange, error) {
	if len(ids) > MaxPageSize {
		return nil, errs.New(errs.TooLarge, "At most %d issues at once.", MaxPageSize)
	}
	activity := make([]int64, len(ids))
	for n := range ids {
		activity[n] = i.ids.Next()
	}
	return i.store.SetStatus(ctx, ids, activity, status, account)
}
