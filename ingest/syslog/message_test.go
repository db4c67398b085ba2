package syslog

import (
	"reflect"
	"strings"
	"testing"
	"time"

	leodido "github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/rfc3164"
	"github.com/leodido/go-syslog/v4/rfc5424"
)

var now = time.Date(2026, 11, 25, 1, 30, 0, 0, time.UTC)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

// real is bytes that were read from sockets: util-linux 2.38 logger, rsyslog 8.2302 (its templates), Go 1.26 log/syslog, Python
// 3.11 SysLogHandler, PostgreSQL 15; and examples of the RFCs.
var real = []struct {
	name, bytes string
	want        Message
}{
	{"logger rfc5424", "<132>1 2026-11-25T01:27:46.469432+00:00 vm shop 4711 - [timeQuality tzKnown=\"1\" isSynced=\"0\"] hello w\xc3\xb6rld",
		Message{Time: at("2026-11-25T01:27:46.469432Z"), Host: "vm", App: "shop", PID: "4711", Facility: 16, Severity: 4, Body: "hello wörld",
			SD: []Element{{"timeQuality", []Param{{"tzKnown", "1"}, {"isSynced", "0"}}}}}},
	{"logger rfc3164", "<132>Nov 25 01:27:46 vm shop[4711]: hello w\xc3\xb6rld",
		Message{Time: at("2026-11-25T01:27:46Z"), Host: "vm", App: "shop", PID: "4711", Facility: 16, Severity: 4, Body: "hello wörld"}},
	{"logger notime", "<132>1 - vm shop 4711 - - hello", Message{Time: now, Host: "vm", App: "shop", PID: "4711", Facility: 16, Severity: 4, Body: "hello"}},
	{"logger unix", "<13>Nov 25 01:27:49 shop[4711]: unix hello", Message{Time: at("2026-11-25T01:27:49Z"), App: "shop", PID: "4711", Facility: 1, Severity: 5, Body: "unix hello"}},
	{"rsyslog forward", "<13>2026-11-25T01:27:51.531693+00:00 vm shop[4711]: via rsyslog",
		Message{Time: at("2026-11-25T01:27:51.531693Z"), Host: "vm", App: "shop", PID: "4711", Facility: 1, Severity: 5, Body: "via rsyslog"}},
	{"rsyslog protocol 23", "<13>1 2026-11-25T01:27:51.531693+00:00 vm shop 4711 - -  via rsyslog\n",
		Message{Time: at("2026-11-25T01:27:51.531693Z"), Host: "vm", App: "shop", PID: "4711", Facility: 1, Severity: 5, Body: "via rsyslog"}},
	{"python", "<11>no region\x00", Message{Time: now, Facility: 1, Severity: 3, Body: "no region"}},
	{"python ident", "<11>shop: ident\x00", Message{Time: now, App: "shop", Facility: 1, Severity: 3, Body: "ident"}},
	{"go network", "<27>2026-11-25T01:27:51Z vm shop[4711]: no region\n", Message{Time: at("2026-11-25T01:27:51Z"), Host: "vm", App: "shop", PID: "4711", Facility: 3, Severity: 3, Body: "no region"}},
	{"postgres", "<134>Nov 25 01:27:51 postgres[812]: [3-1] 2026-11-25 01:27:51.2 UTC [812] LOG:  duration: 3.1 ms",
		Message{Time: at("2026-11-25T01:27:51Z"), App: "postgres", PID: "812", Facility: 16, Severity: 6, Body: "[3-1] 2026-11-25 01:27:51.2 UTC [812] LOG:  duration: 3.1 ms"}},
	{"rfc5424 6.5 example 1", "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed for lonvick on /dev/pts/8",
		Message{Time: at("2003-10-11T22:14:15.003Z"), Host: "mymachine.example.com", App: "su", MsgID: "ID47", Facility: 4, Severity: 2, Body: "'su root' failed for lonvick on /dev/pts/8"}},
	{"rfc5424 escapes", `<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 evntslog - ID47 [a@1 x="q\"b\\c\]d\n" y=""][b@2]`,
		Message{Time: at("2003-08-24T12:14:15.000003Z"), Host: "192.0.2.1", App: "evntslog", MsgID: "ID47", Facility: 20, Severity: 5,
			SD: []Element{{"a@1", []Param{{"x", `q"b\c]d\n`}, {"y", ""}}}, {"b@2", nil}}}},
	{"rfc3164 5.4 example 1", "<34>Oct 11 22:14:15 mymachine su: 'su root' failed", Message{Time: at("2026-10-11T22:14:15Z"), Host: "mymachine", App: "su", Facility: 4, Severity: 2, Body: "'su root' failed"}},
	{"one digit", "<13>Nov  5 01:27:49 vm a: x", Message{Time: at("2026-11-05T01:27:49Z"), Host: "vm", App: "a", Facility: 1, Severity: 5, Body: "x"}},
	{"year and fraction", "<13>Nov 25 2025 01:27:49.5: %ASA-6: x", Message{Time: at("2025-11-25T01:27:49.5Z"), Facility: 1, Severity: 5, Body: "%ASA-6: x"}},
	{"cookie", `<13>Nov 25 01:27:49 vm shop: @cee: {"a":1}`, Message{Time: at("2026-11-25T01:27:49Z"), Host: "vm", App: "shop", Facility: 1, Severity: 5, Body: `@cee: {"a":1}`}},
	{"cookie alone", `<13>Nov 25 01:27:49 @cee: {"a":1}`, Message{Time: at("2026-11-25T01:27:49Z"), Facility: 1, Severity: 5, Body: `@cee: {"a":1}`}},
	{"ipv6 host", "<13>Nov 25 01:27:49 fe80::1 a: x", Message{Time: at("2026-11-25T01:27:49Z"), Host: "fe80::1", App: "a", Facility: 1, Severity: 5, Body: "x"}},
	{"no priority", "Nov 25 01:27:49 vm cron[1]: x", Message{Time: at("2026-11-25T01:27:49Z"), Host: "vm", App: "cron", PID: "1", Facility: 1, Severity: 5, Body: "x"}},
	{"plain text", "hello, http://x: 12:30", Message{Time: now, Facility: 1, Severity: 5, Body: "hello, http://x: 12:30"}},
	{"octet mark", "\xef\xbb\xbf<13>a: x", Message{Time: now, App: "a", Facility: 1, Severity: 5, Body: "x"}},
	{"bad utf-8 and nul", "<13>a: \xff\xfeb\x00c", Message{Time: now, App: "a", Facility: 1, Severity: 5, Body: "\uFFFDb\uFFFDc"}},
	{"priority too large", "<192>a: x", Message{Time: now, Facility: 1, Severity: 5, Body: "<192>a: x"}},
	{"broken 5424", "<13>1 yesterday vm shop - - - x", Message{Time: now, Facility: 1, Severity: 5, Body: "1 yesterday vm shop - - - x"}},
	{"broken SD", `<13>1 - vm shop - - [a b="c x`, Message{Time: now, Facility: 1, Severity: 5, Body: `1 - vm shop - - [a b="c x`}},
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range real {
		got, err := Parse([]byte(c.bytes), now)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v\n%+v\nis not\n%+v", c.name, err, got, c.want)
		}
	}
	for _, text := range []string{"", "\x00", "\r\n", "<13>", "\xef\xbb\xbf", "\x16\x03\x01\x02", "\x80abc"} {
		if m, err := Parse([]byte(text), now); err == nil {
			t.Errorf("%q is taken for %+v", text, m)
		}
	}
}

