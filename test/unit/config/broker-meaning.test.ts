// Settings of the box's own broker that would let others in unasked, or do nothing.
import { expect, it } from "vitest";
import { findBrokerFaults } from "../../../device/config/broker-meaning.js";
import { explainConfig } from "../../../device/config/explain.js";
import { loadConfig } from "../../../device/config/load.js";
import { configSchema } from "../../../device/contract/config.js";

type Broker = Record<string, unknown>;
const faults = (broker: Broker, url = ""): string[] =>
  findBrokerFaults(configSchema.parse({ mqtt: { broker, url } })).map(({ path, text }) => `${path.join(".")}: ${text}`);
const admin = { name: "admin", password: "correct horse", rights: "command" };
const users = [admin];
const tls = { certFile: "/etc/sidetone/mqtt.pem", keyFile: "/etc/sidetone/mqtt.key" };

it("listens on this box alone, with nobody to log in, unless it is told", () => {
  const { broker } = configSchema.parse({}).mqtt;
  expect(broker).toMatchObject({ enabled: true, host: "127.0.0.1", port: 1883, webSocketPort: 0, users: [] });
  expect(faults({})).toEqual([]);
  expect(faults({ host: "::1" })).toEqual([]);
  expect(faults({ host: "localhost" })).toEqual([]);
});

it.each(["0.0.0.0", "::", "192.0.2.7", "2001:db8::1"])("%s needs users, and TLS or allowPlain", (host) => {
  expect(faults({ host })).toEqual([expect.stringMatching(/^mqtt\.broker\.host: .*nobody has to log in/)]);
  expect(faults({ host, allowPlain: true })).toEqual([expect.stringMatching(/nobody has to log in/)]);
  expect(faults({ host, users })).toEqual([expect.stringMatching(/^mqtt\.broker\.host: .*no TLS.*allowPlain/)]);
  expect(faults({ host, users, allowPlain: true })).toEqual([]);
  expect(faults({ host, users, ...tls })).toEqual([]);
  expect(faults({ host, enabled: false })).toEqual([]);
});

it.each<[string, Broker, RegExp]>([
  ["a host that is a name", { host: "box.example" }, /^mqtt\.broker\.host: is no IP address/],
  ["a certificate without its key", { certFile: "/x" }, /^mqtt\.broker\.certFile: needs its private key/],
  ["a key without its certificate", { keyFile: "/x" }, /^mqtt\.broker\.keyFile: has no effect/],
  ["one port for two", { port: 9001, webSocketPort: 9001 }, /^mqtt\.broker\.webSocketPort: is mqtt\.broker\.port too/],
  ["a user twice", { users: [admin, admin] }, /^mqtt\.broker\.users\.1\.name: is another user's name too/],
  ["a user without a name", { users: [{ password: "x" }] }, /^mqtt\.broker\.users\.0\.name: is missing/],
  [
    "a hash of another kind",
    { users: [{ ...admin, password: "$6$abc$def" }] },
    /password: is no hash.*mosquitto_passwd/,
  ],
  [
    "a hash that takes for ever",
    { users: [{ ...admin, password: `$7$9999999$${"A".repeat(16)}$${"A".repeat(86)}==` }] },
    /password: takes more than 1000000/,
  ],
  [
    "a password that others guess",
    { host: "0.0.0.0", allowPlain: true, users: [{ ...admin, password: "1234567" }] },
    /password: is shorter than 8 characters/,
  ],
])("%s", (_what, broker, message) => expect(faults(broker)).toEqual([expect.stringMatching(message)]));

it("says that users have no effect where another broker is named", () => {
  expect(faults({ users }, "mqtt://broker")).toEqual([expect.stringMatching(/^mqtt\.broker\.users: has no effect/)]);
  expect(faults({}, "mqtt://broker")).toEqual([]);
});

it("shows no password where it refuses one", () => {
  const environment = { SIDETONE_MQTT_BROKER_HOST: "0.0.0.0" };
  expect(() => loadConfig({ environment, flags: {} })).toThrow(/SIDETONE_MQTT_BROKER_HOST.*nobody has to log in/);
  const wrong = { ...admin, password: "$5$secret" };
  const [fault] = findBrokerFaults(configSchema.parse({ mqtt: { broker: { users: [wrong] } } }));
  expect(fault).toMatchObject({ hidesValue: true });
  expect(fault!.text).not.toContain("secret");
  expect(explainConfig()).toMatch(/mqtt\.broker\.users\[\]\.password\n.*\n.*\n\s+secret/);
});
