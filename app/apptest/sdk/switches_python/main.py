"""OpenFeature's OFREP provider and Unleash's client, unmodified. BASE, TOKEN and KIBITZ say where, by which right, and who flips."""
import os
import subprocess
import sys
import time

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from UnleashClient import UnleashClient

BASE, TOKEN, KIBITZ = os.environ["BASE"], os.environ["TOKEN"], os.environ["KIBITZ"]
wrong = []


def check(ok, what):
    if not ok:
        wrong.append(what)


def flip(key, to):
    subprocess.run([KIBITZ, "switch", "set", key, to], check=True, capture_output=True)


def until(what, ok):
    for _ in range(1200):
        if ok():
            return
        time.sleep(0.05)
    raise SystemExit(f"waited in vain until {what}")


api.set_provider(OFREPProvider(BASE, headers_factory=lambda: {"Authorization": f"Bearer {TOKEN}"}))
client = api.get_client()
pro = EvaluationContext("mara", {"plan": "pro", "team": {"size": 7}})
for ask, key, otherwise, who, want in [
    (client.get_boolean_details, "everyone", False, None, (True, "STATIC", None, "on")),
    (client.get_boolean_details, "nobody", True, None, (False, "DISABLED", None, "off")),
    (client.get_boolean_details, "for-pro", False, pro, (True, "TARGETING_MATCH", None, "on")),
    (client.get_boolean_details, "for-large", False, pro, (True, "TARGETING_MATCH", None, "on")),
    (client.get_boolean_details, "half", True, None, (True, "ERROR", "TARGETING_KEY_MISSING", None)),
    (client.get_boolean_details, "no-such-switch", True, pro, (True, "ERROR", "FLAG_NOT_FOUND", None)),
    (client.get_string_details, "everyone", "x", pro, ("x", "ERROR", "TYPE_MISMATCH", None)),
    (client.get_string_details, "button", "red", pro, ("blue", "STATIC", None, "blue")),
    (client.get_object_details, "layout", {}, pro, ({"columns": [1, 2]}, "STATIC", None, "wide")),
    (client.get_boolean_details, "shop:cart", False, pro, (True, "STATIC", None, "on")),
]:
    d = ask(key, otherwise, who)
    got = (d.value, d.reason and str(d.reason.value if hasattr(d.reason, "value") else d.reason), d.error_code and d.error_code.value, d.variant)
    check(got == want, f"{key}: {got}, want {want}")

unleash = UnleashClient(url=f"{BASE}/api", app_name="shop", custom_headers={"Authorization": TOKEN}, refresh_interval=1, metrics_interval=1,
                        cache_directory=os.environ["CACHE"])
unleash.initialize_client()
until("the client has its switches", lambda: unleash.is_enabled("everyone"))
check(not unleash.is_enabled("nobody"), "nobody is on")
check(unleash.is_enabled("for-pro", {"userId": "mara", "properties": {"plan": "pro"}}), "for-pro is off")
check(not unleash.is_enabled("for-pro", {"userId": "mara", "properties": {"plan": "free"}}), "for-pro is on")
check(unleash.get_variant("button")["name"] == "blue", f"button is {unleash.get_variant('button')}")
flip("everyone", "kill")
until("a kill arrives", lambda: not unleash.is_enabled("everyone"))
flip("everyone", "unkill")
unleash.destroy()
for w in wrong:
    print("wrong:", w)
sys.exit(1 if wrong else 0)
