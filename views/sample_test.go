package views

import (
	"fmt"
	"time"

	"kibitz/app/model"
	"kibitz/grouping"
	"kibitz/ingest/envelope"
)

// sampleNow is the moment at which every page of these tests is looked at.
var sampleNow = time.Date(2026, 11, 19, 14, 35, 0, 0, time.UTC)

func sampleProjects() []model.Project {
	made := sampleNow.Add(-90 * 24 * time.Hour)
	return []model.Project{
		{ID: 1, Slug: "shop", Name: "tealeaf-shop", Platform: "python", CreatedAt: made, FirstEventAt: made},
		{ID: 2, Slug: "work", Name: "tealeaf-worker", Platform: "python", CreatedAt: made, FirstEventAt: made},
		{ID: 3, Slug: "kib", Name: "kibitz-web", Platform: "go", CreatedAt: made, FirstEventAt: made},
		{ID: 4, Slug: "emb", Name: "kibitz-embed", Platform: "javascript", CreatedAt: made},
	}
}

func sampleChrome(path string) Chrome {
	return Chrome{Title: "Issues", Section: "issues", Account: model.Account{ID: 9, Email: "mara@tealeaf.example", Name: "Mara Lindqvist", Role: model.Owner},
		CSRF: "csrf-of-the-session", Projects: sampleProjects(), Path: path, Version: "0.9.2", Uptime: 41 * 24 * time.Hour, Now: sampleNow}
}

// dayOf are the buckets of a day that slowly rises and falls, with a burst at its end.
func dayOf(from time.Time, scale int64) []model.Bucket {
	var out []model.Bucket
	for i := range 48 {
		at := from.Add(time.Duration(i) * 30 * time.Minute)
		wave := scale * int64(24-max(i-24, 24-i)) / 6
		out = append(out, model.Bucket{Start: at, Level: model.Debug, N: wave + scale}, model.Bucket{Start: at, Level: model.Info, N: wave/2 + scale},
			model.Bucket{Start: at, Level: model.Warning, N: wave / 4}, model.Bucket{Start: at, Level: model.Errors, N: wave/8 + int64(i)%3})
	}
	out[len(out)-1].N = 9 * scale
	return append(out, model.Bucket{Start: from.Add(20 * time.Hour), Level: model.Fatal, N: scale / 4})
}

func sampleIssue(number int64, kind, value, culprit string, level model.Level, events, users int64, last, first time.Duration) model.Issue {
	title := kind
	if value != "" {
		title += ": " + value
	}
	return model.Issue{ID: 7000 + number, ProjectID: 1, Number: number, Config: "newstyle:2026-01-20", Hash: "5e0b71c9d2f84e1a9c2eb71c9e40a2f4", Title: title,
		Type: kind, Value: value, Culprit: culprit, Level: level, Platform: "python", Status: model.Unresolved, Events: events, Users: users,
		LastSeen: sampleNow.Add(-last), FirstSeen: sampleNow.Add(-first), FirstRelease: "shop@4.18.0", LastRelease: "shop@4.18.0"}
}

