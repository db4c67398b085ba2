// A person who flips switches in a real browser: makes one, widens it and looks who stays in, kills, releases and undoes, edits conditions
// with and without a script, meets somebody else's edit, uses keys. lib.mjs says how the test is called.
import { BASE, audit, check, expected, firstAccount, look, newProject, open, run, shot, signIn, text } from "./lib.mjs";
import { sendShop } from "./shop.mjs";

const leads = (page, link) => Promise.all([page.waitForEvent("load"), link.click()]);
const row = (page, key) => page.locator(`tr[data-key="${key}"]`);
const toast = page => page.locator(".toast").last();

// make fills in the form of a new switch and answers its page.
async function make(page, key, percent) {
  await page.goto(`${BASE}/switches/new`);
  await page.fill("[name=key]", key);
  await page.fill("[name=description]", `What ${key} does`);
  await page.click("label:has([name=state][value=partial])");
  await page.fill("[name='e.percent']", String(percent));
  await page.locator(".editor-save button[value=save]").click();
  await page.waitForURL(u => u.pathname.endsWith(encodeURIComponent(key)) || u.pathname.endsWith("/switches/new"));
  if (percent > 0) {
    await page.locator("#confirm button").waitFor();
    await leads(page, page.locator("#confirm button").last());
  }
  check((await text(page)).includes(key), `${key} is not made: ${(await text(page)).slice(0, 300)}`);
}

// seers are those of 200 people who see a switch, asked in the box.
async function seers(page, key) {
  const all = await page.evaluate(async ([base, key]) => {
    const ask = async id => [id, (await (await fetch(`${base}/switches/${key}?try=1&user=user-${id}`)).text()).includes("<b>Yes:")];
    const out = [];
    for (let i = 0; i < 200; i += 10) out.push(...await Promise.all(Array.from({ length: 10 }, (_, n) => ask(i + n))));
    return out;
  }, [BASE, key]);
  return new Set(all.filter(([, yes]) => yes).map(([id]) => id));
}

// setShare moves a share in the table and agrees when it asks; it answers whether it was asked.
async function setShare(page, key, percent) {
  const field = row(page, key).locator(".pct-in input");
  await field.fill(String(percent));
  await field.press("Enter");
  const dialog = page.locator("dialog.ask-wider"), done = page.locator(".toast", { hasText: key });
  await dialog.or(done).first().waitFor();
  const asked = await dialog.isVisible();
  if (asked) {
    await audit(page, "the question before widening");
    await shot(page, "switches-ask");
    await dialog.locator("button").last().click();
    await done.waitFor();
  }
  return asked;
}

// widen goes from 0 to 5 to 50 per cent: who saw it goes on seeing it.
async function widen(page) {
  await page.goto(`${BASE}/switches`);
  check((await seers(page, "new-totals")).size === 0, "at 0 % somebody sees it");
  check(await setShare(page, "new-totals", 5), "widening to 5 % does not ask");
  check(/is on for 5 %, was on for 0 %|is on for 5 %/.test(await toast(page).innerText()), `the toast says ${await toast(page).innerText()}`);
  const few = await seers(page, "new-totals");
  check(await setShare(page, "new-totals", 50), "widening to 50 % does not ask");
  const half = await seers(page, "new-totals");
  check(few.size > 0 && few.size < 30 && half.size > 70 && half.size < 130, `${few.size} and ${half.size} of 200 see it at 5 and 50 %`);
  check([...few].every(id => half.has(id)), "somebody who saw it at 5 % does not at 50 %");
  check(!await setShare(page, "new-totals", 40), "narrowing asks");
  // Leaving the question puts the share back.
  await row(page, "new-totals").locator(".pct-in input").fill("90");
  await row(page, "new-totals").locator(".pct-in input").press("Enter");
  await page.locator("dialog.ask-wider [data-cancel]").click();
  check(await row(page, "new-totals").locator(".pct-in input").inputValue() === "40", "a question that was declined leaves its share");
}

