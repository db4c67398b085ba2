package cli

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"strconv"
	"time"

	"kibitz/app/errs"
	"kibitz/app/trace"
	"kibitz/ingest"
)

// The demo's requests: how many of the last day there are when the first page opens, and how long a live release is in use.
// The first has a loop of queries, the next one mends it and the one after brings it back, so that its issue is resolved and regresses
// while somebody looks.
const (
	demoRequests = 3000
	demoBatch    = 100
	demoRelease  = 5 * time.Minute
)

// demoReleases are what the shop runs, one after the other.
var demoReleases = []struct {
	name string
	loop bool
}{{"shop@4.18.0", true}, {"shop@4.18.1", false}, {"shop@4.19.0", true}, {"shop@4.19.1", false}}

// releaseAt is the release in use so long after the start; the last one stays.
func releaseAt(since time.Duration) int {
	return min(int(max(since, 0)/demoRelease), len(demoReleases)-1)
}

// shopRequests tells of the shop's requests: those of the last day when past is set, then some a second until ctx ends.
func (s *server) shopRequests(ctx context.Context, from ingest.Source, past bool) error {
	ask, err := s.demoSwitches(ctx)
	if err != nil {
		return err
	}
	r := mathrand.New(mathrand.NewPCG(uint64(time.Now().UnixNano()), 3))
	if past {
		if err := s.shopPast(ctx, from, r); err != nil {
			return err
		}
	}
	for began := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(100+r.IntN(500)) * time.Millisecond):
		}
		from.Received = time.Now().UTC()
		q := newShopRequest(r, releaseAt(time.Since(began)), ask)
		q.Start = from.Received.Add(-q.Duration)
		if err := s.pipeline.AcceptRequests(ctx, from, []trace.Request{q}); err != nil && errs.Of(err) != errs.Unavailable {
			return err
		}
	}
}

// shopPast is the last day, which ran the first release and had the one courier for a quarter of the people.
func (s *server) shopPast(ctx context.Context, from ingest.Source, r *mathrand.Rand) error {
	now := time.Now().UTC()
	for n := 0; n < demoRequests; n += demoBatch {
		batch := make([]trace.Request, demoBatch)
		for i := range batch {
			batch[i] = newShopRequest(r, 0, func(key, _ string) bool { return key == demoSticky && r.IntN(4) == 0 })
			share := (float64(n+i) + r.Float64()) / demoRequests
			batch[i].Start = now.Add(-demoWindow + time.Duration(share*float64(demoWindow)) - batch[i].Duration)
		}
		if err := s.pipeline.AcceptRequests(ctx, from, batch); err != nil {
			return err
		}
	}
	return nil
}

// shopRoute is an endpoint of the shop.
type shopRoute struct {
	method, name, view string
	weight             int // of 100 requests
	work               func(*shopWork)
}

var shopRoutes = []shopRoute{
	{"GET", "/catalog/{slug}", "shop.catalog.views.detail", 40, (*shopWork).detail},
	{"GET", "/", "shop.catalog.views.front", 20, (*shopWork).front},
	{"GET", "/search/", "shop.search.views.results", 13, (*shopWork).search},
	{"POST", "/checkout/confirm", "shop.checkout.views.confirm", 12, (*shopWork).checkout},
	{"GET", "/cart/shipping", "shop.shipping.views.quotes", 10, (*shopWork).shipping},
	{"POST", "/webhooks/payment", "shop.payments.views.notify", 5, (*shopWork).payment},
}

// shopWork lays the spans of a request one after the other below its view.
type shopWork struct {
	r       *mathrand.Rand
	q       trace.Request
	view    trace.SpanID
	at      time.Duration
	loop    bool // the release has it
	ask     shopSwitch
	user    string
	product int
}

// newShopRequest is a request without its start, of a release by its number. ask answers the switches that it asks.
func newShopRequest(r *mathrand.Rand, release int, ask shopSwitch) trace.Request {
	route := pickRoute(r)
	w := &shopWork{r: r, loop: demoReleases[release].loop, ask: ask, user: strconv.Itoa(52000 + r.IntN(400)), product: 100 + r.IntN(900), view: trace.SpanID(r.Uint64() | 1)}
	binary.BigEndian.PutUint64(w.q.Trace[:], r.Uint64()|1)
	binary.BigEndian.PutUint64(w.q.Trace[8:], r.Uint64())
	w.q.Span, w.q.Name, w.q.Source, w.q.Op, w.q.Method = trace.SpanID(r.Uint64()|1), route.name, "route", "http.server", route.method
	w.q.URL, w.q.Status, w.q.Weight, w.q.Platform = route.name, 200, 1, "python"
	w.q.Service, w.q.Release, w.q.Environment, w.q.Host = "tealeaf-shop", demoReleases[release].name, "production", fmt.Sprintf("web-%d", 1+r.IntN(3))
	w.q.User = "id:" + w.user
	w.at = w.around(time.Millisecond)
	began := w.at
	route.work(w)
	w.at += w.around(2 * time.Millisecond)
	w.q.Spans = append(w.q.Spans, trace.Span{ID: w.view, Parent: w.q.Span, Op: "view.render", Text: route.view, Start: began, Duration: w.at - began, Rows: -1})
	w.q.Duration = w.at + w.around(time.Millisecond)
	w.q.Failed, w.q.State = w.q.Status >= 500, trace.StateOf(w.q.Status)
	return w.q
}

// isOn asks a switch, and notes its answer as a program's SDK does.
func (w *shopWork) isOn(key string) bool {
	on, variant := w.ask(key, w.user), "off"
	if on {
		variant = "on"
	}
	w.q.Switches = append(w.q.Switches, trace.Switch{Key: key, Variant: variant})
	return on
}

