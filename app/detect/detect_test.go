package detect

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"kibitz/app/trace"
	"kibitz/ingest/sqltext"
)

// page builds a request; each call begins where the last ended.
type page struct {
	trace.Request
	now time.Duration
}

func newPage() *page {
	return &page{Request: trace.Request{Span: 1, Service: "shop", Method: "GET", Name: "/cart", Duration: time.Minute}}
}

// add adds a span of so many ms from a line of shop/cart.py, in the function price. Line 0 is unknown.
func (p *page) add(category trace.Category, op, text string, line int, took float64) *trace.Span {
	s := trace.Span{ID: trace.SpanID(len(p.Spans) + 2), Parent: 1, Category: category, Op: op, Text: text, Start: p.now,
		Duration: time.Duration(took * float64(time.Millisecond)), Rows: -1}
	if line > 0 {
		s.File, s.Line, s.Func = "shop/cart.py", line, "price"
	}
	p.now += s.Duration
	p.Spans = append(p.Spans, s)
	return &p.Spans[len(p.Spans)-1]
}

func (p *page) sql(text string, line int, took float64) *trace.Span {
	return p.add(trace.DB, "db.query", text, line, took)
}

// run tells kinds found, and the reasons of the others.
func (p *page) run(th Thresholds) (map[Kind]Finding, map[Kind]string) {
	found, reasons := Run(&p.Request, sqltext.Normalize, th)
	if len(found) > 0 && !Possible(&p.Request, &th) {
		panic(string(found[0].Kind) + " is found where nothing is possible")
	}
	kinds, why := map[Kind]Finding{}, map[Kind]string{}
	for _, f := range found {
		kinds[f.Kind] = f
	}
	for _, r := range reasons {
		why[r.Kind] = r.String()
	}
	return kinds, why
}

// times calls fn n times with 0 to n-1.
func (p *page) times(n int, fn func(p *page, i int)) *page {
	for i := range n {
		fn(p, i)
	}
	return p
}

const byID = "SELECT id, sku, name FROM catalog_product WHERE id = %d"

