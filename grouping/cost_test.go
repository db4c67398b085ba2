package grouping

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// costly is a kind of event that can be made of any size, far beyond what the limits of ingest let through.
type costly struct {
	name  string
	event func(n int) *Event
}

func manyFrames(platform string, n int, frame func(i int) Frame) *Event {
	list := make([]Frame, n)
	for i := range list {
		list[i] = frame(i)
	}
	return thrown(platform, "E", "v", list...)
}

// oneName is an event whose only frame has a name made of n copies of a text.
func oneName(platform, unit string) func(n int) *Event {
	return func(n int) *Event {
		text := strings.Repeat(unit, n)
		return thrown(platform, "E", "v", Frame{Function: text, Module: text, AbsPath: "/" + text, ContextLine: text, InApp: yes()})
	}
}

// relatives are n exceptions with ids and parents as told, the first half of them groups.
func relatives(n int, id, parent func(i int) int) *Event {
	ev := &Event{Platform: "python"}
	for i := range n {
		ev.Exceptions = append(ev.Exceptions, Exception{Type: fmt.Sprint("E", i%7), Value: "v",
			Mechanism: Mechanism{HasID: true, ID: id(i), HasParent: i > 0, ParentID: parent(i), IsGroup: i < n/2}})
	}
	return ev
}

func asks(n int, variable string) *Event {
	ev := manyFrames("python", n, func(int) Frame { return Frame{Module: "m", Function: "f"} })
	ev.Message = strings.Repeat("row 17 ", n)
	ev.Fingerprint = make([]string, n)
	for i := range ev.Fingerprint {
		ev.Fingerprint[i] = variable
	}
	return ev
}

func costlies() []costly {
	self := func(i int) int { return i }
	return []costly{
		{"python frames", func(n int) *Event {
			return manyFrames("python", n, func(i int) Frame {
				return Frame{AbsPath: fmt.Sprintf("/srv/a/%d.py", i), Module: "a.b", Function: "f", ContextLine: " f( x )", Line: i, InApp: yes()}
			})
		}},
		{"native frames", func(n int) *Event {
			return manyFrames("native", n, func(i int) Frame {
				return Frame{Package: "/usr/lib/libc.so", Function: fmt.Sprintf("void ns::f%d<std::vector<int> >(int)", i)}
			})
		}},
		{"script frames", func(n int) *Event {
			return manyFrames("javascript", n, func(i int) Frame {
				return Frame{AbsPath: "https://a.io/node_modules/x/y.js", Function: "f", Line: i}
			})
		}},
		{"recursion", func(n int) *Event {
			return manyFrames("java", n, func(int) Frame { return Frame{Module: "a.B", Function: "f", InApp: yes()} })
		}},
		{"chain", func(n int) *Event { return relatives(n, func(int) int { return 1 }, self) }},
		{"chain of stacks", func(n int) *Event {
			ev := relatives(n, func(int) int { return 1 }, self)
			for i := range ev.Exceptions {
				ev.Exceptions[i].Stack = stackOf(Frame{Module: "m", Function: "f", InApp: yes()})
			}
			return ev
		}},
		{"deep group", func(n int) *Event { return relatives(n, self, func(i int) int { return i - 1 }) }},
		{"wide group", func(n int) *Event { return relatives(n, self, func(int) int { return 0 }) }},
		{"own parents", func(n int) *Event { return relatives(n, self, self) }},
		{"cycle", func(n int) *Event { return relatives(n, self, func(i int) int { return (i + 1) % n }) }},
		{"ids twice", func(n int) *Event {
			return relatives(n, func(i int) int { return i / 2 }, func(i int) int { return i / 4 })
		}},
		{"threads", func(n int) *Event {
			ev := &Event{Platform: "java", Threads: make([]Thread, n)}
			for i := range ev.Threads {
				ev.Threads[i].Stack = stackOf(Frame{Module: "m", Function: "f"})
			}
			ev.Threads[n/2].Crashed = true
			return ev
		}},
		{"message", func(n int) *Event { return &Event{Message: strings.Repeat("row 17\n", n)} }},
		{"blank lines", func(n int) *Event { return &Event{Message: strings.Repeat(" \n", n)} }},
		{"value", func(n int) *Event { return thrown("python", "E", strings.Repeat("row 17 ", n), Frame{Function: "f"}) }},
		{"ask for the message", func(n int) *Event { return asks(n, "{{ message }}") }},
		{"ask for the function", func(n int) *Event { return asks(n, "{{ function }}") }},
		{"ask for the unknown", func(n int) *Event { return asks(n, "{{ moon }}") }},
		{"ask for the default", func(n int) *Event { return asks(n, "{{ default }}") }},
		{"lambdas", oneName("native", "{lambda(")},
		{"anonymous namespaces", oneName("native", "?A0x1::")},
		{"templates", oneName("native", "a<b<")},
		{"casts", oneName("native", "<A as <")},
		{"proxies", oneName("java", "$$aCGLIB$$1")},
		{"closures", oneName("java", "$fn__1")},
		{"javassist", oneName("java", "$$_javassist_1")},
		{"classes without a name", oneName("php", "class@anonymous::")},
		{"blocks", oneName("ruby", "block __1_1 ")},
		{"modules of scripts", oneName("javascript", "node_modules/")},
		{"processes", oneName("python", "multiprocessing spawn_main(a=1,")},
	}
}

