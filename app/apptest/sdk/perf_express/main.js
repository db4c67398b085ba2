// An Express shop that answers four requests of its own and reports them to DSN: a loop of queries, a cached value, a call
// to itself and a failure. LIFECYCLE=static sends transactions in place of spans that are sent as they end (span items of version 2).
const Sentry = require("@sentry/node");

Sentry.init({
  dsn: process.env.DSN, release: "shop@1", environment: "test", serverName: "web-2", tracesSampleRate: 1, enableLogs: true,
  sendDefaultPii: true, traceLifecycle: process.env.LIFECYCLE || "stream",
});

const net = require("net");
const express = require("express");
const app = express();

function query(sql) {
  return Sentry.startSpan({ name: sql, op: "db", attributes: { "db.system": "postgresql", "db.statement": sql } },
    () => new Promise(done => setTimeout(done, 2)));
}

app.get("/orders/:number", async (req, res) => {
  Sentry.setUser({ id: "52107" });
  await query("SELECT id FROM line WHERE order_number = $1");
  for (let i = 0; i < 6; i++) {
    await query("SELECT name FROM line WHERE id = $1");
  }
  Sentry.logger.info("order shown", { lines: 6 });
  res.send("six lines");
});

app.get("/rates", async (req, res) => {
  await Sentry.startSpan({ name: "rates", op: "cache.get", attributes: { "cache.key": ["rates"], "cache.hit": true } }, async () => "1.61");
  res.send("1.61");
});

app.get("/quote", async (req, res) => {
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/rates?currency=nzd`);
  res.send(await answer.text());
});

app.get("/fail", () => {
  throw new RangeError("cart has no total");
});

Sentry.setupExpressErrorHandler(app);
app.use((err, req, res, next) => res.status(500).end());

// ask fetches an address over a bare socket, since an instrumented client would make the requests parts of its own trace.
function ask(address) {
  return new Promise((done, failed) => {
    const socket = net.connect(server.address().port, "127.0.0.1", () =>
      socket.write(`GET ${address} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n`));
    socket.on("error", failed).on("close", done).resume();
  });
}

const server = app.listen(0, "127.0.0.1", async () => {
  for (const address of ["/orders/88213?page=1", "/rates", "/quote", "/fail"]) {
    await ask(address);
  }
  const sent = await Sentry.flush(10000);
  process.exit(sent ? 0 : 1);
});
