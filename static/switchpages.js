/* Pages of switches: a flip without leaving the page, the editor without a reload. The server makes all of the HTML; every page
   works without this. */
(() => {
  const $ = (s, el = document) => el.querySelector(s);
  const $$ = (s, el = document) => [...el.querySelectorAll(s)];
  const parse = async res => new DOMParser().parseFromString(await res.text(), "text/html");
  const post = (url, body) => fetch(url, { method: "POST", body, headers: { Accept: "text/html", "X-Part": "1" } });

  const pair = root => $$(".range[data-pair]", root).forEach(r => {
    const n = document.getElementById(r.dataset.pair);
    if (!n || r.dataset.paired) return;
    r.dataset.paired = "1";
    const paint = v => { r.value = v; r.style.setProperty("--v", r.value); };
    r.addEventListener("input", () => { n.value = r.value; paint(r.value); });
    n.addEventListener("input", () => paint(n.value.replace(",", ".")));
  });

  const toast = fresh => {
    if (!fresh) return;
    $$(".toasts").forEach(t => t.remove());
    document.body.append(fresh);
  };

  // A flip: the server answers with the fresh rows and a toast, or with a question when more people would see it.
  const flips = form => {
    const rowOf = key => $$("tr[data-key]", form).find(r => r.dataset.key === key);
    const reset = row => { const was = $("[name^='was-']", row), n = $(".pct-in input", row), r = $(".range", row);
      if (was) { n.value = r.value = was.value; r.style.setProperty("--v", was.value); } };
    const take = doc => {
      $$("tr[data-key]", doc).forEach(fresh => {
        const old = rowOf(fresh.dataset.key);
        if (!old) return;
        const cursor = old.hasAttribute("data-cursor"), focus = old.contains(document.activeElement) && (document.activeElement.className || document.activeElement.name);
        old.replaceWith(fresh);
        if (cursor) fresh.setAttribute("data-cursor", "");
        if (focus) ($$("input, button", fresh).find(e => !e.disabled && (e.className === focus || e.name === focus)) || $("button, a", fresh)).focus();
        pair(fresh);
      });
      toast($(".toasts", doc));
    };
    const ask = (doc, row) => new Promise(done => {
      const dialog = document.createElement("dialog"), question = $("#confirm", doc), heading = document.createElement("h2");
      heading.id = "ask-h"; heading.textContent = "More people would see this";
      dialog.className = "ask-wider"; dialog.setAttribute("aria-labelledby", "ask-h");
      question.prepend(heading);
      dialog.append(question);
      document.body.append(dialog);
      const back = document.activeElement;
      const end = body => { dialog.remove(); if (!body) { row && reset(row); back?.isConnected && back.focus(); } done(body); };
      dialog.addEventListener("cancel", () => end());
      $("[data-cancel]", dialog).addEventListener("click", e => { e.preventDefault(); end(); });
      question.addEventListener("submit", e => { e.preventDefault(); end(new URLSearchParams(new FormData(question))); });
      dialog.showModal();
    });
    // One question at a row: Enter in a field, and leaving it for the question, are one.
    const send = async (body, row) => {
      if (row.dataset.busy) return;
      row.dataset.busy = "1";
      $$(".toasts").forEach(t => t.remove());
      try {
        let res = await post(form.action, body);
        if (res.status === 202) {
          body = await ask(await parse(res), row);
          if (!body) return;
          res = await post(form.action, body);
        }
        if (!res.ok) { location.reload(); return; }
        take(await parse(res));
      } catch { location.reload(); } finally { delete row.dataset.busy; }
    };
    const base = () => { const b = new URLSearchParams(); ["csrf", "env", "return"].forEach(k => b.set(k, form.elements[k].value)); return b; };
    form.addEventListener("submit", e => {
      const by = e.submitter;
      if (!by || !["kill", "release", "on"].includes(by.name)) return;
      e.preventDefault();
      const body = base();
      body.set(by.name, by.value);
      send(body, by.closest("tr"));
    });
    const share = row => {
      const was = $("[name^='was-']", row), n = $(".pct-in input", row);
      if (!was || n.disabled || n.value === was.value) return;
      const body = base();
      body.set("do", "shares"); body.set(was.name, was.value); body.set(n.name, n.value);
      send(body, row);
    };
    form.addEventListener("change", e => { if (e.target.closest(".rollout")) share(e.target.closest("tr")); });
    form.addEventListener("keydown", e => { if (e.key === "Enter" && e.target.matches(".pct-in input")) { e.preventDefault(); share(e.target.closest("tr")); } });

    // Keys of the row with the cursor: + and - by 5, x kills.
    let timer;
    document.addEventListener("keydown", e => {
      if (e.target.matches("input:not([type=checkbox]), textarea, select") || e.metaKey || e.ctrlKey || e.altKey || $("dialog[open]:modal")) return;
      const row = $("tr[data-cursor]", form), by = { "+": 5, "=": 5, "-": -5 }[e.key];
      if (!row) return;
      if (e.key === "x") { $("button[name=kill]", row)?.click(); return; }
      const n = $(".pct-in input", row), r = $(".range", row);
      if (!by || n.disabled) return;
      e.preventDefault();
      n.value = Math.max(0, Math.min(100, +n.value + by));
      r.value = n.value; r.style.setProperty("--v", n.value);
      clearTimeout(timer);
      timer = setTimeout(() => share(row), 700);
    });
  };

  // The editor: each of its buttons shows the form as the server makes it; saving leaves the page as without a script.
  const editor = form => {
    form.addEventListener("submit", async e => {
      const by = e.submitter, action = by?.value || "save";
      if (action === "save" || action === "delete") return;
      e.preventDefault();
      const body = new URLSearchParams(new FormData(form));
      body.set("do", action);
      try {
        const res = await post(form.getAttribute("action"), body), doc = await parse(res), fresh = doc.getElementById(form.id);
        if (!fresh) { form.submit(); return; }
        const open = $$("details", form).map(d => d.open), again = `[name="do"][value="${CSS.escape(action)}"]`;
        form.replaceWith(fresh);
        $$("details", fresh).forEach((d, i) => { if (open[i]) d.open = true; });
        start(fresh.parentElement);
        focusAfter(fresh, action, again);
      } catch { form.submit(); }
    });
  };
  const focusAfter = (form, action, again) => {
    const [what, verb, at] = action.split(".");
    const list = form.id === "segment" ? "r" : `s${at}.r`;
    const added = { set: ".set-name", rule: `[name^="${list}"][name$=".values"]`, variant: ".variant-row input.mono", step: "[name^=t][name$='.percent']", override: "[name^=o][name$='.value']" }[what];
    const wanted = verb === "add" && added && $$(added, form).at(-1) || $(again, form);
    (wanted && !wanted.disabled ? wanted : $(".editor-save .btn, .btn", form))?.focus();
  };

  // A form whose answer takes the place of a part of the page.
  const part = form => form.addEventListener("submit", async e => {
    e.preventDefault();
    const url = new URL(form.action);
    new FormData(form).forEach((v, k) => { if (v !== "") url.searchParams.append(k, v); });
    try {
      const doc = await parse(await fetch(url, { headers: { Accept: "text/html" } })), fresh = doc.getElementById(form.dataset.part);
      const open = $("details", form)?.open;
      document.getElementById(form.dataset.part).replaceWith(fresh);
      if (open) $("details", fresh).open = true;
      start(fresh);
      $("input[name=user]", fresh).focus();
    } catch { form.submit(); }
  });

  // The list narrows while one types; the address does when one stops.
  const find = field => {
    let timer, asked = 0;
    field.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const mine = ++asked, url = new URL(field.form.action);
        new FormData(field.form).forEach((v, k) => { if (v !== "") url.searchParams.append(k, v); });
        try {
          const res = await fetch(url, { headers: { Accept: "text/html" } });
          const fresh = res.ok && (await parse(res)).getElementById("switches"), old = document.getElementById("switches");
          if (!fresh || !old || mine !== asked) return;
          old.replaceWith(fresh);
          history.replaceState(null, "", url);
          start(fresh.parentElement);
        } catch { /* the button still asks */ }
      }, 200);
    });
  };

  const once = (root, selector, fn) => $$(selector, root).concat(root.matches?.(selector) ? [root] : []).forEach(el => {
    if (!el.dataset.started) { el.dataset.started = "1"; fn(el); }
  });
  const start = root => {
    pair(root);
    once(root, "form[data-flips]", flips);
    once(root, "form[data-editor]", editor);
    once(root, "form[data-part]", part);
    once(root, "input[data-find]", find);
  };
  document.addEventListener("DOMContentLoaded", () => start(document.body));
})();
