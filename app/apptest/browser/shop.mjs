// A shop whose requests the browser test sends: an hour of them, in two releases and with a switch, one endpoint with a loop of
// queries in the first release, one with a slow query, calls to other services, caches, templates and failures.
const hex = n => Array.from({ length: n }, () => Math.floor(Math.random() * 16).toString(16)).join("");

// span makes a span that begins at and takes some milliseconds.
const span = (parent, at, took, op, description, data = {}) => ({ span_id: hex(16), parent_span_id: parent, op, description, data, at, took, status: "ok" });
const db = (parent, at, took, sql, file, line, fn) => span(parent, at, took, "db", sql,
  { "db.system": "postgresql", "code.filepath": file, "code.lineno": line, "code.function": fn });

// Each endpoint makes spans below a root and answers how long it took.
const endpoints = {
  checkout(root, fixed) {
    const view = span(root, 2, 0, "view.render", "shop.views.checkout");
    const list = [view, db(view.span_id, 4, 3, "SELECT * FROM cart WHERE id = %s", "shop/views.py", 31, "checkout"),
      span(view.span_id, 8, 1, "cache.get", "session:88213", { "cache.key": ["session:88213"], "cache.hit": true })];
    let at = 10;
    if (fixed) list.push(db(view.span_id, at, 9, "SELECT id, price FROM product WHERE id IN (%s, %s, %s)", "shop/totals.py", 48, "prices"));
    else for (let i = 0; i < 24; i++, at += 5) list.push(db(view.span_id, at, 4, "SELECT id, price FROM product WHERE id = %s", "shop/totals.py", 52, "price_line"));
    at = fixed ? 20 : at + 2;
    list.push(span(view.span_id, at, 40, "http.client", "POST https://tax.example/v1/rates", { "http.request.method": "POST", url: "https://tax.example/v1/rates", "http.response.status_code": 200 }));
    list.push(span(view.span_id, at + 42, 12, "template.render", "checkout.html"));
    view.took = at + 56;
    return [view.took + 4, list];
  },
  catalogue(root) {
    const slow = 620 + Math.random() * 80;
    return [slow + 30, [span(root, 1, 1, "cache.get", "catalogue", { "cache.key": ["catalogue"], "cache.hit": false }),
      db(root, 3, slow, "SELECT category, count(*) FROM product GROUP BY category ORDER BY 2 DESC", "shop/catalogue.py", 17, "counts"),
      span(root, slow + 6, 18, "template.render", "catalogue.html")]];
  },
  product(root) {
    const took = 6 + Math.random() * 6;
    return [took + 6, [db(root, 1, 2, "SELECT * FROM product WHERE slug = %s", "shop/views.py", 77, "product"), span(root, 4, took, "template.render", "product.html")]];
  },
};

const names = { checkout: ["POST", "/checkout/{id}/"], catalogue: ["GET", "/catalogue/"], product: ["GET", "/product/{slug}/"] };

// transaction is a request that ended so many seconds ago.
function transaction(kind, ago, release, status, variant) {
  const root = hex(16), [took, spans] = endpoints[kind](root, release !== "shop@1"), start = Date.now() / 1000 - ago, [method, name] = names[kind];
  const seconds = ms => start + ms / 1000, trace = hex(32);
  return { type: "transaction", event_id: hex(32), platform: "python", transaction: name, transaction_info: { source: "route" }, release, environment: "production",
    server_name: "web-1", start_timestamp: start, timestamp: seconds(took), user: { id: String(52100 + Math.floor(Math.random() * 20)) },
    request: { method, url: `https://shop.example${name.replace("{id}", "88213").replace("{slug}", "sencha")}` },
    contexts: { trace: { trace_id: trace, span_id: root, op: "http.server", status: status < 500 ? "ok" : "internal_error", data: { "http.response.status_code": status } },
      flags: { values: [{ flag: "new-totals", result: variant }] } },
    spans: spans.map(({ at, took, ...s }) => ({ ...s, trace_id: trace, start_timestamp: seconds(at), timestamp: seconds(at + took) })) };
}

// sendLog sends what the shop's PostgreSQL logged of a request's longest query, with its plan, as jsonlog.
async function sendLog(u, t) {
  const query = t.spans.find(s => s.op === "db"), sql = query.description, ms = (query.timestamp - query.start_timestamp) * 1000 - 2;
  const plan = { "Query Text": sql, Plan: { "Node Type": "Seq Scan", "Relation Name": "product", "Actual Rows": 90000 } };
  const line = message => JSON.stringify({ timestamp: new Date(query.timestamp * 1000).toISOString().replace("T", " ").replace("Z", " UTC"), user: "shop", dbname: "shop", pid: 4711,
    session_id: "65a.1267", line_num: 1, error_severity: "LOG", message, application_name: "shop", backend_type: "client backend" });
  const body = [line(`duration: ${ms.toFixed(3)} ms  plan:\n${JSON.stringify(plan, null, 2)}`), line(`duration: ${ms.toFixed(3)} ms  statement: ${sql}`)].join("\n") + "\n";
  const res = await fetch(`${u.origin}/api${u.pathname}/pglog`, { method: "POST", body, headers: { Authorization: `Bearer ${u.username}` } });
  if (!res.ok) throw new Error(`sending a log of PostgreSQL answers ${res.status}: ${await res.text()}`);
}

// sendShop sends the hour, and what the database logged of one of its slow queries; it answers how many requests it has, and the
// trace of that one.
export async function sendShop(dsn) {
  const u = new URL(dsn), list = [];
  for (let ago = 3300; ago > 30; ago -= 30) {
    const release = ago > 1500 ? "shop@1" : "shop@2";
    list.push(transaction("checkout", ago, release, ago % 210 === 0 ? 500 : 200, ago % 60 === 0), transaction("product", ago + 7, release, 200, true));
    if (ago % 120 === 0) list.push(transaction("catalogue", ago + 11, release, 200, false));
  }
  for (const t of list) {
    const body = `${JSON.stringify({ event_id: t.event_id, dsn })}\n${JSON.stringify({ type: "transaction" })}\n${JSON.stringify(t)}\n`;
    const res = await fetch(`${u.origin}/api${u.pathname}/envelope/`, { method: "POST", body, headers: { "X-Sentry-Auth": `Sentry sentry_version=7, sentry_key=${u.username}` } });
    if (!res.ok) throw new Error(`sending a transaction answers ${res.status}`);
  }
  const logged = list.findLast(t => t.transaction === "/catalogue/");
  await sendLog(u, logged);
  return [list.length, logged.contexts.trace.trace_id];
}
