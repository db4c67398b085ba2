package grouping

import (
	"reflect"
	"testing"
)

// TestRoom holds that an event groups the same in a room that others have left behind, small ones after large ones too.
func TestRoom(t *testing.T) {
	t.Parallel()
	var room Room
	for _, frames := range []int{3, 400, 0, 25, 9000, 1, 30} {
		ev := &Event{Platform: "python", Message: "m"}
		for n := range min(frames, 3) {
			s := &Stacktrace{}
			for i := range frames {
				in := i%3 == n%3
				s.Frames = append(s.Frames, Frame{Module: "m", Function: string(rune('a' + i%26)), Line: i, InApp: &in})
			}
			ev.Exceptions = append(ev.Exceptions, Exception{Type: "A", Value: "x 17", Stack: s})
		}
		want, have := Setup{}.Group(ev), Setup{}.GroupIn(&room, ev)
		if !reflect.DeepEqual(want, have) {
			t.Errorf("%d frames: %v and %v", frames, want.Hashes(), have.Hashes())
		}
	}
}

// BenchmarkRoom is BenchmarkGroup in a room.
func BenchmarkRoom(b *testing.B) {
	ev := &Event{Platform: "python"}
	s := &Stacktrace{}
	for i := range 25 {
		in := i > 20
		s.Frames = append(s.Frames, Frame{Module: "django.core.handlers.base", Filename: "django/core/handlers/base.py", AbsPath: "/srv/venv/lib/python3.13/site-packages/django/core/handlers/base.py",
			Function: "f" + string(rune('a'+i)), ContextLine: "        response = get_response(request)", Line: i, InApp: &in})
	}
	ev.Exceptions = []Exception{{Type: "A", Value: "x 17", Stack: s}}
	for name, room := range map[string]*Room{"room": {}, "own": nil} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if room != nil {
					Setup{}.GroupIn(room, ev)
				} else {
					Setup{}.Group(ev)
				}
			}
		})
	}
}
