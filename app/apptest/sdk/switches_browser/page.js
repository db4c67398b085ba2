// OpenFeature's web SDK with its OFREP provider, and Unleash's client, in a page of another site.
import { OpenFeature, ProviderEvents } from "@openfeature/web-sdk";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { UnleashClient } from "unleash-proxy-client";

const { BASE, PAGE } = window.settings;
window.start = async () => {
  await OpenFeature.setContext({ targetingKey: "mara", plan: "pro" });
  await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl: BASE, pollInterval: 0, headers: [["Authorization", `Bearer ${PAGE}`]] }));
  const client = window.client = OpenFeature.getClient();
  window.changes = [];
  client.addHandler(ProviderEvents.ConfigurationChanged, e => window.changes.push(...(e.flagsChanged ?? [])));
  window.unleash = new UnleashClient({ url: `${BASE}/api/frontend`, clientKey: PAGE, appName: "shop", refreshInterval: 1, context: { userId: "mara", properties: { plan: "pro" } } });
  await window.unleash.start();
};
window.ask = key => { const d = window.client.getBooleanDetails(key, false); return `${d.value} ${d.reason} ${d.errorCode ?? ""}`.trim(); };
window.become = plan => OpenFeature.setContext({ targetingKey: "mara", plan });