// TestYear holds the year that a stamp leaves out.
func TestYear(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ now, stamp, want string }{
		{"2027-01-01T00:00:03Z", "Dec 31 23:59:59", "2026-12-31T23:59:59Z"},
		{"2026-12-31T23:59:58Z", "Jan  1 00:00:01", "2027-01-01T00:00:01Z"},
		{"2026-11-25T00:00:00Z", "Nov 25 00:00:00", "2026-11-25T00:00:00Z"},
		{"2028-03-01T00:00:00Z", "Feb 29 23:00:00", "2028-02-29T23:00:00Z"},
		{"2029-01-01T00:00:00Z", "Feb 29 23:00:00", "2028-02-29T23:00:00Z"},
		{"2026-01-02T00:00:00+02:00", "Jan  2 00:00:00", "2026-01-01T22:00:00Z"},
	} {
		clock, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Parse([]byte("<13>"+c.stamp+" vm a: x"), clock)
		if err != nil || !m.Time.Equal(at(c.want)) {
			t.Errorf("%s at %s is %v, not %s (%v)", c.stamp, c.now, m.Time, c.want, err)
		}
	}
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"<134>Nov 25 01:00:00 postgres[12]: [3-1] LOG": true, "<134>Nov 25 01:00:00 pg-main[12]: [38812-2] \tAND x": true,
		"<134>Nov 25 01:00:00 postgres: [3-1] LOG": false, "<134>Nov 25 01:00:00 nginx[12]: [a-1] x": false, "<134>Nov 25 01:00:00 x[12]: [3-1": false, "<13>x[1]: []": false} {
		m, err := Parse([]byte(text), now)
		if err != nil || m.Postgres() != want {
			t.Errorf("%q: %v %v", text, m.Postgres(), err)
		}
	}
}

