package views

import (
	"fmt"
	"time"

	"kibitz/app/model"
	"kibitz/app/requests/filter"
	"kibitz/app/trace"
)

const us = time.Microsecond

func sampleTrace() trace.ID {
	id, _ := trace.ParseID("b71c9e40d2f84e1a9c2eb71c9e40a2f4")
	return id
}

// sampleRequest is the request of the mockup.
func sampleRequest() trace.Request {
	r := trace.Request{Trace: sampleTrace(), Span: 0x9c2eb71c9e40d2f8, Name: "/checkout/confirm", Source: "route", Op: "http.server", Method: "POST", URL: "/checkout/confirm?step=3&session_token=tok-cafe-1234",
		Status: 500, State: "internal_error", Failed: true, Start: time.Date(2026, 11, 19, 14, 34, 51, 312e6, time.UTC), Duration: 164 * time.Millisecond, Service: "tealeaf-shop",
		Release: "shop@4.18.0", Environment: "production", Host: "web-3", Platform: "python", User: "id:52107", Weight: 20, Lost: 3,
		Switches: []trace.Switch{{Key: "checkout.new_totals", Variant: "on"}, {Key: "cart.sticky_total", Variant: "true"}, {Key: "freight.quote", Variant: "v2"}, {Key: "search.semantic", Variant: "off"}},
		Attrs: []trace.Attr{{Key: "server.address", Value: "shop.tealeaf.example"}, {Key: "http.request.body.size", Value: "96"}, {Key: "http.response.body.size", Value: "4105"},
			{Key: "http.request.header.accept", Value: "text/html"}, {Key: "http.request.header.cookie", Value: "tok-cafe-1234"}}}
	r.Totals.Time = [trace.Categories]time.Duration{43 * time.Millisecond, 38 * time.Millisecond, 3 * time.Millisecond, 71 * time.Millisecond, 9 * time.Millisecond, 0}
	r.Totals.N = [trace.Categories]int{0, 14, 6, 1, 2, 0}
	return r
}

var spanCategories = map[string]trace.Category{"db.query": trace.DB, "cache.get": trace.Cache, "cache.get_many": trace.Cache, "http.client": trace.HTTP, "template.render": trace.Template}

// sampleSpan is a span with an id and a parent; times are in microseconds.
func sampleSpan(id, parent uint64, op, text, file string, line, start, took int, attrs ...trace.Attr) trace.Span {
	return trace.Span{ID: trace.SpanID(id), Parent: trace.SpanID(parent), Op: op, Text: text, File: file, Line: line, Start: time.Duration(start) * us, Duration: time.Duration(took) * us,
		Category: spanCategories[op], Rows: -1, Attrs: attrs}
}

// sampleLoop are the twelve queries of the mockup.
func sampleLoop() (out []trace.Span) {
	for i := range 12 {
		s := sampleSpan(uint64(100+i), 5, "db.query", "SELECT id, sku, name, weight_g, tax_class, active FROM catalog_product WHERE id = $1 LIMIT 21", "shop/checkout/totals.py", 52, 17105+i*2950, 2000+i*i%7*200)
		s.Rows, s.System, s.PID, s.Func = 1, "postgresql", 4711, "price_line"
		s.Attrs = []trace.Attr{{Key: "db.query.parameter.0", Value: fmt.Sprint(40112 + i*7)}, {Key: "code.source.first", Value: "50"},
			{Key: "code.source", Value: "def price_line(line):\n    \"\"\"One cart line at today's price.\"\"\"\n    product = line.product\n    price = prices.book(line.cart.currency).price(product, line.quantity)\n    return PricedLine(line, product.name, price)"}}
		out = append(out, s)
	}
	return out
}

