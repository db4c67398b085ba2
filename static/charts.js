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
      known.set(plot, { line, at: -1, xs: plot.dataset.x.split(","), ys: Object.entries(JSON.parse(plot.dataset.y)), unit: plot.dataset.u ?? "" });
    }
    return known.get(plot);
  };
  const words = (d, i) => [d.xs[i], ...d.ys.map(([name, v]) => `${name} ${v[i] ?? "no data"}${v[i] == null || !d.unit ? "" : " " + d.unit}`)];
  const links = plot => plot.querySelectorAll(".buckets > a");

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
    d.line.firstChild.textContent = words(d, i).join(d.ys.length > 2 ? "\n" : "   "); // many would run off the page
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
    readout.textContent = words(d, i).join(", ");
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
    plot.setAttribute("aria-label", `${plot.dataset.label || "Chart"}: arrow keys read it${links(plot).length ? ", Enter zooms" : ""}`);
  });
  document.addEventListener("DOMContentLoaded", () => { document.body.append(readout); ready(); });
  document.addEventListener("fresh", ready); // a part of the page was replaced by a newer one
})();
