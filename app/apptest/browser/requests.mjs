// A person who reads requests in a real browser: searches the list, walks a waterfall, reads and zooms the charts of an endpoint, and
// looks at pulse and queries; with and without JavaScript. lib.mjs says how the test is called.
import { BASE, audit, check, expected, firstAccount, look, newProject, open, run, shot, signIn, text } from "./lib.mjs";
import { sendShop } from "./shop.mjs";

const list = "/requests?project=shop", endpoint = `/endpoint?project=shop&method=POST&name=${encodeURIComponent("/checkout/{id}/")}`;
const param = (page, name) => new URL(page.url()).searchParams.get(name);
const endpoints = page => page.locator("td.endpoint a").allInnerTexts().then(all => [...new Set(all.map(t => t.replace(/\s+/g, " ").trim()))].sort().join());

// leads clicks what leads to another page and waits for that: on a busy machine it comes after the click has returned.
const leads = (page, link) => Promise.all([page.waitForEvent("load"), link.click()]);

// arrive waits until everything that was sent is counted.
async function arrive(page, n) {
  for (const end = Date.now() + 40000; Date.now() < end;) {
    await page.goto(BASE + list);
    if ((await text(page)).includes(`${n} requests`)) return;
  }
  check(false, `${n} requests are not there: ${(await text(page)).slice(0, 400)}`);
}

// search asks in the form, takes a term away, makes a mistake, and answers the address of a request with the loop.
async function search(page, script) {
  await page.goto(BASE + list);
  check(await endpoints(page) === "GET /catalogue/,GET /product/{slug}/,POST /checkout/{id}/", `the list has ${await endpoints(page)}`);
  if (script) {
    await page.keyboard.press("/");
    check(await page.evaluate(() => document.activeElement.name) === "q", "/ does not lead to the search");
  }
  await page.locator(".query input[name=q]:not([type=hidden])").fill("status:5xx endpoint:/checkout*");
  await leads(page, page.locator("#find button").first());
  const states = new Set(await page.locator("td[data-h=Status]").allInnerTexts());
  check([...states].join() === "500", `status:5xx finds ${[...states]}`);
  check(await page.locator(".token").count() === 2, "the terms are no chips");
  await shot(page, `search-${script}`);
  await leads(page, page.locator("[aria-label='Remove status:5xx']").first());
  check(await endpoints(page) === "POST /checkout/{id}/", `without the status the list has ${await endpoints(page)}`);
  await page.goto(`${BASE}${list}&q=${encodeURIComponent("duration:>soon")}`);
  check((await text(page)).includes("Not all of this was understood"), "a mistake in the search is not told");
  expected("422");
  for (const [query, want] of [["release:shop@2 queries:>20", ""], ["user:id:52100,id:52101,id:52102,id:52103,id:52104,id:52105,id:52106,id:52107,id:52108,id:52109 catalogue", "GET /catalogue/"],
    ["switch:new-totals=true duration:<50ms", "GET /product/{slug}/"], ["queries:>20", "POST /checkout/{id}/"]]) {
    await page.goto(`${BASE}${list}&q=${encodeURIComponent(query)}`);
    check(await endpoints(page) === want, `${query} finds ${await endpoints(page)}`);
  }
  return new URL(await page.locator("td.endpoint a").first().getAttribute("href"), BASE).pathname;
}

// waterfall reads a request with a loop of queries: folded, as queries, as a table, with its critical path.
async function waterfall(page, one) {
  await page.goto(BASE + one);
  const all = await text(page);
  check(/N\+1 query: SELECT … FROM product WHERE id = \?/.test(all), "the loop is not told");
  check(await page.locator("table.wf tr", { hasText: "24 × query" }).locator(".from").innerText() === "shop/totals.py:52", "the folded loop does not name its line");
  check(await page.locator("table.wf tbody tr").count() === 7, "the loop is not one row of seven");
  await page.click("text=See the 24");
  check((await text(page)).includes("24 identical queries"), "the loop's queries are not shown");
  await leads(page, page.locator(".panel-head .seg a", { hasText: "Queries only" }));
  const queries = await page.locator("#wf tbody").innerText();
  check(queries.includes("FROM product") && !queries.includes("checkout.html"), "Queries only shows other spans, or no queries");
  await leads(page, page.locator(".panel-head .seg a", { hasText: "Table" }));
  check(await page.locator("#wf table.table tbody tr").count() >= 7, "the table has no spans");
  await leads(page, page.locator(".panel-head .seg a", { hasText: "Tree" }));
  check(await page.locator("#wf .crit").count() === 0, "a critical path that was not asked for");
  await leads(page, page.locator("#wf a:has-text('Critical path')").first());
  check(await page.locator("#wf .crit").count() > 3, "the critical path is not drawn");
}

// treeKeys walks the waterfall by arrows and folds it.
async function treeKeys(page, one) {
  await page.goto(BASE + one);
  const rows = page.locator("table.wf tbody tr"), at = () => page.evaluate(() => document.activeElement.closest("tr")?.getAttribute("aria-rowindex"));
  await rows.first().focus();
  await page.keyboard.press("ArrowDown");
  check(await at() === "3", `ArrowDown leads to row ${await at()}`);
  await page.keyboard.press("ArrowLeft");
  check(await page.locator("table.wf tbody tr:visible").count() === 2, "ArrowLeft does not fold");
  check(await rows.nth(1).getAttribute("aria-expanded") === "false", "a folded row does not say so");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("End");
  check(await at() === "8", `End leads to row ${await at()}`);
  await page.keyboard.press("[");
  check(await page.locator("table.wf tbody tr:visible").count() === 2, "[ does not fold everything");
  await page.keyboard.press("]");
  check(await page.locator("table.wf tbody tr:visible").count() === 7, "] does not unfold everything");
  await audit(page, "a waterfall in use");
}