func sampleSpans() []trace.Span {
	hit, miss := trace.Attr{Key: "cache.hit", Value: "true"}, trace.Attr{Key: "cache.hit", Value: "false"}
	customer := sampleSpan(2, 0, "db.query", "SELECT id, name, email, locale FROM accounts_customer WHERE id = $1", "shop/accounts/middleware.py", 22, 2952, 3100)
	customer.Rows, customer.Pool = 1, 2100*us
	tax := sampleSpan(8, 5, "function", "raises PricingError", "shop/checkout/totals.py", 74, 129560, 17400)
	tax.Func, tax.Failed, tax.State = "tax_for", true, "internal_error"
	totals := sampleSpan(5, 3, "function", "", "shop/checkout/views.py", 203, 15252, 132000)
	totals.Func = "compute_totals"
	return append([]trace.Span{sampleSpan(1, 0, "cache.get", "session:9f21…c4", "contrib/sessions/cache.py", 54, 1968, 500, hit), customer,
		sampleSpan(3, 0, "view", "shop.checkout.views.confirm", "", 0, 6560, 126000),
		sampleSpan(4, 3, "db.query", "SELECT id, customer_id FROM checkout_cart WHERE id = $1 FOR UPDATE", "shop/checkout/views.py", 199, 7380, 5500),
		totals, sampleSpan(6, 5, "cache.get_many", "price:NZD:* (12 keys)", "shop/prices/book.py", 88, 52972, 900, miss),
		sampleSpan(7, 5, "http.client", "POST https://rates.freight.example/v2/quote?api_key=tok-cafe-1234", "shop/shipping/freight.py", 40, 55596, 71000, trace.Attr{Key: "http.response.status_code", Value: "200"}), tax,
		sampleSpan(9, 0, "template.render", "checkout/error.html", "shop/errors/middleware.py", 35, 150224, 9000),
		sampleSpan(10, 9, "cache.get", "fragment:footer:en-NZ", "templatetags/cache.py", 61, 154980, 300, hit)}, sampleLoop()...)
}

func sampleRequestPage() RequestProps {
	r := sampleRequest()
	rates := trace.Request{Trace: r.Trace, Span: 700, Parent: 7, Name: "POST /v2/quote", Method: "POST", Op: "http.server", Status: 200, Start: r.Start.Add(60 * time.Millisecond), Duration: 61 * time.Millisecond, Service: "freight-rates",
		Spans: []trace.Span{sampleSpan(701, 700, "db.query", "SELECT 1", "rates.go", 12, 500, 40000)}}
	r.Spans = sampleSpans()
	finding := RequestFinding{Kind: "N+1 query", Title: "N+1: the same query 12 times", Text: "One for each cart line from price_line. Ask for all of them at once.", Wasted: 27 * time.Millisecond, ShortID: "SHOP-1501"}
	for _, s := range sampleLoop() {
		finding.Spans = append(finding.Spans, s.ID)
	}
	return RequestProps{Project: sampleProjects()[0], Request: r, View: ParseRequestView(nil), Kept: "it failed",
		Segments: []Segment{{Request: r}, {Request: rates, URL: requestPath(&rates)}},
		Standing: RequestStanding{SlowerThan: 51.4, Median: 158 * time.Millisecond, MedianQueries: 14, N: 41233}, Faster: "/requests/1/1", Slower: "/requests/2/2",
		Before: Neighbour{"/requests/3/3", "GET /cart/", 88 * time.Millisecond}, EndpointURL: "/endpoints/4", JSONURL: requestPath(&r) + ".json",
		Error:    &LinkedError{Issue: sampleIssues().Issues[0].Issue, ShortID: "SHOP-1482", EventID: "8fd1c0b71c9e40d2f84e1a9c2eb71c9e", More: 1},
		Findings: []RequestFinding{finding},
		Reasons:  []DetectorReason{{"slow query", "the slowest took 5.5 ms of 500 ms needed"}, {"consecutive HTTP", "1 call of 3 needed"}},
		Logs: []trace.LogLine{{At: r.Start.Add(129 * time.Millisecond), Level: "warn", Logger: "shop.tax", Body: "profile 52107 has no tax_region, locale en-NZ", Service: r.Service},
			{At: r.Start.Add(148 * time.Millisecond), Level: "error", Logger: "shop.checkout", Body: "checkout failed: cart 88213 has no tax region", Service: "tealeaf-worker"}}, MoreLogs: 2}
}

