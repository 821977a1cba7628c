// The configuration as the MQTT library takes it.
import { describe, expect, it } from "vitest";
import { type Config, configSchema } from "../../../device/contract/config.js";
import { brokerSettings, sendsPlainPassword } from "../../../device/mqtt/broker-settings.js";
import { Topics } from "../../../device/mqtt/topics.js";

const config = (own: Partial<Config["mqtt"]>): Config["mqtt"] => configSchema.parse({ mqtt: own }).mqtt;
const settings = (own: Partial<Config["mqtt"]>) => brokerSettings(config(own), "my/box", new Topics("my/box"));

describe("brokerSettings", () => {
  it.each([
    ["mqtt://broker", { protocol: "mqtt", host: "broker" }],
    ["mqtt://broker.example:1884/", { protocol: "mqtt", host: "broker.example", port: 1884 }],
    ["mqtts://192.0.2.1:8883", { protocol: "mqtts", host: "192.0.2.1", port: 8883 }],
    ["mqtts://[2001:db8::1]:8883", { protocol: "mqtts", host: "2001:db8::1", port: 8883 }],
    ["ws://[::1]:80/mqtt?x=1", { protocol: "ws", host: "[::1]", port: 80, path: "/mqtt?x=1" }],
    ["wss://broker/a:1/b", { protocol: "wss", host: "broker", path: "/a:1/b" }],
  ])("%s", (url, expected) => {
    const { protocol, host, port, path } = settings({ url });
    expect({ protocol, host, ...(port && { port }), ...(path && { path }) }).toEqual(expected);
  });

  it("asks for the last will, no session, and a bounded packet", () => {
    expect(settings({ url: "mqtt://broker" })).toMatchObject({
      clientId: "sidetone-my_box",
      protocolVersion: 5,
      clean: true,
      properties: { sessionExpiryInterval: 0, maximumPacketSize: 131072 },
      will: { topic: "sidetone/my_box/state", payload: Buffer.from('{"state":"offline"}'), qos: 1, retain: true },
    });
    const older = settings({ url: "mqtt://broker", version: 4, clientId: "me", username: "u", password: "p" });
    expect(older).toMatchObject({ clientId: "me", protocolVersion: 4, username: "u", password: "p" });
    expect(older).not.toHaveProperty("properties");
    expect(settings({ url: "mqtt://broker" })).not.toHaveProperty("password");
  });

  it.each([
    ["mqtt://broker", "p", true],
    ["ws://10.0.0.1", "p", true],
    ["mqtts://broker", "p", false],
    ["mqtt://127.0.0.1", "p", false],
    ["mqtt://[::1]:1883", "p", false],
    ["ws://[::1]:1883", "p", false],
    ["mqtt://127.example.org", "p", true],
    ["mqtt://localhost", "p", false],
    ["mqtt://broker", "", false],
  ])("knows whether %s shows the password %j", (url, password, shows) => {
    expect(sendsPlainPassword(config({ url, password }))).toBe(shows);
  });
});
