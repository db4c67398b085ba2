// Tells Kibitz about each request of an Express program: one datagram of syslog, sent when the response ends.
//
//   const kibitz = require('./kibitz-syslog')({ host: '127.0.0.1', port: 5514, service: 'shop', release: 'shop@4.18.0', env: 'production' })
//   app.use(kibitz.middleware) // first
//   kibitz.wrap(pg.Client.prototype, 'query', 'db') // any function that returns a promise: db, cache, http or template
//   kibitz.wrap(globalThis, 'fetch', 'http')
//
// Nothing here throws into the program or waits. What cannot be sent is dropped and counted; the next line tells how many
// (client_dropped).
const { AsyncLocalStorage } = require('node:async_hooks')
const { createSocket } = require('node:dgram')
const { randomBytes } = require('node:crypto')
const { hostname } = require('node:os')
const { relative } = require('node:path')

const MAX_QUERIES = 100, MAX_BYTES = 60_000, MAX_WAITING = 1000 // a UDP datagram holds 65,507 bytes

module.exports = function kibitz (options) {
  const current = new AsyncLocalStorage()
  const socket = createSocket('udp4').unref()
  socket.on('error', () => { dropped++ })
  let dropped = 0, waiting = 0
  const ms = (from) => Number(process.hrtime.bigint() - from) / 1e6

  function middleware (req, res, next) {
    const record = { start: Date.now() / 1000, began: process.hrtime.bigint(), sums: {}, queries: [] }
    const render = res.render
    res.render = function (view, locals, done) {
      const began = process.hrtime.bigint()
      if (typeof locals === 'function') { done = locals; locals = {} }
      return render.call(this, view, locals, (err, html) => {
        add(record, 'template', ms(began))
        if (done) done(err, html)
        else if (err) req.next(err)
        else res.send(html)
      })
    }
    res.on('close', () => { try { send(line(record, req, res)) } catch { dropped++ } })
    current.run(record, next)
  }

  function add (record, kind, took) {
    const sum = record.sums[kind] ??= { ms: 0, n: 0 }
    sum.ms += took
    sum.n++
  }

  function wrap (object, name, kind) {
    const inner = object[name]
    object[name] = function (...args) {
      const record = current.getStore()
      if (!record) return inner.apply(this, args)
      const began = process.hrtime.bigint(), at = ms(record.began), caller = kind === 'db' ? callerLine() : ''
      const ended = () => {
        const took = ms(began)
        add(record, kind, took)
        if (kind === 'db' && record.queries.length < MAX_QUERIES) record.queries.push({ sql: String(args[0]?.text ?? args[0]), ms: took, at, caller })
      }
      const result = inner.apply(this, args)
      if (typeof result?.then === 'function') result.then(ended, ended)
      else ended()
      return result
    }
  }

  // The line of the program's own code that asked.
  function callerLine () {
    for (const text of new Error().stack.split('\n').slice(1)) {
      const [, name, file, row] = /at (?:async )?(?:(.*?) \()?(?:file:\/\/)?(.+?):(\d+):\d+\)?$/.exec(text) ?? []
      if (file && file !== __filename && !file.startsWith('node:') && !file.includes('node_modules')) return `${relative(process.cwd(), file)}:${row} ${name ?? ''}`.trim()
    }
    return ''
  }

  function line (record, req, res) {
    const [, trace, parent] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-/.exec(req.headers.traceparent ?? '') ?? []
    const fields = {
      route: req.route ? req.baseUrl + req.route.path : '(no route)', ms: ms(record.began), start: record.start,
      status: res.writableFinished ? res.statusCode : 499, method: req.method, url: req.originalUrl, platform: 'node', release: options.release,
      env: options.env, key: options.key, trace: trace ?? randomBytes(16).toString('hex'), parent, span: randomBytes(8).toString('hex')
    }
    for (const [kind, sum] of Object.entries(record.sums)) { fields[kind + '_ms'] = sum.ms; fields[kind + '_n'] = sum.n }
    if (dropped) fields.client_dropped = dropped
    fields.queries = record.queries
    const head = `<134>1 ${new Date().toISOString()} ${hostname()} ${options.service ?? 'express'} ${process.pid} - - @cee: `
    let text = head + JSON.stringify(fields)
    while (Buffer.byteLength(text) > MAX_BYTES && fields.queries.length) {
      fields.queries = fields.queries.slice(0, fields.queries.length >> 1)
      text = head + JSON.stringify(fields)
    }
    return text
  }

  function send (text) {
    if (waiting >= MAX_WAITING) { dropped++; return }
    waiting++
    const told = dropped
    socket.send(text, options.port, options.host, (err) => {
      waiting--
      dropped += err ? 1 : -told
    })
  }

  return { middleware, wrap, dropped: () => dropped }
}