// TestPeer compares with go-syslog where that accepts a message, and holds that it does not accept what real senders send, which is
// why the parser is ours.
func TestPeer(t *testing.T) {
	t.Parallel()
	refused := map[string]bool{}
	for _, c := range real {
		modern := strings.Contains(c.bytes[:min(len(c.bytes), 8)], ">1 ")
		var p leodido.Machine = rfc3164.NewParser(rfc3164.WithYear(rfc3164.CurrentYear{}))
		if modern {
			p = rfc5424.NewParser()
		}
		m, err := p.Parse([]byte(c.bytes))
		if err != nil {
			refused[c.name] = true
			continue
		}
		if c.name == "cookie alone" || c.name == "ipv6 host" { // it takes @cee and the address for a tag
			continue
		}
		if old, ok := m.(*rfc3164.SyslogMessage); ok {
			same(t, c.name, c.want, &old.Base)
		} else if m, ok := m.(*rfc5424.SyslogMessage); ok {
			same(t, c.name, c.want, &m.Base)
		}
	}
	for _, name := range []string{"rsyslog forward", "python", "python ident", "go network"} {
		if !refused[name] {
			t.Errorf("go-syslog reads %q by now: is our own parser still needed?", name)
		}
	}
}

func same(t *testing.T, name string, want Message, m *leodido.Base) {
	t.Helper()
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return strings.TrimPrefix(strings.TrimSpace(*p), bom)
	}
	if text(m.Hostname) != want.Host || text(m.Appname) != want.App || text(m.ProcID) != want.PID || text(m.MsgID) != want.MsgID || text(m.Message) != want.Body ||
		m.Facility != nil && *m.Facility != want.Facility || m.Severity != nil && *m.Severity != want.Severity {
		t.Errorf("%s: go-syslog reads host %q, app %q, pid %q, id %q, body %q; we %+v", name, text(m.Hostname), text(m.Appname), text(m.ProcID), text(m.MsgID), text(m.Message), want)
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range real {
		f.Add([]byte(c.bytes))
	}
	f.Add([]byte(`<14>{"route":"/a","ms":1,"queries":[{"sql":"x","ms":2}]}`))
	f.Add([]byte(`<14>1 - - - - - [perf@1 route="/a" ms="1e308"]`))
	var d Decoder
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b, now)
		if err != nil {
			return
		}
		if strings.ToValidUTF8(m.Body, "") != m.Body || strings.ContainsRune(m.Body, 0) || m.Facility > 23 || m.Severity > 7 || m.Time.IsZero() {
			t.Fatalf("%+v", m)
		}
		r, ok, err := d.Record(&m)
		if ok && err == nil {
			checkRecord(t, &r)
		}
		Line(&m)
		m.Postgres()
	})
}

func BenchmarkParse(b *testing.B) {
	for _, c := range real[:2] {
		text := []byte(c.bytes)
		b.Run(c.name+"/ours", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(text, now); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/go-syslog", func(b *testing.B) {
			var p leodido.Machine = rfc3164.NewParser(rfc3164.WithYear(rfc3164.CurrentYear{}))
			if strings.Contains(c.name, "5424") {
				p = rfc5424.NewParser()
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
