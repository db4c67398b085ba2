// What runs in the browser: two different exceptions, the first twice.
import * as Sentry from "@sentry/browser";

Sentry.init({ dsn: window.DSN, release: "shop@1.2.3", environment: "test", dedupe: false, integrations: all => all.filter(i => i.name !== "Dedupe") });
Sentry.setTag("region", "nz");
Sentry.setUser({ id: "52107" });

function regionOf(profile) {
  return profile.address.region;
}

function taxFor(cart) {
  try {
    return regionOf({ cart });
  } catch (cause) {
    throw new RangeError(`cart ${cart} has no tax region`, { cause });
  }
}

function capture(call, ...args) {
  Sentry.addBreadcrumb({ category: "shop", message: "priced the cart" });
  try { call(...args); } catch (err) { Sentry.captureException(err); }
}

for (const cart of [88213, 88214]) {
  capture(taxFor, cart);
}
capture(function share() { return JSON.parse("{margin"); });
Sentry.flush(10000).then(ok => { document.title = ok ? "sent" : "failed"; });
