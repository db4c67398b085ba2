/* Times in this browser's zone. The server writes UTC; here the hours and days of what carries its moment are written anew:
   <time datetime>, and plots with their beginning and step (data-t). What counts by days of UTC stays. */
(() => {
  const key = "kibitz-clock", days = "Sun Mon Tue Wed Thu Fri Sat".split(" "), months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  const two = n => String(n).padStart(2, "0");
  const utc = d => ({ time: `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`, day: `${d.getUTCDate()} ${months[d.getUTCMonth()]}`, name: days[d.getUTCDay()], year: d.getUTCFullYear() });
  const here = d => ({ time: `${two(d.getHours())}:${two(d.getMinutes())}`, day: `${d.getDate()} ${months[d.getMonth()]}`, name: days[d.getDay()], year: d.getFullYear() });
  const zone = d => new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts(d).find(p => p.type === "timeZoneName")?.value ?? "local";

  // A text changes when it has the hour of its moment; its day, its weekday and its zone follow.
  const local = (text, moment) => {
    const d = new Date(moment), was = utc(d), is = here(d);
    if (isNaN(d) || !text.includes(was.time)) return text;
    return text.replace(was.time, is.time).replace(`${was.day} ${was.year}`, `${is.day} ${is.year}`).replace(was.day, is.day).replace(was.name, is.name).replace("UTC", zone(d));
  };
  // A tick that names a day stands at midnight of UTC, and in its place one that is midnight here names the day. Where all
  // name days, each gets the hour at which that day of UTC begins here.
  const tick = (text, moment, axis) => {
    const d = new Date(moment), was = utc(d), is = here(d);
    axis.dataset.hours ??= axis.textContent.includes(":") ? "1" : "";
    if (is.time === "00:00" && (text === was.day || text.endsWith(was.time))) return is.day;
    if (text === was.day) return axis.dataset.hours ? is.time : `${is.day} ${is.time}`;
    return local(text, moment);
  };

  const chosen = () => { try { return localStorage.getItem(key) === "local"; } catch { return false; } };
  const remember = on => { try { on ? localStorage.setItem(key, "local") : localStorage.removeItem(key); } catch { /* for this page only */ } };

  // What the server wrote is kept, so that UTC comes back without asking it.
  const written = new WeakMap();
  const put = (el, name, change, on) => {
    const has = written.get(el) ?? {}, old = has[name] ?? (name === "text" ? el.textContent : el.getAttribute(name) ?? "");
    written.set(el, { ...has, [name]: old });
    const text = on ? change(old) : old;
    if (name === "text") { if (el.textContent !== text) el.textContent = text; }
    else if (old && el.getAttribute(name) !== text) el.setAttribute(name, text);
  };
  const plot = (el, on) => {
    const [from, step] = el.dataset.t.split(",").map(Number), at = i => (from + i * step) * 1000;
    if (step >= 86400) return;
    put(el, "data-x", old => old.split(",").map((x, i) => local(x, at(i))).join(","), on);
    el.querySelectorAll(".buckets > a").forEach((a, i) => put(a, "title", old => local(old, at(i)), on));
  };
  const paint = on => {
    document.querySelectorAll("time[datetime]").forEach(el => {
      const axis = el.closest(".chart-x");
      put(el, "text", old => axis ? tick(old, el.dateTime, axis) : local(old, el.dateTime), on);
      put(el, "title", old => local(old, el.dateTime), on);
    });
    document.querySelectorAll("[data-zone]").forEach(el => put(el, "text", () => zone(new Date()), on));
    document.querySelectorAll(".plot[data-t]").forEach(el => plot(el, on));
    document.querySelectorAll("[data-clock]").forEach(b => b.setAttribute("aria-pressed", String((b.dataset.clock === "local") === on)));
    document.dispatchEvent(new Event("clock"));
  };
  document.addEventListener("DOMContentLoaded", () => { if (chosen()) paint(true); });
  document.addEventListener("fresh", () => { if (chosen()) paint(true); });
  document.addEventListener("click", e => {
    const button = e.target.closest?.("[data-clock]");
    if (!button) return;
    const on = button.dataset.clock === "local";
    remember(on);
    paint(on);
  });
})();
