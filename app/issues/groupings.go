package issues

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/grouping"
)

// secondaryFor is how long a project that changed its configuration goes on looking for the groups of the old one: as
// long as most projects keep an issue open.
const secondaryFor = 90 * 24 * time.Hour

// GroupingSetup is a project's grouping, ready to use. Secondary, when there is one, only finds existing groups.
type GroupingSetup struct {
	Version   int64
	Primary   grouping.Setup
	Secondary *grouping.Setup
}

// Groupings knows how the events of each project are grouped. It holds the compiled rules in memory, so that an event
// costs no query.
type Groupings struct {
	store    *store.Store
	log      *slog.Logger
	compiled atomic.Pointer[map[int64]compiledGrouping] // by project; projects of version 0 are not in it
	// refreshing lets one reload run at a time.
	refreshing sync.Mutex
}

type compiledGrouping struct {
	setup GroupingSetup
	until time.Time // of the secondary configuration
}

// NewGroupings makes the use case; Refresh fills the snapshot.
func NewGroupings(s *store.Store, log *slog.Logger) *Groupings {
	g := &Groupings{store: s, log: log}
	g.compiled.Store(&map[int64]compiledGrouping{})
	return g
}

// Setup is how a project's events are grouped, from memory: at most a few seconds old, and older while the database is
// away. What files events by it has the version checked by the store.
func (g *Groupings) Setup(project int64) GroupingSetup {
	c := (*g.compiled.Load())[project]
	if c.setup.Secondary != nil && time.Now().After(c.until) {
		c.setup.Secondary = nil
	}
	return c.setup
}

// Run refreshes the snapshot every few seconds until ctx ends.
func (g *Groupings) Run(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := g.Refresh(ctx); err != nil && ctx.Err() == nil {
				g.log.Warn("cannot refresh the groupings of projects", "err", err)
			}
		}
	}
}

// Refresh compiles the groupings that changed. With the database down those known so far stay.
func (g *Groupings) Refresh(ctx context.Context) error {
	g.refreshing.Lock()
	defer g.refreshing.Unlock()
	versions, err := g.store.GroupingVersions(ctx)
	if err != nil {
		return err
	}
	next := map[int64]compiledGrouping{}
	var changed []int64
	for project, version := range versions {
		c, ok := (*g.compiled.Load())[project]
		if ok {
			next[project] = c
		}
		if !ok || c.setup.Version != version {
			changed = append(changed, project)
		}
	}
	if err := g.compile(ctx, changed, next); err != nil {
		return err
	}
	g.compiled.Store(&next)
	return nil
}

// compile reads the groupings of projects and puts their setups into next.
func (g *Groupings) compile(ctx context.Context, projects []int64, next map[int64]compiledGrouping) error {
	if len(projects) == 0 {
		return nil
	}
	list, err := g.store.Groupings(ctx, projects)
	if err != nil {
		return err
	}
	for _, row := range list {
		c, err := compileGrouping(row)
		if err != nil {
			// They were checked when they were saved, by another version of this program. To wait would halt the drain of
			// every project, so its events are grouped by the base rules, which a rehearsal can put right later.
			g.log.Error("cannot use the rules of a project; its events are grouped without them", "project", row.ProjectID,
				"version", row.Version, "err", err)
			c = compiledGrouping{setup: GroupingSetup{Version: row.Version}}
		}
		next[row.ProjectID] = c
	}
	return nil
}

func compileGrouping(row model.Grouping) (c compiledGrouping, err error) {
	c.until = row.SecondaryUntil
	c.setup.Version = row.Version
	if c.setup.Primary, err = setupOf(row); err != nil || row.SecondaryConfig == "" {
		return c, err
	}
	config, ok := grouping.ParseConfig(row.SecondaryConfig)
	if !ok {
		return c, noConfig(row.SecondaryConfig)
	}
	c.setup.Secondary = &grouping.Setup{Config: config, Rules: c.setup.Primary.Rules}
	return c, nil
}

