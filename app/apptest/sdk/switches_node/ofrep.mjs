// OpenFeature's server SDK with its OFREP provider.
import { OpenFeature } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { BASE, TOKEN, check, end, flip } from "./lib.mjs";

await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: BASE, headers: [["Authorization", `Bearer ${TOKEN}`]] }));
const client = OpenFeature.getClient();
const pro = { targetingKey: "mara", plan: "pro", team: { size: 7 } };
const details = async (kind, key, otherwise, who) => {
  const d = await client[`get${kind}Details`](key, otherwise, who);
  return [d.value, d.reason, d.errorCode ?? "", d.variant ?? ""].map(v => JSON.stringify(v)).join(" ");
};
const want = async (kind, key, otherwise, who, expected) => {
  const got = await details(kind, key, otherwise, who);
  check(got === expected, `${kind} ${key}: ${got}, want ${expected}`);
};
await want("Boolean", "everyone", false, {}, 'true "STATIC" "" "on"');
await want("Boolean", "nobody", true, {}, 'false "DISABLED" "" "off"');
await want("Boolean", "for-pro", false, pro, 'true "TARGETING_MATCH" "" "on"');
await want("Boolean", "for-pro", false, { targetingKey: "tim" }, 'false "DEFAULT" "" "off"');
await want("Boolean", "for-large", false, pro, 'true "TARGETING_MATCH" "" "on"');
await want("Boolean", "half", true, {}, 'true "ERROR" "TARGETING_KEY_MISSING" ""');
await want("Boolean", "no-such-switch", true, pro, 'true "ERROR" "FLAG_NOT_FOUND" ""');
await want("Number", "everyone", 7, pro, '7 "ERROR" "TYPE_MISMATCH" ""');
await want("String", "button", "red", pro, '"blue" "STATIC" "" "blue"');
await want("Object", "layout", {}, pro, '{"columns":[1,2]} "STATIC" "" "wide"');
await want("Boolean", "shop:cart", false, pro, 'true "STATIC" "" "on"');

const users = Array.from({ length: 300 }, (_, i) => `user-${i}`);
const inside = async () => new Set((await Promise.all(users.map(async u => [u, await client.getBooleanValue("half", false, { targetingKey: u })]))).filter(x => x[1]).map(x => x[0]));
const before = await inside();
check(before.size > 110 && before.size < 190, `${before.size} of 300 at 50 %`);
flip("half", "80%");
const after = await inside();
check(after.size > before.size && [...before].every(u => after.has(u)), `at 80 % ${after.size}, and somebody dropped out`);
flip("half", "kill");
check((await inside()).size === 0, "somebody is in though it is killed");
flip("half", "unkill");
flip("half", "50%");
check((await inside()).size === before.size, "at 50 % again others are in");

const stranger = OpenFeature.getClient("stranger");
await OpenFeature.setProviderAndWait("stranger", new OFREPProvider({ baseUrl: BASE, headers: [["X-API-Key", "kbz_wrong"]] }));
const refused = await stranger.getBooleanDetails("everyone", false, {});
check(refused.reason === "ERROR" && refused.value === false, `a wrong token: ${JSON.stringify(refused)}`);
end();
