// Checks the buckets and draws of vectors.json with nothing but JavaScript's own integers: how another language does it.
const fs = require('fs');
const path = require('path');

const M = (1n << 64n) - 1n;
const P1 = 0x9E3779B185EBCA87n, P2 = 0xC2B2AE3D27D4EB4Fn, P3 = 0x165667B19E3779F9n, P4 = 0x85EBCA77C2B2AE63n, P5 = 0x27D4EB2F165667C5n;

const rotl = (x, n) => ((x << n) | (x >> (64n - n))) & M;
const step = (acc, word) => (rotl((acc + word * P2) & M, 31n) * P1) & M;

function xxh64(data) {
  let at = 0, h;
  const n = data.length;
  const word = (i, size) => (size === 8 ? data.readBigUInt64LE(i) : BigInt(data.readUInt32LE(i)));
  if (n >= 32) {
    let lanes = [(P1 + P2) & M, P2, 0n, -P1 & M];
    for (; at + 32 <= n; at += 32) lanes = lanes.map((lane, i) => step(lane, word(at + 8 * i, 8)));
    h = lanes.reduce((sum, lane, i) => (sum + rotl(lane, [1n, 7n, 12n, 18n][i])) & M, 0n);
    for (const lane of lanes) h = ((h ^ step(0n, lane)) * P1 + P4) & M;
  } else {
    h = P5;
  }
  h = (h + BigInt(n)) & M;
  for (; at + 8 <= n; at += 8) h = (rotl(h ^ step(0n, word(at, 8)), 27n) * P1 + P4) & M;
  if (at + 4 <= n) {
    h = (rotl(h ^ ((word(at, 4) * P1) & M), 23n) * P2 + P3) & M;
    at += 4;
  }
  for (; at < n; at++) h = (rotl(h ^ ((BigInt(data[at]) * P5) & M), 11n) * P1) & M;
  h = ((h ^ (h >> 33n)) * P2) & M;
  h = ((h ^ (h >> 29n)) * P3) & M;
  return h ^ (h >> 32n);
}

function mix(h) {
  h = ((h ^ (h >> 33n)) * 0xFF51AFD7ED558CCDn) & M;
  h = ((h ^ (h >> 33n)) * 0xC4CEB9FE1A85EC53n) & M;
  return h ^ (h >> 33n);
}

const hash = (text) => xxh64(Buffer.from(text, 'utf8'));
const bucket = (salt, id) => Number((mix(hash(id) ^ hash(salt)) * 100000n) >> 64n);

function draw(salt, id, split) {
  let best, most = -Infinity;
  for (const { variant, weight } of split) {
    const u = (Number(mix(hash(id) ^ hash(salt + '/split/' + variant)) >> 11n) + 0.5) / 2 ** 53;
    if (weight > 0 && Math.log(u) / weight > most) [best, most] = [variant, Math.log(u) / weight];
  }
  return best;
}

const vectors = JSON.parse(fs.readFileSync(path.join(__dirname, 'vectors.json'), 'utf8'));
for (const v of vectors.buckets) if (bucket(v.salt, v.id) !== v.bucket) throw new Error(JSON.stringify(v));
for (const v of vectors.draws) if (draw(v.salt, v.id, v.split) !== v.variant) throw new Error(JSON.stringify(v));
console.log(`${vectors.buckets.length} buckets, ${vectors.draws.length} draws`);
