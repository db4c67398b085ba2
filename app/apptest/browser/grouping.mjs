// A person who works at the grouping in a real browser: a rule with a mistake first, its rehearsal, its application and
// its undo, a merge and an unmerge, a deletion; with and without JavaScript. lib.mjs says how the test is called.
import { BASE, audit, check, firstAccount, look, newProject, open, run, send, shot, signIn, text } from "./lib.mjs";

const fault = (type, fn) => ({ platform: "python", transaction: "/checkout", exception: { values: [{ type, value: "cart 17 has no tax region", stacktrace: { frames: [
  { module: "django.core.handlers.base", function: "_get_response", filename: "django/core/handlers/base.py", lineno: 197, in_app: false },
  { module: "shop.views", function: "confirm", filename: "shop/views.py", lineno: 9, context_line: "    totals = compute(cart)", in_app: true },
  { module: "shop.totals", function: fn, filename: "shop/totals.py", lineno: 12, context_line: "    raise Failure(cart)", in_app: true }] } }] } });

// list is the issues of the project as the page shows them, largest first: "SHOP-1 3".
async function list(page, slug) {
  await page.goto(`${BASE}/issues?project=${slug}&status=all&sort=events`);
  const rows = await page.locator("li.issue").all();
  return Promise.all(rows.map(async r => `${await r.locator(".meta > span").last().evaluate(e => e.parentElement.querySelector("span:not(.badge)").textContent)} ${(await r.locator(".events b").innerText()).trim()}`));
}

// shows waits until the list is as it should be: events move in the background.
async function shows(page, slug, want, when) {
  let got;
  for (const end = Date.now() + 30000; Date.now() < end;) {
    got = (await list(page, slug)).join(", ");
    if (got === want) return;
    await page.waitForLoadState();
  }
  check(false, `${when}: the list has ${got} instead of ${want}`);
}

// says waits for a text of the page, which comes by itself: by the script, or by the reload of a page without one.
async function says(page, what, when) {
  await page.getByText(what).first().waitFor({ timeout: 40000 }).catch(async () => check(false, `${when}: the page does not say ${what} but ${(await text(page)).slice(0, 600)}`));
}

// rule writes a rule, first with a mistake, rehearses, applies and undoes it.
async function rule(page, slug, S, script) {
  await page.goto(`${BASE}/projects/${slug}/grouping`);
  const field = page.locator("#fingerprint_rules");
  await field.fill("eror.type:KeyError -> keys");
  if (!script) await page.click("button[value=check]");
  await says(page, "1 mistake", "a misspelt matcher");
  check((await page.locator("#findings").innerText()).includes("line 1, column 1"), "the finding does not name line and column");
  check(await field.inputValue() === "eror.type:KeyError -> keys", "the check changed the text");
  await shot(page, `finding-${slug}`);
  if (script) {
    await audit(page, "the editor with a finding");
    await page.click("[data-goto]");
    const at = await page.evaluate(() => [document.activeElement.id, document.activeElement.selectionStart, document.activeElement.selectionEnd].join());
    check(at === "fingerprint_rules,0,26", `the finding leads to ${at}`);
  }
  await field.fill("error.type:KeyError -> keys");
  if (!script) await page.click("button[value=check]");
  await says(page, "The rules can be used", "a rule without mistakes");
  await page.selectOption("[name=window]", "1h");
  await page.click("button[value=rehearse]");
  await page.waitForURL("**/rehearsals/*");
  const address = page.url();
  await says(page, "Of 6 events in 3 issues, 2 would move: 1 issue takes others in.", "the rehearsal");
  await shot(page, `rehearsal-${slug}`);
  await shows(page, slug, `${S}-1 3, ${S}-2 2, ${S}-3 1`, "before the application");
  await shot(page, `before-${slug}`);
  await page.goto(address);
  await page.click("button:has-text('Apply to the past')");
  await says(page, /\d events filed anew\. See/, "the application");
  await shot(page, `applied-${slug}`);
  if (script) await audit(page, "an applied rehearsal");
  await shows(page, slug, `${S}-1 5, ${S}-3 1`, "after the application");
  await shot(page, `after-${slug}`);
  await page.goto(address);
  await page.click("main button:has-text('Undo')");
  await says(page, "The application was undone", "the undo of the application");
  await shows(page, slug, `${S}-1 3, ${S}-2 2, ${S}-3 1`, "after the undo");
  await page.goto(`${BASE}/projects/${slug}/grouping`);
  check(await page.locator("#fingerprint_rules").inputValue() === "", "the undo of the application left the rule in force");
}

async function pick(page, slug, ...names) {
  await page.goto(`${BASE}/issues?project=${slug}&status=all&sort=events`);
  for (const name of names) await page.check(`[aria-label="Select ${name}"]`);
}

// undo presses the button of the toast.
async function undo(page) {
  await page.click(".toast button");
  await says(page, "Undone", "the toast's undo");
}

