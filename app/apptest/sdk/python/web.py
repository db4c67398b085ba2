"""A Flask app whose view fails, asked twice at one address and once at another."""
import os

import sentry_sdk
from flask import Flask

sentry_sdk.init(dsn=os.environ["DSN"], release="web@1.0.0", send_default_pii=True)
app = Flask("shop")


def total(lines):
    return sum(line["price"] for line in lines)


@app.route("/cart")
def cart():
    sentry_sdk.set_tag("region", "nz")
    sentry_sdk.set_user({"id": "52107"})
    sentry_sdk.add_breadcrumb(category="shop", message="opened the cart")
    try:
        return str(total([{"name": "Sencha"}]))
    except KeyError as exc:
        raise RuntimeError("the cart has no total") from exc


@app.route("/margin")
def margin():
    return str(1 / 0)


client = app.test_client()
for path in ("/cart?page=1", "/cart?page=2", "/margin"):
    client.get(path, headers={"Cookie": "session=secret"})
sentry_sdk.flush(10)
