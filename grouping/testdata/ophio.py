"""Runs cases of grouping's rules through sentry_ophio, the engine that Sentry itself uses.

A case is a line of JSON; so is the answer. Modifications are applied to the frames first, and the contribution pass
looks at what they became, as in Sentry.
"""
import json
import sys

from sentry_ophio.enhancers import Cache, Component, Enhancements

CACHE = Cache(0)


def raw(text):
    return text.encode() if text else None


def frame(f, category, in_app):
    return {
        "category": raw(category),
        "family": raw(f["family"]),
        "function": raw(f["function"]),
        "module": raw(f["module"]),
        "package": raw(f["package"]),
        "path": raw(f["path"]),
        "in_app": in_app,
        "orig_in_app": None,
    }


def run(case):
    try:
        rules = Enhancements.parse(case["rules"], CACHE)
    except RuntimeError as err:
        return {"error": str(err)}
    exc = {k: raw(case["exception"][k]) for k in ("ty", "value", "mechanism")}
    frames = [frame(f, None, f["in_app"]) for f in case["frames"]]
    modified = rules.apply_modifications_to_frames(frames, exc)
    frames = [frame(f, *m) for f, m in zip(case["frames"], modified)]
    parts = [Component(contributes=True) for _ in frames]
    stack = rules.assemble_stacktrace_component(frames, exc, parts)
    return {
        "category": [m[0] or "" for m in modified],
        "in_app": [bool(m[1]) for m in modified],
        "contributes": [bool(p.contributes) for p in parts],
        "stack": stack.contributes,
        "invert": stack.invert_stacktrace,
    }


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))))
