"""Raises two different exceptions, the first twice, each with locals, a cause, breadcrumbs, tags and a user."""
import os

import sentry_sdk


def region_of(profile):
    return profile["tax_region"]


def tax_for(cart):
    profile = {"customer": cart}
    try:
        return region_of(profile)
    except KeyError as exc:
        raise ValueError(f"cart {cart} has no tax region") from exc


def share(profit, revenue):
    return profit / revenue


def capture(call, *args):
    sentry_sdk.add_breadcrumb(category="shop", message="priced the cart", level="info")
    try:
        call(*args)
    except Exception as exc:
        sentry_sdk.capture_exception(exc)


sentry_sdk.init(dsn=os.environ["DSN"], release="shop@1.2.3", environment="test", in_app_include=["__main__"])
sentry_sdk.set_tag("region", "nz")
sentry_sdk.set_user({"id": "52107", "email": "mara@tealeaf.example"})
for number in (88213, 88214):
    capture(tax_for, number)
capture(share, 10, 0)
sentry_sdk.flush(10)