// TestCriteria puts each threshold just below what it needs and at it: the reason below, the finding at it.
func TestCriteria(t *testing.T) {
	t.Parallel()
	query := func(took float64) func(p *page, i int) {
		return func(p *page, i int) { p.sql(fmt.Sprintf(byID, i), 58, took) }
	}
	insert := func(took float64) func(p *page, i int) {
		return func(p *page, i int) { p.sql("INSERT INTO cart_line (cart, sku) VALUES ($1, $2)", 58, took) }
	}
	get := func(took float64) func(p *page, i int) {
		return func(p *page, i int) {
			p.add(trace.HTTP, "http.client", fmt.Sprintf("GET https://rates.example/v2/quote/%d?x=%d", i, i), 31, took)
		}
	}
	key := func(took float64) func(p *page, i int) {
		return func(p *page, i int) { p.add(trace.Cache, "cache.get", fmt.Sprint("price:NZD:", i), 88, took) }
	}
	same := func(took float64) func(p *page, i int) {
		return func(p *page, i int) { p.sql("SELECT rate FROM tax WHERE region = 'NZ'", 10+i, took) }
	}
	two := func(first, second float64) *page {
		p := newPage()
		p.sql("SELECT id FROM cart WHERE id = 7", 1, first)
		p.sql("SELECT count(*) FROM promo", 2, second)
		return p
	}
	slow := func(took float64, pause time.Duration) func(p *page, i int) {
		return func(p *page, i int) {
			p.add(trace.HTTP, "http.client", "POST https://"+string(rune('a'+i))+".example/pay", 5, took)
			p.now += pause
		}
	}
	for _, c := range []struct {
		kind  Kind
		below *page
		why   string
		at    *page
	}{
		{QueryLoop, newPage().times(4, query(20)), "4 repeats of 5 needed", newPage().times(5, query(10))},
		{QueryLoop, newPage().times(5, query(9.999)), "49.995 ms of 50 ms needed", newPage().times(5, query(10))},
		{WriteLoop, newPage().times(4, insert(20)), "4 repeats of 5 needed", newPage().times(5, insert(2))},
		{WriteLoop, newPage().times(5, insert(1.9)), "9.5 ms of 10 ms needed", newPage().times(5, insert(2))},
		{HTTPLoop, newPage().times(4, get(100)), "4 repeats of 5 needed", newPage().times(5, get(60))},
		{HTTPLoop, newPage().times(5, get(59)), "295 ms of 300 ms needed", newPage().times(5, get(60))},
		{CacheLoop, newPage().times(9, key(1)), "9 repeats of 10 needed", newPage().times(10, key(0.5))},
		{CacheLoop, newPage().times(10, key(0.4)), "4 ms of 5 ms needed", newPage().times(10, key(0.5))},
		{SlowQuery, newPage().times(1, query(499.9)), "499.9 ms of 500 ms needed", newPage().times(1, query(500))},
		{DuplicateQuery, newPage().times(1, same(90)), "1 repeat of 2 needed", newPage().times(2, same(20))},
		{DuplicateQuery, newPage().times(2, same(19.9)), "19.9 ms of 20 ms needed", newPage().times(2, same(20))},
		{ConsecutiveQueries, two(500, 30), "30 ms of 30 ms needed", two(101, 101)},
		{ConsecutiveQueries, two(400, 99), "99 ms of 100 ms needed", two(101, 100)},
		{ConsecutiveQueries, two(1000, 110), "9.9 % of 10 % needed", two(1000, 112)},
		{ConsecutiveHTTP, newPage().times(2, slow(9000, 0)), "2 calls of 3 needed", newPage().times(3, slow(1000, 0))},
		{ConsecutiveHTTP, newPage().times(9, slow(499, 0)), "499 ms of 500 ms needed", newPage().times(5, slow(500, 0))},
		{ConsecutiveHTTP, newPage().times(3, slow(999, 0)), "1998 ms of 2000 ms needed", newPage().times(3, slow(1000, 0))},
		{ConsecutiveHTTP, newPage().times(3, slow(1000, 500*time.Millisecond)), "1 call of 3 needed", newPage().times(3, slow(1000, 499*time.Millisecond))},
	} {
		if found, why := c.below.run(Defaults()); found[c.kind].Kind != "" || why[c.kind] != c.why {
			t.Errorf("%s below: %q instead of %q, found %+v", c.kind, why[c.kind], c.why, found)
		}
		if found, why := c.at.run(Defaults()); found[c.kind].Kind == "" || why[c.kind] != "" {
			t.Errorf("%s at the threshold: not found: %s", c.kind, why[c.kind])
		}
	}
}

// TestBlindSpots are loops that a detector of consecutive spans behind a source does not see.
func TestBlindSpots(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		p    *page
		want Kind
	}{
		"no source query": {newPage().times(5, func(p *page, i int) { p.sql(fmt.Sprintf(byID, i), 58, 10) }), QueryLoop},
		"cache, template and other queries between": {newPage().times(6, func(p *page, i int) {
			p.sql(fmt.Sprintf(byID, i), 58, 10)
			p.add(trace.Cache, "cache.get", fmt.Sprint("price:", i), 60, 1)
			p.sql(fmt.Sprintf("SELECT * FROM stock WHERE product = %d", i), 61, 1)
			p.add(trace.Template, "template.render", "line.html", 0, 1)
		}), QueryLoop},
		"a span for each round": {newPage().times(6, func(p *page, i int) {
			round := p.add(trace.Other, "function", "price_line", 0, 10)
			p.now -= 10 * time.Millisecond
			round.Duration = 10 * time.Millisecond
			id := round.ID
			p.sql(fmt.Sprintf(byID, i), 0, 10).Parent = id
		}), QueryLoop},
		"side by side": {newPage().times(6, func(p *page, i int) {
			p.sql(fmt.Sprintf(byID, i), 58, 10)
			p.now = 0
		}), QueryLoop},
		"updates": {newPage().times(6, func(p *page, i int) {
			p.sql(fmt.Sprintf("UPDATE stock SET n = n - 1 WHERE product = %d", i), 58, 2)
		}), WriteLoop},
		"deletes between savepoints": {newPage().times(6, func(p *page, i int) {
			p.sql(fmt.Sprintf(`SAVEPOINT "s%d"`, i), 58, 1)
			p.sql("DELETE FROM stock WHERE product = $1", 58, 2)
			p.sql(fmt.Sprintf(`RELEASE SAVEPOINT "s%d"`, i), 58, 1)
		}), WriteLoop},
		"HTTP from a server": {newPage().times(6, func(p *page, i int) {
			p.add(trace.HTTP, "http.client", fmt.Sprintf("POST https://rates.example/quote/%08x-1111-4222-8333-444455556666", i), 31, 60)
		}), HTTPLoop},
		"a slow write": {newPage().times(1, func(p *page, i int) { p.sql("UPDATE stock SET n = 0", 58, 700) }), SlowQuery},
	} {
		if found, why := c.p.run(Defaults()); found[c.want].Kind == "" {
			t.Errorf("%s: %s", name, why[c.want])
		}
	}
}

