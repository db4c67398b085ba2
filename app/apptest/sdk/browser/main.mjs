// Bundles the page, serves it, and opens it in a real browser.
import { createServer } from "node:http";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const bundle = await build({ entryPoints: ["page.js"], bundle: true, write: false, format: "iife" });
const server = createServer((req, res) => {
  if (req.url === "/shop.js") return res.setHeader("content-type", "text/javascript").end(bundle.outputFiles[0].text);
  res.setHeader("content-type", "text/html").end(`<!doctype html><title>shop</title><script>window.DSN=${JSON.stringify(process.env.DSN)}</script><script src="/shop.js"></script>`);
});
await new Promise(done => server.listen(0, "127.0.0.1", done));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  page.on("console", m => console.log("console:", m.text()));
  await page.goto(`http://127.0.0.1:${server.address().port}/cart`);
  await page.waitForFunction(() => document.title !== "shop", null, { timeout: 20000 });
  if (await page.title() !== "sent") throw new Error("the browser could not send");
} finally {
  await browser.close();
  server.close();
}
