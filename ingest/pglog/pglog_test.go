package pglog

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"kibitz/ingest/sqltext"
)

// read reads a log whole, and keeps its entries.
func read(t testing.TB, log string, o Options) ([]Entry, Stats) {
	t.Helper()
	var out []Entry
	stats, err := Read(strings.NewReader(log), o, func(e *Entry) { out = append(out, *e) })
	if err != nil {
		t.Fatal(err)
	}
	return out, stats
}

func digest(t testing.TB, log string) *Digest {
	t.Helper()
	d := NewDigest(sqltext.NewNormalizer(1 << 20))
	if _, err := Read(strings.NewReader(log), Options{}, d.Add); err != nil {
		t.Fatal(err)
	}
	d.Close()
	return d
}

var at = time.Date(2024, 1, 31, 12, 0, 1, 123e6, time.UTC)

// TestPrefixes reads one entry behind many prefixes: as they are given, and, where auto is set, found from the lines.
func TestPrefixes(t *testing.T) {
	t.Parallel()
	whole := Entry{Time: at, PID: 4711, User: "joe", Database: "shop", Application: "my app", Host: "10.0.0.7", SQLState: "42P01", QueryID: -77}
	for _, c := range []struct {
		prefix, written string
		has             string // letters of what is told: t(ime) p u d a h e q
		auto            bool
	}{
		{"%m [%p] ", "2024-01-31 12:00:01.123 UTC [4711] ", "tp", true},
		{"%m [%p] %q%u@%d ", "2024-01-31 12:00:01.123 UTC [4711] joe@shop ", "tpud", true},
		{"%m [%p] %q[user=%u,db=%d,app=%a] ", "2024-01-31 12:00:01.123 UTC [4711] [user=joe,db=shop,app=my app] ", "tpuda", false},
		{"%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ", "2024-01-31 12:00:01 UTC [4711]: [3-1] user=joe,db=shop,app=my app,client=10.0.0.7 ", "Tpudah", false},
		{"%t [%p]: [%l-1] user=%u,db=%d,client=%h ", "2024-01-31 12:00:01 UTC [4711]: [3-1] user=joe,db=shop,client=10.0.0.7 ", "Tpudh", true},
		{"%t:%r:%u@%d:[%p]:", "2024-01-31 12:00:01 UTC:10.0.0.7(5432):joe@shop:[4711]:", "Thudp", true},
		{"%m %c %l %v %x %e %Q %i %b %P %s %% ", "2024-01-31 13:00:01.123 CET 65ba0b7f.1267 3 4/12 0 42P01 -77 SELECT client backend  2024-01-31 11:00:00 UTC % ", "tpeq", false},
		{"%n [%p] ", "1706702401.123 [4711] ", "tp", true},
		{"%m|%10p|%-12u|%d|", "2024-01-31 12:00:01.123 UTC|      4711|joe         |shop|", "tpud", false},
		{"%u%d %m [%p] ", "joeshop 2024-01-31 12:00:01.123 UTC [4711] ", "tp?", false},
		{"%a %p %m ", "my app 4711 2024-01-31 14:00:01.123 +02 ", "atp", false},
		{"< %m >%p: ", "< 2024-01-31 09:00:01.123 -03 >4711: ", "tp", true},
		{"%m pid=%p user=%u db=%d host=%h sqlstate=%e ", "2024-01-31 12:00:01.123 UTC pid=4711 user=joe db=shop host=10.0.0.7 sqlstate=42P01 ", "tpudhe", true},
	} {
		want := Entry{Severity: "LOG", Message: "duration: 1.500 ms  statement: SELECT 1"}
		for _, letter := range c.has {
			copyField(&want, &whole, letter)
		}
		prefixes := []string{c.prefix}
		if c.auto {
			prefixes = append(prefixes, "")
		}
		for _, prefix := range prefixes {
			log := c.written + "LOG:  duration: 1.500 ms  statement: SELECT 1\n" + c.written + "DETAIL:  parameters: $1 = 'x'\n"
			got, stats := read(t, log, Options{Prefix: prefix, Format: Stderr})
			if len(got) != 1 {
				t.Errorf("%q with %q (%q): %d entries, %+v", c.written, prefix, stats.Prefix, len(got), stats)
				continue
			}
			e := Entry{Severity: got[0].Severity, Message: got[0].Message}
			for _, letter := range c.has {
				copyField(&e, &got[0], letter)
			}
			if e != want || got[0].Params != "$1 = 'x'" || got[0].Duration != 1500*time.Microsecond {
				t.Errorf("%q with %q (found %q)\n got %+v\nwant %+v", c.written, prefix, stats.Prefix, got[0], want)
			}
		}
	}
}

