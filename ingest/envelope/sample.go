package envelope

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"
)

// fault is one way in which the sample shop fails.
type fault struct {
	kind, value, module, function, file, line, transaction, level string
	cause                                                         string // type of the exception behind it
}

// faults are a dozen failures of a Python shop; the bench and the demo raise them.
var faults = []fault{
	{"PricingError", "cart %d has no tax region", "shop.checkout.totals", "tax_for", "shop/checkout/totals.py", "raise PricingError(f\"cart {cart.pk} has no tax region\") from exc", "/checkout/confirm", "error", "KeyError"},
	{"IntegrityError", "duplicate key value violates unique constraint \"order_number\" DETAIL: Key (number)=(%d) already exists.", "shop.orders.models", "place", "shop/orders/models.py", "order.save(force_insert=True)", "/checkout/place", "error", "UniqueViolation"},
	{"ReadTimeout", "HTTPSConnectionPool(host='rates.freight.example', port=443): Read timed out. (read timeout=%d)", "shop.shipping.courier", "quote", "shop/shipping/courier.py", "response = self.session.post(self.url, json=parcel, timeout=self.timeout)", "/cart/shipping", "error", "TimeoutError"},
	{"DoesNotExist", "Product matching query does not exist: %d", "shop.catalog.views", "detail", "shop/catalog/views.py", "product = Product.objects.get(slug=slug)", "/catalog/{slug}", "error", ""},
	{"ValidationError", "['Enter a whole number: %d.']", "shop.cart.forms", "clean_quantity", "shop/cart/forms.py", "raise ValidationError(_(\"Enter a whole number.\"))", "/cart/add", "warning", "ValueError"},
	{"ZeroDivisionError", "division by zero", "shop.reports.margin", "share", "shop/reports/margin.py", "return profit / revenue", "/reports/margin", "error", ""},
	{"PermissionDenied", "customer %d may not see this order", "shop.orders.views", "show", "shop/orders/views.py", "raise PermissionDenied(f\"customer {request.user.pk} may not see this order\")", "/orders/{id}", "warning", ""},
	{"OperationalError", "canceling statement due to lock timeout while locking tuple (%d,12)", "shop.stock.service", "reserve", "shop/stock/service.py", "rows = Stock.objects.select_for_update().filter(pk__in=ids)", "/checkout/reserve", "error", "LockNotAvailable"},
	{"TemplateSyntaxError", "Invalid filter: 'monney'", "shop.mail.render", "receipt", "shop/mail/render.py", "return get_template(name).render(context)", "shop.mail.tasks.send_receipt", "error", ""},
	{"UnicodeDecodeError", "'utf-8' codec can't decode byte 0x%x in position 0", "shop.imports.csv", "rows", "shop/imports/csv.py", "text = raw.decode(\"utf-8\")", "shop.imports.tasks.nightly", "error", ""},
	{"PaymentDeclined", "card_declined: insufficient_funds (request req_%d)", "shop.payments.gateway", "charge", "shop/payments/gateway.py", "raise PaymentDeclined(answer.code)", "/checkout/pay", "error", "HTTPError"},
	{"MemoryError", "cannot allocate %d bytes for a thumbnail", "shop.media.thumbs", "scale", "shop/media/thumbs.py", "canvas = Image.new(mode, size)", "shop.media.tasks.thumbnail", "fatal", ""},
}

// Faults is how many different failures SampleEvent knows.
var Faults = len(faults)

