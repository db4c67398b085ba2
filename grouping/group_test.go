package grouping

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

// stackOf makes a stack of frames.
func stackOf(frames ...Frame) *Stacktrace { return &Stacktrace{Frames: frames} }

func thrown(platform, kind, value string, frames ...Frame) *Event {
	return &Event{Platform: platform, Exceptions: []Exception{{Type: kind, Value: value, Stack: stackOf(frames...)}}}
}

func pythonEvent() *Event {
	return thrown("python", "KeyError", "'basket 17'",
		Frame{AbsPath: "/srv/venv/lib/python3.12/site-packages/flask/app.py", Filename: "flask/app.py", Module: "flask.app", Function: "full_dispatch_request", ContextLine: "    rv = self.dispatch_request()", Line: 1511, InApp: yes()},
		Frame{AbsPath: "/srv/shop/basket.py", Filename: "shop/basket.py", Module: "shop.basket", Function: "total", ContextLine: "    return  prices[key]", Line: 40, InApp: yes()})
}

func javaScriptEvent() *Event {
	return thrown("javascript", "TypeError", "x is undefined",
		Frame{AbsPath: "https://cdn.jsdelivr.net/npm/lib@3/dist/lib.min.js", Filename: "lib.min.js", Function: "dispatch", Line: 1, Column: 4711, InApp: yes()},
		Frame{AbsPath: "https://shop.example/js/cart.js?v=7", Filename: "/js/cart.js?v=7", Function: "Cart.prototype.add", ContextLine: "  this.items.push(x.id);", Line: 12, Column: 8, InApp: yes()})
}

func nodeEvent() *Event {
	return thrown("node", "Error", "no such order",
		Frame{AbsPath: "node:internal/process/task_queues", Filename: "node:internal/process/task_queues", Function: "processTicksAndRejections", Line: 95, InApp: yes()},
		Frame{AbsPath: "/srv/node_modules/express/lib/router/layer.js", Filename: "/srv/node_modules/express/lib/router/layer.js", Module: "express.lib.router:layer", Function: "handle", ContextLine: "fn(req, res, next);", Line: 95, InApp: yes()},
		Frame{AbsPath: "/srv/src/orders.js", Filename: "/srv/src/orders.js", Module: "orders", Function: "async Orders.find", ContextLine: "throw new Error('no such order')", Line: 22, InApp: yes()})
}

func goEvent() *Event {
	return thrown("go", "*net.OpError", "dial tcp 10.0.0.7:5432",
		Frame{AbsPath: "/home/dev/go/pkg/mod/github.com/jackc/pgx/v5@v5.1.0/conn.go", Module: "github.com/jackc/pgx/v5", Function: "Connect", Line: 80, InApp: yes()},
		Frame{AbsPath: "/build/store/open.go", Module: "shop/store", Function: "(*Store).Open", Line: 31, InApp: yes()})
}

func javaEvent() *Event {
	return thrown("java", "IllegalStateException", "closed",
		Frame{Module: "org.springframework.web.servlet.FrameworkServlet", Filename: "FrameworkServlet.java", Function: "service", Line: 883, InApp: yes()},
		Frame{Module: "example.Shop$$EnhancerBySpringCGLIB$$12ab34cd", Filename: "<generated>", Function: "pay", InApp: yes()},
		Frame{Module: "example.Shop", Filename: "Shop.java", Function: "pay", Line: 51, InApp: yes()})
}

func phpEvent() *Event {
	return thrown("php", "RuntimeException", "broken",
		Frame{AbsPath: "/srv/vendor/laravel/framework/Pipeline.php", Filename: "/vendor/laravel/framework/Pipeline.php", Function: `Illuminate\Pipeline::then`, ContextLine: "return $next($x);", Line: 9, InApp: yes()},
		Frame{AbsPath: "/srv/app/Pay.php", Filename: "/app/Pay.php", Function: "class@anonymous\x00/srv/app/Pay.php:7$0::run", ContextLine: "throw new RuntimeException('broken');", Line: 30, InApp: yes()})
}

