// Raises two different exceptions, the first twice, each with a cause, breadcrumbs, tags and a user.
const Sentry = require("@sentry/node");

Sentry.init({ dsn: process.env.DSN, release: "shop@1.2.3", environment: "test", includeLocalVariables: true });
Sentry.setTag("region", "nz");
Sentry.setUser({ id: "52107", email: "mara@tealeaf.example" });

function regionOf(profile) {
  return profile.address.region;
}

function taxFor(cart) {
  const profile = { cart };
  try {
    return regionOf(profile);
  } catch (cause) {
    throw new RangeError(`cart ${cart} has no tax region`, { cause });
  }
}

function share() {
  return JSON.parse("{margin");
}

function capture(call, ...args) {
  Sentry.addBreadcrumb({ category: "shop", message: "priced the cart" });
  try {
    call(...args);
  } catch (err) {
    Sentry.captureException(err);
  }
}

for (const cart of [88213, 88214]) {
  capture(taxFor, cart);
}
capture(share);
Sentry.flush(10000).then(ok => process.exit(ok ? 0 : 1));
