package grouping

// Room is memory for grouping events one after another. A result, its components and all of its texts are valid until the
// next event. It is not for several goroutines. The zero value is ready.
//
// Grouping allocates 25 KB an event, which is nothing to a request and most of the work of who groups a million of them.
type Room struct {
	arena  arena
	frames []frame
}

// maxRoom is how many components, or frames, a room keeps: one huge event must not hold its memory for good.
const maxRoom = 1 << 14

// GroupIn is Group in a room.
func (s Setup) GroupIn(room *Room, ev *Event) Result {
	if ev == nil {
		ev = &Event{}
	}
	room.reset()
	return newGrouper(splitTypes(ev), s, room).result()
}

// reset empties the room. What is handed out again must be zero.
func (r *Room) reset() {
	r.arena.nodes, r.arena.kids = emptied(r.arena.nodes), emptied(r.arena.kids)
	r.arena.values, r.frames = emptied(r.arena.values), emptied(r.frames)
}

func emptied[T any](list []T) []T {
	if cap(list) > maxRoom {
		return nil
	}
	clear(list)
	return list[:0]
}

// take is room for n frames.
func (r *Room) take(n int) []frame {
	if cap(r.frames)-len(r.frames) < n {
		r.frames = make([]frame, 0, max(n, 2*cap(r.frames)))
	}
	at := len(r.frames)
	r.frames = r.frames[:at+n]
	return r.frames[at : at+n : at+n]
}