// setupOf compiles a grouping; errs.Unprocessable tells its author what to mend.
func setupOf(row model.Grouping) (s grouping.Setup, err error) {
	config, ok := grouping.ParseConfig(row.Config)
	if !ok {
		return s, noConfig(row.Config)
	}
	for _, text := range []string{row.StackRules, row.FingerprintRules} {
		if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
			return s, errs.New(errs.Unprocessable, "The rules are not text: they hold bytes that are no characters.")
		}
	}
	rules, err := grouping.ParseRules(row.StackRules, row.FingerprintRules)
	if err != nil {
		return s, errs.New(errs.Unprocessable, "%s", err.Error())
	}
	return grouping.Setup{Config: config, Rules: rules}, nil
}

func noConfig(name string) error {
	return errs.New(errs.Unprocessable, "There is no grouping configuration %q; there are %v.", name, grouping.Configs())
}

// Current is the grouping of a project that counts now.
func (g *Groupings) Current(ctx context.Context, project int64) (model.Grouping, error) {
	list, err := g.store.Groupings(ctx, []int64{project})
	if err != nil {
		return model.Grouping{}, err
	}
	if len(list) == 0 {
		return model.Grouping{ProjectID: project, Config: string(grouping.Current)}, nil
	}
	return list[0], nil
}

// History are the versions of a project's grouping, the newest first.
func (g *Groupings) History(ctx context.Context, project int64, limit int) ([]model.Grouping, error) {
	return g.store.GroupingHistory(ctx, project, limit)
}

// Check tells what is wrong with a draft: nil, or errs.Unprocessable with the findings, a line each.
func (g *Groupings) Check(draft model.Grouping) error {
	_, err := setupOf(draft)
	return err
}

// Save makes a draft's configuration and rules the project's grouping: errs.Conflict when expect is no longer the version
// that counts, errs.Unprocessable when the rules cannot be used.
func (g *Groupings) Save(ctx context.Context, project, account, expect int64, draft model.Grouping) (model.Grouping, error) {
	draft.ProjectID = project
	if draft.Note == "" {
		draft.Note = "edited"
	}
	was, err := g.Current(ctx, project)
	if err != nil {
		return model.Grouping{}, err
	}
	next, err := successor(was, draft, account)
	if err != nil {
		return next, err
	}
	if next, err = g.store.SaveGrouping(ctx, next, expect); err != nil {
		return next, err
	}
	g.changed(ctx)
	return next, nil
}

// changed has this process group by what was just saved. When it cannot hear of it now, the drain does with its next batch.
func (g *Groupings) changed(ctx context.Context) {
	if err := g.Refresh(ctx); err != nil {
		g.log.Warn("cannot refresh the groupings of projects", "err", err)
	}
}

// Restore makes a new version with the content of an old one; version 0 is the grouping of a project without rules.
func (g *Groupings) Restore(ctx context.Context, project, account, version int64) (model.Grouping, error) {
	old, was := model.Grouping{Config: string(grouping.Current)}, model.Grouping{}
	var err error
	if version != 0 {
		if old, err = g.store.GroupingVersion(ctx, project, version); err != nil {
			return old, err
		}
	}
	if was, err = g.Current(ctx, project); err != nil {
		return old, err
	}
	old.Note = fmt.Sprintf("restored version %d", version)
	return g.Save(ctx, project, account, was.Version, old)
}

// successor is what a draft becomes after was. A change of the configuration keeps the old one as the secondary, so that
// events find the groups that it made.
func successor(was, draft model.Grouping, account int64) (model.Grouping, error) {
	if _, err := setupOf(draft); err != nil {
		return draft, err
	}
	next := model.Grouping{ProjectID: was.ProjectID, Config: draft.Config, StackRules: draft.StackRules, FingerprintRules: draft.FingerprintRules,
		SecondaryConfig: was.SecondaryConfig, SecondaryUntil: was.SecondaryUntil, AccountID: account, Note: draft.Note}
	if next.Config != was.Config {
		next.SecondaryConfig, next.SecondaryUntil = was.Config, time.Now().Add(secondaryFor).UTC().Truncate(time.Second)
	}
	return next, nil
}

// digestSetups are the setups of a batch's projects, one for each however long the batch takes.
func (g *Groupings) digestSetups(projects map[int64]int64) map[int64]GroupingSetup {
	out := make(map[int64]GroupingSetup, len(projects))
	for project := range projects {
		s := g.Setup(project)
		out[project], projects[project] = s, s.Version
	}
	return out
}
