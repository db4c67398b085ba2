"""A Django shop that answers five requests of its own and reports them to DSN: a loop of queries, the same without the
loop, a cached page, a call to another service, a template and a failure. RELEASE=2 has no loop. LATENCY is the milliseconds that a
query takes on its way to a database that is not in memory, and ORDERS how often the page with the loop is asked for."""
import os
import threading
import time
import urllib.error
import urllib.request
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
import sentry_sdk
from django.conf import settings
from django.core.cache import cache
from django.http import HttpResponse
from django import shortcuts
from django.urls import path
from django.core.wsgi import get_wsgi_application
from sentry_sdk.integrations.django import DjangoIntegration

RELEASE = os.environ.get("RELEASE", "1")
LATENCY = float(os.environ.get("LATENCY", "0")) / 1000
TEMPLATES = {"cart.html": "{% for line in lines %}<li>{{ line.name }}</li>{% endfor %}"}

sentry_sdk.init(
    dsn=os.environ["DSN"], release="shop@" + RELEASE, environment="test", server_name="web-1", traces_sample_rate=1.0,
    enable_logs=True, send_default_pii=True, enable_db_query_source=True, db_query_source_threshold_ms=0,
    integrations=[DjangoIntegration(cache_spans=True, middleware_spans=True)])
settings.configure(
    SECRET_KEY="test", DEBUG=False, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:shop?mode=memory&cache=shared"}},
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", TEMPLATES)]}}])
django.setup()

from django.db import connection, models  # noqa: E402  (models need the settings)
from django.db.backends.signals import connection_created  # noqa: E402


def distant(execute, sql, params, many, context):
    time.sleep(LATENCY)
    return execute(sql, params, many, context)


class Line(models.Model):
    order = models.IntegerField()
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "shop"


def order(request, number):
    """One query for the numbers of the lines and, but for release 2, another for each of them."""
    sentry_sdk.set_user({"id": "52107"})
    sentry_sdk.feature_flags.add_feature_flag("new-cart", True)
    ids = list(Line.objects.filter(order=number).values_list("id", flat=True))
    if RELEASE != "2":
        names = [Line.objects.get(pk=pk).name for pk in ids]
    else:
        names = [line.name for line in Line.objects.filter(pk__in=ids)]
    sentry_sdk.logger.info("order shown", attributes={"lines": len(names)})
    return HttpResponse(", ".join(names))


def rates(request):
    value = cache.get("rates")
    if value is None:
        value = "1.61"
        cache.set("rates", value)
    return HttpResponse(value)


def quote(request):
    with urllib.request.urlopen(request.build_absolute_uri("/rates/")) as answer:
        return HttpResponse(answer.read())


def cart(request):
    lines = Line.objects.all()[:3]
    return shortcuts.render(request, "cart.html", {"lines": lines})


def fail(request):
    raise ValueError("cart has no total")


urlpatterns = [path("orders/<int:number>/", order), path("rates/", rates), path("quote/", quote), path("cart/", cart), path("fail/", fail)]


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


with connection.schema_editor() as editor:
    editor.create_model(Line)
for n in range(8):
    Line.objects.create(order=88213, name=f"tea {n}")

from socketserver import ThreadingMixIn  # noqa: E402
from wsgiref.simple_server import WSGIServer  # noqa: E402


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


server = make_server("127.0.0.1", 0, get_wsgi_application(), server_class=Server, handler_class=Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
if LATENCY:
    connection_created.connect(lambda connection, **_: connection.execute_wrappers.append(distant), weak=False)
base = f"http://127.0.0.1:{server.server_port}"
for address in ("/orders/88213/?page=1",) * int(os.environ.get("ORDERS", "1")) + ("/rates/", "/quote/", "/cart/", "/fail/"):
    try:
        urllib.request.urlopen(base + address).read()
    except urllib.error.HTTPError:
        pass
server.shutdown()
sentry_sdk.flush(10)
