// A person in a real browser: BASE, SETUP and DSN say where, CHROMIUM which, SHOTS where pictures go (none when empty).
// It collects everything that is wrong and ends with 1 when anything is.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const { BASE, SETUP, DSN, CHROMIUM, SHOTS } = process.env;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const mail = "mara@tealeaf.example", password = "correct horse battery";
const wrong = [];
const check = (ok, what) => { if (!ok) wrong.push(what); };

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });

// open makes a browser window of its own; what its console complains about is a fault.
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15000);
  page.on("console", m => { if (m.type() === "error") wrong.push(`${page.url()} console: ${m.text()}`); });
  page.on("pageerror", e => wrong.push(`${page.url()} script: ${e.message}`));
  page.on("request", r => { if (!r.url().startsWith(BASE) && !r.url().startsWith("data:")) wrong.push(`${page.url()} asks ${r.url()}`); });
  return page;
}

async function send(dsn, event) {
  const u = new URL(dsn);
  const res = await fetch(`${u.origin}/api${u.pathname}/store/`, { method: "POST", body: JSON.stringify(event),
    headers: { "X-Sentry-Auth": `Sentry sentry_version=7, sentry_key=${u.username}` } });
  check(res.ok, `sending an event answers ${res.status}`);
}

const fault = cart => ({
  platform: "python", transaction: "/checkout/confirm", release: "shop@4.18.0", environment: "production",
  exception: { values: [
    { type: "KeyError", value: "'tax_region'", mechanism: { type: "chained", exception_id: 1, parent_id: 0 }, stacktrace: { frames: [{ module: "shop.attributes", function: "__getitem__", filename: "shop/attributes.py", lineno: 41, context_line: "    return self[key]", in_app: true }] } },
    { type: "PricingError", value: `cart ${cart} has no tax region <script>alert(1)</script>`, mechanism: { type: "django", handled: false, exception_id: 0 }, stacktrace: { frames: [
      { module: "django.core.handlers.base", function: "_get_response", filename: "django/core/handlers/base.py", lineno: 197, in_app: false },
      { module: "shop.checkout.totals", function: "tax_for", filename: "shop/checkout/totals.py", lineno: 120, pre_context: ["def tax_for(cart):", "    try:"], context_line: "        raise PricingError(cart) from exc", post_context: ["    return 0"], in_app: true, vars: { cart: "<Cart>", card: { number: "[Filtered]" } } }] } }] },
  breadcrumbs: { values: [{ timestamp: Date.now() / 1000, category: "query", message: "SELECT 1" }] },
  request: { url: "https://shop.tealeaf.example/checkout/confirm", method: "POST", data: { address: "it's" }, headers: { Cookie: "sessionid=verysecret", Accept: "text/html" } },
  user: { id: "52107" }, tags: { region: "nz" }, contexts: { runtime: { name: "CPython", version: "3.13.1" }, flags: { values: [{ flag: "checkout.new", result: true }] } },
});

async function signIn(page) {
  await page.goto(`${BASE}/signin`);
  await page.fill("[name=email]", mail);
  await page.fill("[name=password]", password);
  await page.click("form[action='/signin'] button");
  await page.waitForURL(u => !u.pathname.startsWith("/signin"));
}

const text = page => page.locator("main").innerText();

// The first visit: account, project, waiting for an event, which the server tells.
async function firstVisit() {
  const page = await open();
  await page.goto(SETUP);
  await page.fill("[name=email]", mail);
  await page.fill("[name=name]", "Mara Lindqvist");
  await page.fill("[name=password]", password);
  await page.click("main form button");
  await page.waitForURL(u => !u.pathname.startsWith("/setup"));
  await page.goto(`${BASE}/projects/new`);
  await page.fill("[name=name]", "Tealeaf Shop");
  await page.selectOption("[name=platform]", "python");
  await page.click("main form button");
  await page.waitForURL("**/projects/tealeaf-shop/welcome");
  check((await text(page)).includes("Waiting for the first event"), "the welcome page does not wait");
  const dsn = (await page.locator("#dsn").innerText()).trim();
  await send(dsn, fault(88213));
  await page.waitForURL("**/issues/TEALEAF-SHOP-1");
  for (let i = 0; i < 3; i++) await send(dsn, fault(88214 + i));
  await send(DSN, { message: "hello, board", level: "warning" });
  return { page, dsn };
}

