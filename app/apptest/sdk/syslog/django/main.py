"""A site of one page with a loop of queries, asked by Django's own client. Arguments: address, requests."""
import http.server, os, sys, threading, urllib.request

import django
from django.conf import settings

address = sys.argv[1]
if ":" in address:
    host, port = address.rsplit(":", 1)
    address = (host, int(port))
settings.configure(
    SECRET_KEY="test", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MIDDLEWARE=["__main__.Remembered"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": [
        ("django.template.loaders.locmem.Loader", {"cart.html": "{% for line in lines %}{{ line }}{% endfor %}"})]}}],
    KIBITZ={"address": address, "service": "shop", "release": "shop@4.18.0", "env": "test", "key": os.environ.get("KEY")})
django.setup()

from django.core.cache import cache
from django.db import connection
from django.shortcuts import render
from django.test import Client
from django.urls import path

import kibitz_syslog


class Remembered(kibitz_syslog.Middleware):
    """The middleware, with its counter within reach."""

    def __init__(self, get_response):
        super().__init__(get_response)
        Remembered.last = self


class Tax(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


tax = http.server.HTTPServer(("127.0.0.1", 0), Tax)
threading.Thread(target=tax.serve_forever, daemon=True).start()


def cart(request, id):
    urllib.request.urlopen(f"http://127.0.0.1:{tax.server_port}/").close()
    cache.set("region", cache.get("region", "EU"))
    with connection.cursor() as cursor:
        for line in range(6):
            cursor.execute("SELECT %s + 1", [line])  # the loop
    return render(request, "cart.html", {"lines": ask()})


def ask():
    """Asks while the template renders."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 7")
        yield cursor.fetchone()[0]


def broken(request):
    raise ValueError("no region")


urlpatterns = [path("cart/<int:id>/", cart), path("broken/", broken)]

client = Client(raise_request_exception=False)
for i in range(int(sys.argv[2])):
    response = client.get("/cart/7/?a=b", HTTP_TRACEPARENT="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert response.content == b"7", response.content
assert client.get("/broken/").status_code == 500
assert client.get("/nowhere/").status_code == 404
print("dropped", Remembered.last.dropped)
