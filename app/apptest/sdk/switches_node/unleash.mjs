// Unleash's server SDK, which evaluates by itself, and its client for pages, which asks.
import { initialize } from "unleash-client";
import { UnleashClient } from "unleash-proxy-client";
import { BASE, TOKEN, PAGE, check, end, flip, until } from "./lib.mjs";

const unleash = initialize({ url: `${BASE}/api/`, appName: "shop", refreshInterval: 500, metricsInterval: 500, customHeaders: { Authorization: TOKEN } });
const trouble = [];
unleash.on("error", e => trouble.push(`unleash-client: ${e}`));
unleash.on("warn", e => trouble.push(`unleash-client: ${e}`));
await new Promise((ok, no) => { unleash.on("synchronized", ok); setTimeout(() => no(new Error("never synchronized")), 30000); });

// Asked here and there, the answers are the same for every switch that is carried exactly.
const keys = ["everyone", "nobody", "for-pro", "for-large", "half-unleash", "button", "layout", "shop", "shop:cart", "shop:cart:new", "needs-pro", "split-unleash", "not-free"];
for (let i = 0; i < 60; i++) {
  const properties = { plan: i % 3 ? "pro" : "free", "team.size": String(i % 10) };
  const context = { userId: `user-${i}`, remoteAddress: "192.0.2.1", properties };
  const res = await fetch(`${BASE}/api/frontend`, { method: "POST", headers: { Authorization: PAGE, "content-type": "application/json" }, body: JSON.stringify({ context }) });
  const toggles = new Map((await res.json()).toggles.map(t => [t.name, t]));
  for (const key of keys) {
    const here = unleash.isEnabled(key, context), there = toggles.has(key);
    check(here === there, `${key} for user-${i}: the SDK says ${here}, we say ${there}`);
    const a = unleash.getVariant(key, context), b = toggles.get(key)?.variant;
    if (here && there) check(a.name === b.name && JSON.stringify(a.payload) === JSON.stringify(b.payload), `${key} for user-${i}: ${JSON.stringify(a)} and ${JSON.stringify(b)}`);
  }
}
const n = Array.from({ length: 1000 }, (_, i) => unleash.isEnabled("half", { userId: `u${i}` })).filter(Boolean).length;
check(n > 430 && n < 570, `${n} of 1000 at 50 %`);

const changed = new Promise(done => unleash.once("changed", done));
flip("everyone", "kill");
await changed;
await until("the SDK answers off", () => !unleash.isEnabled("everyone"));
flip("everyone", "unkill");
await until("the SDK answers on", () => unleash.isEnabled("everyone"));
await new Promise(done => unleash.once("sent", done));

const page = new UnleashClient({ url: `${BASE}/api/frontend`, clientKey: PAGE, appName: "shop", refreshInterval: 1, metricsInterval: 1, context: { userId: "mara", properties: { plan: "pro" } } });
page.on("error", e => trouble.push(`unleash-proxy-client: ${JSON.stringify(e)}`));
const sent = new Promise(done => page.on("sent", done));
await page.start();
check(page.isEnabled("everyone") && page.isEnabled("for-pro") && !page.isEnabled("nobody"), "the client of pages sees other switches on");
check(page.getVariant("layout").payload?.value === '{"columns":[1,2]}', `layout is ${JSON.stringify(page.getVariant("layout"))}`);
await page.updateContext({ userId: "mara", properties: { plan: "free" } });
check(!page.isEnabled("for-pro"), "another context changes nothing");
flip("everyone", "off");
await until("the client of pages answers off", () => !page.isEnabled("everyone"));
flip("everyone", "on");
await sent;
page.stop();
unleash.destroy();
for (const t of trouble) check(false, t);
end();