func sampleIssues() IssuesProps {
	day := 24 * time.Hour
	issues := []model.Issue{
		sampleIssue(1482, "PricingError", "cart 88213 has no tax region", "shop.checkout.totals in tax_for", model.Errors, 412, 371, 0, 38*time.Minute),
		sampleIssue(977, "pgconn.PgError", "ERROR: canceling statement due to conflict with recovery (SQLSTATE 40001)", "internal/posts.(*Store).Page", model.Errors, 58, 41, time.Minute, 6*day),
		sampleIssue(979, "runtime error", "invalid memory address or nil pointer dereference", "internal/notify.(*Digest).Flush", model.Fatal, 4, 2, 31*time.Minute, 34*time.Minute),
		sampleIssue(310, "TypeError", "Cannot read properties of null (reading 'scrollIntoView')", "thread.js in showNewComments", model.Errors, 1204, 988, 2*time.Minute, 22*time.Hour),
		sampleIssue(1466, "", "", "shop.checkout.totals in price_line", model.Warning, 38119, 20441, 0, 9*day),
		sampleIssue(1391, "OperationalError", "deadlock detected while updating stock_level", "shop.stock.models in reserve", model.Errors, 61, 60, 21*time.Minute, 31*day),
		sampleIssue(1290, "ReadTimeout", "HTTPSConnectionPool(host='rates.freight.example', port=443): Read timed out\nsecond line", "shop.shipping.freight in quote", model.Errors, 842, 799, 0, 74*day),
		sampleIssue(214, "SMTPServerDisconnected", "Connection unexpectedly closed", "mail.tasks in send_receipt", model.Warning, 17, 0, 9*time.Minute, 33*time.Minute),
		sampleIssue(198, "SoftTimeLimitExceeded", "rebuild_search_index ran over 900 s", "search.tasks in rebuild_search_index", model.Fatal, 3, 0, 2*time.Hour, 19*day),
		sampleIssue(902, "ErrForumClosed", "forum \"harbour-gazette\" takes no comments after 14 days", "internal/posts.(*Service).Create", model.Info, 2116, 1840, 0, 88*day),
	}
	issues[1].Regressed = true
	issues[4].Title = "stock of product 881 is below zero"
	p := IssuesProps{Status: "unresolved", Sort: "last_seen", Counts: map[string]int64{"unresolved": 226, "resolved": 1204, "archived": 31, "all": 1461},
		Next: "/issues?cursor=next", To: sampleNow.Truncate(30 * time.Minute).Add(30 * time.Minute)}
	p.From = p.To.Add(-day)
	p.Volume = dayOf(p.From, 60)
	for n, i := range issues {
		project := sampleProjects()[n%3]
		row := IssueRow{Issue: i, Project: project, ShortID: fmt.Sprintf("%s-%d", []string{"SHOP", "WORK", "KIB"}[n%3], i.Number), Spark: make([]int64, 48)}
		for at := range row.Spark {
			switch n % 3 {
			case 0:
				row.Spark[at] = max(0, int64(at)-44) * 20
			case 1:
				row.Spark[at] = int64(30 + at*7%13 + 24 - max(at-24, 24-at))
			default:
				row.Spark[at] = int64((at*at%17)/14) * 3
			}
		}
		p.Issues = append(p.Issues, row)
	}
	return p
}

func frame(file, module, function string, line int, app bool, source ...string) envelope.Frame {
	f := envelope.Frame{Filename: file, Module: module, Function: function, Line: line, InApp: &app, Platform: "python"}
	if len(source) > 2 {
		half := len(source) / 2
		f.PreContext, f.ContextLine, f.PostContext = source[:half], source[half], source[half+1:]
	}
	return f
}