// TestGoodPages: what is done right must not be found, however often and however slow.
func TestGoodPages(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*page{
		"prefetch in portions": newPage().times(8, func(p *page, i int) {
			p.sql(fmt.Sprintf("SELECT id FROM product WHERE id IN (%d, %d, %d)", i, i+1, i+2), 58, 20)
		}),
		"arrays": newPage().times(8, func(p *page, i int) { p.sql("SELECT id FROM product WHERE id = ANY($1)", 58, 20) }),
		"one query a table": newPage().times(8, func(p *page, i int) {
			p.sql(fmt.Sprintf("SELECT id FROM table_%c WHERE owner = 7", 'a'+i), 58, 20)
		}),
		"pages": newPage().times(8, func(p *page, i int) {
			p.sql(fmt.Sprintf("SELECT id FROM product WHERE id > 0 ORDER BY id LIMIT 100 OFFSET %d", 100*i), 58, 20)
		}),
		"several rows": newPage().times(8, func(p *page, i int) { p.sql("INSERT INTO line (a, b) VALUES ($1, $2), ($3, $4)", 58, 20) }),
		"a batch of the driver": newPage().times(8, func(p *page, i int) {
			p.add(trace.DB, "db.batch", "INSERT INTO line (a, b) VALUES ($1, $2)", 58, 20)
		}),
		"many at once from the cache": newPage().times(20, func(p *page, i int) { p.add(trace.Cache, "cache.get_many", "a:1, a:2, a:3", 88, 5) }),
		"transactions":                newPage().times(20, func(p *page, i int) { p.sql("BEGIN", 5, 10); p.sql("COMMIT", 6, 10) }),
		"read again after a write": newPage().times(4, func(p *page, i int) {
			p.sql("SELECT n FROM stock WHERE id = 7", 5, 60)
			p.sql("UPDATE stock SET n = n - 1 WHERE id = 7", 6, 1)
		}),
		"values unknown": newPage().times(4, func(p *page, i int) { p.sql("SELECT n FROM stock WHERE id = $1", i+1, 60) }),
		"a sequence":     newPage().times(4, func(p *page, i int) { p.sql("SELECT nextval('stock_id_seq')", 5, 60) }),
		"waiting for a connection": newPage().times(1, func(p *page, i int) {
			p.sql("SELECT n FROM stock WHERE id = $1", 5, 700).Pool = 300 * time.Millisecond
		}),
		"cut off": newPage().times(8, func(p *page, i int) { p.sql("SELECT a, b, c, d, e, f, g FROM ...", 5, 600) }),
	} {
		if found, _ := Run(&p.Request, sqltext.Normalize, Defaults()); len(found) > 0 {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	p := newPage()
	p.sql("SELECT product FROM cart_line WHERE cart = 7", 50, 3)
	p.times(60, func(p *page, i int) { p.sql(fmt.Sprintf(byID, i), 58, float64(1+i%2)) })
	found, _ := p.run(Defaults())
	f := found[QueryLoop]
	want := Finding{Kind: QueryLoop, Title: "N+1 query: SELECT … FROM catalog_product WHERE id = ?", Wasted: 88 * time.Millisecond,
		Fingerprint: f.Fingerprint, Evidence: Evidence{Spans: f.Evidence.Spans, Count: 60, Total: 90 * time.Millisecond,
			Statement: "select id, sku, name from catalog_product where id = ?", Source: "select product from cart_line where cart = ?",
			Examples: []string{fmt.Sprintf(byID, 0), fmt.Sprintf(byID, 1), fmt.Sprintf(byID, 2)},
			File:     "shop/cart.py", Line: 58, Func: "price", Suggestion: advice[QueryLoop]}}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got  %+v\nwant %+v", f, want)
	}
	if len(f.Evidence.Spans) != 50 || f.Evidence.Spans[0] != 3 {
		t.Errorf("spans %v", f.Evidence.Spans)
	}
	_, mark := sqltext.Normalize(byID)
	if got := strings.Join(f.Fingerprint[:3], "|"); got != "n_plus_one_query|shop GET /cart|shop/cart.py:price" || mark == 0 {
		t.Errorf("fingerprint %q", f.Fingerprint)
	}
	// A release that moves the line, and other ids, change no fingerprint.
	q := newPage().times(7, func(p *page, i int) { p.sql(fmt.Sprintf(byID, 900+i), 61, 20) })
	later, _ := q.run(Defaults())
	if !slices.Equal(later[QueryLoop].Fingerprint, f.Fingerprint) {
		t.Errorf("%q became %q", f.Fingerprint, later[QueryLoop].Fingerprint)
	}
}

// TestOnce: the same calls are told once, by what repairs them.
func TestOnce(t *testing.T) {
	t.Parallel()
	same := newPage().times(8, func(p *page, i int) { p.sql("SELECT rate FROM tax WHERE region = 'NZ'", 58, 20) })
	found, why := same.run(Defaults())
	if len(found) != 1 || found[DuplicateQuery].Evidence.Count != 8 || !strings.Contains(why[QueryLoop], "Duplicate query") {
		t.Errorf("equal values: %+v, %v", found, why)
	}
	pairs := newPage().times(12, func(p *page, i int) { p.sql(fmt.Sprintf(byID, i/2), 58, 30) })
	found, why = pairs.run(Defaults())
	if len(found) != 1 || found[QueryLoop].Evidence.Count != 12 || !strings.Contains(why[DuplicateQuery], "N+1 query") {
		t.Errorf("pairs within a loop: %+v, %v", found, why)
	}
	calls := newPage().times(8, func(p *page, i int) {
		p.add(trace.HTTP, "http.client", fmt.Sprint("GET https://a.example/", i), 58, 600)
	})
	found, why = calls.run(Defaults())
	if len(found) != 1 || found[HTTPLoop].Evidence.Count != 8 || !strings.Contains(why[ConsecutiveHTTP], "N+1 HTTP") {
		t.Errorf("a loop of calls: %+v, %v", found, why)
	}
	lines := newPage().times(12, func(p *page, i int) { p.sql(fmt.Sprintf(byID, i), 58+i%2, 30) })
	list, _ := Run(&lines.Request, sqltext.Normalize, Defaults())
	if len(list) != 1 || list[0].Evidence.Count != 12 || list[0].Wasted != 300*time.Millisecond {
		t.Errorf("two lines of one function: %+v", list)
	}
}

func TestDuplicatesByParameters(t *testing.T) {
	t.Parallel()
	with := func(values ...string) *page {
		p := newPage()
		for _, v := range values {
			p.sql("SELECT n FROM stock WHERE id = $1", 5, 30).Attrs = []trace.Attr{{Key: "db.query.parameter.0", Value: v}}
		}
		return p
	}
	if found, _ := with("7", "8", "7").run(Defaults()); found[DuplicateQuery].Evidence.Count != 2 {
		t.Errorf("%+v", found)
	}
	if found, why := with("7", "8", "9").run(Defaults()); len(found) > 0 || why[DuplicateQuery] != "1 repeat of 2 needed" {
		t.Errorf("%+v, %v", found, why)
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]*page{
		"the sender gave totals in place of spans":                        {Request: trace.Request{Summed: true}},
		"the request itself has not come, only some of its spans":         {Request: trace.Request{Partial: true}},
		"the request has no spans":                                        newPage(),
		"no queries":                                                      newPage().times(1, func(p *page, i int) { p.add(trace.HTTP, "http.client", "GET /", 1, 1) }),
		"all queries ask for many rows at once":                           newPage().times(9, func(p *page, i int) { p.sql(fmt.Sprintf("SELECT 1 FROM t WHERE a IN (1,%d)", i), 1, 9) }),
		"texts were cut off, so that different statements may look equal": newPage().times(9, func(p *page, i int) { p.sql("SELECT 1 FROM t WHERE...", 1, 9) }),
	} {
		_, why := p.run(Defaults())
		if why[QueryLoop] != want || len(why) != len(detectors) {
			t.Errorf("%q instead of %q, %d reasons", why[QueryLoop], want, len(why))
		}
	}
	p := newPage().times(4, func(p *page, i int) { p.sql(fmt.Sprintf(byID, i), 58, 20) })
	p.Lost = 12
	_, reasons := Run(&p.Request, sqltext.Normalize, Defaults())
	if r := reasons[0]; r.Statement == "" || r.String() != "4 repeats of 5 needed; the sender left out 12 spans, which might have changed that" {
		t.Errorf("%+v", r)
	}
}

// everything has some of all kinds, and much that is none.
func everything() *page {
	p := newPage()
	p.times(8, func(p *page, i int) {
		p.sql(fmt.Sprintf(byID, i), 58, float64(8+i))
		p.sql("INSERT INTO cart_line (cart, sku) VALUES ($1, $2)", 63, float64(3+i))
		p.add(trace.HTTP, "http.client", fmt.Sprint("GET https://a.example/", i), 70, float64(60+i))
	})
	p.times(12, func(p *page, i int) { p.add(trace.Cache, "cache.get", fmt.Sprint("price:", i), 60, float64(1+i)) })
	p.times(3, func(p *page, i int) {
		p.sql("SELECT rate FROM tax WHERE region = 'NZ'", 80+i, float64(30+i))
		p.sql("SELECT count(*) FROM t"+strings.Repeat("t", i), 90+i, float64(700+i))
	})
	return p.times(3, func(p *page, i int) {
		p.add(trace.HTTP, "http.client", "POST https://"+string(rune('a'+i))+".example/pay", 5, float64(1500+i))
	})
}

// TestMetamorphic: neither the order of spans, nor their ids, nor a later start change anything; slower is found as well.
func TestMetamorphic(t *testing.T) {
	t.Parallel()
	p := everything()
	want, _ := Run(&p.Request, sqltext.Normalize, Defaults())
	if kinds, _ := p.run(Defaults()); len(kinds) != len(detectors) {
		t.Fatalf("found only %+v", kinds)
	}
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		r := p.Request
		r.Spans = slices.Clone(r.Spans)
		for i := range r.Spans {
			r.Spans[i].ID += 1_000_000
			r.Spans[i].Start += time.Duration(seed) * time.Millisecond
		}
		rng.Shuffle(len(r.Spans), func(i, j int) { r.Spans[i], r.Spans[j] = r.Spans[j], r.Spans[i] })
		r.Spans = append(r.Spans, r.Spans[rng.IntN(len(r.Spans))]) // came twice
		got, _ := Run(&r, sqltext.Normalize, Defaults())
		for i := range got {
			for j := range got[i].Evidence.Spans {
				got[i].Evidence.Spans[j] -= 1_000_000
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d:\n%+v\nwant\n%+v", seed, got, want)
		}
		for i := range r.Spans {
			r.Spans[i].Start, r.Spans[i].Duration = r.Spans[i].Start*3/2, r.Spans[i].Duration*3/2
		}
		slower, _ := Run(&r, sqltext.Normalize, Defaults())
		for i := range want {
			if slower[i].Kind != want[i].Kind || !slices.Equal(slower[i].Fingerprint, want[i].Fingerprint) || slower[i].Wasted < want[i].Wasted {
				t.Fatalf("slower: %+v, want %+v", slower[i], want[i])
			}
		}
	}
}

// TestLarge: a request of 100,000 spans gives no more than is kept, the worst of it.
func TestLarge(t *testing.T) {
	t.Parallel()
	p := newPage()
	p.Duration = time.Hour
	p.times(20_000, func(p *page, i int) {
		p.times(5, func(p *page, j int) {
			p.sql(fmt.Sprintf("SELECT a FROM t%d_x WHERE id IN (IN (%d", i, j), 1+i, 10+float64(i)/1000)
		})
	})
	found, _ := Run(&p.Request, sqltext.Normalize, Defaults())
	if len(found) != maxFindings || found[0].Evidence.Line != 1+20_000-maxFindings || found[maxFindings-1].Evidence.Line != 20_000 {
		t.Errorf("%d found, the first %+v", len(found), found[0])
	}
	if got := found[1].Evidence.Source; got != found[0].Evidence.Statement {
		t.Errorf("source %q", got)
	}
	one := trace.Span{Text: strings.Repeat("IN (", 16<<10) + strings.Repeat("VALUES (", 16<<10)}
	if isBatch(&one) {
		t.Error("an endless list is one of many")
	}
}

// FuzzRun: whatever comes, each detector either finds or tells why not, within the limits of evidence.
func FuzzRun(f *testing.F) {
	f.Add("SELECT a FROM b WHERE c IN (1,2)\nINSERT INTO a VALUES (1)\nGET https://a/1?b\nprice:12", uint64(1), 20)
	f.Add("((((\n'\n...\nSELECT '\n://", uint64(7), 3)
	f.Fuzz(func(t *testing.T, texts string, seed uint64, n int) {
		rng := rand.New(rand.NewPCG(seed, 1))
		lines := strings.Split(texts, "\n")
		r := trace.Request{Span: 1, Duration: time.Duration(rng.Int64()) >> rng.IntN(63)}
		for range min(max(n, 0), 300) {
			r.Spans = append(r.Spans, trace.Span{ID: trace.SpanID(rng.IntN(100)), Parent: trace.SpanID(rng.IntN(100)), Category: trace.Category(rng.IntN(7)),
				Op: "cache.get", Text: lines[rng.IntN(len(lines))], Start: time.Duration(rng.Int64()) >> rng.IntN(63) * time.Duration(rng.IntN(3)-1),
				Duration: time.Duration(rng.Uint64()) >> rng.IntN(63), Pool: time.Duration(rng.Uint64()) >> rng.IntN(63), Line: rng.IntN(2)})
		}
		th := Defaults()
		found, reasons := Run(&r, sqltext.Normalize, th)
		if len(found) > 0 && !Possible(&r, &th) {
			t.Errorf("%v is found where nothing is possible", found[0].Kind)
		}
		seen := map[Kind]bool{}
		for _, x := range found {
			seen[x.Kind] = true
			if x.Wasted < 0 || x.Evidence.Total < x.Wasted || x.Evidence.Count == 0 || len(x.Evidence.Spans) > maxSpans || len(x.Evidence.Examples) > maxExamples || len(x.Title) > maxTitle+50 || len(x.Fingerprint) != 4 || len(found) > maxFindings*len(detectors) {
				t.Errorf("%+v", x)
			}
		}
		for _, why := range reasons {
			if seen[why.Kind] || why.String() == "" {
				t.Errorf("a reason %+v", why)
			}
			seen[why.Kind] = true
		}
		if len(seen) != len(detectors) {
			t.Errorf("neither found nor told why: %v", seen)
		}
	})
}

func BenchmarkRun(b *testing.B) {
	six := newPage().times(6, func(p *page, i int) { p.sql("SELECT id, sku, name FROM catalog_product WHERE id = $1", 50+i, 1) })
	large := newPage().times(10_000/4, func(p *page, i int) {
		p.sql("SELECT id, sku, name FROM catalog_product WHERE id = $1", 58, 1)
		p.sql("SELECT n FROM stock WHERE id = $1", 59, 1)
		p.add(trace.Cache, "cache.get", fmt.Sprint("price:", i), 60, 0.1)
		p.add(trace.Template, "template.render", "line.html", 61, 0.1)
	})
	memory := sqltext.NewNormalizer(1 << 20)
	normalize := func(sql string) (string, uint64) {
		form := memory.Normalize(sql)
		return form.Text, form.Fingerprint
	}
	for name, p := range map[string]*page{"spans=6": six, "spans=10000": large} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Run(&p.Request, normalize, Defaults())
			}
		})
		b.Run("peer=normalize only/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for i := range p.Spans {
					if p.Spans[i].Category == trace.DB {
						normalize(p.Spans[i].Text)
					}
				}
			}
		})
	}
}
