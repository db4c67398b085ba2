package rollout

import (
	"fmt"
	"log/slog"
	"testing"

	"kibitz/app/model"
	"kibitz/app/switches"
)

// TestSaveMany holds that many are one revision, that a bad one is left out, and that the second time nothing is changed.
func TestSaveMany(t *testing.T) {
	t.Parallel()
	b := New(Options{Node: "many", IDs: model.NewIDs(1), Log: slog.New(slog.DiscardHandler)})
	defer b.Close(t.Context())
	var list []switches.Switch
	for i := range MaxMany - 1 {
		list = append(list, switches.Switch{Key: fmt.Sprint("s", i), State: switches.On})
	}
	list = append(list, switches.Switch{Key: "bad", State: "perhaps"})
	before := b.Revision()
	p, refused, err := b.SaveMany(t.Context(), Production, list, By{Name: "t"}, "")
	if err != nil || len(refused) != 1 || refused["bad"] == "" || p.Revision != before+1 || len(b.List(Production)) != MaxMany-1 {
		t.Errorf("%+v, %v, %v, %d switches", p, refused, err, len(b.List(Production)))
	}
	p, _, err = b.SaveMany(t.Context(), Production, list[:10], By{Name: "t"}, "")
	if err != nil || p.Revision != before+1 {
		t.Errorf("the second time: %+v, %v", p, err)
	}
	if _, _, err := b.SaveMany(t.Context(), Production, append(list, list[0]), By{Name: "t"}, ""); err == nil {
		t.Error("more than the limit was taken")
	}
	if _, _, err := b.SaveMany(t.Context(), Production, []switches.Switch{list[0], list[0]}, By{Name: "t"}, ""); err == nil {
		t.Error("one was taken twice")
	}
}
