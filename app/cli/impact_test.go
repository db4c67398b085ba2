package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"kibitz/app/impact"
	"kibitz/app/rollout"
	"kibitz/app/switches"
	"kibitz/ingest/envelope"
)

// TestFlipOf holds which changes are marked on charts, and how.
func TestFlipOf(t *testing.T) {
	t.Parallel()
	at := func(state switches.State, percent float64, sets int) *switches.Switch {
		return &switches.Switch{Key: "tea", State: state, Everyone: switches.Rollout{Percent: percent}, Sets: make([]switches.Set, sets)}
	}
	tests := map[string]struct {
		c    rollout.Change
		want string
	}{
		"kill":                {rollout.Change{Action: "kill", KilledAfter: true}, "kill"},
		"unkill":              {rollout.Change{Action: "unkill", KilledBefore: true}, "unkill"},
		"a kill taken back":   {rollout.Change{Action: "undo", KilledBefore: true}, "unkill"},
		"wider":               {rollout.Change{Action: "flip", Before: at(switches.Partial, 5, 0), After: at(switches.Partial, 12.5, 0)}, "12.5 %"},
		"to all":              {rollout.Change{Action: "flip", Before: at(switches.Partial, 5, 0), After: at(switches.On, 5, 0)}, "on"},
		"with conditions":     {rollout.Change{Action: "edit", Before: at(switches.Partial, 5, 0), After: at(switches.Partial, 5, 2)}, "5 % and conditions"},
		"another description": {rollout.Change{Action: "edit", Before: at(switches.Partial, 5, 0), After: at(switches.Partial, 5, 0)}, ""},
		"made, and off":       {rollout.Change{Action: "create", After: at(switches.Off, 0, 0)}, ""},
		"removed":             {rollout.Change{Action: "delete", Before: at(switches.On, 0, 0)}, "removed"},
		"of a segment":        {rollout.Change{Action: "segment"}, ""},
	}
	for name, test := range tests {
		if got := flipOf(&test.c); got != test.want {
			t.Errorf("%s: %q, not %q", name, got, test.want)
		}
	}
}

// TestAlertEvent holds that an alert is an event which the ingest takes, that it is the same however often it is told, and that those
// of one switch and action are one issue.
func TestAlertEvent(t *testing.T) {
	t.Parallel()
	a := impact.Alert{Decision: impact.Decision{ID: 7, Env: "production", Key: "tea", At: time.Unix(1_800_000_000, 0), Action: impact.ActKill, Text: "killed: errors 20 % with it"}}
	read := func(a impact.Alert) *envelope.Event {
		body, err := json.Marshal(alertEvent(a))
		if err != nil {
			t.Fatal(err)
		}
		e, err := envelope.ParseEvent(body, envelope.Full)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e, later := read(a), a
	later.ID, later.Text = 8, "killed: errors 30 % with it"
	if e.Level != "error" || len(e.Exceptions) != 1 || !strings.HasPrefix(e.Exceptions[0].Type, "Guard: kill tea in production") || e.Exceptions[0].Value != a.Text {
		t.Errorf("it is told as %+v", e)
	}
	again, other := read(a), read(later)
	if again.ID != e.ID || other.ID == e.ID || strings.Join(other.Fingerprint, " ") != strings.Join(e.Fingerprint, " ") {
		t.Errorf("%v, %v and %v", e.ID, again.ID, other.ID)
	}
}
