/* Kibitz progressive enhancement. Every page works without it; this file adds
   copy buttons, keyboard moves and the palette. Charts have charts.js. */
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const $ = (s, el = document) => el.querySelector(s);
  const $$ = (s, el = document) => [...el.querySelectorAll(s)];

  document.addEventListener("DOMContentLoaded", () => {
    $$("select[data-auto]").forEach(el => el.addEventListener("change", () => el.form.requestSubmit()));

    // The welcome page moves on to the first issue when the server tells its address.
    $$("[data-wait]").forEach(el => {
      const stream = new EventSource(el.dataset.wait);
      stream.addEventListener("issue", e => { stream.close(); location.assign(e.data); });
      addEventListener("pagehide", () => stream.close());
    });

    // What goes on is looked at again: the part of the page that says so takes the place of the old one.
    const watch = async () => {
      const old = $("[data-live]");
      if (!old) return;
      try {
        const res = await fetch(location.href, { headers: { Accept: "text/html" } });
        const fresh = res.ok && new DOMParser().parseFromString(await res.text(), "text/html").getElementById(old.id);
        const inUse = old.contains(document.activeElement?.closest("form, .plot")) || $(".chart-data[open]", old);
        if (fresh && !inUse) { old.replaceWith(fresh); fresh.dispatchEvent(new Event("fresh", { bubbles: true })); }
      } catch { /* the server is away for a moment: the next look will tell */ }
      setTimeout(watch, pause());
    };
    // Every second, or as often as the part says.
    const pause = () => 1000 * Math.max(1, +$("[data-live]")?.dataset.live || 1);
    setTimeout(watch, pause());

    // Rules are checked while they are written. Only the answer to the last question counts.
    $$("form[data-check]").forEach(form => {
      let timer, asked = 0;
      const check = async () => {
        const mine = ++asked;
        try {
          const res = await fetch(form.dataset.check + "?part=1", { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "text/html" } });
          if (!res.ok || mine !== asked) return;
          const doc = new DOMParser().parseFromString(await res.text(), "text/html");
          $("#findings").replaceChildren(...doc.body.childNodes);
        } catch { /* Check and Save will say */ }
      };
      form.addEventListener("input", e => {
        if (!e.target.matches("textarea")) return;
        number(e.target);
        clearTimeout(timer);
        timer = setTimeout(check, 350);
      });
      // A finding leads to its place in the text.
      form.addEventListener("click", e => {
        const link = e.target.closest("[data-goto]");
        if (!link) return;
        e.preventDefault();
        const field = $("#" + link.dataset.goto), line = Math.max(1, +link.dataset.line);
        const start = field.value.split("\n").slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0);
        const at = start + Math.max(0, link.dataset.column - 1);
        field.focus();
        field.setSelectionRange(at, Math.max(at, start + field.value.split("\n")[line - 1].length));
      });
    });
    // The numbers beside an editor grow with its text.
    const number = field => {
      const gutter = field.parentElement.querySelector(".gutter"), have = gutter.textContent.split("\n").length;
      for (let n = have; n <= field.value.split("\n").length + 40; n++) gutter.append(n + "\n");
    };

    $$("[data-copy]").forEach(b => b.addEventListener("click", async () => {
      const src = b.dataset.copy ? $("#" + b.dataset.copy) : b.closest(".copybox");
      await navigator.clipboard.writeText($$(".l", src).map(l => l.textContent).join("\n") || src.textContent.trim());
      const label = $("span", b) || b, was = label.textContent;
      label.textContent = "Copied";
      setTimeout(() => { label.textContent = was; }, 1500);
    }));

    // Menus close on outside click and on Escape; only one is open at a time.
    const closeMenus = except => $$("details.menu[open]").forEach(m => { if (m !== except) m.open = false; });
    document.addEventListener("click", e => closeMenus(e.target.closest("details.menu")));

    $$("[data-check-all]").forEach(all => all.addEventListener("change", () => {
      $$(`input[name="${all.dataset.checkAll}"]`).forEach(c => { c.checked = all.checked; });
      count();
    }));
    const count = () => $$("[data-count]").forEach(o => { o.textContent = $$(`input[name="${o.dataset.count}"]:checked`).length; });
    document.addEventListener("change", count);
    count();

    // A slider and its number field move together.
    $$(".range[data-pair]").forEach(r => {
      const n = $("#" + r.dataset.pair);
      const paint = v => { r.value = v; n.value = v; r.style.setProperty("--v", v); };
      r.addEventListener("input", () => paint(r.value));
      n.addEventListener("input", () => paint(n.value));
    });

    // Keys. Single letters act only outside fields.
    const rows = () => $$("[data-rows]:not(table) > *, [data-rows] tbody > tr").filter(r => r.offsetParent);
    const move = d => {
      const all = rows(); if (!all.length) return;
      const at = all.findIndex(r => r.hasAttribute("data-cursor"));
      const to = Math.max(0, Math.min(all.length - 1, at + d));
      all[at]?.removeAttribute("data-cursor");
      all[to].setAttribute("data-cursor", "");
      all[to].scrollIntoView({ block: "nearest" });
      if (all[to].hasAttribute("tabindex")) all[to].focus({ preventScroll: true });
    };
    const here = () => rows().find(r => r.hasAttribute("data-cursor"));
    let lead = "";
    document.addEventListener("keydown", e => {
      if ((e.metaKey || e.ctrlKey) && e.key === "k") { e.preventDefault(); closeMenus(); $("#palette")?.showModal(); return; }
      if (e.key === "Escape") closeMenus();
      if (e.target.matches("input:not([type=checkbox]), textarea, select") || e.metaKey || e.ctrlKey || e.altKey) return;
      if (lead === "g") { lead = ""; $(`[data-go="${CSS.escape(e.key)}"]`)?.click(); return; }
      const act = {
        "/": () => ($("[data-slash]") || $(".omni input"))?.focus(), "?": () => $("#keys")?.togglePopover(),
        g: () => { lead = "g"; setTimeout(() => { lead = ""; }, 900); },
        j: () => move(1), k: () => move(-1),
        x: () => $("input[type=checkbox]", here())?.click(), Enter: () => e.target === document.body && $("a", here())?.click(),
      }[e.key];
      if (act) { if (e.key !== "Enter") e.preventDefault(); act(); return; }
      // Only what is on the screen: the bar of the list has no buttons while nothing is selected.
      $$(`[data-key="${CSS.escape(e.key)}"]`).find(b => b.offsetParent)?.click();
    });

    $$("[data-tree]").forEach(tree);
  });

  // A waterfall is a tree of rows: arrows walk and fold it, [ and ] fold and unfold all of it. One row at a time is a stop
  // of the Tab key.
  const tree = table => {
    const rows = $$("tbody > tr", table);
    if (!rows.length) return;
    const level = r => +r.getAttribute("aria-level"), parent = r => r.hasAttribute("aria-expanded") && $(".twist", r);
    const shown = () => rows.filter(r => !r.hidden);
    rows.forEach(r => { r.tabIndex = -1; });
    rows[0].tabIndex = 0;

    // What is below a folded row is hidden, however it is folded itself.
    const paint = () => {
      let shut = Infinity;
      rows.forEach(r => {
        r.hidden = level(r) > shut;
        if (!r.hidden) shut = parent(r) && r.getAttribute("aria-expanded") === "false" ? level(r) : Infinity;
      });
    };
    const fold = (r, open) => { if (parent(r)) { r.setAttribute("aria-expanded", open); $(".twist", r).setAttribute("aria-label", open ? "Fold" : "Unfold"); } };
    const top = Math.min(...rows.map(level));
    const all = open => { rows.forEach(r => fold(r, open || level(r) === top)); paint(); };
    const focus = r => { if (r) { r.focus({ preventScroll: true }); r.scrollIntoView({ block: "nearest" }); } };
    table.addEventListener("focusin", e => {
      const r = e.target.closest("tbody > tr");
      if (!r) return;
      rows.forEach(o => { if (o !== r) { o.tabIndex = -1; o.removeAttribute("data-cursor"); } });
      r.tabIndex = 0; r.setAttribute("data-cursor", "");
    });
    const above = r => rows.slice(0, rows.indexOf(r)).findLast(o => level(o) < level(r));

    const right = r => parent(r) && r.getAttribute("aria-expanded") === "false" ? (fold(r, true), paint()) : parent(r) && focus(shown()[shown().indexOf(r) + 1]);
    const left = r => parent(r) && r.getAttribute("aria-expanded") === "true" ? (fold(r, false), paint()) : focus(above(r));
    const step = (r, by) => { const s = shown(); focus(s[Math.max(0, Math.min(s.length - 1, s.indexOf(r) + by))]); };
    table.addEventListener("keydown", e => {
      const r = e.target.closest("tbody > tr");
      if (!r || e.metaKey || e.ctrlKey || e.altKey) return;
      const act = { ArrowRight: () => right(r), ArrowLeft: () => left(r), ArrowDown: () => step(r, 1), ArrowUp: () => step(r, -1),
        Home: () => focus(shown()[0]), End: () => focus(shown().at(-1)), Enter: () => e.target === r && $("a", r).click() }[e.key];
      if (!act || e.key === "Enter" && e.target !== r) return;
      e.preventDefault(); e.stopPropagation(); act();
    });
    document.addEventListener("keydown", e => {
      if (e.target.matches("input, textarea, select") || e.metaKey || e.ctrlKey || e.altKey || e.key !== "[" && e.key !== "]") return;
      e.preventDefault();
      all(e.key === "]");
      const at = rows.find(r => r.hasAttribute("data-cursor"));
      if (at?.hidden) focus(shown().findLast(r => rows.indexOf(r) < rows.indexOf(at)));
    });
    table.addEventListener("click", e => {
      const twist = e.target.closest(".twist");
      if (!twist) return;
      const r = twist.closest("tr");
      fold(r, r.getAttribute("aria-expanded") === "false"); paint();
    });
  };
})();
