package issues

import (
	"testing"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
)

// TestUndoFilesWhatCame holds that events which came while the rules of a rehearsal were in force are filed by the rules
// that an undoing restores, and that later ones follow them: nothing is left at a hash that leads nowhere.
func TestUndoFilesWhatCame(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, pg *db.DB) {
		d := newDirector(t, pg)
		d.faults("a", 0, 30)
		d.faults("b", 0, 20)
		r := d.apply(d.rehearsed(draft(`message:"fault of {a,b}" -> ab
message:"fault of {e,f}" -> ef
`)))
		for i, group := range []string{"a", "b", "e", "f"} {
			d.faults(group, 100, 104+i)
		}
		d.wantListed("a: 59", "e: 13")
		e := d.issue("e")
		d.undo(r)
		d.sound()
		d.wantListed("a: 34", "b: 25", "e: 6", "f: 7")
		if d.issue("e").ID != e.ID {
			t.Error("the issue that the rules made does not go on with the events that it began with")
		}
		for _, group := range []string{"a", "b", "e", "f"} {
			d.faults(group, 200, 201)
		}
		d.wantListed("a: 35", "b: 26", "e: 7", "f: 8")
		d.sound()
	})
}

// TestUndoEmptiesWhatCame holds that an issue which came with the rules is listed no more when its events have another to go
// to.
func TestUndoEmptiesWhatCame(t *testing.T) {
	t.Parallel()
	d := newDirector(t, dbtest.New(t))
	d.faults("a", 0, 3)
	r := d.apply(d.rehearsed(draft(`message:"fault of a" release:shop@0 -> zero title="zero"
message:"fault of a" release:shop@3 -> three title="three"
`)))
	d.faults("a", 3, 4)
	d.wantListed("a: 2", "three: 1", "zero: 1")
	d.undo(r)
	d.wantListed("a: 4")
	d.sound()
}
