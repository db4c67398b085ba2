package switches_test

import (
	"testing"

	"kibitz/app/switches"
)

// TestOwn holds that Kibitz's own switches are sound and on, and that a feature is on where its switch is missing.
func TestOwn(t *testing.T) {
	t.Parallel()
	h := switches.NewHolder("production")
	ctx := switches.With(t.Context(), h, switches.Subject{})
	for _, s := range switches.Own() {
		if found := switches.Check(s); len(found) > 0 || s.Description == "" {
			t.Error(s.Key, found)
		}
		if !h.OnOr(s.Key, nil, true) || h.OnOr(s.Key, nil, false) || !switches.IsOnOr(ctx, s.Key, true) || switches.IsOnOr(ctx, s.Key, false) {
			t.Errorf("%s: where there is no switch, the code decides", s.Key)
		}
	}
	h.Publish(compile(t, append(switches.Own(), sw("off", switches.Off))...))
	for _, s := range switches.Own() {
		if !h.OnOr(s.Key, nil, false) || !switches.IsOnOr(ctx, s.Key, false) {
			t.Errorf("%s is off", s.Key)
		}
	}
	if h.OnOr("off", nil, true) || len(h.Asked()) > 0 {
		t.Error("off", h.Asked())
	}
}