func copyField(to, from *Entry, letter rune) {
	switch letter {
	case 't':
		to.Time = from.Time
	case 'T':
		to.Time = from.Time.Truncate(time.Second)
	case 'p':
		to.PID = from.PID
	case 'u':
		to.User = from.User
	case 'd':
		to.Database = from.Database
	case 'a':
		to.Application = from.Application
	case 'h':
		to.Host = from.Host
	case 'e':
		to.SQLState = from.SQLState
	case 'q':
		to.QueryID = from.QueryID
	}
}

// TestSessions: the prefix of processes that are no sessions is shorter.
func TestSessions(t *testing.T) {
	t.Parallel()
	log := `2024-01-31 12:00:00.000 UTC [1] LOG:  checkpoint starting: time
2024-01-31 12:00:01.000 UTC [7] joe@shop LOG:  duration: 1.000 ms  statement: SELECT 1
2024-01-31 12:00:02.000 UTC [1] LOG:  checkpoint complete
2024-01-31 12:00:02.000 UTC [8] [unknown]@[unknown] LOG:  connection received
2024-01-31 12:00:03.000 UTC [7] joe@shop ERROR:  relation "x" does not exist at character 15
2024-01-31 12:00:03.000 UTC [7] joe@shop STATEMENT:  SELECT *
		FROM x
`
	got, stats := read(t, log, Options{})
	if stats.Prefix != "%m [%p] %q%u@%d " || len(got) != 5 || stats.Unclaimed != 0 {
		t.Fatalf("%+v %+v", stats, got)
	}
	var users, statements []string
	for _, e := range got {
		users = append(users, e.User)
		statements = append(statements, e.Statement)
	}
	if fmt.Sprintf("%q", users) != `["" "joe" "" "" "joe"]` && fmt.Sprintf("%q", users) != `["joe" "" "" "joe" ""]` {
		t.Errorf("%q", users)
	}
	if !strings.Contains(fmt.Sprintf("%q", statements), `"SELECT *\n\tFROM x"`) {
		t.Errorf("%q", statements)
	}
}

// TestWrongPrefix: what no server could have is refused in words.
func TestWrongPrefix(t *testing.T) {
	t.Parallel()
	for prefix, word := range map[string]string{"%m %": "middle", "%m %y": "%'y'", strings.Repeat("x", 300): "maxPrefix"} {
		if _, err := Read(strings.NewReader("x"), Options{Prefix: prefix}, nil); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q: %v", prefix, err)
		}
	}
	if _, err := NewAssembler(Options{Format: "xml"}, nil); err == nil || !strings.Contains(err.Error(), "jsonlog") {
		t.Error(err)
	}
}

// TestMixed: lines of two backends stand between each other, and a long one has a line of its own after another's.
func TestMixed(t *testing.T) {
	t.Parallel()
	d := digest(t, `2024-01-31 12:00:00.000 UTC [1] LOG:  duration: 1.000 ms  execute <unnamed>: SELECT a
	FROM t WHERE b = $1
2024-01-31 12:00:00.000 UTC [2] LOG:  duration: 2.000 ms  execute stmtcache_ab: SELECT c
2024-01-31 12:00:00.000 UTC [1] DETAIL:  Parameters: $1 = 'x
	y'
2024-01-31 12:00:00.000 UTC [2] DETAIL:  parameters: $1 = '2'
`)
	top := d.Top(ByTotal, 0)
	if len(top) != 2 || top[0].Form.Text != "select c" || top[0].Samples[0].Params != "$1 = '2'" || top[1].Form.Text != "select a from t where b = ?" || top[1].Samples[0].Params != "$1 = 'x\ny'" {
		t.Errorf("%+v %+v", top[0], top[1])
	}
}

