// An Express shop with OpenTelemetry that answers four requests of its own and reports them to ENDPOINT in JSON, with the
// bearer token KEY: a loop of queries, a cached value, a call to itself and a failure.
const { NodeSDK } = require("@opentelemetry/sdk-node");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-http");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { ExpressInstrumentation } = require("@opentelemetry/instrumentation-express");
const { trace, SpanKind } = require("@opentelemetry/api");

const sdk = new NodeSDK({
  resource: resourceFromAttributes({ "service.name": "shop", "service.version": "1", "deployment.environment.name": "test", "host.name": "web-6" }),
  traceExporter: new OTLPTraceExporter({ url: process.env.ENDPOINT + "/v1/traces", headers: { Authorization: "Bearer " + process.env.KEY } }),
  resourceDetectors: [],
  instrumentations: [new HttpInstrumentation(), new ExpressInstrumentation()],
});
sdk.start();

const http = require("http");
const net = require("net");
const express = require("express");
const app = express();

async function query(sql) {
  const span = trace.getTracer("shop").startSpan("SELECT line",
    { kind: SpanKind.CLIENT, attributes: { "db.system.name": "postgresql", "db.query.text": sql, "db.response.returned_rows": 1 } });
  await new Promise(done => setTimeout(done, 2));
  span.end();
}

app.get("/orders/:number", async (req, res) => {
  trace.getActiveSpan().setAttribute("user.id", "52107");
  await query("SELECT id FROM line WHERE order_number = $1");
  for (let i = 0; i < 6; i++) {
    await query("SELECT name FROM line WHERE id = $1");
  }
  res.send("six lines");
});

app.get("/rates", (req, res) => {
  trace.getTracer("shop").startSpan("GET", { kind: SpanKind.CLIENT, attributes: { "db.system": "redis", "db.statement": "GET rates" } }).end();
  res.send("1.61");
});

app.get("/quote", (req, res) => {
  http.get({ port: server.address().port, path: "/rates?currency=nzd" }, answer => answer.pipe(res));
});

app.get("/fail", () => {
  throw new RangeError("the cart has no total");
});
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
  await sdk.shutdown();
  process.exit(0);
});