// oneClick kills, undoes, kills, releases.
async function oneClick(page) {
  await page.goto(`${BASE}/switches`);
  await row(page, "new-totals").locator("button[name=kill]").click();
  await row(page, "new-totals").locator("button[name=release]").waitFor();
  check(new URL(page.url()).pathname === "/switches" && /killed/.test(await toast(page).innerText()) && /1 of 1/.test(await toast(page).innerText()), `a kill says ${await toast(page).innerText()}`);
  await shot(page, "switches-killed");
  await leads(page, toast(page).locator("button"));
  check(await row(page, "new-totals").locator("button[name=kill]").count() === 1, "the undo leaves it killed");
  await row(page, "new-totals").locator("button[name=kill]").click();
  await row(page, "new-totals").locator("button[name=release]").click();
  await page.locator("dialog.ask-wider button").last().click();
  await row(page, "new-totals").locator("button[name=kill]").waitFor();
  await page.locator(".switch-search input").fill("live_bar");
  await page.waitForFunction(() => document.querySelectorAll("tr[data-key]").length === 1);
  check(await row(page, "live_bar").count() === 1, "the search while typing finds something else");
}

// keys moves, steps, kills and opens by the keyboard alone.
async function keys(page) {
  await page.goto(`${BASE}/switches`);
  await page.keyboard.press("g");
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("s")]);
  const at = () => page.locator("tr[data-cursor]").getAttribute("data-key");
  for (let i = 0; i < 20; i++) {
    await page.keyboard.press("j");
    if (await at() === "new-totals") break;
  }
  const first = await at();
  check(first === "new-totals", `the cursor is at ${first}`);
  await page.keyboard.press("k"); await page.keyboard.press("j");
  check(first === await at(), `j and k lead to ${await at()}`);
  const share = row(page, first).locator(".pct-in input"), was = Number(await share.inputValue());
  await page.keyboard.press("-");
  await page.locator(".toast", { hasText: first }).waitFor();
  check(Number(await share.inputValue()) === Math.max(0, was - 5), `- leads from ${was} to ${await share.inputValue()}`);
  await page.keyboard.press("x");
  await row(page, first).locator("button[name=release]").waitFor();
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("z")]);
  check(await row(page, first).locator("button[name=kill]").count() === 1, "z does not undo a kill");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(u => u.pathname.startsWith("/switches/"));
  check((await text(page)).includes("Who sees it"), "Enter does not open a switch");
}

// edit adds a set with two rules, moves it, saves it, and looks for it in the history and the box.
async function edit(page, script, key) {
  const press = async (value, gone) => {
    const button = page.locator(`#editor [name=do][value="${value}"]`).last();
    if (script) {
      await button.click();
      await page.locator(gone).first().waitFor().catch(async e => { await shot(page, "switch-stuck"); throw e; });
    } else await leads(page, button);
  };
  await page.goto(`${BASE}/switches/${key}`);
  await press("set.add", "[name='s0.name']");
  if (script) check(await page.evaluate(() => document.activeElement.name) === "s0.name", `the keys are at ${await page.evaluate(() => document.activeElement.name)} after a set was added`);
  await page.fill("[name='s0.name']", "Staff");
  await page.fill("[name='s0.r0.values']", "17, 42");
  await press("rule.add.0", "[name='s0.r1.values']");
  await page.selectOption("[name='s0.r1.join']", "or");
  await page.selectOption("[name='s0.r1.attribute']", "@");
  await page.fill("[name='s0.r1.name']", "plan");
  await page.fill("[name='s0.r1.values']", "gold");
  await press("set.add", "[name='s1.name']");
  await page.fill("[name='s1.name']", "Second");
  await page.fill("[name='s1.r0.values']", "99");
  await press("set.up.1", "[name='s0.name'][value=Second]");
  check(await page.inputValue("[name='s1.r1.name']") === "plan", "moving a set loses its rules");
  if (script) await audit(page, "the editor");
  await shot(page, `switch-editor-${script}`);
  await press("set.remove.0", "[name='s0.name'][value=Staff]");
  await page.fill("[name='s0.percent']", "lots");
  await page.fill("#why", "staff first");
  await leads(page, page.locator(".editor-save button[value=save]"));
  expected("422");
  check((await text(page)).includes("Not saved: 1 thing") && await page.inputValue("[name='s0.percent']") === "lots", "a wrong share is not told, or lost");
  await page.fill("[name='s0.percent']", "100");
  await leads(page, page.locator(".editor-save button[value=save]"));
  check((await text(page)).includes("More people would see this"), "an edit that widens does not ask");
  await shot(page, `switch-confirm-${script}`);
  await leads(page, page.locator("#confirm button").last());
  const history = await page.locator("#log").innerText();
  check(history.includes("staff first"), `the history says ${history.slice(0, 300)}`);
  for (const [user, more, want] of [["17", "", "Yes: on."], ["x", "plan=gold", "Yes: on."]]) {
    await page.fill("#try-user", user);
    if (more && !await page.locator("textarea[name=attrs]").isVisible()) await page.click("text=As whom else");
    if (more) await page.fill("textarea[name=attrs]", more);
    if (script) await page.locator("#try button").click();
    else await leads(page, page.locator("#try button"));
    await page.locator("#try b", { hasText: want }).waitFor();
    check((await page.locator("#try").innerText()).includes("set 1"), `the box does not name the set: ${await page.locator("#try").innerText()}`);
  }
}