func sampleEvent() *envelope.Event {
	at := time.Date(2026, 11, 19, 14, 34, 51, 476e6, time.UTC)
	taxFor := frame("shop/checkout/totals.py", "shop.checkout.totals", "tax_for", 120, true,
		`def tax_for(cart, address):`, `    """Tax owed on a cart, in minor units of its currency."""`, `    profile = cart.customer.profile`,
		`    if switches.is_on("checkout.new_totals", cart.customer):`, `        try:`, `            region = profile.attributes["tax_region"]`, `        except KeyError as exc:`,
		`            raise PricingError(f"cart {cart.pk} has no tax region") from exc`,
		`    else:`, `        region = Region.for_address(address)`, ``, `    rule = TaxRule.objects.in_force(region, cart.currency)  # by date`, `    if rule.is_inclusive:`, `        return 0`)
	taxFor.Vars = []envelope.Field{{Key: "cart", Value: "<Cart: 88213, 12 lines, NZD>"}, {Key: "address", Value: "<Address: 14 Rata Street, Nelson 7010>"},
		{Key: "exc", Value: "KeyError('tax_region')"}, {Key: "api_token", Value: "tok-cafe-1234"}}
	totals := frame("shop/checkout/totals.py", "shop.checkout.totals", "compute_totals", 74, true,
		`    net = sum(line.net for line in lines)`, `    discount = best_discount(cart, net)`, `    freight = shipping.quote(cart, address)`, ``,
		`    tax = tax_for(cart, address)`, `    return Totals(`, `        lines=lines,`, `        net=net - discount,`)
	totals.Vars = []envelope.Field{{Key: "net", Value: "18450"}, {Key: "lines", Value: `["2 x Sencha Uji 100 g","1 x Kyusu, red clay"]`, JSON: true}}
	getitem := frame("shop/accounts/attributes.py", "shop.accounts.attributes", "__getitem__", 41, true,
		`    def __getitem__(self, key):`, `        value = super().__getitem__(key)`, `        return value.strip() if isinstance(value, str) else value`)
	lib := func(file, module, function string, line int) envelope.Frame {
		return frame(file, module, function, line, false)
	}
	outer := []envelope.Frame{lib("django/core/handlers/exception.py", "django.core.handlers.exception", "inner", 55),
		lib("django/core/handlers/base.py", "django.core.handlers.base", "_get_response", 197), lib("django/db/transaction.py", "django.db.transaction", "inner", 93),
		frame("shop/checkout/views.py", "shop.checkout.views", "confirm", 203, true, `    if not form.is_valid():`, `    totals = compute_totals(cart, form.address, form.shipping)`, `    if payment.declined:`),
		totals, taxFor}
	inner := []envelope.Frame{lib("django/utils/functional.py", "django.utils.functional", "__get__", 57), getitem}
	crumb := func(ago time.Duration, kind, category, level, message string, data ...envelope.Field) envelope.Breadcrumb {
		return envelope.Breadcrumb{Timestamp: at.Add(-ago), Type: kind, Category: category, Level: level, Message: message, Data: data}
	}
	return &envelope.Event{ID: "8fd1c0b71c9e40d2f84e1a9c2eb71c9e", Timestamp: at, Platform: "python", Level: "error", Transaction: "/checkout/confirm", ServerName: "web-3",
		Release: "shop@4.18.0", Environment: "production", Logger: "shop.checkout", TraceID: "b71c9e40d2f84e1ab71c9e40d2f84e1a", SpanID: "9c2eb71c9e40d2f8",
		Exceptions: []envelope.Exception{
			{Type: "KeyError", Value: "'tax_region'", Module: "builtins", Stacktrace: &envelope.Stacktrace{Frames: inner}},
			{Type: "PricingError", Value: "cart 88213 has no tax region", Module: "shop.checkout", Stacktrace: &envelope.Stacktrace{Frames: outer},
				Mechanism: &envelope.Mechanism{Type: "django", Handled: new(bool), ID: 0, ParentID: -1}}},
		Breadcrumbs: []envelope.Breadcrumb{
			crumb(11374*time.Millisecond, "navigation", "navigation", "info", "", envelope.Field{Key: "from", Value: "/"}, envelope.Field{Key: "to", Value: "/cart/"}),
			crumb(146*time.Millisecond, "default", "switch", "info", "checkout.new_totals is on for customer 52107", envelope.Field{Key: "share", Value: "25"}),
			crumb(135*time.Millisecond, "default", "cache", "info", "get promo:active:NZD", envelope.Field{Key: "hit", Value: "true"}),
			crumb(108*time.Millisecond, "query", "query", "info", "SELECT id, price FROM catalog_product WHERE id = $1", envelope.Field{Key: "db.rows", Value: "1"}),
			crumb(74*time.Millisecond, "http", "httplib", "info", "", envelope.Field{Key: "method", Value: "POST"}, envelope.Field{Key: "url", Value: "https://rates.freight.example/v2/quote"}, envelope.Field{Key: "status_code", Value: "200"}),
			crumb(2*time.Millisecond, "log", "shop.checkout", "warning", "profile 52107 has no tax_region, locale en-NZ"),
		},
		Request: &envelope.Request{URL: "https://shop.tealeaf.example/checkout/confirm", Method: "POST", QueryString: "step=3&session_token=tok-cafe-1234",
			Headers: []envelope.Pair{{Key: "Accept", Value: "text/html"}, {Key: "Authorization", Value: "Bearer tok-cafe-1234"}, {Key: "Content-Type", Value: "application/x-www-form-urlencoded"},
				{Key: "Cookie", Value: "sessionid=tok-cafe-1234"}, {Key: "User-Agent", Value: "Mozilla/5.0 (Linux; Android 16) Chrome/151.0 Mobile"}},
			Cookies: []envelope.Pair{{Key: "sid", Value: "tok-cafe-1234"}}, Env: []envelope.Pair{{Key: "SERVER_PORT", Value: "443"}},
			Data: `{"address":"3381","shipping":"courier","password":"tok-cafe-1234"}`, DataFields: []envelope.Field{{Key: "address", Value: "3381"}, {Key: "shipping", Value: "courier"}, {Key: "password", Value: "tok-cafe-1234"}}},
		User: &envelope.User{ID: "52107", Email: "kiri@example.org", IP: "203.0.113.9", Geo: "Nelson, NZ", Data: []envelope.Field{{Key: "plan", Value: "gold"}}},
		Tags: []envelope.Pair{{Key: "country", Value: "NZ"}, {Key: "browser", Value: "Chrome Mobile 151"}},
		Contexts: []envelope.Context{{Name: "browser", Fields: []envelope.Field{{Key: "name", Value: "Chrome Mobile"}, {Key: "version", Value: "151"}}},
			{Name: "runtime", Fields: []envelope.Field{{Key: "name", Value: "CPython"}, {Key: "version", Value: "3.13.1"}}},
			{Name: "os", Fields: []envelope.Field{{Key: "name", Value: "Android"}, {Key: "version", Value: "16"}}}},
		Extra: []envelope.Field{{Key: "cart_lines", Value: `[{"sku":"SENCHA-100","n":2}]`, JSON: true}}, Modules: []envelope.Pair{{Key: "Django", Value: "5.2.8"}, {Key: "psycopg", Value: "3.3.1"}},
		Flags: []envelope.Flag{{Name: "checkout.new_totals", Result: "true"}, {Name: "search.semantic", Result: "false"}},
		SDK:   envelope.SDK{Name: "sentry.python.django", Version: "2.60.0"}, Notes: []string{"breadcrumbs: 40 of 100 left out"}}
}