// merge puts two issues together, takes that back, does it again and takes one out by its hash.
async function merge(page, slug, S) {
  await pick(page, slug, `${S}-1`, `${S}-2`);
  await shot(page, `picked-${slug}`);
  await page.click("button[value=merge]");
  await says(page, "1 issue merged", "a merge");
  await undo(page);
  await shows(page, slug, `${S}-1 3, ${S}-2 2, ${S}-3 1`, "after the undo of a merge");
  await pick(page, slug, `${S}-1`, `${S}-2`);
  await page.click("button[value=merge]");
  await says(page, "1 issue merged", "a second merge");
  await shows(page, slug, `${S}-1 5, ${S}-3 1`, "after a merge");
  await page.goto(`${BASE}/issues/${S}-2`);
  check(page.url().includes(`/issues/${S}-1?merged=${S}-2`), `the merged issue leads to ${page.url()}`);
  await says(page, `${S}-2 was merged into this issue`, "the merged issue");
  await page.click("text=Hashes");
  await says(page, "came by a merge", "the hashes");
  await shot(page, `hashes-${slug}`);
  for (const row of await page.locator("tr", { hasText: `${S}-2` }).all()) await row.locator("input[name=hash]").check();
  await page.click("button:has-text('Split off')");
  await says(page, "split off. Their events", "a split");
  await shows(page, slug, `${S}-1 3, ${S}-2 2, ${S}-3 1`, "after a split");
  await page.goto(`${BASE}/issues/${S}-1/hashes`);
  await page.locator("ol.log li", { hasText: "split" }).first().locator("button").click();
  await says(page, "Undone", "the undo of a split");
  await shows(page, slug, `${S}-1 5, ${S}-3 1`, "after the undo of a split");
  await page.goto(`${BASE}/projects/${slug}/grouping`);
  await page.locator("ol.log li", { hasText: "merged" }).first().locator("button").click();
  await says(page, "Undone", "the undo of a merge in the history");
  await shows(page, slug, `${S}-1 3, ${S}-2 2, ${S}-3 1`, "after everything was undone");
}

// discard deletes an issue and what comes later, and takes it back.
async function discard(page, slug, S, dsn, script) {
  await page.goto(`${BASE}/issues/${S}-3`);
  await page.click("summary[aria-label='More actions']");
  await shot(page, `menu-${slug}`);
  if (script) await audit(page, "the menu that deletes");
  await page.click("button[value=discard]");
  await says(page, "1 issue deleted, and discarded", "a deletion");
  await shows(page, slug, `${S}-1 3, ${S}-2 2`, "after a deletion");
  await send(dsn, fault("ValueError", "total"));
  await send(dsn, fault("KeyError", "tax_for"));
  await shows(page, slug, `${S}-1 4, ${S}-2 2`, "what is discarded stays away");
  await page.goto(`${BASE}/projects/${slug}/grouping`);
  await says(page, "Accept again", "the discarded hashes");
  await page.locator("ol.log li", { hasText: "discards what comes later" }).first().locator("button").click();
  await says(page, "Undone", "the undo of a deletion");
  await shows(page, slug, `${S}-1 4, ${S}-2 2, ${S}-3 1`, "after the undo of a deletion");
}

async function compare(page, S) {
  await page.goto(`${BASE}/issues/${S}-1`);
  await page.click("text=Compare two events");
  await page.fill("[name=b]", `${S}-2`);
  await page.click("button:has-text('Compare')");
  await says(page, "Apart: the function of a frame is", "two events");
  check(await page.locator(".tree [data-hit]").count() > 0, "no leaf is marked");
  await page.goto(`${BASE}/compare?a=${S}-1&b=${S}-1/first`);
  await says(page, "Together:", "two events of an issue");
}

async function all(page, dsn, slug, S, script) {
  for (const [type, fn, n] of [["KeyError", "tax_for", 3], ["KeyError", "price_line", 2], ["ValueError", "total", 1]])
    for (let i = 0; i < n; i++) await send(dsn, fault(type, fn));
  await shows(page, slug, `${S}-1 3, ${S}-2 2, ${S}-3 1`, "after the events were sent");
  await rule(page, slug, S, script);
  await merge(page, slug, S);
  await discard(page, slug, S, dsn, script);
  await compare(page, S);
}

await run(async () => {
  const page = await open();
  await firstAccount(page);
  const dsn = await newProject(page, "Shop", "shop"), plain = await newProject(page, "Plain", "plain");
  await all(page, dsn, "shop", "SHOP", true);
  const rehearsal = await page.goto(`${BASE}/projects/shop/grouping`).then(() => page.locator("a[href*='/rehearsals/']").first().getAttribute("href"));
  const pages = ["/projects/shop/grouping", rehearsal, "/issues/SHOP-1", "/issues/SHOP-1/hashes", "/compare", "/compare?a=SHOP-1&b=SHOP-2", "/projects", "/issues"];
  for (const scheme of ["light", "dark"]) for (const width of [1440, 390]) {
    const other = await open({ colorScheme: scheme, viewport: { width, height: 900 } });
    await signIn(other);
    await look(other, pages, scheme, width);
    await other.context().close();
  }
  const bare = await open({ javaScriptEnabled: false });
  await signIn(bare);
  await all(bare, plain, "plain", "PLAIN", false);
});
