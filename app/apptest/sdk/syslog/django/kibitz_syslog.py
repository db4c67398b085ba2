"""Tells Kibitz about each request of a Django site: one datagram of syslog, sent when the request ends.

MIDDLEWARE = ["kibitz_syslog.Middleware", ...]  # first, so that it times all the others
KIBITZ = {"address": "/run/kibitz/log", "service": "shop", "release": "shop@4.18.0", "env": "production"}

An address is the path of a unix:// socket or ("127.0.0.1", 5514) of a udp:// one. Nothing here raises into the site or waits:
a datagram that the socket has no room for is dropped and counted, and the next one tells how many (client_dropped).
"""
import contextlib, contextvars, datetime, functools, http.client, json, os, socket, sys, time

from django.conf import settings
from django.db import connections
from django.template.backends import django as django_templates
from django.utils.module_loading import import_string

MAX_QUERIES, MAX_BYTES = 100, 60_000  # a UDP datagram holds 65,507 bytes
CACHE_METHODS = ("get", "set", "add", "delete", "touch", "incr", "get_many", "set_many", "delete_many", "has_key")
current = contextvars.ContextVar("kibitz_record", default=None)


class Record:
    def __init__(self):
        self.start, self.began, self.inner, self.queries = time.time(), time.perf_counter(), 0.0, []
        self.seconds, self.n = dict.fromkeys(("db", "cache", "http", "template"), 0.0), dict.fromkeys(("db", "cache", "http", "template"), 0)


@contextlib.contextmanager
def timed(kind):
    """Counts a piece of work without the pieces within it: a query while a template renders is the database's time."""
    record = current.get()
    if record is None:
        yield
        return
    start, outer, record.inner = time.perf_counter(), record.inner, 0.0
    try:
        yield
    finally:
        took = time.perf_counter() - start
        record.seconds[kind] += took - record.inner
        record.n[kind] += 1
        record.inner = outer + took


def query(execute, sql, params, many, context):
    record, start = current.get(), time.perf_counter()
    try:
        with timed("db"):
            return execute(sql, params, many, context)
    finally:
        if record is not None and len(record.queries) < MAX_QUERIES:
            record.queries.append({"sql": str(sql), "at": round((start - record.began) * 1e3, 3), "caller": caller(),
                                   "ms": round((time.perf_counter() - start) * 1e3, 3), "system": context["connection"].vendor})


def caller():
    """The line of the site's own code that asked, not that of Django or a library."""
    frame = sys._getframe(2)
    while frame and (frame.f_code.co_filename == __file__ or "/lib/python" in frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None:
        return ""
    return f"{os.path.relpath(frame.f_code.co_filename)}:{frame.f_lineno} {frame.f_code.co_name}"


def wrap(cls, name, kind):
    method = getattr(cls, name)
    if not hasattr(method, "kibitz"):
        @functools.wraps(method)
        def wrapped(*args, **kwargs):
            with timed(kind):
                return method(*args, **kwargs)
        wrapped.kibitz = True
        setattr(cls, name, wrapped)


class Middleware:
    def __init__(self, get_response):
        self.get_response, self.options, self.dropped = get_response, settings.KIBITZ, 0
        self.address, self.host = self.options["address"], socket.gethostname()
        self.socket = socket.socket(socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        wrap(django_templates.Template, "render", "template")
        wrap(http.client.HTTPConnection, "getresponse", "http")
        for cache in settings.CACHES.values():
            for name in CACHE_METHODS:
                wrap(import_string(cache["BACKEND"]), name, "cache")

    def __call__(self, request):
        record, status = Record(), 500
        token = current.set(record)
        try:
            with contextlib.ExitStack() as stack:
                for connection in connections.all():
                    stack.enter_context(connection.execute_wrapper(query))
                response = self.get_response(request)
            status = response.status_code
            return response
        finally:
            current.reset(token)
            self.send(request, record, status)

    def send(self, request, record, status):
        try:
            self.socket.sendto(self.line(request, record, status), self.address)
            self.dropped = 0
        except Exception:
            self.dropped += 1

    def line(self, request, record, status):
        match, user = request.resolver_match, getattr(request, "_cached_user", None)  # asking for the user could be a query
        fields = {"route": "/" + match.route if match else "(no route)", "ms": round((time.perf_counter() - record.began) * 1e3, 3),
                  "start": round(record.start, 6), "status": status, "method": request.method, "url": request.get_full_path(), "platform": "python",
                  "release": self.options.get("release", ""), "env": self.options.get("env", ""), "span": os.urandom(8).hex()}
        parent = request.headers.get("traceparent", "").split("-")
        fields["trace"], fields["parent"] = (parent[1], parent[2]) if len(parent) == 4 else (os.urandom(16).hex(), "")
        for kind, seconds in record.seconds.items():
            fields[kind + "_ms"], fields[kind + "_n"] = round(seconds * 1e3, 3), record.n[kind]
        if user is not None and user.pk is not None:
            fields["user"] = f"id:{user.pk}"
        if self.options.get("key"):
            fields["key"] = self.options["key"]
        if self.dropped:
            fields["client_dropped"] = self.dropped
        fields["queries"] = record.queries
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        head = f"<134>1 {now} {self.host} {self.options.get('service', 'django')} {os.getpid()} - - @cee: "
        while len(line := (head + json.dumps(fields)).encode()) > MAX_BYTES and fields["queries"]:
            fields["queries"] = fields["queries"][:len(fields["queries"]) // 2]
        return line
