// A person in a real browser: connects a project, reads, resolves and undoes. lib.mjs says how the test is called.
import { BASE, DSN, check, firstAccount, look as visit, newProject, open, run, send, signIn, text } from "./lib.mjs";

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

// The first visit: account, project, waiting for an event, which the server tells.
async function firstVisit() {
  const page = await open();
  await firstAccount(page);
  const dsn = await newProject(page, "Tealeaf Shop", "tealeaf-shop");
  check((await text(page)).includes("Waiting for the first event"), "the welcome page does not wait");
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
  await page.click("summary[aria-label^=Theme]");
  await page.click("button[name=theme][value=dark]");
  await page.waitForLoadState();
  check(await page.evaluate(() => document.documentElement.dataset.theme) === "dark", "the theme is not dark");
  await page.click("summary[aria-label^=Account]");
  await page.click("form[action='/signout'] button");
  await page.waitForURL("**/signin**");
}

const pages = ["/issues", "/issues?status=resolved", "/issues/TEALEAF-SHOP-1", "/issues/DEFAULT-1", "/projects", "/projects/new", "/projects/tealeaf-shop/welcome?lang=go", "/projects/kibitz/welcome", "/settings/tokens", "/nowhere"];

// Every page, signed out and in.
async function look(scheme, width) {
  const page = await open({ colorScheme: scheme, viewport: { width, height: 900 } });
  await visit(page, ["/signin"], scheme, width);
  await signIn(page);
  await visit(page, pages, scheme, width);
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

await run(async () => {
  const { page, dsn } = await firstVisit();
  await work(page);
  for (const scheme of ["light", "dark"]) for (const width of [1440, 390]) await look(scheme, width);
  await bare(dsn);
});