// charts reads an endpoint's numbers and zooms by the links of a chart and of its table.
async function charts(page) {
  await page.goto(BASE + endpoint);
  for (const title of ["Requests per minute", "Duration", "Where the time goes", "Duration heatmap", "Queries per request"]) {
    const figure = page.locator("figure.chart", { has: page.locator("figcaption", { hasText: new RegExp(`^${title}$`) }) });
    await figure.locator("summary").click();
    check(await figure.locator("tbody tr").count() > 1, `${title} has no table`);
    check((await figure.locator("svg").getAttribute("aria-label")).length > 20, `${title} has no sentence`);
  }
  const bucket = await page.locator("figure.chart .buckets a").nth(30).getAttribute("href");
  await page.goto(BASE + bucket);
  check(param(page, "from") && param(page, "to"), `a bucket leads to ${page.url()}`);
  check(await page.locator("dl.tiles").count() === 1 || (await text(page)).includes("No request in this period"), "a zoomed page shows nothing");
  await page.goto(BASE + endpoint);
  const table = page.locator("figure.chart", { has: page.locator("figcaption", { hasText: /^Duration$/ }) });
  await table.locator("summary").click();
  await table.locator("tbody th a").nth(10).click();
  await page.waitForURL(u => u.searchParams.has("from"));
  check(await page.locator("figure.chart").count() > 3, "a link of the table leads to no charts");
  await page.goto(BASE + endpoint);
  await leads(page, page.locator("#compare a:has-text('Releases')").first());
  await page.selectOption("#side-a", { label: "shop@1" });
  await page.selectOption("#side-b", { label: "shop@2" });
  await leads(page, page.locator("#compare form button").first());
  const compared = await page.locator("#compare").innerText();
  check(/195 ms/.test(compared) && /8[01](\.\d)? ms/.test(compared), `the comparison says ${compared.slice(0, 600)}`);
}

// crosshair reads a chart by the pointer and by keys, and zooms by keys and by drawing.
async function crosshair(page) {
  await page.goto(BASE + endpoint);
  const plots = page.locator("[data-sync] .plot[data-x]"), plot = plots.first(), box = await plot.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  const peeks = page.locator("[data-sync] .peek:visible");
  check(await peeks.count() === await plots.count(), `the pointer shows ${await peeks.count()} readouts of ${await plots.count()}`);
  check(/served [\d.]+/.test(await peeks.first().innerText()), `the readout says ${await peeks.first().innerText()}`);
  await shot(page, "crosshair");
  await page.mouse.move(5, 5);
  check(await peeks.count() === 0, "the readout stays");
  await plot.focus();
  for (let i = 0; i < 12; i++) await page.keyboard.press("ArrowLeft");
  const said = page.locator(".sr[role=status]");
  check(/\d\d:\d\d.*served [\d.]+/.test(await said.last().textContent()), `keys read ${await said.last().textContent()}`);
  await audit(page, "a chart that is read");
  await page.keyboard.press("Shift+ArrowLeft");
  await page.keyboard.press("Enter");
  await page.waitForURL(u => u.searchParams.has("from"));
  const span = (new Date(param(page, "to")) - new Date(param(page, "from"))) || Number(param(page, "to")) - Number(param(page, "from"));
  check(span > 0, `Enter zooms to ${page.url()}`);
  await page.goto(BASE + endpoint);
  await page.mouse.move(box.x + box.width * .3, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * .6, box.y + 30, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL(u => u.searchParams.has("from"));
}

// others are the pages around: pulse with its vital signs, endpoints, statements. The second release has no loop, so its issue may be
// resolved by now.
async function others(page) {
  await page.goto(`${BASE}/?project=shop`);
  const pulse = await text(page);
  for (const want of ["Requests", "p95 duration", "Apdex", "Slow query", "/catalogue/", "Findings"]) check(pulse.includes(want), `pulse does not show ${want}`);
  await page.goto(`${BASE}/endpoints?project=shop`);
  await leads(page, page.locator("main a", { hasText: "/checkout/{id}/" }).first());
  check((await text(page)).includes("What the detectors found"), "an endpoint of the list does not lead to its page");
  await page.goto(`${BASE}/queries?project=shop`);
  check(/select … from product group by category/.test(await text(page)), "the slowest statement is not there");
  await leads(page, page.locator("main tbody a", { hasText: "product where id = ?" }).first());
  const statement = await text(page);
  check(statement.includes("shop/totals.py:52") && statement.includes("/checkout/{id}/"), `the statement's page says ${statement.slice(0, 800)}`);
  return new URL(page.url()).pathname + new URL(page.url()).search;
}

await run(async () => {
  const page = await open();
  await firstAccount(page);
  const n = await sendShop(await newProject(page, "Shop", "shop"));
  await arrive(page, n);
  const one = await search(page, true);
  await waterfall(page, one);
  await treeKeys(page, one);
  await charts(page);
  await crosshair(page);
  const statement = await others(page);
  const pages = ["/?project=shop", list, one, `${one}?mode=table`, "/endpoints?project=shop", endpoint, `${endpoint}&by=release&a=&b=&overlay=hour`, "/queries?project=shop", statement, "/database"];
  for (const scheme of ["light", "dark"]) for (const width of [1440, 390]) {
    const other = await open({ colorScheme: scheme, viewport: { width, height: 900 } });
    await signIn(other);
    await look(other, pages, scheme, width);
    await other.context().close();
  }
  const bare = await open({ javaScriptEnabled: false });
  await signIn(bare);
  await waterfall(bare, await search(bare, false));
  await charts(bare);
  await others(bare);
});
