package views

import (
	"encoding/json"
	"math"
	"time"

	"kibitz/app/switches"
	"kibitz/views/charts"
)

func sampleSwitch() switches.Switch {
	return switches.Switch{Key: "checkout.new_totals", Description: "Tax from the customer profile, not the address", Owner: "Priya Nair", Project: "shop", Tags: []string{"q4"}, RemoveBy: "2026-12-31",
		State: switches.Partial, Salt: "a1b2", Everyone: switches.Rollout{Percent: 25},
		Sets: []switches.Set{
			{Name: "Staff and testers", When: switches.When{{{Attribute: "user", Op: switches.Is, Values: []string{"17", "42", "1009", "52107"}}}, {{Attribute: "ip", Op: switches.In, Values: []string{"10.20.0.0/16"}}}},
				Rollout: switches.Rollout{Percent: 100}},
			{Name: "Journal readers in New Zealand", When: switches.When{{{Attribute: "forum", Op: switches.Is, Values: []string{"tealeaf-journal"}}, {Attribute: "country", Op: switches.Is, Values: []string{"NZ"}}}},
				Rollout: switches.Rollout{Percent: 50}},
		},
		Ramp: &switches.Ramp{At: 1, Since: sampleNow.Add(-15 * time.Minute), Steps: []switches.Step{{Percent: 5, Wait: switches.Duration(24 * time.Minute), Subjects: 500},
			{Percent: 25, Wait: switches.Duration(2 * time.Hour), Subjects: 500}, {Percent: 50, Wait: switches.Duration(24 * time.Hour)}, {Percent: 100}}, Holdout: 2,
			Quiet: []switches.QuietBit{{From: "18:00", To: "08:00", Days: []int{0, 6}}}}}
}

// fullSwitch uses every part of a switch that its form holds.
func fullSwitch() switches.Switch {
	s, half := sampleSwitch(), 50.5
	s.Variants = []switches.Variant{{Name: "off"}, {Name: "blue", Value: json.RawMessage(`{"colour":"#00f"}`)}, {Name: "red", Value: json.RawMessage(`"red, \"really\""`)}}
	s.OffVariant, s.OnVariant, s.Default = "off", "blue", "off"
	s.Everyone.Split = []switches.Weight{{Variant: "blue", Weight: 1}, {Variant: "red", Weight: 2.5}}
	s.Sets[0].Rollout.Split = []switches.Weight{{Variant: "red", Weight: 1}}
	s.Sets = append(s.Sets, switches.Set{When: switches.When{{{Attribute: "plan.name", Op: switches.Prefix, Not: true, Values: []string{"a, b", `say "so"`}, FoldCase: true}, {Attribute: "segment", Op: switches.Within, Values: []string{"staff"}}},
		{{Attribute: "release", Op: switches.Matches, Values: []string{`^a{1,3}, "b"$`}}}, {{Attribute: "n", Op: switches.Less, Not: true, Values: []string{"3"}}, {Attribute: "beta", Op: switches.Present}}}, Rollout: switches.Rollout{Percent: .001}})
	s.Requires = []switches.Requirement{{Key: "checkout", Variant: "on"}, {Key: "cart"}}
	s.Overrides = []switches.Override{{Value: "52107", Variant: "red", Expires: sampleNow, Why: "asked for it"}, {Attribute: "forum", Value: "x", Variant: "off"}}
	s.Schedule = []switches.Change{{At: sampleNow, State: switches.Off}, {At: sampleNow.Add(time.Hour), Percent: &half}}
	s.Labs = &switches.Labs{Title: "New totals", Text: "Tax at a glance", Per: "forum", Cap: 200, Feedback: "mara@tealeaf.example"}
	s.Guard = &switches.Guard{Mode: switches.GuardShadow}
	s.BucketBy, s.Hash, s.Skip, s.Take, s.Killed = "account", switches.HashUnleash, 25_000, 50_000, true
	return s
}

func sampleScope() SwitchScope {
	return SwitchScope{Env: "production", Environments: []string{"production", "staging"}, MayFlip: true, MayKill: true}
}

func sampleImpact(on, off float64) *Impact {
	spark := func(f float64) (out []float64) {
		for i := range 24 {
			out = append(out, f*(1+math.Sin(float64(i)/4)/4))
		}
		return out
	}
	return &Impact{Clock: charts.Clock{From: sampleNow.Add(-24 * time.Hour), Step: time.Hour, N: 24},
		On:  SwitchSide{Variant: "on", On: true, N: 6100, Seen: 6100, Subjects: 1840, Failed: on, P95: 412 * time.Millisecond, Spark: spark(300)},
		Off: SwitchSide{Variant: "off", N: 18_900, Seen: 18_900, Failed: off, P95: 668 * time.Millisecond, Spark: spark(900)}}
}

