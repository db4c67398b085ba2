// A program of one page with a loop of queries, asked by itself. Arguments: host:port, requests.
const express = require('express')
const [host, port] = process.argv[2].split(':')
const kibitz = require('./kibitz-syslog')({ host, port: Number(port), service: 'shop', release: 'shop@4.18.0', env: 'test', key: process.env.KEY })
const { createServer } = require('node:http')
const { setTimeout: sleep } = require('node:timers/promises')

const database = { query: (sql) => sleep(1, sql) }
const cache = { get: (key) => sleep(1, key) }
kibitz.wrap(database, 'query', 'db')
kibitz.wrap(cache, 'get', 'cache')
kibitz.wrap(globalThis, 'fetch', 'http')
const tax = createServer((_, res) => res.end('7')).listen(0, '127.0.0.1')

const app = express()
app.use(kibitz.middleware)
app.engine('html', (file, options, done) => done(null, 'rendered'))
app.set('views', __dirname)
const shop = express.Router()
app.use('/shop', shop)
shop.get('/cart/:id', async function cart (req, res) {
  await cache.get('region')
  await (await fetch(`http://127.0.0.1:${tax.address().port}/`)).text()
  for (let i = 0; i < 6; i++) await database.query('SELECT $1 + 1') // the loop
  res.render('page.html')
})
app.get('/broken', () => { throw new RangeError('no region') })
app.use((err, req, res, next) => res.status(500).send(err.name))

const server = app.listen(0, '127.0.0.1', async () => {
  const base = `http://127.0.0.1:${server.address().port}`
  for (let i = 0; i < Number(process.argv[3]); i++) {
    const res = await fetch(base + '/shop/cart/7?a=b', { headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' } })
    if (await res.text() !== 'rendered') throw new Error('another page')
  }
  for (const [path, status] of [['/broken', 500], ['/nowhere', 404]]) {
    if ((await fetch(base + path)).status !== status) throw new Error(path)
  }
  await sleep(100) // until the datagrams are out
  console.log('dropped', kibitz.dropped())
  server.closeAllConnections()
  server.close()
  tax.closeAllConnections()
  tax.close()
})
