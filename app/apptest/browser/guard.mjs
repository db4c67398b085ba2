// A person who looks at a switch that the guard has killed: the table, the switch, the alert, the marks on the graphs; and takes the kill
// back with one click. TestGuard made the harm.
import { BASE, audit, check, firstAccount, open, run, shot, text } from "./lib.mjs";

const leads = (page, link) => Promise.all([page.waitForEvent("load"), link.click()]);

await run(async () => {
  const page = await open();
  await firstAccount(page);
  await page.goto(`${BASE}/switches?q=risky`);
  const row = page.locator("tr[data-key=risky]");
  check(/guard/i.test(await row.innerText()) && await row.locator(".pie[data-state=killed]").count() === 1, `the row says ${await row.innerText()}`);
  check(/on\s+[12]\d/.test(await row.locator(".versus").innerText()), `the errors beside it are ${await row.locator(".versus").innerText()}`);
  await audit(page, "the table after a kill");
  await shot(page, "guard-table");

  await page.goto(`${BASE}/switches/risky?period=1h`);
  check(/killed: errors .* with it/.test(await text(page)), `the switch does not say why: ${(await text(page)).slice(0, 600)}`);
  check(await page.locator(".flag[data-kind=switch]").count() > 0, "the graphs of the switch have no mark");
  check(/guard/i.test(await page.locator("#log").innerText()), `the history is ${await page.locator("#log").innerText()}`);
  await audit(page, "a switch after a kill");
  await shot(page, "guard-switch");

  await page.goto(`${BASE}/issues?project=kibitz`);
  check((await text(page)).includes("Guard: kill risky in production"), "the alert is no issue");
  for (const path of ["/?project=default", "/endpoint?project=default&service=shop&method=GET&name=%2Fcart"]) {
    await page.goto(BASE + path);
    const marks = await page.locator(".flag[data-kind=switch]").allInnerTexts();
    check(marks.length > 0, `${path} has no mark of the kill`);
    await shot(page, `guard-${path}`);
  }

  await page.goto(`${BASE}/switches/risky`);
  await leads(page, page.locator("#log li", { hasText: "killed" }).first().locator("button", { hasText: "Undo" }));
  if (await page.locator("#confirm button").count()) await leads(page, page.locator("#confirm button").last());
  check(/released/.test(await page.locator("#log").innerText()), `after the undo the history is ${await page.locator("#log").innerText()}`);
  await page.goto(`${BASE}/switches?q=risky`);
  check(await page.locator("tr[data-key=risky] button[name=kill]").count() === 1, "the undo leaves it killed");
});
