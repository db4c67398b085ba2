/* Charts: a readout under the pointer or the arrow keys, in step over all charts of one clock, and zoom by drawing.
   Without this file each bucket still is a link with its numbers as a title, and the table behind the chart holds both. */
(() => {
  const readout = document.createElement("div");
  readout.className = "sr";
  readout.setAttribute("role", "status");

  // A plot's numbers are read when it is first looked at: most of them never are.
  const known = new WeakMap();
  const data = plot => {
    if (!known.has(plot)) {
      const line = document.createElement("div");
      line.className = "peek"; line.hidden = true; line.append(document.createElement("div"));
      plot.append(line);
      known.set(plot, { line, at: -1, xs: plot.dataset.x.split(","), ys: Object.entries(JSON.parse(plot.dataset.y)), unit: plot.dataset.u ?? "", sparse: "sparse" in plot.dataset });
    }
    return known.get(plot);
  };
  // Of a heatmap (data-sparse) only the rows that have something are read.
  const words = (d, i, off) => {
    const ys = d.ys.filter(([name, v]) => !off?.has(name) && (!d.sparse || v[i] > 0));
    return [d.xs[i], ...ys.map(([name, v]) => `${name} ${v[i] ?? "no data"}${v[i] == null || !d.unit ? "" : " " + d.unit}`), ...(d.sparse && !ys.length ? ["nothing"] : [])];
  };
  const links = plot => plot.querySelectorAll(".buckets > a");

  document.addEventListener("clock", () => document.querySelectorAll(".plot[data-x]").forEach(p => { if (known.has(p)) known.get(p).xs = p.dataset.x.split(","); }));

  // The names in a legend are buttons that hide their series and show it again, for as long as the page is looked at: also when
  // a part of it is replaced. The axis stays, and what is stacked closes up.
  const off = new Map(); // by the title of a chart: hidden names
  const hidden = plot => off.get(plot.dataset.label);
  const drawings = new WeakMap(); // paths as the server drew them
  const bars = (values, base, top) => values.map((v, i) => {
    if (!(v > 0)) return "";
    const room = 1000 / values.length, y = n => (100 - n / top * 100).toFixed(1);
    return `M${(i * room + room * .09).toFixed(1)} ${y(base[i])}V${y(base[i] + v)}h${(room * .82).toFixed(1)}V${y(base[i])}Z`;
  }).join("");
  const surface = (values, base, top) => {
    const n = values.length, x = i => ((i + .5) / n * 1000).toFixed(1), y = v => (100 - v / top * 100).toFixed(1);
    let d = "";
    for (let i = 0; i < n; i++) {
      const first = i;
      while (i < n && values[i] != null) i++;
      if (i === first) continue;
      const run = Array.from({ length: i - first }, (_, k) => first + k), left = (first / n * 1000).toFixed(1), right = (i / n * 1000).toFixed(1);
      d += `M${left} ${y(base[first])}V${y(base[first] + values[first])}` + run.map(k => `L${x(k)} ${y(base[k] + values[k])}`).join("") +
        `H${right}V${y(base[i - 1])}` + run.reverse().map(k => `L${x(k)} ${y(base[k])}`).join("") + `H${left}Z`;
    }
    return d;
  };
  // The last bar is a path of its own while its bucket still fills.
  const restack = (plot, gone) => {
    const { ys, xs } = data(plot), stack = plot.dataset.kind === "stack", top = +plot.dataset.top || 1, base = new Array(xs.length).fill(0);
    const shown = ys.filter(([name]) => !gone.has(name)), paths = name => plot.querySelectorAll(`path[data-p="${CSS.escape(marks.get(plot).get(name))}"]`);
    for (const [name, values] of shown) {
      const drawn = [...paths(name)], open = drawn.some(p => p.classList.contains("open")), last = values.length - 1;
      for (const path of drawn) {
        if (!drawings.has(path)) drawings.set(path, path.getAttribute("d"));
        const mine = stack || !open ? values : values.map((v, k) => (k === last) === path.classList.contains("open") ? v : 0);
        path.setAttribute("d", gone.size ? (stack ? surface : bars)(mine, base, top) : drawings.get(path));
      }
      values.forEach((v, k) => { base[k] += Math.max(v ?? 0, 0); });
    }
  };
  const marks = new WeakMap(); // of a plot: the colour of each name
  const legend = plot => {
    const entries = plot.closest("figure")?.querySelectorAll(".chart-head .legend > span:has(> .swatch)") ?? [];
    if (!plot.dataset.kind || entries.length < 2) return;
    const buttons = new Map(), mine = new Map();
    marks.set(plot, mine);
    const paint = touched => {
      const gone = hidden(plot) ?? new Set();
      buttons.forEach((button, name) => {
        button.setAttribute("aria-pressed", String(!gone.has(name)));
        plot.querySelectorAll(`[data-p="${CSS.escape(mine.get(name))}"]`).forEach(el => el.toggleAttribute("data-off", gone.has(name)));
      });
      if (touched && ["stack", "bars"].includes(plot.dataset.kind)) restack(plot, gone);
    };
    entries.forEach(entry => {
      const button = document.createElement("button"), name = entry.textContent.trim();
      button.type = "button"; button.className = "series";
      mine.set(name, entry.firstElementChild.dataset.p ?? "prev"); // that of a period earlier
      buttons.set(name, button);
      button.append(...entry.childNodes);
      entry.replaceWith(button);
      button.addEventListener("click", () => {
        const gone = hidden(plot) ?? new Set();
        if (!gone.delete(name)) gone.add(name);
        off.set(plot.dataset.label, gone);
        paint(true);
      });
    });
    paint(hidden(plot)?.size > 0);
  };

  // Plots within one [data-sync] share a clock, so their readouts move together.
  const peers = plot => {
    const group = plot.closest("[data-sync]");
    return group ? [...group.querySelectorAll(".plot[data-x]")].filter(p => data(p).xs.length === data(plot).xs.length) : [plot];
  };
  const show = (plot, i) => peers(plot).forEach(p => {
    const d = data(p), at = (i + .5) / d.xs.length;
    d.at = i;
    d.line.hidden = false;
    d.line.style.left = at * 100 + "%";
    d.line.toggleAttribute("data-flip", at > .5);
    d.line.firstChild.textContent = words(d, i, hidden(p)).join(d.ys.length > 2 ? "\n" : "   "); // many would run off the page
  });
  const hide = plot => peers(plot).forEach(p => { data(p).line.hidden = true; data(p).at = -1; });
  const bucket = (plot, x) => {
    const box = plot.getBoundingClientRect(), n = data(plot).xs.length;
    return Math.max(0, Math.min(n - 1, Math.floor((x - box.left) / box.width * n)));
  };

  // The address of a stretch is made of those of its first and last bucket.
  const zoom = (plot, from, to) => {
    const all = links(plot);
    if (!all[from] || !all[to]) return;
    const address = new URL(all[from].href);
    address.searchParams.set("to", new URL(all[to].href).searchParams.get("to"));
    location.assign(address);
  };

  // Drawing over a plot marks a stretch; letting go zooms. A click without a move stays the link it is.
  let brush = null;
  const paint = () => {
    const n = data(brush.plot).xs.length, from = Math.min(brush.from, brush.to), to = Math.max(brush.from, brush.to) + 1;
    brush.el.style.left = from / n * 100 + "%";
    brush.el.style.width = (to - from) / n * 100 + "%";
  };
  const begin = (plot, i) => {
    const el = document.createElement("div");
    el.className = "brush"; el.hidden = true;
    plot.append(el); plot.toggleAttribute("data-drag", true);
    brush = { plot, el, from: i, to: i };
  };
  const end = () => {
    const b = brush;
    brush = null;
    if (!b) return null;
    b.el.remove(); b.plot.removeAttribute("data-drag");
    return b;
  };

  const plotOf = e => e.target.closest?.(".plot[data-x]");
  let under = null;
  document.addEventListener("pointermove", e => {
    const plot = brush ? brush.plot : plotOf(e);
    if (under && under !== plot && under !== document.activeElement) hide(under);
    under = plot;
    if (!plot) return;
    const i = bucket(plot, e.clientX);
    show(plot, i);
    if (brush) { brush.to = i; brush.el.hidden = brush.from === i; paint(); }
  });
  document.addEventListener("pointerdown", e => {
    const plot = plotOf(e);
    if (plot && e.button === 0 && e.pointerType !== "touch" && links(plot).length && !e.target.closest(".flag")) begin(plot, bucket(plot, e.clientX));
  });
  document.addEventListener("pointerup", () => {
    const b = end();
    if (b && b.from !== b.to) zoom(b.plot, Math.min(b.from, b.to), Math.max(b.from, b.to));
  });
  document.addEventListener("pointercancel", end);
  document.addEventListener("dragstart", e => { if (plotOf(e)) e.preventDefault(); });
  // The click that ends a drawing is none on the bucket under it.
  let drawn = 0;
  document.addEventListener("pointerup", e => { if (brush && brush.from !== brush.to) drawn = e.timeStamp; }, true);
  document.addEventListener("click", e => { if (plotOf(e) && e.timeStamp - drawn < 50) e.preventDefault(); }, true);

  // Keys: a plot is one stop of Tab; arrows walk its buckets, with Shift they mark a stretch, Enter zooms.
  const walk = (plot, to, mark) => {
    const d = data(plot), i = Math.max(0, Math.min(d.xs.length - 1, to));
    if (mark && links(plot).length) {
      if (!brush) { begin(plot, Math.max(d.at, 0)); }
      brush.to = i; brush.el.hidden = false; paint();
    } else end();
    show(plot, i);
    readout.textContent = words(d, i, hidden(plot)).join(", ");
  };
  document.addEventListener("keydown", e => {
    const plot = plotOf(e);
    if (!plot || e.target !== plot || e.ctrlKey || e.metaKey || e.altKey) return;
    const d = data(plot), last = d.xs.length - 1, at = d.at < 0 ? last + (e.key === "ArrowLeft" ? 1 : 0) : d.at;
    const act = {
      ArrowLeft: () => walk(plot, at - 1, e.shiftKey), ArrowRight: () => walk(plot, at + 1, e.shiftKey),
      PageUp: () => walk(plot, at - 10, e.shiftKey), PageDown: () => walk(plot, at + 10, e.shiftKey),
      Home: () => walk(plot, 0, e.shiftKey), End: () => walk(plot, last, e.shiftKey), Escape: () => { end(); hide(plot); },
      Enter: () => { const b = end(), i = d.at; if (i >= 0) zoom(plot, b ? Math.min(b.from, b.to) : i, b ? Math.max(b.from, b.to) : i); },
    }[e.key];
    if (!act) return;
    e.preventDefault(); e.stopPropagation();
    act();
  }, true);
  document.addEventListener("focusout", e => { const plot = plotOf(e); if (plot) { end(); hide(plot); } });

  // Without a script a plot is no stop of Tab, because keys do nothing there.
  const ready = () => document.querySelectorAll(".plot[data-x]:not([tabindex])").forEach(plot => {
    plot.tabIndex = 0;
    plot.setAttribute("role", "group");
    legend(plot);
    plot.setAttribute("aria-label", `${plot.dataset.label || "Chart"}: arrow keys read it${links(plot).length ? ", Enter zooms" : ""}`);
  });
  document.addEventListener("DOMContentLoaded", () => { document.body.append(readout); ready(); });
  document.addEventListener("fresh", ready); // a part of the page was replaced by a newer one
})();