func rubyEvent() *Event {
	return thrown("ruby", "ActiveRecord::RecordNotFound", "Couldn't find Order with 'id'=9912",
		Frame{AbsPath: "/usr/local/bundle/gems/rack-3.0/lib/rack/head.rb", Filename: "rack/head.rb", Function: "call", ContextLine: "@app.call(env)", Line: 15, InApp: no()},
		Frame{AbsPath: "/srv/app/orders.rb", Filename: "app/orders.rb", Function: "block (2 levels) in show", ContextLine: "Order.find(id)", Line: 8, InApp: yes()},
		Frame{AbsPath: "/srv/app/order.html.erb", Filename: "app/order.html.erb", Function: "_app_order_html_erb__1234_56789", ContextLine: "@order.id", Line: 1, InApp: yes()})
}

// leaves are the contributing values of a variant.
func leaves(c *Component) (out []string) {
	if c == nil || !c.Contributes {
		return nil
	}
	out = append(out, c.Values...)
	for _, child := range c.Children {
		out = append(out, leaves(child)...)
	}
	return out
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		ev             *Event
		app, system    string
		title, culprit string
		inApp          []bool
	}{
		{"python", pythonEvent(), "KeyError|shop.basket|total|return prices[key]",
			"KeyError|flask.app|full_dispatch_request|rv = self.dispatch_request()|shop.basket|total|return prices[key]",
			"KeyError: 'basket 17'", "shop.basket in total", []bool{false, true}},
		{"javascript", javaScriptEvent(), "TypeError|add|this.items.push(x.id);", "TypeError|dispatch|add|this.items.push(x.id);",
			"TypeError: x is undefined", "Cart.prototype.add(/js/cart.js)", []bool{false, true}},
		{"node", nodeEvent(), "Error|orders|find|throw new Error('no such order')",
			"Error|express.lib.router:layer|handle|fn(req, res, next);|orders|find|throw new Error('no such order')",
			"Error: no such order", "async Orders.find(orders)", []bool{false, false, true}},
		{"go", goEvent(), "*net.OpError|shop/store|(*Store).Open", "*net.OpError|github.com/jackc/pgx/v5|Connect|shop/store|(*Store).Open",
			"*net.OpError: dial tcp 10.0.0.7:5432", "shop/store in (*Store).Open", []bool{false, true}},
		{"java", javaEvent(), "IllegalStateException|example.Shop$$EnhancerBySpringCGLIB$$<auto>|pay|example.Shop|pay",
			"IllegalStateException|org.springframework.web.servlet.FrameworkServlet|service|example.Shop$$EnhancerBySpringCGLIB$$<auto>|pay|example.Shop|pay",
			"IllegalStateException: closed", "example.Shop in pay", []bool{false, true, true}},
		{"php", phpEvent(), "RuntimeException|pay.php|run|throw new RuntimeException('broken');",
			`RuntimeException|pipeline.php|Illuminate\Pipeline::then|return $next($x);|pay.php|run|throw new RuntimeException('broken');`,
			"RuntimeException: broken", "/app/Pay.php in class@anonymous\x00/srv/app/Pay.php:7$0::run", []bool{false, true}},
		{"ruby", rubyEvent(), "ActiveRecord::RecordNotFound|orders.rb|block|Order.find(id)|order.html.erb|_app_order_html_erb|@order.id",
			"ActiveRecord::RecordNotFound|head.rb|call|@app.call(env)|orders.rb|block|Order.find(id)|order.html.erb|_app_order_html_erb|@order.id",
			"ActiveRecord::RecordNotFound: Couldn't find Order with 'id'=9912", "app/order.html.erb in _app_order_html_erb__1234_56789", []bool{false, true, true}},
	} {
		r := Group(c.ev)
		if len(r.Variants) != 2 || r.Variants[0].Name != "app" || r.Variants[1].Name != "system" {
			t.Errorf("%s: %s", c.name, Explain(r))
			continue
		}
		app, system := strings.Join(leaves(r.Variants[0].Root), "|"), strings.Join(leaves(r.Variants[1].Root), "|")
		if app != c.app || system != c.system {
			t.Errorf("%s: app %s\nwant    %s\nsystem  %s\nwant    %s", c.name, app, c.app, system, c.system)
		}
		if want := []string{hashBytes([]byte(strings.ReplaceAll(c.app, "|", ""))), hashBytes([]byte(strings.ReplaceAll(c.system, "|", "")))}; !slices.Equal(r.Hashes(), want) {
			t.Errorf("%s: hashes %v, want %v", c.name, r.Hashes(), want)
		}
		if r.Title != c.title || r.Culprit != c.culprit {
			t.Errorf("%s: title %q, culprit %q", c.name, r.Title, r.Culprit)
		}
		if !slices.Equal(r.InApp[0], c.inApp) {
			t.Errorf("%s: in app %v, want %v", c.name, r.InApp[0], c.inApp)
		}
	}
}

