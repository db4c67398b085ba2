// What the browser tests share: BASE, SETUP and DSN say where the server is, CHROMIUM which browser, SHOTS where pictures
// go (none when empty). They collect everything that is wrong and end with 1 when anything is.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

export const { BASE, SETUP, DSN, CHROMIUM, SHOTS } = process.env;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const mail = "mara@tealeaf.example", password = "correct horse battery";
export const wrong = [];
export const check = (ok, what) => { if (!ok) wrong.push(what); };

export const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });

// open makes a browser window of its own; what its console complains about is a fault.
export async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15000);
  page.on("console", m => { if (m.type() === "error") wrong.push(`${page.url()} console: ${m.text()}`); });
  page.on("pageerror", e => wrong.push(`${page.url()} script: ${e.message}`));
  page.on("request", r => { if (!r.url().startsWith(BASE) && !r.url().startsWith("data:")) wrong.push(`${page.url()} asks ${r.url()}`); });
  return page;
}

// expected takes back what the console says of an answer that a test asked for.
export const expected = status => wrong.splice(0, wrong.length, ...wrong.filter(w => !w.includes(`status of ${status}`)));

export async function send(dsn, event) {
  const u = new URL(dsn);
  const res = await fetch(`${u.origin}/api${u.pathname}/store/`, { method: "POST", body: JSON.stringify(event),
    headers: { "X-Sentry-Auth": `Sentry sentry_version=7, sentry_key=${u.username}` } });
  check(res.ok, `sending an event answers ${res.status}`);
}

export async function signIn(page) {
  await page.goto(`${BASE}/signin`);
  await page.fill("[name=email]", mail);
  await page.fill("[name=password]", password);
  await page.click("form[action='/signin'] button");
  await page.waitForURL(u => !u.pathname.startsWith("/signin"));
}

export const text = page => page.locator("main").innerText();

// firstAccount opens the setup link and makes the account that all tests use.
export async function firstAccount(page) {
  await page.goto(SETUP);
  await page.fill("[name=email]", mail);
  await page.fill("[name=name]", "Mara Lindqvist");
  await page.fill("[name=password]", password);
  await page.click("main form button");
  await page.waitForURL(u => !u.pathname.startsWith("/setup"));
}

// newProject makes a project and answers its DSN.
export async function newProject(page, name, slug) {
  await page.goto(`${BASE}/projects/new`);
  await page.fill("[name=name]", name);
  await page.selectOption("[name=platform]", "python");
  await page.click("main form button");
  await page.waitForURL(`**/projects/${slug}/welcome`);
  return (await page.locator("#dsn").innerText()).trim();
}

// look visits pages in a scheme and width: no serious finding of axe-core, no sideways scrolling.
export async function look(page, pages, scheme, width) {
  for (const path of pages) {
    const res = await page.goto(BASE + path);
    check(path === "/nowhere" ? res.status() === 404 : res.ok(), `${path} answers ${res.status()}`);
    if (path === "/nowhere") expected("404");
    await audit(page, `${path} ${scheme} ${width}`);
    await shot(page, `${path}-${scheme}-${width}`);
  }
}

// audit looks at a page as it stands.
export async function audit(page, name) {
  await page.evaluate(axe); // by the debugger, which the page's policy does not govern
  const found = await page.evaluate(() => axe.run());
  for (const v of found.violations.filter(v => ["serious", "critical"].includes(v.impact)))
    wrong.push(`${name}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(" | ")}`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  check(over <= 0, `${name} is ${over} px too wide`);
}

export async function shot(page, name) {
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name.replace(/\W+/g, "-")}.png`, fullPage: true });
}

// run calls the test and ends the process with what it found.
export async function run(test) {
  try {
    await test();
  } catch (e) {
    wrong.push(`stopped: ${e.stack}`);
  } finally {
    await browser.close();
  }
  console.log(wrong.length ? [...new Set(wrong)].join("\n") : "all pages are sound");
  process.exit(wrong.length ? 1 : 0);
}
