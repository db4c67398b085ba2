"""Checks the buckets and draws of vectors.json with nothing but Python's own integers: how another language does it."""
import json
import math
import pathlib

M = (1 << 64) - 1
P1, P2, P3, P4, P5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)


def rotl(x, n):
    return (x << n | x >> 64 - n) & M


def step(acc, word):
    return rotl(acc + word * P2 & M, 31) * P1 & M


def xxh64(data):
    n, at = len(data), 0
    word = lambda i, size: int.from_bytes(data[i:i + size], "little")
    if n >= 32:
        lanes = [P1 + P2 & M, P2, 0, -P1 & M]
        while at + 32 <= n:
            lanes = [step(lane, word(at + 8 * i, 8)) for i, lane in enumerate(lanes)]
            at += 32
        h = sum(rotl(lane, r) for lane, r in zip(lanes, (1, 7, 12, 18))) & M
        for lane in lanes:
            h = (h ^ step(0, lane)) * P1 + P4 & M
    else:
        h = P5
    h = h + n & M
    while at + 8 <= n:
        h = rotl(h ^ step(0, word(at, 8)), 27) * P1 + P4 & M
        at += 8
    if at + 4 <= n:
        h = rotl(h ^ word(at, 4) * P1 & M, 23) * P2 + P3 & M
        at += 4
    for byte in data[at:]:
        h = rotl(h ^ byte * P5 & M, 11) * P1 & M
    h = (h ^ h >> 33) * P2 & M
    h = (h ^ h >> 29) * P3 & M
    return h ^ h >> 32


def mix(h):
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & M
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & M
    return h ^ h >> 33


def bucket(salt, id):
    return mix(xxh64(id.encode()) ^ xxh64(salt.encode())) * 100000 >> 64


def draw(salt, id, split):
    def lot(w):
        u = ((mix(xxh64(id.encode()) ^ xxh64((salt + "/split/" + w["variant"]).encode())) >> 11) + 0.5) / (1 << 53)
        return math.log(u) / w["weight"]
    return max((w for w in split if w["weight"] > 0), key=lot)["variant"]


vectors = json.loads((pathlib.Path(__file__).parent / "vectors.json").read_text())
for v in vectors["buckets"]:
    assert bucket(v["salt"], v["id"]) == v["bucket"], v
for v in vectors["draws"]:
    assert draw(v["salt"], v["id"], v["split"]) == v["variant"], v
print(len(vectors["buckets"]), "buckets,", len(vectors["draws"]), "draws")
