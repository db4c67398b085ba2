package grouping

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func kotlinEvent() *Event {
	return thrown("java", "UninitializedPropertyAccessException", "lateinit property cart 17 has not been initialized",
		Frame{Module: "android.os.Handler", Filename: "Handler.java", Function: "dispatchMessage", Line: 106, InApp: yes()},
		Frame{Module: "kotlinx.coroutines.DispatchedTask", Filename: "DispatchedTask.kt", Function: "run", Line: 33, InApp: no()},
		Frame{Module: "example.shop.CartViewModel$load$1", Filename: "CartViewModel.kt", Function: "invokeSuspend", Line: 22, InApp: yes()},
		Frame{Module: "example.shop.CartViewModel", Filename: "CartViewModel.kt", Function: "access$total", Line: 7, InApp: yes()})
}

func csharpEvent() *Event {
	return thrown("csharp", "System.NullReferenceException", "row 17 is not set",
		Frame{Module: "Microsoft.AspNetCore.Mvc.Controller", Package: "Microsoft.AspNetCore.Mvc, Version=8.0.0.0", Function: "Task Invoke(HttpContext context)", InApp: no()},
		Frame{Module: "Shop.Web.CartController", Package: "Shop.Web, Version=1.0.0.0", AbsPath: `C:\src\Shop.Web\CartController.cs`, Filename: "CartController.cs", Function: "decimal Total(int id)", Line: 41, InApp: yes()})
}

func cppEvent() *Event {
	return thrown("native", "SIGSEGV", "address 0x17",
		Frame{Package: "/lib/x86_64-linux-gnu/libc.so.6", Function: "__libc_start_main", InApp: no()},
		Frame{Package: "/srv/shop/shopd", AbsPath: "/build/shop/main.cpp", Filename: "main.cpp", Function: "main", Line: 12, InApp: yes()},
		Frame{Package: "/srv/shop/shopd", AbsPath: "/build/shop/cart.cpp", Filename: "cart.cpp", Function: "decimal shop::Cart::total<int>(std::vector<int> const&) const", Line: 88, InApp: yes()})
}

func rustEvent() *Event {
	return thrown("native", "panic", "index 17 out of range",
		Frame{Function: "std::rt::lang_start::h0123456789abcdef", Package: "shopd", InApp: yes()},
		Frame{Function: "shop::main::h0123456789abcdef", AbsPath: "/build/src/main.rs", Filename: "main.rs", Package: "shopd", Line: 3, InApp: yes()},
		Frame{Function: "<shop::Cart as shop::Priced>::total::h0123456789abcdef", AbsPath: "/build/src/cart.rs", Filename: "cart.rs", Package: "shopd", Line: 30, InApp: yes()})
}

func objcEvent() *Event {
	return thrown("cocoa", "NSRangeException", "index 17 beyond bounds",
		Frame{Package: "/System/Library/Frameworks/UIKit.framework/UIKit", Function: "-[UIApplication sendAction:to:from:forEvent:]", InApp: no()},
		Frame{Package: "/var/containers/Bundle/Application/6B2F3A54-1A7C-4E0B-8B9E-5F1D2C3B4A59/Shop.app/Shop", Function: "-[SHCartController total:]", InApp: yes()})
}

func swiftEvent() *Event {
	return thrown("cocoa", "Fatal error", "index 17 out of range",
		Frame{Package: "/System/Library/Frameworks/UIKitCore.framework/UIKitCore", Function: "-[UIControl sendAction:to:forEvent:]", InApp: no()},
		Frame{Package: "/var/containers/Bundle/Application/6B2F3A54-1A7C-4E0B-8B9E-5F1D2C3B4A59/Shop.app/Shop", Function: "CartView.body.getter", AbsPath: "/Users/ci/shop/CartView.swift", Filename: "CartView.swift", Line: 20, InApp: yes()},
		Frame{Package: "/var/containers/Bundle/Application/6B2F3A54-1A7C-4E0B-8B9E-5F1D2C3B4A59/Shop.app/Shop", Function: "Cart.total(of:) -> Decimal", AbsPath: "/Users/ci/shop/Cart.swift", Filename: "Cart.swift", Line: 9, InApp: yes()})
}

func dartEvent() *Event {
	return thrown("dart", "RangeError", "Invalid value: 17",
		Frame{AbsPath: "package:flutter/src/gestures/recognizer.dart", Filename: "recognizer.dart", Function: "GestureRecognizer.invokeCallback", Line: 253, InApp: no()},
		Frame{AbsPath: "package:shop/cart.dart", Filename: "cart.dart", Package: "shop", Function: "Cart.total", Line: 18, InApp: yes()})
}

func messageEvent() *Event { return &Event{Platform: "python", Message: "order 17 was not paid"} }

func bareEvent() *Event {
	return &Event{Platform: "python", Message: "order 17 was not paid", Stacktrace: pythonEvent().Exceptions[0].Stack}
}

func stacklessEvent() *Event {
	return &Event{Platform: "go", Exceptions: []Exception{{Type: "*errors.errorString", Value: "order 17 was not paid"}}}
}