// conflict lets two people edit one switch: the second sees what the first did, and puts theirs on top.
async function conflict(page, other) {
  await page.goto(`${BASE}/switches/live_bar`);
  await other.goto(`${BASE}/switches/live_bar`);
  await other.locator("summary", { hasText: "Advanced" }).click();
  await other.fill("[name=owner]", "Priya Nair");
  await leads(other, other.locator(".editor-save button[value=save]"));
  await page.fill("[name='e.percent']", "3");
  await leads(page, page.locator(".editor-save button[value=save]"));
  expected("409");
  const seen = await text(page);
  check(/Somebody was faster/.test(seen) && seen.includes("Priya Nair") && seen.includes("3 %"), `the second sees ${seen.slice(0, 500)}`);
  await audit(page, "two edits");
  await shot(page, "switch-conflict");
  await leads(page, page.locator("button", { hasText: "Apply mine on top" }));
  const both = await text(page);
  check(both.includes("Priya Nair") && both.includes("3 %"), "not both edits are in force");
}

// bare is one click and its question without a script.
async function bare(page) {
  await page.goto(`${BASE}/switches`);
  await leads(page, row(page, "live_bar").locator("button[name=kill]"));
  check(/killed/.test(await toast(page).innerText()), "a kill without a script does nothing");
  await leads(page, row(page, "live_bar").locator("button[name=release]"));
  check((await text(page)).includes("More people would see this"), "a release without a script does not ask");
  await leads(page, page.locator("#confirm button").last());
  await row(page, "live_bar").locator(".pct-in input").fill("1");
  await leads(page, page.locator("button", { hasText: "Save shares" }).last());
  check(await row(page, "live_bar").locator(".pct-in input").inputValue() === "1", "shares are not saved without a script");
  await edit(page, false, "live_bar");
}

await run(async () => {
  const page = await open();
  await firstAccount(page);
  const dsn = await newProject(page, "Shop", "shop");
  await page.goto(`${BASE}/switches?env=staging`);
  check((await text(page)).includes("No switch in staging yet"), "an empty table teaches nothing");
  await audit(page, "no switch");
  await make(page, "new-totals", 0);
  await make(page, "live_bar", 5);
  await sendShop(dsn);
  await widen(page);
  await oneClick(page);
  await keys(page);
  await edit(page, true, "new-totals");
  const other = await open();
  await signIn(other);
  await conflict(page, other);
  const plain = await open({ javaScriptEnabled: false });
  await signIn(plain);
  await bare(plain);
  await page.goto(`${BASE}/switches/new-totals`);
  await page.locator("#editor [value='plan.add']").click();
  await page.locator("[name='t0.percent']").waitFor();
  await leads(page, page.locator(".editor-save button[value=save]"));
  await leads(page, page.locator("#confirm button").last());
  await page.goto(`${BASE}/?project=shop`);
  const pulse = await text(page);
  check(pulse.includes("Recent flips") && pulse.includes("new-totals"), "pulse does not show the flips");
  check(await page.locator(".overlay .flag[data-kind=switch]").count() > 0, "pulse has no mark of a flip");
  await page.goto(`${BASE}/endpoint?project=shop&method=POST&name=${encodeURIComponent("/checkout/{id}/")}`);
  check(await page.locator("a[href='/switches/new-totals']").count() > 0, "the endpoint does not lead to the switch");
  const pages = ["/switches", "/switches/new-totals", "/switches/live_bar?metric=queries&period=6h&try=1&user=17", "/switches/new", "/switches/audit", "/switches/processes", "/switches/stale", "/switches/segments?new=1", "/labs", "/?project=shop"];
  for (const scheme of ["light", "dark"]) for (const width of [1440, 390]) {
    const eye = await open({ colorScheme: scheme, viewport: { width, height: 900 } });
    await signIn(eye);
    await look(eye, pages, scheme, width);
    await eye.context().close();
  }
});