const csvHead = `2024-01-31 12:00:01.123 UTC,"joe","shop",4711,"10.0.0.7:5432",65ba0b7f.1267,3,"SELECT",2024-01-31 11:00:00 UTC,4/12,0,LOG,00000,"duration: 1.500 ms  execute x: SELECT ""a"",
	b","parameters: $1 = 'x'",,,,,,,,"my, app"`

// TestCSVVersions: columns were added in 13 and 14, and others may follow.
func TestCSVVersions(t *testing.T) {
	t.Parallel()
	for version, tail := range map[string]string{"12": "", "13": `,"client backend"`, "14": `,"client backend",,-77`, "later": `,"client backend",,-77,1,2,3`} {
		got, stats := read(t, csvHead+tail+"\n"+csvHead+tail+"\nrest of something,\n", Options{})
		if stats.Format != CSV || len(got) != 2 || stats.Malformed != 1 {
			t.Fatalf("%s: %+v", version, stats)
		}
		e := got[1]
		if !e.Time.Equal(at) || e.PID != 4711 || e.User != "joe" || e.Database != "shop" || e.Host != "10.0.0.7" || e.Application != "my, app" || e.Statement != "SELECT \"a\",\n\tb" || e.Params != "$1 = 'x'" || e.Phase != Execute {
			t.Errorf("%s: %+v", version, e)
		}
		if (e.QueryID == -77) != (version == "14" || version == "later") {
			t.Errorf("%s: query id %d", version, e.QueryID)
		}
	}
}

const jsonLine = `{"timestamp":"2024-01-31 12:00:01.123 UTC","user":"joe","dbname":"shop","pid":4711,"remote_host":"10.0.0.7","remote_port":5432,"session_id":"65ba0b7f.1267","line_num":3,"ps":"SELECT","session_start":"2024-01-31 11:00:00 UTC","vxid":"4/12","txid":0,"error_severity":"LOG","message":"duration: 1.500 ms  statement: SELECT \"a\",\n\t'\u00fc\ud83d\ude00 \\'","application_name":"my app","backend_type":"client backend","query_id":-77}` + "\n"

func TestJSON(t *testing.T) {
	t.Parallel()
	got, stats := read(t, jsonLine+"not json\n\n{\"timestamp\":\"x\"}\n"+jsonLine[:100]+"\n"+jsonLine[:len(jsonLine)-1], Options{})
	if stats.Format != JSON || len(got) != 2 || stats.Malformed != 3 || stats.Lines != 6 {
		t.Fatalf("%+v %+v", stats, got)
	}
	e := got[1]
	if !e.Time.Equal(at) || e.Statement != "SELECT \"a\",\n\t'ü😀 \\'" || e.QueryID != -77 || e.User != "joe" || e.Duration != 1500*time.Microsecond {
		t.Errorf("%+v", e)
	}
}

// TestOrder: what many cores parse comes in the order of the log.
func TestOrder(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&log, `{"timestamp":"2024-01-31 12:00:01 UTC","pid":%d,"error_severity":"LOG","message":"%s"}`+"\n", i+1, strings.Repeat("x", i%300))
	}
	next := int32(0)
	stats, err := Read(strings.NewReader(log.String()), Options{}, func(e *Entry) {
		if next++; e.PID != next {
			t.Fatalf("%d came for %d", e.PID, next)
		}
	})
	if err != nil || next != 20_000 || stats.Bytes != int64(log.Len()) {
		t.Errorf("%d, %v, %+v", next, err, stats)
	}
}

