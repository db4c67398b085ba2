// The client of feature switches for pages of any site: one request at the start, and another when a switch was changed.
// It is served at /switches.js without these comments and indentation; a test holds it below 1 KB, compressed.
//
//   <script src=".../switches.js" data-token="kbz_..." data-user="42"></script>
//   kibitz.on("new-cart")             true or false, at once; what was last known while the page loads
//   kibitz.value("button", "blue")    the value, or what is given
//   kibitz.change(f)                  f is called when answers came or changed
//   kibitz.context({plan: "pro"})     tells more of the visitor, and asks again
//   await kibitz.ready                until the first answer, or the failure to get one
(() => {
const script = document.currentScript, data = script.dataset, calls = []
let store = {}, turn = 0
// Where a page may keep nothing, reading this throws.
try { store = localStorage } catch {}
const id = data.user || (store.kibitz ||= crypto.randomUUID?.() || Math.random() + "")
let asked = {targetingKey: id, anonymous: !data.user, ...JSON.parse(data.context || "{}")}
let flags = {}, tag = "", url, source, timer
// What was known of this visitor the last time.
try { flags = JSON.parse(store["kibitz " + id]) } catch {}
const later = ms => { clearTimeout(timer); timer = setTimeout(load, ms * Math.random()) }
const listen = to => {
if (to == url && source?.readyState < 2) return
source?.close()
source = new EventSource(url = to)
source.onmessage = () => later(300)
// A closed stream is not opened again by browsers; one that was refused has an address that expired.
source.onerror = () => source.readyState > 1 && (tag = "", later(2e4))
}
const load = async () => {
const mine = ++turn
try {
const r = await fetch(script.src.replace(/switches\.js.*/, "ofrep/v1/evaluate/flags"), {method: "POST", body: JSON.stringify({context: asked}),
headers: {"Content-Type": "application/json", "X-API-Key": data.token, "If-None-Match": tag}})
// Too many at once, or a failure of the server: again in a while. A token that is refused stays refused.
if (r.status > 428) throw 0
if (r.status != 200) return
const b = await r.json()
if (mine != turn) return
tag = r.headers.get("ETag")
flags = {}
b.flags.map(f => flags[f.key] = [f.value, f.metadata?.on ?? f.value === true])
b.eventStreams?.map(s => listen(new URL(s.endpoint.requestUri, script.src) + ""))
try { store["kibitz " + id] = JSON.stringify(flags) } catch {}
calls.map(f => f())
} catch { later(2e4) }
}
window.kibitz = {
on: key => !!flags[key]?.[1],
value: (key, other) => flags[key] ? flags[key][0] : other,
change: f => calls.push(f),
context: more => { Object.assign(asked, more); tag = ""; return load() },
ready: load()
}
})()
