package issues

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
)

// PageSize is how many issues a page of the list shows.
const PageSize = 25

// MaxPageSize bounds what a script may ask for.
const MaxPageSize = 100

// Filter says which issues to list.
type Filter struct {
	Projects []int64 // none: all that are given to List
	Status   string  // unresolved, resolved, archived, all
	Sort     string  // last_seen, first_seen, events
	Cursor   string  // opaque; "" for the first page
	Limit    int
	Since    time.Time // start of the sparklines
}

// Row is an issue in a list.
type Row struct {
	Issue model.Issue
	Stats []model.Bucket
}

// Page is one page of issues with the cursors of its neighbours; they are empty when there is none.
type Page struct {
	Rows       []Row
	Prev, Next string
}

// Issues lists and reads issues.
type Issues struct {
	store     *store.Store
	groupings *Groupings
	ids       *model.IDs
}

// New makes the use case.
func New(s *store.Store, groupings *Groupings, ids *model.IDs) *Issues {
	return &Issues{s, groupings, ids}
}

var statuses = map[string][]model.Status{
	"unresolved": {model.Unresolved},
	"resolved":   {model.Resolved},
	"archived":   {model.Archived},
	"all":        {model.Unresolved, model.Resolved, model.Archived},
}

// List is one page of issues: two queries, whatever its size.
func (i *Issues) List(ctx context.Context, f Filter) (Page, error) {
	q, err := query(f)
	if err != nil {
		return Page{}, err
	}
	q.Limit++ // one more than shown tells whether there is a further page
	list, err := i.store.Issues(ctx, q)
	if err != nil {
		return Page{}, err
	}
	page, list := neighbours(list, q)
	ids := make([]int64, len(list))
	for n, is := range list {
		ids[n] = is.ID
	}
	stats, err := i.store.IssueStats(ctx, ids, f.Since)
	if err != nil {
		return Page{}, err
	}
	for _, is := range list {
		page.Rows = append(page.Rows, Row{is, stats[is.ID]})
	}
	return page, nil
}

func query(f Filter) (store.IssueQuery, error) {
	q := store.IssueQuery{Projects: f.Projects, Statuses: statuses[f.Status], Sort: store.IssueSort(f.Sort), Limit: f.Limit}
	if q.Statuses == nil {
		return q, errs.New(errs.Invalid, "status is one of unresolved, resolved, archived, all.")
	}
	switch q.Sort {
	case store.ByLastSeen, store.ByFirstSeen, store.ByEvents:
	default:
		return q, errs.New(errs.Invalid, "sort is one of last_seen, first_seen, events.")
	}
	if q.Limit < 1 || q.Limit > MaxPageSize {
		q.Limit = PageSize
	}
	if f.Cursor == "" {
		return q, nil
	}
	c, err := parseCursor(f.Cursor)
	if err != nil {
		return q, errs.New(errs.Invalid, "That cursor is not one of ours. Begin at the first page.")
	}
	q.Cursor = &c
	return q, nil
}

// neighbours cuts the extra row off and makes the cursors of the pages around.
func neighbours(list []model.Issue, q store.IssueQuery) (Page, []model.Issue) {
	more := len(list) == q.Limit
	back := q.Cursor != nil && q.Cursor.Before
	if more && back {
		list = list[1:]
	} else if more {
		list = list[:len(list)-1]
	}
	var p Page
	if len(list) == 0 {
		return p, list
	}
	if more || back {
		p.Next = formatCursor(list[len(list)-1], q.Sort, false)
	}
	if (q.Cursor != nil && !back) || (more && back) {
		p.Prev = formatCursor(list[0], q.Sort, true)
	}
	return p, list
}

// A cursor is "dir.key.id", the key in microseconds or as a count, in base64 so that nobody builds on it.
func formatCursor(i model.Issue, sort store.IssueSort, before bool) string {
	key := i.Events
	switch sort {
	case store.ByLastSeen:
		key = i.LastSeen.UnixMicro()
	case store.ByFirstSeen:
		key = i.FirstSeen.UnixMicro()
	}
	dir := "n"
	if before {
		dir = "p"
	}
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s.%d.%d", dir, key, i.ID))
}

func parseCursor(text string) (c store.IssueCursor, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) > 64 {
		return c, fmt.Errorf("cannot decode cursor")
	}
	part := strings.Split(string(raw), ".")
	if len(part) != 3 || (part[0] != "n" && part[0] != "p") {
		return c, fmt.Errorf("cannot read cursor")
	}
	if c.N, err = strconv.ParseInt(part[1], 10, 64); err != nil {
		return c, err
	}
	if c.ID, err = strconv.ParseInt(part[2], 10, 64); err != nil {
		return c, err
	}
	c.At = time.UnixMicro(c.N).UTC()
	c.Before = part[0] == "p"
	if y := c.At.Year(); y < 1 || y > 9999 {
		c.At = time.Time{}
	}
	return c, nil
}

// Counts is the number of issues of projects by status, with their sum under "all".
func (i *Issues) Counts(ctx context.Context, projects []int64) (map[string]int64, error) {
	counts, err := i.store.IssueCounts(ctx, projects)
	if err != nil {
		return nil, err
	}
	var all int64
	for _, n := range counts {
		all += n
	}
	counts["all"] = all
	return counts, nil
}

// Volume is the events of projects by half hour and level since a moment.
func (i *Issues) Volume(ctx context.Context, projects []int64, since time.Time) ([]model.Bucket, error) {
	return i.store.ProjectStats(ctx, projects, since)
}

// ShortID is how people name an issue: SHOP-12.
func ShortID(slug string, number int64) string {
	return strings.ToUpper(slug) + "-" + strconv.FormatInt(number, 10)
}

// ParseShortID takes a short id apart.
func ParseShortID(text string) (slug string, number int64, err error) {
	at := strings.LastIndexByte(text, '-')
	if at > 0 {
		number, err = strconv.ParseInt(text[at+1:], 10, 64)
	}
	if at <= 0 || err != nil || number <= 0 {
		return "", 0, errs.New(errs.NotFound, "There is no such issue.")
	}
	return strings.ToLower(text[:at]), number, nil
}