func pickRoute(r *mathrand.Rand) shopRoute {
	n := r.IntN(100)
	for _, route := range shopRoutes {
		if n -= route.weight; n < 0 {
			return route
		}
	}
	return shopRoutes[0]
}

// around is a duration as real ones spread: most below, some far above.
func (w *shopWork) around(d time.Duration) time.Duration {
	return time.Duration(float64(d) * math.Exp(w.r.NormFloat64()*0.35))
}

// did adds a piece of work and a little of the program's own time behind it.
func (w *shopWork) did(op, system, text string, took time.Duration) *trace.Span {
	s := trace.Span{ID: trace.SpanID(w.r.Uint64() | 1), Parent: w.view, Op: op, System: system, Text: text, Category: trace.CategoryOf(op, system),
		Start: w.at, Duration: w.around(took), Rows: -1}
	w.at += s.Duration + w.around(150*time.Microsecond)
	w.q.Spans = append(w.q.Spans, s)
	return &w.q.Spans[len(w.q.Spans)-1]
}

func (w *shopWork) query(took time.Duration, rows int64, file string, line int, fn, sql string) *trace.Span {
	s := w.did("db.query", "postgresql", sql, took)
	s.Rows, s.File, s.Line, s.Func = rows, file, line, fn
	return s
}

func (w *shopWork) session() {
	w.did("cache.get", "redis", fmt.Sprintf("session:%d", 52000+w.r.IntN(400)), 400*time.Microsecond)
}

func (w *shopWork) front() {
	w.session()
	w.did("cache.get", "redis", "front:offers", 500*time.Microsecond)
	if w.r.IntN(10) == 0 {
		w.query(35*time.Millisecond, 24, "shop/catalog/views.py", 18, "front", "SELECT id, slug, name, price FROM catalog_product WHERE offered ORDER BY rank LIMIT 24")
		w.did("cache.set", "redis", "front:offers", 600*time.Microsecond)
	}
	w.did("template.render", "", "front.html", 9*time.Millisecond)
}

func (w *shopWork) detail() {
	w.session()
	w.query(2*time.Millisecond, 1, "shop/catalog/views.py", 41, "detail", fmt.Sprintf("SELECT id, name, price, text FROM catalog_product WHERE slug = 'tea-%d'", w.product))
	if w.r.IntN(50) == 0 {
		w.q.Status = 404
		return
	}
	w.query(6*time.Millisecond, 6, "shop/catalog/views.py", 47, "detail", fmt.Sprintf("SELECT id, slug, name FROM catalog_product WHERE family_id = %d LIMIT 6", w.product%40))
	w.did("template.render", "", "catalog/detail.html", 7*time.Millisecond)
}

func (w *shopWork) search() {
	w.session()
	took := 160 * time.Millisecond
	if w.r.IntN(6) == 0 {
		took = 700 * time.Millisecond
	}
	w.query(took, 20, "shop/search/index.py", 88, "find", "SELECT id, name FROM catalog_product WHERE text ILIKE '%oolong%' ORDER BY similarity(name, 'oolong') DESC LIMIT 20")
	w.did("template.render", "", "search/results.html", 11*time.Millisecond)
}

// checkout asks for each price by itself in the releases with the loop, and for all at once in the others.
func (w *shopWork) checkout() {
	w.session()
	lines := 9 + w.r.IntN(20)
	w.query(3*time.Millisecond, int64(lines), "shop/checkout/views.py", 31, "confirm", fmt.Sprintf("SELECT product_id, quantity FROM cart_line WHERE cart_id = %d", 80000+w.r.IntN(9999)))
	if w.loop {
		for i := range lines {
			w.query(6*time.Millisecond, 1, "shop/checkout/totals.py", 52, "price_line", fmt.Sprintf("SELECT price, tax_class FROM catalog_product WHERE id = %d", w.product+i))
		}
	} else {
		w.query(9*time.Millisecond, int64(lines), "shop/checkout/totals.py", 48, "prices", fmt.Sprintf("SELECT id, price, tax_class FROM catalog_product WHERE id IN (%d, %d, %d)", w.product, w.product+1, w.product+2))
	}
	w.did("http.client", "", "POST https://tax.example/v1/rates", 45*time.Millisecond)
	if broken := w.isOn(demoTotals); w.r.IntN(25) == 0 || broken && w.r.IntN(10) < 7 {
		w.q.Status = 500
		return
	}
	w.query(5*time.Millisecond, 1, "shop/orders/models.py", 120, "place", fmt.Sprintf("INSERT INTO orders_order (number, total) VALUES (%d, %d) RETURNING id", 10000+w.r.IntN(80000), w.r.IntN(900)))
	w.did("template.render", "", "checkout/done.html", 8*time.Millisecond)
}

// shipping asks couriers one after the other; with the switch on it asks one.
func (w *shopWork) shipping() {
	w.session()
	couriers := 3
	if w.isOn(demoSticky) {
		couriers = 1
	}
	for i := range couriers {
		w.did("http.client", "", fmt.Sprintf("POST https://courier-%d.example/v2/quote", i+1), 120*time.Millisecond)
	}
	w.did("template.render", "", "cart/shipping.html", 5*time.Millisecond)
}

func (w *shopWork) payment() {
	w.did("pool.acquire", "", "pool.acquire", 4*time.Millisecond)
	w.query(2*time.Millisecond, 1, "shop/payments/views.py", 22, "notify", fmt.Sprintf("UPDATE orders_order SET paid = true WHERE number = %d", 10000+w.r.IntN(80000)))
}