// TestSyslog: how files of rsyslog, datagrams and RFC 5424 look, with chunks out of order, cut within words, and TABs that
// rsyslog has made #011.
func TestSyslog(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 2, 10, 0, 0, 0, 0, time.UTC)
	for name, log := range map[string]string{
		"rsyslog": `Jan 31 12:00:01 db1 postgres[4711]: [5-1] user=joe LOG:  duration: 1.500 ms  execute x: SELECT a,
Jan 31 12:00:01 db1 postgres[4711]: [5-2] #011b FROM
Jan 31 12:00:01 db1 postgres[99]: [1-1] user=ann LOG:  checkpoint
Jan 31 12:00:01 db1 postgres[4711]: [5-3]  t WHERE c = $1
Jan 31 12:00:01 db1 postgres[4711]: [5-4] user=joe DETAIL:  parameters: $1 = 'x'
`,
		"datagrams": "<134>Jan 31 12:00:01 postgres[4711]: [5-1] user=joe LOG:  duration: 1.500 ms  execute x: SELECT a,\n<134>Jan 31 12:00:01 postgres[4711]: [5-3]  t WHERE c = $1\n<134>Jan 31 12:00:01 postgres[4711]: [5-2] \tb FROM\n<134>Jan 31 12:00:01 postgres[4711]: [5-4] user=joe DETAIL:  parameters: $1 = 'x'\n",
		"rfc3339":   "2024-01-31T12:00:01.000000+00:00 db1 postgres[4711]: [5-1] user=joe LOG:  duration: 1.500 ms  execute x: SELECT a,\n2024-01-31T12:00:01+00:00 db1 postgres[4711]: [5-2] #011b FROM t WHERE c = $1\n2024-01-31T12:00:01+00:00 db1 postgres[4711]: [5-3] user=joe DETAIL:  parameters: $1 = 'x'\n",
		"rfc5424":   "<134>1 2024-01-31T12:00:01Z db1 postgres 4711 - - [5-1] user=joe LOG:  duration: 1.500 ms  execute x: SELECT a,\n<134>1 2024-01-31T12:00:01Z db1 postgres 4711 - - [5-2] \tb FROM t WHERE c = $1\n<134>1 2024-01-31T12:00:01Z db1 postgres 4711 - - [5-3] user=joe DETAIL:  parameters: $1 = 'x'\n",
		"unsplit":   "Jan 31 12:00:01 db1 postgres[4711]: user=joe LOG:  duration: 1.500 ms  execute x: SELECT a,#012#011b FROM t WHERE c = $1#012user=joe DETAIL:  parameters: $1 = 'x'\n",
	} {
		got, stats := read(t, log, Options{Now: now})
		if stats.Format != Syslog || stats.Unclaimed != 0 || len(got) == 0 {
			t.Errorf("%s: %+v", name, stats)
			continue
		}
		e := got[0]
		if e.PID != 4711 {
			e = got[len(got)-1]
		}
		if e.Statement != "SELECT a,\nb FROM t WHERE c = $1" || e.Params != "$1 = 'x'" || e.User != "joe" || !e.Time.Equal(at.Truncate(time.Second)) {
			t.Errorf("%s: %+v (prefix %q)", name, e, stats.Prefix)
		}
	}
}

// TestGzip: a compressed log is known by its first bytes, and one that was cut off gives what it has.
func TestGzip(t *testing.T) {
	t.Parallel()
	log := strings.Repeat(jsonLine, 5000)
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write([]byte(log))
	w.Close()
	if got, stats := read(t, z.String(), Options{}); len(got) != 5000 || stats.Cut || stats.Bytes != int64(len(log)) {
		t.Errorf("%d entries, %+v", len(got), stats)
	}
	if got, stats := read(t, z.String()[:z.Len()-200], Options{}); len(got) == 0 || len(got) >= 5000 || !stats.Cut {
		t.Errorf("cut: %d entries, %+v", len(got), stats)
	}
	if _, err := Read(strings.NewReader("\x1f\x8bno"), Options{}, nil); err == nil || !strings.Contains(err.Error(), "gzip") {
		t.Error(err)
	}
}

// broken fails after some bytes.
type broken struct{ r *strings.Reader }

var errDisk = errors.New("disk")

func (b broken) Read(p []byte) (int, error) {
	if b.r.Len() == 0 {
		return 0, errDisk
	}
	return b.r.Read(p)
}

func TestReadError(t *testing.T) {
	t.Parallel()
	for _, log := range []string{jsonLine, csvHead, "2024-01-31 12:00:01.123 UTC [1] LOG:  x\n", ""} {
		if _, err := Read(broken{strings.NewReader(log)}, Options{}, func(*Entry) {}); !errors.Is(err, errDisk) {
			t.Errorf("%.20q: %v", log, err)
		}
	}
}