// bigRequestPage is a trace of n spans of all kinds, seven deep, none like another, so that nothing folds.
func bigRequestPage(n int) RequestProps {
	p := sampleRequestPage()
	p.Findings, p.Segments = nil, p.Segments[:1]
	r := &p.Segments[0].Request
	r.Spans = nil
	ops := []string{"db.query", "cache.get", "http.client", "template.render", "function"}
	for i := range n {
		id := func(i int) uint64 { return 0x9e3779b97f4a7c15 * uint64(i+1) }
		parent := uint64(0)
		if i%7 > 0 {
			parent = id(i - 1)
		}
		text := fmt.Sprintf("SELECT a, b, c, d, e, f FROM table_%d WHERE id = $1 AND other_%d = %d", i%97, i, i*7919)
		s := sampleSpan(id(i), parent, ops[i%len(ops)], text, fmt.Sprintf("shop/module_%d/views.py", i%53), i%900+1, i*164000/n, 9000-i%7*1000)
		s.Rows, s.Attrs = int64(i%50), []trace.Attr{{Key: "cache.hit", Value: "true"}}
		r.Spans = append(r.Spans, s)
	}
	return p
}

func sampleRequests() RequestsProps {
	query := "status:5xx -release:shop@4.16.* checkout"
	f, _ := filter.Parse(query)
	p := RequestsProps{Query: query, Filter: f, Sort: "newest", Period: "6h", To: sampleNow.Truncate(time.Hour).Add(time.Hour), Step: 6 * time.Minute, Next: "/requests?cursor=next", CSVURL: "/requests.csv", Any: true}
	p.From = p.To.Add(-6 * time.Hour)
	for i := range 60 {
		p.Volume = append(p.Volume, RequestBucket{Start: p.From.Add(time.Duration(i) * p.Step), N: int64(400 + i*i%97*3), Failed: int64(i * i % 31)})
	}
	names := []string{"/checkout/confirm", "/cart/{id}", "/api/v2/stock/{sku}/levels", "/"}
	for i := range 12 {
		r := sampleRequest()
		r.Span, r.Name, r.Start, r.Duration = trace.SpanID(i+1), names[i%len(names)], sampleNow.Add(-time.Duration(i*i)*time.Minute), time.Duration(1+i*i*i)*1300*us
		row := RequestRow{Request: r, Project: sampleProjects()[i%3], Kept: i%3 != 1}
		switch i % 4 {
		case 0:
			row.Findings, row.ShortID = []string{"N+1 query"}, "SHOP-1482"
		case 1:
			row.Request.Failed, row.Request.Status, row.Request.Switches = false, 200, nil
		case 2:
			row.Request.Failed, row.Request.Status, row.Request.Method, row.Request.State, row.Request.Name = false, 0, "", "ok", "mail.send_receipt"
			row.Request.Totals = trace.Totals{}
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

func sampleNoRequest() RequestGoneProps {
	return RequestGoneProps{Trace: sampleTrace().String(), Days: 7 * 24 * time.Hour}
}

func emptyRequests(any bool) RequestsProps {
	return RequestsProps{Sort: "newest", Period: "1h", From: sampleNow.Add(-time.Hour), To: sampleNow, Step: time.Minute, Any: any}
}

// thinRequestPage is a request of which only the row is there.
func thinRequestPage() RequestProps {
	r := sampleRequest()
	r.Failed, r.Status, r.Attrs, r.Switches = false, 200, nil, nil
	return RequestProps{Project: model.Project{Slug: "shop", Name: "tealeaf-shop"}, Request: r, View: ParseRequestView(nil), OneIn: 1000}
}
