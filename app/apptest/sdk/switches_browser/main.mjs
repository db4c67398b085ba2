// Serves two pages of another site and opens them in a real browser: one with OpenFeature's and Unleash's clients, one with ours.
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const { BASE, PAGE, KIBITZ, CHROMIUM } = process.env;
const wrong = [];
const check = (ok, what) => { if (!ok) wrong.push(what); };
const flip = (key, to) => execFileSync(KIBITZ, ["switch", "set", key, to], { stdio: "pipe" });
const bundle = await build({ entryPoints: ["page.js"], bundle: true, write: false, format: "iife" });
const server = createServer((req, res) => {
  if (req.url === "/page.js") return res.setHeader("content-type", "text/javascript").end(bundle.outputFiles[0].text);
  const scripts = req.url === "/ours"
    ? `<script src="${BASE}/switches.js" data-token="${PAGE}" data-user="mara" data-context='{"plan":"pro"}'></script>`
    : `<script>window.settings=${JSON.stringify({ BASE, PAGE })}</script><script src="/page.js"></script>`;
  res.setHeader("content-type", "text/html").end(`<!doctype html><title>shop</title>${scripts}`);
});
await new Promise(done => server.listen(0, "127.0.0.1", done));
const site = `http://127.0.0.1:${server.address().port}`;
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
try {
  const open = async path => {
    const page = await browser.newPage();
    page.setDefaultTimeout(30000);
    page.on("console", m => { if (m.type() === "error") wrong.push(`${path} console: ${m.text()}`); });
    page.on("pageerror", e => wrong.push(`${path} script: ${e.message}`));
    const streams = [];
    page.on("request", r => { if (r.url().includes("/ofrep/v1/stream/")) streams.push(r.url()); });
    await page.goto(site + path);
    return [page, streams];
  };
  const [page, streams] = await open("/theirs");
  await page.evaluate(() => window.start());
  const ask = key => page.evaluate(k => window.ask(k), key);
  for (const [key, want] of [["everyone", "true STATIC"], ["nobody", "false DISABLED"], ["for-pro", "true TARGETING_MATCH"], ["half", /^(true|false) SPLIT$/], ["no-such-switch", "false ERROR FLAG_NOT_FOUND"]]) {
    const got = await ask(key);
    check(want instanceof RegExp ? want.test(got) : got === want, `${key}: ${got}`);
  }
  check(await page.evaluate(() => window.unleash.isEnabled("for-pro") && !window.unleash.isEnabled("nobody")), "unleash-proxy-client in the page sees other switches on");
  await page.waitForFunction(() => performance.getEntriesByType("resource").length > 0);
  const [ours] = await open("/ours");
  await ours.evaluate(() => window.kibitz.ready);
  check(await ours.evaluate(() => kibitz.on("everyone") && !kibitz.on("nobody") && kibitz.on("for-pro") && kibitz.on("button") && !kibitz.on("no-such-switch")), "our client answers otherwise");
  check(await ours.evaluate(() => kibitz.value("button", "red") === "blue" && kibitz.value("no-such-switch", "red") === "red"), "our client has other values");
  await ours.evaluate(() => { window.told = 0; kibitz.change(() => window.told++); });

  flip("everyone", "kill"); // nobody polls: the stream tells them
  await page.waitForFunction(() => window.changes.includes("everyone"));
  check(await ask("everyone") === "false DISABLED", `after a kill: ${await ask("everyone")}`);
  await ours.waitForFunction(() => !kibitz.on("everyone"));
  check(await ours.evaluate(() => window.told > 0), "our client tells nobody of a change");
  flip("everyone", "unkill");
  await page.waitForFunction(() => window.ask("everyone") === "true STATIC");
  await ours.waitForFunction(() => kibitz.on("everyone"));
  check(streams.length === 1, `${streams.length} streams were opened: ${streams}`);

  await page.evaluate(() => window.become("free"));
  await page.waitForFunction(() => window.ask("for-pro") === "false DEFAULT");
  await ours.evaluate(() => kibitz.context({ plan: "free" }));
  check(await ours.evaluate(() => !kibitz.on("for-pro")), "another context changes nothing in our client");
  // Loaded again, our client knows at once what was known, before anything was asked.
  await ours.reload({ waitUntil: "domcontentloaded" });
  check(await ours.evaluate(() => kibitz.value("button", "red") === "blue"), "our client forgets");
} finally {
  await browser.close();
  server.close();
}
for (const w of wrong) console.log("wrong:", w);
process.exit(wrong.length ? 1 : 0);
