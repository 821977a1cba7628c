// The settings of MQTT as an admin meets them: refused where they cannot work, the password never shown, the list of
// commands as a list of choices.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeConfig, explainConfig } from "../../../device/config/explain.js";
import { loadConfig } from "../../../device/config/load.js";
import { DEFAULT_VERBS } from "../../../device/contract/mqtt.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

function load(yaml: string, environment: Record<string, string> = {}) {
  const file = join(folder, "sidetone.yaml");
  writeFileSync(file, yaml);
  return loadConfig({ file, environment }).config.mqtt;
}
const problem = (yaml: string, environment?: Record<string, string>): string => {
  try {
    load(yaml, environment);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("was accepted");
};

describe("mqtt", () => {
  it("is off by default and then allows what only asks or is about calls", () => {
    expect(load("")).toMatchObject({ url: "", version: 5, numbers: "masked", allow: [...DEFAULT_VERBS] });
  });

  it.each(["broker:1883", "http://broker", "mqtt://", "mqtt://user:secret@broker", "mqtt://broker/path", "mqtt://a b"])(
    "refuses the url %s",
    (url) => expect(problem(`mqtt:\n  url: "${url}"\n`)).toMatch(/sidetone\.yaml:2: mqtt\.url: found/),
  );

  it.each([
    ["url: mqtt://broker:65536", /:2: mqtt\.url: .*port/],
    ["url: mqtt://broker:0", /:2: mqtt\.url: .*port/],
    ["url: mqtt://broker\n  caFile: /x", /:3: mqtt\.caFile: .*mqtts:\/\//],
    ["url: wss://broker\n  certFile: /x", /:3: mqtt\.certFile: .*mqtt\.keyFile/],
    ["url: wss://broker\n  keyFile: /x", /:3: mqtt\.keyFile: .*mqtt\.certFile/],
    ["url: mqtt://broker\n  version: 4\n  password: s3cret", /:3: mqtt\.version: 4 .*mqtt\.username/],
    ["version: 6", /expected a whole number from 4 to 5/],
    ["allow: [pause, reboot]", /:2: mqtt\.allow\[1\]: found "reboot", expected one of consent, pause/],
    ["allow: [pauze]", /did you mean.*pause/i],
    ["allow: all", /expected a list of at most \d+ of consent, pause/],
  ])("refuses %j", (yaml, line) => expect(problem(`mqtt:\n  ${yaml}\n`)).toMatch(line));

  it.each(["ws://broker/a:99999/b", "mqtts://[2001:db8::99999]:1", "mqtt://broker:65535"])("takes %s", (url) =>
    expect(load(`mqtt: { url: "${url}" }`).url).toBe(url),
  );

  it("says nothing about files of a broker that is not used", () => {
    expect(load("mqtt: { caFile: /x }").caFile).toBe("/x");
  });

  it("takes the commands from the environment", () => {
    expect(load("", { SIDETONE_MQTT_ALLOW: "calls, pause" }).allow).toEqual(["calls", "pause"]);
    expect(problem("", { SIDETONE_MQTT_ALLOW: "calls,reboot" })).toMatch(/SIDETONE_MQTT_ALLOW: .*"reboot"/);
  });

  it("never shows the password", () => {
    const secret = "s3cret".repeat(200);
    for (const message of [
      problem("", { SIDETONE_MQTT_PASSWORD: secret }),
      problem(`mqtt: { url: "mqtt://b", version: 4, password: "s3cret" }`),
      problem("mqtt: { password: 0x53c4e7 }").replace("0x53c4e7", "s3cret"),
    ])
      expect(message).not.toContain("s3cret");
    const settings = describeConfig().sections.flatMap((section) => section.settings);
    expect(settings.find(({ path }) => path === "mqtt.password")).toMatchObject({ secret: true });
    expect(explainConfig()).toMatch(/SIDETONE_MQTT_PASSWORD\n {6}secret\n/);
  });

  it("explains the list of commands", () => {
    expect(explainConfig()).toMatch(/takes a list of at most \d+ of consent, pause, resume, start, stop, calls, tag, /);
  });
});