// SampleEvent is the JSON of an exception in a Python shop as its SDK would report it: about 12 KB, with 25 frames, source,
// locals, breadcrumbs, a request, tags and a user. which chooses the failure.
func SampleEvent(r *rand.Rand, which int, eventID string, when time.Time) []byte {
	f := faults[which%len(faults)]
	customer, number := 1000+r.IntN(4000), 10000+r.IntN(80000)
	value := f.value
	if n := countVerbs(value); n > 0 {
		value = fmt.Sprintf(value, number)
	}
	raised := map[string]any{"type": f.kind, "value": value, "module": f.module, "mechanism": map[string]any{"type": "django", "handled": false},
		"stacktrace": map[string]any{"frames": sampleFrames(r, f, customer, number)}}
	exceptions := []any{raised}
	if f.cause != "" {
		raised["mechanism"] = map[string]any{"type": "django", "handled": false, "exception_id": 0}
		exceptions = []any{map[string]any{"type": f.cause, "value": fmt.Sprintf("%d", number), "mechanism": map[string]any{"type": "chained", "source": "__cause__", "exception_id": 1, "parent_id": 0},
			"stacktrace": map[string]any{"frames": sampleFrames(r, f, customer, number)[23:]}}, raised}
	}
	b, err := json.Marshal(map[string]any{
		"event_id": eventID, "timestamp": float64(when.UnixMicro()) / 1e6, "platform": "python", "level": f.level, "transaction": f.transaction,
		"server_name": fmt.Sprintf("web-%d", 1+r.IntN(4)), "release": fmt.Sprintf("shop@4.%d.0", 16+r.IntN(3)), "environment": "production",
		"exception": map[string]any{"values": exceptions}, "breadcrumbs": map[string]any{"values": sampleCrumbs(r, when)},
		"tags": map[string]string{"region": []string{"nz", "au", "gb", "us"}[r.IntN(4)], "payment": []string{"card", "invoice"}[r.IntN(2)]},
		"user": map[string]any{"id": fmt.Sprint(customer), "ip_address": fmt.Sprintf("203.0.113.%d", r.IntN(250))},
		"request": map[string]any{"url": "https://shop.tealeaf.example" + f.transaction, "method": "POST", "data": map[string]any{"address": number, "shipping": "courier"},
			"headers": map[string]string{"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/151.0"}},
		"contexts": map[string]any{"runtime": map[string]string{"name": "CPython", "version": "3.13.1"}, "browser": map[string]string{"name": "Chrome", "version": "151"},
			"trace": map[string]string{"trace_id": fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()), "span_id": fmt.Sprintf("%016x", r.Uint64())}},
		"modules": map[string]string{"django": "5.2.8", "psycopg": "3.3.1", "celery": "5.6.0", "requests": "2.33.0"},
		"sdk":     map[string]string{"name": "sentry.python.django", "version": "2.40.0"},
	})
	if err != nil {
		return nil // maps of plain values always encode
	}
	return b
}

func countVerbs(s string) (n int) {
	for i := range len(s) - 1 {
		if s[i] == '%' && (s[i+1] == 'd' || s[i+1] == 'x') {
			n++
		}
	}
	return n
}

// framework are the calls above the shop's own, outermost first.
var framework = [][2]string{{"django.core.handlers.exception", "inner"}, {"django.core.handlers.base", "_get_response"}, {"django.contrib.auth.decorators", "_view_wrapper"},
	{"django.views.decorators.http", "inner"}, {"django.db.transaction", "inner"}, {"django.views.generic.base", "view"}, {"django.utils.decorators", "_wrapper"}}

func sampleFrames(r *rand.Rand, f fault, customer, number int) []any {
	var out []any
	for i := range 21 {
		m := framework[i%len(framework)]
		file := m[0]
		out = append(out, map[string]any{"module": m[0], "function": m[1], "filename": pathOf(file), "abs_path": "/srv/venv/lib/python3.13/site-packages/" + pathOf(file),
			"lineno": 40 + i, "in_app": false, "context_line": "        response = get_response(request)", "pre_context": []string{"        try:"},
			"vars": map[string]any{"request": fmt.Sprintf("<WSGIRequest: POST '%s'>", f.transaction)}})
	}
	for i, fn := range []string{"dispatch", "handle", "run", f.function} {
		file, line := "shop/web/"+fn+".py", "        return self."+fn+"_next(request, cart)"
		module := "shop.web." + fn
		if i == 3 {
			file, line, module = f.file, "            "+f.line, f.module
		}
		out = append(out, map[string]any{"module": module, "function": fn, "filename": file, "abs_path": "/srv/shop/" + file, "lineno": 100 + 10*i, "in_app": true, "context_line": line,
			"pre_context":  []string{"    def " + fn + "(self, request, cart):", "        profile = cart.customer.profile", "        if profile.active:"},
			"post_context": []string{"        finally:", "            metrics.count(\"step\")"},
			"vars":         map[string]any{"cart": fmt.Sprintf("<Cart: %d, 12 lines, NZD>", number), "customer": fmt.Sprintf("<Customer: %d>", customer), "retries": r.IntN(4), "options": map[string]any{"currency": "NZD", "gift": false}}})
	}
	return out
}

func pathOf(module string) string {
	b := []byte(module)
	for i := range b {
		if b[i] == '.' {
			b[i] = '/'
		}
	}
	return string(b) + ".py"
}

func sampleCrumbs(r *rand.Rand, when time.Time) []any {
	var out []any
	for i := range 9 {
		at := float64(when.Add(-time.Duration(9-i)*40*time.Millisecond).UnixMicro()) / 1e6
		switch i % 3 {
		case 0:
			out = append(out, map[string]any{"timestamp": at, "type": "default", "category": "query", "message": fmt.Sprintf("SELECT id, name, price FROM catalog_product WHERE id = %d", r.IntN(9999))})
		case 1:
			out = append(out, map[string]any{"timestamp": at, "type": "http", "category": "httplib", "data": map[string]any{"url": "https://rates.freight.example/v2/quote", "method": "POST", "status_code": 200}})
		default:
			out = append(out, map[string]any{"timestamp": at, "type": "log", "category": "shop.checkout", "level": "info", "message": fmt.Sprintf("priced %d lines", r.IntN(20))})
		}
	}
	return out
}