func TestStrategies(t *testing.T) {
	t.Parallel()
	thread := func(crashed, current bool, function string) Thread {
		return Thread{Crashed: crashed, Current: current, Stack: stackOf(Frame{Module: "m", Function: function, InApp: yes()})}
	}
	for _, c := range []struct {
		name, strategy, title, values string
		ev                            Event
	}{
		{"nothing", "fallback", untitled, "", Event{}},
		{"message", "message", "user 7 is gone", "user <int> is gone", Event{Message: "user 7 is gone"}},
		{"template", "message", "user 7 is gone", "user %d is gone", Event{Message: "user %d is gone", Formatted: "user 7 is gone"}},
		{"long message", "message", "one", "one\ntwo...", Event{Message: "\none\n\ntwo\nthree"}},
		{"no stack", "exception", "E: row 5", "E|row <int>", Event{Exceptions: []Exception{{Type: "E", Value: "row 5"}}}},
		{"empty stack", "exception", "E: row 5", "E|row <int>", Event{Exceptions: []Exception{{Type: "E", Value: "row 5", Stack: stackOf()}}}},
		{"apple error", "exception", "E: row 5", "E|NSURL|-1009", Event{Exceptions: []Exception{{Type: "E", Value: "row 5", Mechanism: Mechanism{NSDomain: "NSURL", NSCode: "-1009"}}}}},
		{"synthetic", "exception", "f", "f", Event{Platform: "native", Exceptions: []Exception{{Type: "SIGSEGV", Mechanism: Mechanism{Synthetic: true}, Stack: stackOf(Frame{Function: "f", InApp: yes()})}}}},
		{"crashed thread", "threads", untitled, "m|b", Event{Threads: []Thread{thread(false, true, "a"), thread(true, false, "b")}}},
		{"current thread", "threads", untitled, "m|a", Event{Threads: []Thread{thread(false, true, "a"), thread(false, false, "b")}}},
		{"two crashed threads", "message", "boom", "boom", Event{Message: "boom", Threads: []Thread{thread(true, false, "a"), thread(true, false, "b")}}},
		{"stack", "stacktrace", untitled, "m|f", Event{Stacktrace: stackOf(Frame{Module: "m", Function: "f", InApp: yes()})}},
		{"template place", "template", untitled, "a.html| {{ x  }}", Event{Template: &Template{Filename: "a.html", ContextLine: " {{ x  }}"}}},
		{"csp", "csp", "csp: img-src https://a.example/x.png", "img-src|a.example", Event{Security: &Security{Kind: "csp", EffectiveDirective: "img-src", BlockedURI: "https://a.example/x.png"}}},
		{"csp inline", "csp", "csp: script-src self", "script-src|'unsafe-inline'", Event{Security: &Security{Kind: "csp", EffectiveDirective: "script-src", ViolatedDirective: "script-src 'unsafe-inline'", BlockedURI: "self"}}},
		{"pins", "csp", "hpkp:  a.example", "hpkp|a.example", Event{Security: &Security{Kind: "hpkp", Hostname: "a.example"}}},
		{"certificate", "csp", "expectct:  a.example", "expect-ct|a.example", Event{Security: &Security{Kind: "expectct", Hostname: "a.example"}}},
	} {
		r := Group(&c.ev)
		if r.Strategy != c.strategy || r.Title != c.title {
			t.Errorf("%s: strategy %s, title %q", c.name, r.Strategy, r.Title)
		}
		if got := strings.Join(leaves(r.Variants[0].Root), "|"); got != c.values {
			t.Errorf("%s: %q, want %q\n%s", c.name, got, c.values, Explain(r))
		}
	}
}