func leaf(id string, counts bool, hint string, values ...string) *grouping.Component {
	return &grouping.Component{ID: id, Contributes: counts, Hint: hint, Values: values}
}

func node(id, name string, counts bool, hint string, children ...*grouping.Component) *grouping.Component {
	return &grouping.Component{ID: id, Name: name, Contributes: counts, Hint: hint, Children: children}
}

func sampleGrouping() grouping.Result {
	root := node("chained-exception", "chained exception", true, "",
		node("exception", "PricingError", true, "", leaf("type", true, "", "PricingError"),
			leaf("value", false, "ignored because the stack trace decides", "cart <int> has no tax region"),
			node("stacktrace", "", true, "", node("frame", "", true, "", leaf("module", true, "", "shop.checkout.totals"), leaf("function", true, "", "tax_for")),
				node("frame", "", false, "not of the program itself", leaf("module", true, "", "django.db.transaction")))))
	return grouping.Result{Config: grouping.Newstyle2026, Strategy: "exception", Title: "PricingError: cart 88213 has no tax region", Type: "PricingError",
		Variants: []grouping.Variant{{Name: "app", Contributes: true, Hash: "5e0b71c9d2f84e1a9c2eb71c9e40a2f4", Strategy: "exception", Root: root},
			{Name: "system", Hint: "the app variant decides", Strategy: "exception", Root: root}},
		InApp: [][]bool{{false, true}, {false, false, false, true, true, true}}}
}