// Reading, resolving, undoing, a token, the theme, and out.
async function work(page) {
  const content = await text(page);
  for (const want of ["PricingError", "cart 88213 has no tax region", "tax_for", "KeyError", "framework frame", "SELECT 1", "CPython", "Why grouped here", "checkout.new"])
    check(content.includes(want), `the issue page does not say ${want}`);
  check(!content.includes("verysecret"), "the issue page shows a cookie's value");
  check((await page.content()).includes("&lt;script&gt;") && !(await page.content()).includes("<script>alert"), "hostile text is not escaped");
  await page.click("button[value=resolve]");
  await page.waitForSelector(".toast");
  check((await text(page)).includes("Resolved"), "the issue is not resolved");
  await page.click(".toast button");
  await page.waitForLoadState();
  await page.goto(`${BASE}/issues/TEALEAF-SHOP-1`);
  check(!(await text(page)).includes("Resolved"), "the undo did nothing");
  await page.goto(`${BASE}/issues?project=tealeaf-shop`);
  await page.check("input[name=id]");
  await page.click("button[value=archive]");
  await page.waitForSelector(".toast");
  await page.goto(`${BASE}/issues?status=archived`);
  check((await text(page)).includes("PricingError"), "the archived issue is not listed");
  await page.check("input[name=id]");
  await page.click("button[value=unresolve]");
  await page.goto(`${BASE}/settings/tokens`);
  await page.fill("[name=name]", "a script");
  await page.click("form[action='/settings/tokens'] button");
  await page.waitForSelector("#token");
  const token = (await page.locator("#token").innerText()).trim();
  const api = await fetch(`${BASE}/api/0/projects/`, { headers: { Authorization: `Bearer ${token}` } });
  check(api.ok, `the new token answers ${api.status}`);
  await page.click("button:has-text('Revoke')");
  await page.waitForLoadState();
  check((await fetch(`${BASE}/api/0/projects/`, { headers: { Authorization: `Bearer ${token}` } })).status === 401, "a revoked token works");
  await page.click("summary[aria-label=Theme]");
  await page.click("button[name=theme][value=dark]");
  await page.waitForLoadState();
  check(await page.evaluate(() => document.documentElement.dataset.theme) === "dark", "the theme is not dark");
  await page.click("summary[aria-label^=Account]");
  await page.click("form[action='/signout'] button");
  await page.waitForURL("**/signin**");
}

const pages = ["/issues", "/issues?status=resolved", "/issues/TEALEAF-SHOP-1", "/issues/DEFAULT-1", "/projects", "/projects/new", "/projects/tealeaf-shop/welcome?lang=go", "/projects/kibitz/welcome", "/settings/tokens", "/nowhere"];

// Every page: no serious finding of axe-core, no sideways scrolling, something in it.
async function look(scheme, width) {
  const page = await open({ colorScheme: scheme, viewport: { width, height: 900 } });
  const visit = async path => {
    const res = await page.goto(BASE + path);
    check(path === "/nowhere" ? res.status() === 404 : res.ok(), `${path} answers ${res.status()}`);
    if (path === "/nowhere") wrong.splice(0, wrong.length, ...wrong.filter(w => !w.includes("404")));
    await page.evaluate(axe); // by the debugger, which the page's policy does not govern
    const found = await page.evaluate(() => axe.run());
    for (const v of found.violations.filter(v => ["serious", "critical"].includes(v.impact)))
      wrong.push(`${path} ${scheme} ${width}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(" | ")}`);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check(over <= 0, `${path} at ${width} is ${over} px too wide`);
    if (SHOTS) await page.screenshot({ path: `${SHOTS}/${path.replace(/\W+/g, "-")}-${scheme}-${width}.png`, fullPage: true });
  };
  await visit("/signin");
  await signIn(page);
  for (const p of pages) await visit(p);
  await page.context().close();
}

// Everything that matters without a script.
async function bare(dsn) {
  const page = await open({ javaScriptEnabled: false });
  await signIn(page);
  for (const p of pages.slice(0, -1)) {
    await page.goto(BASE + p);
    check((await text(page)).length > 40, `${p} is empty without JavaScript`);
  }
  await page.goto(`${BASE}/issues/TEALEAF-SHOP-1`);
  await page.click("button[value=resolve]");
  await page.click(".toast button");
  await page.goto(`${BASE}/projects/new`);
  await page.fill("[name=name]", "Plain");
  await page.click("main form button");
  await page.click("form[action$='/test-event'] button");
  await page.waitForURL("**/issues/PLAIN-1", { timeout: 30000 }); // by the reload of the page
  await page.context().close();
}

try {
  const { page, dsn } = await firstVisit();
  await work(page);
  for (const scheme of ["light", "dark"]) for (const width of [1440, 390]) await look(scheme, width);
  await bare(dsn);
} catch (e) {
  wrong.push(`stopped: ${e.stack}`);
} finally {
  await browser.close();
}
console.log(wrong.length ? [...new Set(wrong)].join("\n") : "all pages are sound");
process.exit(wrong.length ? 1 : 0);
