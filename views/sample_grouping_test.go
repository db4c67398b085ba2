package views

import (
	"strings"
	"time"

	"kibitz/app/model"
	"kibitz/grouping"
)

const sampleStackRules = "# what we bought\nstack.module:freight.** -app\nstack.function:retry_* -group\nfamily:javascript stack.abs_path:**/vendor/** -app +group\n"

func sampleDraft() model.Grouping {
	return model.Grouping{ProjectID: 1, Version: 4, Config: string(grouping.Newstyle2026), StackRules: strings.Replace(sampleStackRules, "stack.function", "functoin", 1),
		FingerprintRules: "error.type:ReadTimeout -> freight-timeouts\n", AccountID: 9, At: sampleNow.Add(-3 * time.Hour), Note: "edited"}
}

func sampleFindings() []grouping.RuleError {
	return []grouping.RuleError{{Kind: grouping.StackRules, Line: 3, Column: 1, Problem: `there is no matcher "functoin"; "function" is near`,
		Allowed: []string{"function", "module", "path", "package", "family", "app", "category", "type", "value", "mechanism"}},
		{Kind: grouping.FingerprintRules, Line: 1, Column: 12, Problem: "this glob never matches", Warning: true}}
}

func sampleRehearsal() model.Rehearsal {
	part := func(id, number int64, title, hash string, events int64) model.RehearsedPart {
		return model.RehearsedPart{IssueID: id, Number: number, Title: title, Hash: hash, Events: events, Examples: []string{"8fd1c0b71c9e40d2f84e1a9c2eb71c9e", "1fd1c0b71c9e40d2f84e1a9c2eb71c9e"}}
	}
	return model.Rehearsal{ID: 17, ProjectID: 1, Config: string(grouping.Newstyle2026), StackRules: sampleStackRules, FingerprintRules: "error.type:ReadTimeout -> freight-timeouts, {{ transaction }}\n",
		Since: sampleNow.Add(-7 * 24 * time.Hour), Until: sampleNow, State: model.JobDone, Done: 12340, Total: 12340, AccountID: 9, CreatedAt: sampleNow.Add(-4 * time.Minute), StartedAt: sampleNow.Add(-3 * time.Minute),
		FinishedAt: sampleNow.Add(-2 * time.Minute), Result: &model.RehearsalResult{Events: 12340, Unreadable: 2, Moved: 320, IssuesBefore: 214, IssuesAfter: 213, SplitCount: 3, MergeCount: 2,
			Splits: []model.RehearsedChange{{IssueID: 7290, Number: 1290, Title: "ReadTimeout: HTTPSConnectionPool(host='rates.freight.example', port=443): Read timed out", Events: 842, More: 2,
				Parts: []model.RehearsedPart{part(7290, 1290, "ReadTimeout: Read timed out", "aa", 610), part(0, 0, "ReadTimeout: Read timed out in quote", "bb", 200)}}},
			Merges: []model.RehearsedChange{{IssueID: 8482, Number: 1482, Title: "PricingError: cart has no tax region", Events: 88,
				Parts: []model.RehearsedPart{part(8482, 1482, "PricingError: cart has no tax region", "cc", 68), part(8483, 1483, "KeyError: 'tax_region'", "dd", 20)}}}}}
}

func sampleRefiles() []RefileRow {
	return []RefileRow{
		{Refile: model.Refile{ID: 5, ProjectID: 1, Kind: model.RefileMerge, State: model.JobRunning, Into: 8482, From: []int64{8483, 8484}, Hashes: 3, Done: 1200, Total: 3400, CreatedAt: sampleNow.Add(-20 * time.Second)}, Who: "Priya Nair", Names: []string{"SHOP-1482", "SHOP-1483"}},
		{Refile: model.Refile{ID: 4, ProjectID: 1, Kind: model.RefileDelete, State: model.JobDone, Discard: true, From: []int64{1}, Done: 12, Total: 12, CreatedAt: sampleNow.Add(-2 * time.Hour), FinishedAt: sampleNow.Add(-2 * time.Hour)}, Who: "Mara Lindqvist"},
		{Refile: model.Refile{ID: 3, ProjectID: 1, Kind: model.RefileSplit, State: model.JobUndone, Hashes: 1, CreatedAt: sampleNow.Add(-30 * time.Hour)}, Who: "Mara Lindqvist", Names: []string{"SHOP-1290"}}}
}