func sampleIssuePage() IssueProps {
	issue := sampleIssue(1482, "PricingError", "cart 88213 has no tax region", "shop.checkout.totals in tax_for", model.Errors, 412, 371, 8*time.Second, 38*time.Minute)
	to := sampleNow.Truncate(30 * time.Minute).Add(30 * time.Minute)
	from, ev := to.Add(-24*time.Hour), sampleEvent()
	return IssueProps{Issue: issue, Project: sampleProjects()[0], ShortID: "SHOP-1482", Event: ev, InApp: sampleGrouping().InApp, Grouping: sampleGrouping(),
		Row:  model.StoredEvent{ID: 5, ProjectID: 1, IssueID: issue.ID, EventID: ev.ID, Timestamp: ev.Timestamp, Received: ev.Timestamp.Add(time.Second), Level: model.Errors},
		Prev: "00000000000000000000000000000001", First: "00000000000000000000000000000002", Latest: ev.ID, Nth: 412, Total: 412,
		Buckets: []model.Bucket{{Start: from.Add(46 * 30 * time.Minute), Level: model.Errors, N: 80}, {Start: from.Add(47 * 30 * time.Minute), Level: model.Errors, N: 332}}, From: from, To: to,
		Tags: []model.TagShare{{Key: "release", Value: "shop@4.18.0", Events: 412}, {Key: "country", Value: "NZ", Events: 251}, {Key: "country", Value: "AU", Events: 124},
			{Key: "country", Value: "GB", Events: 37}, {Key: "browser", Value: "Chrome Mobile 151", Events: 169}, {Key: "browser", Value: "Safari 20", Events: 136}, {Key: "browser", Value: "", Events: 107}},
		Activity: []Activity{{At: sampleNow.Add(-9 * time.Minute), Who: "Priya Nair", Action: "set_status", Before: "resolved", After: "unresolved"},
			{At: sampleNow.Add(-14 * time.Minute), Who: "Mara Lindqvist", Action: "set_status", Before: "unresolved", After: "resolved"}},
		RawURL: "/issues/SHOP-1482/events/" + ev.ID + "/json"}
}

func sampleWelcome() WelcomeProps {
	return WelcomeProps{Project: model.Project{ID: 5, Slug: "loyalty", Name: "tealeaf-loyalty", Platform: "python"}, DSN: "https://9f1c2ab47de04c0e9f1c2ab47de04c0e@kibitz.tealeaf.example/5",
		BaseURL: "https://kibitz.tealeaf.example", PublicKey: "9f1c2ab47de04c0e9f1c2ab47de04c0e", Platform: "python", Waiting: true, Since: sampleNow.Add(-2 * time.Minute),
		Checks: []Check{{"ok", "The address answers"}, {"ok", "The key is active"}, {"idle", "No request with this key yet"}}}
}

func sampleTokens() TokensProps {
	return TokensProps{Tokens: []model.APIToken{{ID: 3, Name: "deploy script", Prefix: "kbt_9f1c", Scopes: []string{"project:read", "event:read"}, CreatedAt: sampleNow.Add(-time.Hour)},
		{ID: 4, Name: "weekly report", Prefix: "kbt_77ab", Scopes: []string{"event:read"}, LastUsed: sampleNow.Add(-time.Hour), Expires: sampleNow.Add(90 * 24 * time.Hour)}},
		Scopes: []ScopeChoice{{"project:read", "see projects", true}, {"event:read", "see issues and events", true}, {"event:write", "resolve and archive issues", false}}}
}

func sampleProjectList() ProjectsProps {
	var p ProjectsProps
	for n, project := range sampleProjects() {
		row := ProjectRow{Project: project, DSN: fmt.Sprintf("https://9f1c2ab47de04c0e9f1c2ab47de04c0e@kibitz.tealeaf.example/%d", project.ID), Events: int64(n) * 41233}
		if n > 0 {
			row.Last = sampleNow.Add(-time.Duration(n) * time.Minute)
		}
		p.Projects = append(p.Projects, row)
	}
	return p
}