// workOf is what grouping an event takes: the work that the grouper counts, and the bytes it allocates.
func workOf(ev *Event, s Setup) (work int, allocated uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	g := newGrouper(splitTypes(ev), s, nil)
	g.result()
	runtime.ReadMemStats(&after)
	return g.work, after.TotalAlloc - before.TotalAlloc
}

// TestCost doubles events of 10,000 frames, exceptions, threads, parts of fingerprints and repetitions in a name: twice
// as much may cost little more than twice. A quadratic place would cost four times. It does not run in parallel, for
// what others allocate counts, too.
func TestCost(t *testing.T) {
	rules, err := ParseRules("function:f* ^-group\nmodule:m v+app\npath:**/a/** category=x\ncategory:x max-frames=5000\nvalue:*7* -app", `stack.function:"nothing" -> {{ message }}`)
	if err != nil {
		t.Fatal(err)
	}
	const n, most, slack = 10_000, 2.4, 64 << 10
	for _, c := range costlies() {
		for _, s := range []Setup{{}, {Config: Newstyle2023}, {Rules: rules}} {
			one, oneBytes := workOf(c.event(n), s)
			two, twoBytes := workOf(c.event(2*n), s)
			if float64(two) > most*float64(one)+slack {
				t.Errorf("%s: work %d, of twice as much %d", c.name, one, two)
			}
			if float64(twoBytes) > most*float64(oneBytes)+slack {
				t.Errorf("%s: %d bytes, of twice as much %d", c.name, oneBytes, twoBytes)
			}
			if s == (Setup{}) {
				t.Logf("%-24s work %8d and %8d, kilobytes %6d and %6d", c.name, one, two, oneBytes>>10, twoBytes>>10)
			}
		}
	}
}

// sizeOf is the size of an event as grouping sees it: its texts, and one for every part.
func sizeOf(ev *Event) int {
	n := len(ev.Message) + len(ev.Formatted) + len(ev.Threads)
	for _, f := range ev.Fingerprint {
		n += 1 + len(f)
	}
	for _, e := range ev.Exceptions {
		n += 1 + len(e.Type) + len(e.Value) + len(e.Module)
	}
	eachStack(ev, func(s *Stacktrace) {
		for _, f := range s.Frames {
			n += 1 + len(f.AbsPath) + len(f.Filename) + len(f.Module) + len(f.Package) + len(f.Function) + len(f.ContextLine)
		}
	})
	return n
}

// FuzzGroupCost makes events of one text repeated and one of the costly shapes, up to 1 MiB, and holds the work to a
// multiple of their size. 256 is what the base rules may try on a frame, and a fingerprint's limit comes on top.
func FuzzGroupCost(f *testing.F) {
	shapes := costlies()
	for i := range shapes {
		f.Add(uint8(i), uint16(50), "f", "python", "{{ message }}")
	}
	f.Add(uint8(0), uint16(9), "{lambda(?A0x1::", "native", "{{ value }}")
	f.Add(uint8(4), uint16(9), "$$aCGLIB$$1$fn__1", "java", "{{ default }}")
	f.Fuzz(func(t *testing.T, shape uint8, n uint16, text, platform, part string) {
		size := 1 + int(n)%10_000
		text = strings.Repeat(text, min(size, 1024/(len(text)+1)))
		if size*(len(text)+len(part)) > 1<<20 {
			size = 1 + (1<<20)/(1+len(text)+len(part))
		}
		ev := shapes[int(shape)%len(shapes)].event(size)
		ev.Platform, ev.Message = platform, ev.Message+text
		frames(func(f *Frame) { f.Function, f.Module, f.AbsPath, f.Package = text, text, text, text })(ev)
		for range size % 64 {
			ev.Fingerprint = append(ev.Fingerprint, part)
		}
		work, bytes := workOf(ev, Setup{})
		if total := sizeOf(ev); work > 256*total+maxFingerprint || bytes > uint64(2048*total+16*maxFingerprint) {
			t.Errorf("work %d and %d bytes for an event of %d", work, bytes, total)
		}
	})
}