func sampleGroupingPage() GroupingProps {
	current := sampleDraft()
	current.StackRules = sampleStackRules
	before := current
	before.Version, before.StackRules, before.Config = 3, strings.Replace(sampleStackRules, "-group\n", "-app\n", 1), string(grouping.Newstyle2023)
	first := model.Grouping{Config: string(grouping.Newstyle2023)}
	return GroupingProps{Project: sampleProjects()[0], Current: current, Draft: sampleDraft(), Window: "30d", Checked: true, Findings: sampleFindings(),
		History:    []GroupingVersion{{Grouping: current, Who: "Mara Lindqvist", Before: before}, {Grouping: before, Who: "Priya Nair", Before: first}},
		Rehearsals: []RehearsalRow{{Rehearsal: sampleRehearsal(), Who: "Mara Lindqvist"}, {Rehearsal: model.Rehearsal{ID: 16, State: model.JobRunning, Done: 120000, Total: 340000, Since: sampleNow.Add(-30 * 24 * time.Hour), Until: sampleNow, CreatedAt: sampleNow}, Who: "Priya Nair"}},
		Tombstones: []TombstoneRow{{Hashes: []string{"5e0b71c9d2f84e1a9c2eb71c9e40a2f4"}, Title: "ErrForumClosed: forum takes no comments after 14 days", At: sampleNow.Add(-2 * time.Hour)}}, Refiles: sampleRefiles()}
}

func sampleRehearsalPage() RehearsalProps {
	return RehearsalProps{Project: sampleProjects()[0], Rehearsal: sampleRehearsal(), Who: "Mara Lindqvist", Current: sampleDraft()}
}

func sampleHashes() HashesProps {
	issue := sampleIssuePage().Issue
	row := func(hash string, events int64, title, from string) HashRow {
		return HashRow{IssueHash: model.IssueHash{Hash: hash, Config: issue.Config, Events: events, LastSeen: sampleNow.Add(-time.Minute), Title: title, EventID: "8fd1c0b71c9e40d2f84e1a9c2eb71c9e"}, From: from}
	}
	return HashesProps{Issue: issue, Project: sampleProjects()[0], ShortID: "SHOP-1482", Refiles: sampleRefiles(),
		Hashes: []HashRow{row(issue.Hash, 392, "PricingError: cart 88213 has no tax region", ""), row("11aa71c9d2f84e1a9c2eb71c9e40a2f4", 20, "KeyError: 'tax_region'", "SHOP-1483")}}
}

func sampleCompare() CompareProps {
	stack := func(name string) grouping.Result {
		yes := true
		return grouping.Group(&grouping.Event{Platform: "python", Exceptions: []grouping.Exception{{Type: "PricingError", Value: "cart 88213 has no tax region",
			Stack: &grouping.Stacktrace{Frames: []grouping.Frame{{Module: "django.core.handlers.base", Function: "_get_response"}, {Module: "django.db.transaction", Function: "inner"},
				{Module: "shop.checkout.views", Function: "confirm", InApp: &yes, ContextLine: "    totals = compute_totals(cart, form.address)"}, {Module: "shop.checkout.totals", Function: name, InApp: &yes}}}}}})
	}
	a, b := stack("tax_for"), stack("price_line")
	issue := sampleIssuePage()
	left := ComparedEvent{Name: "A", ShortID: "SHOP-1482", Issue: issue.Issue, Row: issue.Row, Grouping: a}
	right := left
	right.Name, right.ShortID, right.Grouping = "B", "SHOP-1466", b
	return CompareProps{A: "SHOP-1482", B: "SHOP-1466", Left: &left, Right: &right, Result: grouping.Compare(a, b)}
}