func threadsEvent() *Event {
	return &Event{Platform: "java", Threads: []Thread{
		{ID: "1", Stack: stackOf(Frame{Module: "example.shop.Pool", Function: "park", InApp: yes()})},
		{ID: "2", Crashed: true, Stack: stackOf(Frame{Module: "example.shop.Main", Function: "main", InApp: yes()}, Frame{Module: "example.shop.Cart", Function: "total", Line: 4, InApp: yes()})},
		{ID: "3", Current: true, Stack: stackOf(Frame{Module: "example.shop.Clock", Function: "tick", InApp: yes()})}}}
}

func chainedEvent() *Event {
	ev := javaEvent()
	cause := kotlinEvent().Exceptions[0]
	ev.Exceptions = []Exception{cause, ev.Exceptions[0]}
	return ev
}

func exceptionGroupEvent() *Event {
	ev := pythonEvent()
	member := ev.Exceptions[0]
	other := Exception{Type: member.Type, Value: "'basket 18'", Stack: member.Stack}
	member.Mechanism = Mechanism{HasID: true, ID: 1, HasParent: true}
	other.Mechanism = Mechanism{HasID: true, ID: 2, HasParent: true}
	root := Exception{Type: "ExceptionGroup", Value: "17 tasks failed", Mechanism: Mechanism{HasID: true, IsGroup: true},
		Stack: stackOf(Frame{Module: "shop.tasks", Function: "run", ContextLine: "async with TaskGroup()", InApp: yes()})}
	ev.Exceptions = []Exception{other, member, root}
	return ev
}

// eachStack calls f with every stack trace of an event, once each.
func eachStack(ev *Event, f func(*Stacktrace)) {
	seen := map[*Stacktrace]bool{nil: true}
	visit := func(s *Stacktrace) {
		if !seen[s] {
			seen[s] = true
			f(s)
		}
	}
	for i := range ev.Exceptions {
		visit(ev.Exceptions[i].Stack)
	}
	for i := range ev.Threads {
		visit(ev.Threads[i].Stack)
	}
	visit(ev.Stacktrace)
}

// frames makes a change of each frame that is the program's own into a change of an event.
func frames(change func(*Frame)) func(*Event) {
	return func(ev *Event) {
		eachStack(ev, func(s *Stacktrace) {
			for i := range s.Frames {
				if s.Frames[i].InApp != nil && *s.Frames[i].InApp {
					change(&s.Frames[i])
				}
			}
		})
	}
}

// texts makes a change of each message and value into a change of an event.
func texts(change func(string) string) func(*Event) {
	return func(ev *Event) {
		ev.Message, ev.Formatted = change(ev.Message), change(ev.Formatted)
		for i := range ev.Exceptions {
			ev.Exceptions[i].Value = change(ev.Exceptions[i].Value)
		}
	}
}

func replace(old, by string) func(string) string {
	return func(s string) string { return strings.ReplaceAll(s, old, by) }
}

// move is a checkout in another place: on another disk, on another host.
func move(path string) string {
	switch {
	case path == "":
	case strings.HasPrefix(path, "https://shop.example/"):
		return strings.Replace(path, "shop.example/", "www.shop.example/v2/", 1)
	case strings.HasPrefix(path, "/srv/"), strings.HasPrefix(path, "/build/"), strings.HasPrefix(path, "/Users/ci/"):
		return "/home/ann/17" + path
	case strings.HasPrefix(path, `C:\src`):
		return `D:\agent\7` + path[2:]
	}
	return path
}

// builds are what differs from build to build in the names of functions and modules.
func build(s string) string {
	return strings.NewReplacer("h0123456789abcdef", "hfedcba9876543210", "CGLIB$$12ab34cd", "CGLIB$$99ff00aa", "__123_456", "__7_89",
		"Pay.php:7$0", "Pay.php:9$3", "6B2F3A54-1A7C-4E0B-8B9E-5F1D2C3B4A59", "00000000-1A7C-4E0B-8B9E-5F1D2C3B4A59").Replace(s)
}

func addSystemFrames(ev *Event) {
	eachStack(ev, func(s *Stacktrace) {
		f := Frame{Module: "lib.helper", Filename: "helper.x", Function: "call", ContextLine: "go()", InApp: no()}
		s.Frames = append(slices.Insert(s.Frames, 0, f), f)
	})
}