func sampleSwitches() SwitchesProps {
	killed := switches.Switch{Key: "search.semantic", Description: "Rank by meaning, then by words", State: switches.Partial, Everyone: switches.Rollout{Percent: 40}, Killed: true, Owner: "Jonas Ek"}
	return SwitchesProps{SwitchScope: sampleScope(), Counts: map[string]int{"": 34, "partial": 14, "on": 9, "off": 11, "stale": 5}, Total: 34, Next: 2, Processes: "12 of 12 processes at revision 4711, slowest 9 ms",
		Alarms: []GuardAlarm{{Key: "checkout.new_totals", Env: "production", Text: "errors are 20.2 points higher with it on."}},
		Rows: []SwitchLine{
			{Switch: sampleSwitch(), Impact: sampleImpact(.204, .002), Guard: GuardState{"bad", "Holding"}, Flipped: sampleNow.Add(-15 * time.Minute), By: "Priya Nair", Kind: "person",
				Flips: []charts.Marker{{At: sampleNow.Add(-time.Hour), Kind: "switch"}}},
			{Switch: switches.Switch{Key: "thread:live bar/ü", State: switches.On}, Impact: sampleImpact(.003, 0), Guard: GuardState{"ok", "Watching"}, Flipped: sampleNow.Add(-time.Hour), Kind: "schedule", Stale: []string{"one answer for 44 d"}},
			{Switch: killed, Guard: GuardState{"idle", "Killed"}, Kind: "guard", Pending: true, Broken: "a circle of parents"},
			{Switch: switches.Switch{Key: "new", State: switches.Off}, Guard: GuardState{"idle", "Off"}, Kind: "token", By: "deploy"},
		}}
}

func sampleSides(on bool, failed, p95 float64) SwitchSeries {
	s := SwitchSeries{Variant: map[bool]string{true: "on", false: "off"}[on], On: on}
	for i := range 60 {
		n, f, d := 100., failed, p95
		if on && i < 20 {
			n, f, d = math.NaN(), math.NaN(), math.NaN()
		}
		s.N, s.Failed, s.FailedLow, s.FailedHigh = append(s.N, n), append(s.Failed, f), append(s.FailedLow, f*.8), append(s.FailedHigh, f*1.2)
		s.P50, s.P95, s.P99, s.P95Low, s.P95High = append(s.P50, d/2), append(s.P95, d), append(s.P99, d*1.5), append(s.P95Low, d*.9), append(s.P95High, d*1.1)
		s.P50Low, s.P50High, s.P99Low, s.P99Top, s.Queries = append(s.P50Low, d*.4), append(s.P50High, d*.6), append(s.P99Low, d), append(s.P99Top, d*2), append(s.Queries, 14)
	}
	return s
}

func sampleSwitchPage() SwitchPageProps {
	s, before := fullSwitch(), sampleSwitch()
	before.Everyone.Percent = 5
	after := sampleSwitch()
	return SwitchPageProps{SwitchScope: sampleScope(), Switch: s, Form: FormOf(s), Revision: 4711, Node: "web-1", By: "Priya Nair", Kind: "person", At: sampleNow,
		Clock: charts.Clock{From: sampleNow.Add(-time.Hour), Step: time.Minute, N: 60}, Series: []SwitchSeries{sampleSides(true, 20.4, 412), sampleSides(false, .2, 668)},
		Markers: sampleMarkers(), People: "About 18,400 people asked for it in the last 24 h", Keys: []string{"cart"}, Segments: []string{"staff"}, Labs: &LabsCount{3, 1}, Stale: []string{"past its date"},
		Try: SwitchTry{Asked: true, User: "1234", Variant: "off", Reason: "SPLIT", Condition: "everyone", Steps: []TryStep{{0, "set 1: user id is one of 17", "user is 1234", false}, {1, "everyone", "lands on 61.2 %, needs under 25 %", true}}, Example: "User 17 would: set 1 names them."},
		Guard: GuardPanel{Config: switches.Guard{}, State: GuardState{"bad", "Holding"}, Text: "Failures are 11 times likelier with it on.", Warnings: []string{"few"}, E: 340, Figures: "18 of 900 with it on, 12 of 9,000 with it off",
			Alarm: &GuardAlarm{Key: s.Key, Env: "production", Text: "harm", Undo: 12, Killed: true}, Decisions: []GuardDecision{{sampleNow, "hold", "E is 21", 21}, {sampleNow, "would kill", "E is 2,000", 2000}}},
		History: []SwitchEvent{{ID: 12, Env: "production", Key: s.Key, At: sampleNow.Add(-time.Hour), By: "Priya Nair", Kind: "person", Why: "second step, numbers look fine", Before: &before, After: &after, MayUndo: true},
			{ID: 11, At: sampleNow, Kind: "guard", Killed: true}, {ID: 10, At: sampleNow, By: "Mara", After: &before, UndoneBy: "Mara", IsUndo: true}, {ID: 9, At: sampleNow, Before: &before}},
		More: true, Ramp: "waits for 500 people"}
}