func TestFingerprints(t *testing.T) {
	t.Parallel()
	base := Event{Message: "row 5", Transaction: "/pay", Tags: map[string]string{"shard": "eu"}}
	of := func(fp ...string) []string { ev := base; ev.Fingerprint = fp; return Group(&ev).Hashes() }
	sum := func(parts ...string) []string { return []string{hashBytes([]byte(strings.Join(parts, "")))} }
	for _, c := range []struct {
		name       string
		have, want []string
	}{
		{"none", of(), sum("row <int>")},
		{"default", of("{{default}}"), sum("row <int>")},
		{"custom", of("a", "b"), sum("a", "b")},
		{"hybrid", of("a", "{{ default }}", "b"), sum("a", "row <int>", "b")},
		{"variables", of("{{ transaction }}", "{{tags.shard}}", "{{ level }}"), sum("/pay", "eu", "error")},
		{"unknown", of("{{ moon }}"), sum("<unrecognized-variable-moon>")},
		{"literal message", of("row 5"), sum("row <int>")},
	} {
		if !slices.Equal(c.have, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.have, c.want)
		}
	}
	for _, c := range [][2]string{{"0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"}, {"short", hashBytes([]byte("short"))}} {
		if r := Group(&Event{Message: "m", Checksum: c[0]}); r.Strategy != "checksum" || r.Hashes()[0] != c[1] {
			t.Errorf("checksum %s gives %v", c[0], r.Hashes())
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	ev := pythonEvent()
	for _, c := range []struct{ name, stack, fingerprint, values string }{
		{"reach", "module:flask.* ^-group", "", "KeyError|flask.app|full_dispatch_request|rv = self.dispatch_request()"},
		{"back in", "path:**/site-packages/** +app", "", "KeyError|flask.app|full_dispatch_request|rv = self.dispatch_request()|shop.basket|total|return prices[key]"},
		{"caller", "[ function:full_* ] | module:shop.* category=x\ncategory:x -group", "", "KeyError|flask.app|full_dispatch_request|rv = self.dispatch_request()"},
		{"callee", "!module:x | [module:shop.*] -group", "", "KeyError|shop.basket|total|return prices[key]"},
		{"too few", "family:other min-frames=3", "", "KeyError|'basket <int>'"},
		{"server", "", `error.type:KeyE* stack.function:"total" -> keys, {{ function }} title="lost keys"`, "keys|total"},
		{"server not", "", `!error.type:KeyE* -> keys`, "KeyError|shop.basket|total|return prices[key]"},
	} {
		rules, err := ParseRules(c.stack, c.fingerprint)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		r := rules.Group(ev)
		if got := strings.Join(leaves(r.Variants[0].Root), "|"); got != c.values {
			t.Errorf("%s: %q, want %q", c.name, got, c.values)
		}
		if c.name == "server" && r.Title != "lost keys" {
			t.Errorf("%s: title %q", c.name, r.Title)
		}
	}
	for _, bad := range []string{"module:x", "+app", "colour:red +app", "module:x max-frames=many", `module:"x +app`} {
		if _, err := ParseRules(bad, ""); err == nil {
			t.Errorf("%q is taken for a rule", bad)
		}
	}
}

func TestTrimNative(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"void ns::f<int, std::vector<char> >(int, char)":        "ns::f<T>",
		"ns::Class::operator()(int) const":                      "ns::Class::operator()",
		"<shop::Basket as core::ops::Drop>::drop":               "shop::Basket::drop",
		"shop::run::h0123456789abcdef":                          "shop::run",
		"-[View draw:(Rect)r]":                                  "-[View draw:(Rect)r]",
		"<":                                                     "<",
		"<T as core::convert::Into<U>>::into":                   "core::convert::Into<T>::into",
		"static int ns::f(int) const &":                         "ns::f",
		"Foo.bar(Swift.Int) -> Swift.String":                    "Foo.bar",
		"a::{lambda(int)#2}::operator()(int) const":             "a::lambda::operator()",
		"main::$_0::operator()() const":                         "main::lambda::operator()",
		"<lambda_5db80dab47756d3e72c2dcd38b80b1dd>::operator()": "<lambda>::operator()",
		"?A0xc3a0617d::crash":                                   "`anonymous namespace'::crash",
		"std::ostream& operator<<(std::ostream&, int)":          "operator<<",
		"bool operator< <int>(int)":                             "operator< <T>",
		"_callback@12":                                          "_callback",
		"memcpy@@GLIBC_2.14":                                    "memcpy",
		"<redacted>":                                            "<redacted>",
		"f(":                                                    "f",
		"(anonymous namespace)::f(int)":                         "(anonymous namespace)::f",
	} {
		if got := trimNative(in, "native"); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

func TestExceptionGroups(t *testing.T) {
	t.Parallel()
	member := func(id, parent int, group bool, kind, value string) Exception {
		return Exception{Type: kind, Value: value, Mechanism: Mechanism{HasID: true, ID: id, HasParent: id != parent, ParentID: parent, IsGroup: group}}
	}
	root := member(0, 0, true, "Group", "several")
	for _, c := range []struct {
		name, values, title string
		list                []Exception
	}{
		{"one kind", "A|row <int>|Cause|why", "A: row 1", []Exception{member(3, 1, false, "Cause", "why"), member(2, 0, false, "A", "row 2"), member(1, 0, false, "A", "row 1"), root}},
		{"two kinds", "B|x|A|row <int>|Group|several", "Group: several", []Exception{member(2, 0, false, "B", "x"), member(1, 0, false, "A", "row 1"), root}},
		{"cycle", "A|x|B|y|Group|several", "Group: several", []Exception{member(2, 1, false, "A", "x"), member(1, 2, false, "B", "y"), root}},
		{"same id twice", "A|x|B|y|Group|several", "Group: several", []Exception{member(1, 0, false, "A", "x"), member(1, 0, false, "B", "y"), root}},
		{"only groups", "Group|inner|Group|several", "Group: several", []Exception{member(1, 0, true, "Group", "inner"), root}},
	} {
		r := Group(&Event{Exceptions: c.list})
		if got := strings.Join(leaves(r.Variants[0].Root), "|"); got != c.values || r.Title != c.title {
			t.Errorf("%s: %q, title %q\n%s", c.name, got, r.Title, Explain(r))
		}
	}
}

// TestDeep groups stacks and chains far beyond what clients send.
func TestDeep(t *testing.T) {
	t.Parallel()
	ev := &Event{Platform: "python"}
	for i := range 500 {
		ev.Exceptions = append(ev.Exceptions, Exception{Type: "E", Value: "v", Mechanism: Mechanism{HasID: true, ID: i, HasParent: i > 0, ParentID: i - 1}})
	}
	frames := make([]Frame, 10_000)
	for i := range frames {
		frames[i] = Frame{Module: fmt.Sprintf("m%d", i), Function: "f", ContextLine: "f()", InApp: yes()}
	}
	ev.Exceptions[0].Stack = stackOf(frames...)
	r := Group(ev)
	if len(r.Hashes()) == 0 || len(r.InApp[0]) != len(frames) {
		t.Errorf("%d hashes, %d frames", len(r.Hashes()), len(r.InApp[0]))
	}
}

func TestNil(t *testing.T) {
	t.Parallel()
	r := Group(nil)
	if !slices.Equal(r.Hashes(), []string{hashBytes(nil)}) || !strings.Contains(Explain(r), "fallback") {
		t.Errorf("no event gives %v", r)
	}
	Explain(Result{})
}

func TestExplain(t *testing.T) {
	t.Parallel()
	ev := pythonEvent()
	ev.Exceptions[0].Value = "bad \x1b[31m"
	text := Explain(Group(ev))
	for _, want := range []string{string(Newstyle2026), "* app ", "* function \"total\"", "value \"bad ?[31m\" - the stack trace counts", "not the program's own code"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func FuzzGroup(f *testing.F) {
	f.Add("python", "E", "v 1", "a.b", "/x/y.py", "f", "x = 1", "{{ default }}", 3, 1)
	f.Add("native", "SIGSEGV", "", "", `C:\a\b.dll`, "<A as B>::f(<(", "", "a", 2, 0)
	f.Add("java", "E", "", "a$$b$$EnhancerBy$$", "$$_javassist_1", "lambda$x", "", "{{", 9, -1)
	f.Add("ruby", "", "x", "", "/", "block ", "", "{{}}", 40, 2)
	f.Fuzz(func(t *testing.T, platform, kind, value, module, path, function, line, fingerprint string, n, id int) {
		n = min(max(n, 0), 100)
		ev := &Event{Platform: platform, Message: value}
		for i := range n {
			fr := Frame{Module: module, AbsPath: path, Filename: path, Package: path, Function: function, ContextLine: line, Line: i}
			if i%2 == 0 {
				fr.InApp = yes()
			}
			x := Exception{Type: kind, Value: value, Mechanism: Mechanism{Type: module, HasID: true, ID: i, HasParent: i > 0, ParentID: i * id, IsGroup: i%3 == 0}}
			if i%4 != 3 {
				x.Stack = stackOf(fr, fr)
			}
			ev.Exceptions = append(ev.Exceptions, x)
		}
		if n%5 == 4 {
			ev.Fingerprint = []string{fingerprint, value}
		}
		r := Group(ev)
		if again := Group(ev); !slices.Equal(r.Hashes(), again.Hashes()) {
			t.Errorf("%v, and then %v", r.Hashes(), again.Hashes())
		}
		if len(r.Hashes()) == 0 {
			t.Errorf("no hash:\n%s", Explain(r))
		}
		for _, h := range r.Hashes() {
			if len(h) != 32 {
				t.Errorf("hash %q", h)
			}
		}
		if len(r.InApp) != len(ev.Exceptions) {
			t.Errorf("%d exceptions, in-app of %d", len(ev.Exceptions), len(r.InApp))
		}
		if rules, err := ParseRules(value, line+"->"+function); err == nil {
			rules.Group(ev)
		}
	})
}

func BenchmarkGroup(b *testing.B) {
	var frames []Frame
	for i := range 25 {
		f := Frame{AbsPath: "/srv/venv/lib/python3.12/site-packages/django/core/handlers/base.py", Filename: "django/core/handlers/base.py",
			Module: "django.core.handlers.base", Function: fmt.Sprintf("get_response_%d", i), ContextLine: "        response = self.process(request)", Line: 100 + i, InApp: no()}
		if i%3 == 0 {
			f.AbsPath, f.Filename, f.Module, f.InApp = "/srv/app/shop/basket.py", "shop/basket.py", "shop.basket", yes()
		}
		frames = append(frames, f)
	}
	ev := thrown("python", "KeyError", "no basket 17 for user 3f2b8c1e-0d4a-4f6b-9a51-77c0e6d1b2a3", frames...)
	b.ReportAllocs()
	for b.Loop() {
		Group(ev)
	}
}
