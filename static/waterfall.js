/* Waterfalls: drawing over the minimap or the axis zooms to a stretch of time, Escape takes it back. Without this file the
   parts of the axis, and a button beside the details of a span, are links that do the same. */
(() => {
  const zoomOf = e => e.target.closest?.("[data-zoom]");
  let brush = null, drawn = 0;

  const part = (el, x) => {
    const box = el.getBoundingClientRect();
    return Math.max(0, Math.min(1, (x - box.left) / box.width));
  };
  const paint = () => {
    const from = Math.min(brush.from, brush.to), to = Math.max(brush.from, brush.to);
    brush.mark.style.left = from * 100 + "%";
    brush.mark.style.width = (to - from) * 100 + "%";
  };
  const end = () => {
    const b = brush;
    brush = null;
    b?.mark.remove();
    return b;
  };
  const wide = b => Math.abs(b.to - b.from) * b.over.getBoundingClientRect().width > 4; // less is a click that trembled

  document.addEventListener("pointerdown", e => {
    const over = zoomOf(e);
    if (!over || e.button !== 0 || e.pointerType === "touch") return;
    const mark = document.createElement("span");
    mark.className = "brush"; mark.hidden = true;
    over.append(mark);
    brush = { over, mark, from: part(over, e.clientX), to: part(over, e.clientX) };
  });
  document.addEventListener("pointermove", e => {
    if (!brush) return;
    brush.to = part(brush.over, e.clientX);
    brush.mark.hidden = !wide(brush);
    paint();
  });
  document.addEventListener("pointerup", e => {
    if (!brush) return;
    const zoom = wide(brush), b = end();
    if (!zoom) return;
    drawn = e.timeStamp;
    const start = +b.over.dataset.zoom, length = +b.over.dataset.length, address = new URL(location.href);
    const at = share => String(+(start + share * length).toFixed(3));
    address.searchParams.set("from", at(Math.min(b.from, b.to)));
    address.searchParams.set("to", at(Math.max(b.from, b.to)));
    address.searchParams.delete("row");
    address.hash = "wf";
    location.assign(address);
  });
  document.addEventListener("pointercancel", end);
  document.addEventListener("dragstart", e => { if (zoomOf(e)) e.preventDefault(); });
  // The click that ends a drawing is none on the link under it.
  document.addEventListener("click", e => { if (zoomOf(e) && e.timeStamp - drawn < 50) e.preventDefault(); }, true);

  // Escape first ends what is being drawn, or closes what is open; only then it zooms out.
  document.addEventListener("keydown", e => {
    if (e.key !== "Escape" || end() || e.target.matches("input, textarea, select") || document.querySelector("dialog[open], details.menu[open], :popover-open")) return;
    document.querySelector("[data-zoom-out]")?.click();
  }, true);
})();
