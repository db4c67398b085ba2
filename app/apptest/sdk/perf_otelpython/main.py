"""A Flask shop with OpenTelemetry that answers four requests of its own and reports them to ENDPOINT in JSON, or in
protobuf when PROTOCOL says so, with the bearer token KEY: a loop of queries, a template, a call to itself and a failure. It sends its log too."""
import logging
import os
import sqlite3
import threading
import urllib.error
import urllib.request

import requests
from flask import Flask, render_template_string, request
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.jinja2 import Jinja2Instrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from werkzeug.serving import make_server

if os.environ.get("PROTOCOL") == "protobuf":
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
else:
    from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter

endpoint, headers = os.environ["ENDPOINT"], {"Authorization": "Bearer " + os.environ.get("KEY", "")}
resource = Resource.create({"service.name": "shop", "service.version": "1", "deployment.environment.name": "test", "host.name": "web-5"})
spans = TracerProvider(resource=resource)
spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint + "/v1/traces", headers=headers)))
trace.set_tracer_provider(spans)
logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint + "/v1/logs", headers=headers)))
log = logging.getLogger("shop")
log.setLevel(logging.INFO)
log.addHandler(LoggingHandler(logger_provider=logs))

app = Flask("shop")
FlaskInstrumentor().instrument_app(app)
RequestsInstrumentor().instrument()
Jinja2Instrumentor().instrument()


def connect():
    return sqlite3.connect("file:shop?mode=memory&cache=shared", uri=True, check_same_thread=False)


first = connect()  # it keeps the database, and comes before the instrumentation, for which a statement alone would be a trace of its own
first.executescript("""CREATE TABLE line (id INTEGER PRIMARY KEY, order_number INTEGER, name TEXT);
    INSERT INTO line (order_number, name) VALUES (88213, 'a'), (88213, 'b'), (88213, 'c'), (88213, 'd'), (88213, 'e'), (88213, 'f')""")
SQLite3Instrumentor().instrument()
db = connect()


@app.route("/orders/<int:number>")
def order(number):
    trace.get_current_span().set_attribute("user.id", "52107")
    cursor = db.cursor()
    ids = cursor.execute("SELECT id FROM line WHERE order_number = ?", (number,)).fetchall()
    names = [cursor.execute("SELECT name FROM line WHERE id = ?", row).fetchone()[0] for row in ids]
    log.info("order shown", extra={"lines": len(names)})
    return ", ".join(names)


@app.route("/rates")
def rates():
    return render_template_string("{{ value }}", value="1.61")


@app.route("/quote")
def quote():
    return requests.get(request.host_url + "rates?currency=nzd", timeout=5).text


@app.route("/fail")
def fail():
    raise ValueError("the cart has no total")


logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = make_server("127.0.0.1", 0, app, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
for address in ("/orders/88213?page=1", "/rates", "/quote", "/fail"):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}{address}").read()
    except urllib.error.HTTPError:
        pass
server.shutdown()
spans.shutdown()
logs.shutdown()