// metamorphoses are changes of events with what they do to the first hash. A change that leaves an event as it is does
// not concern it.
func metamorphoses() []metamorphosis {
	own := func(f func(*Frame)) func(*Event) { return frames(f) }
	return []metamorphosis{
		{"line", true, own(func(f *Frame) { f.Line += 7 })},
		{"column", true, own(func(f *Frame) { f.Column += 7 })},
		{"release", true, func(ev *Event) { ev.Release += "2.0" }},
		{"level, logger, tags and transaction", true, func(ev *Event) {
			ev.Level, ev.Logger, ev.Transaction, ev.Tags = "fatal", "shop", "/cart", map[string]string{"host": "b"}
		}},
		{"id in a message", true, texts(replace("17", "99123"))},
		{"value where a stack decides", true, func(ev *Event) {
			if v := Group(ev).Variants[0]; v.Root.stackContributes() {
				texts(replace("17", "seventeen"))(ev)
			}
		}},
		{"indentation", true, own(func(f *Frame) {
			if f.ContextLine != "" {
				f.ContextLine = "\t" + f.ContextLine + " "
			}
		})},
		{"place of the checkout", true, own(func(f *Frame) { f.AbsPath = move(f.AbsPath) })},
		{"build", true, own(func(f *Frame) {
			f.Function, f.Module, f.Package = build(f.Function), build(f.Module), build(f.Package)
		})},
		{"system frames", true, addSystemFrames},
		{"recursion", true, func(ev *Event) {
			eachStack(ev, func(s *Stacktrace) { s.Frames = append(s.Frames, s.Frames[len(s.Frames)-1]) })
		}},
		{"order of threads", true, func(ev *Event) { slices.Reverse(ev.Threads) }},
		{"idle thread", true, func(ev *Event) {
			if len(ev.Threads) > 0 {
				ev.Threads = append(ev.Threads, Thread{ID: "9", Stack: stackOf(Frame{Module: "x", Function: "wait", InApp: yes()})})
			}
		}},
		{"copies in a group", true, func(ev *Event) {
			if n := len(ev.Exceptions); n == 3 {
				again := ev.Exceptions[0]
				again.Mechanism.ID = 3
				ev.Exceptions = slices.Insert(ev.Exceptions, 0, again)
			}
		}},

		{"type", false, func(ev *Event) {
			for i := range ev.Exceptions {
				ev.Exceptions[i].Type += "X"
			}
		}},
		{"function", false, own(func(f *Frame) { f.Function = "another" })},
		{"deeper call", false, func(ev *Event) {
			eachStack(ev, func(s *Stacktrace) {
				s.Frames = append(s.Frames, Frame{Module: "more", Filename: "more.x", Function: "deeper", InApp: yes()})
			})
		}},
		{"cause", false, func(ev *Event) {
			if n := len(ev.Exceptions); n > 0 {
				ev.Exceptions = slices.Insert(ev.Exceptions, 0, Exception{Type: "Cause", Value: "why"})
			}
		}},
		{"lost cause", false, func(ev *Event) {
			if n := len(ev.Exceptions); n == 2 {
				ev.Exceptions = ev.Exceptions[1:]
			}
		}},
		{"order of the chain", false, func(ev *Event) {
			if n := len(ev.Exceptions); n == 2 {
				slices.Reverse(ev.Exceptions)
			}
		}},
		{"words of a message that decides", false, func(ev *Event) {
			if r := Group(ev); r.Strategy == "message" || len(r.InApp) == 1 && r.InApp[0] == nil {
				texts(replace("paid", "shipped"))(ev)
			}
		}},
		{"thread that crashed", false, func(ev *Event) {
			for i := range ev.Threads {
				ev.Threads[i].Crashed = i == 2
			}
		}},
	}
}

type metamorphosis struct {
	name   string
	keeps  bool
	change func(*Event)
}

func eventsOfAll() map[string]func() *Event {
	return map[string]func() *Event{"python": pythonEvent, "javascript": javaScriptEvent, "node": nodeEvent, "go": goEvent, "java": javaEvent,
		"kotlin": kotlinEvent, "php": phpEvent, "ruby": rubyEvent, "csharp": csharpEvent, "c++": cppEvent, "rust": rustEvent,
		"objective-c": objcEvent, "swift": swiftEvent, "dart": dartEvent, "message": messageEvent, "bare stack": bareEvent,
		"no stack": stacklessEvent, "threads": threadsEvent, "chained": chainedEvent, "exception group": exceptionGroupEvent}
}

// TestMetamorphic changes events of every language in ways that must keep the first hash, and in ways that must not.
func TestMetamorphic(t *testing.T) {
	t.Parallel()
	for _, m := range metamorphoses() {
		concerned := 0
		for name, event := range eventsOfAll() {
			before, ev := Group(event()), event()
			m.change(ev)
			if reflect.DeepEqual(event(), ev) {
				continue
			}
			concerned++
			after := Group(ev)
			if same := before.Hashes()[0] == after.Hashes()[0]; same != m.keeps {
				t.Errorf("%s: another %s, same hash: %v\n%s\n%s", name, m.name, same, Explain(before), Explain(after))
			}
		}
		t.Logf("%s: %d events", m.name, concerned)
		if concerned == 0 {
			t.Errorf("%s concerns no event", m.name)
		}
	}
}

// TestSourceLine changes the source line of the last frame: it counts in scripting languages only.
func TestSourceLine(t *testing.T) {
	t.Parallel()
	for name, event := range eventsOfAll() {
		ev := event()
		if len(ev.Exceptions) != 1 || ev.Exceptions[0].Stack == nil {
			continue
		}
		list := ev.Exceptions[0].Stack.Frames
		list[len(list)-1].ContextLine = "quite.another(line)"
		same := Group(event()).Hashes()[0] == Group(ev).Hashes()[0]
		if same == usesContextLine(ev.Platform) {
			t.Errorf("%s: another source line, same hash: %v", name, same)
		}
	}
}
