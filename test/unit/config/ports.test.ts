// Lists of whole numbers: from the file and the environment, with their bounds, and in the reference.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { describeConfig, explainConfig } from "../../../device/config/explain.js";
import { loadConfig } from "../../../device/config/load.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

function load(yaml: string, environment: Record<string, string> = {}): number[] {
  const folder = makeFolder();
  try {
    const file = join(folder, "f.yaml");
    writeFileSync(file, yaml);
    return loadConfig({ file, environment, flags: {} }).config.sip.tcpPorts;
  } finally {
    removeFolder(folder);
  }
}

describe("sip.tcpPorts", () => {
  it("is read from the file and the environment", () => {
    expect(load("")).toEqual([5060, 5061, 5062, 5066, 7443, 8088, 8089]);
    expect(load("sip: {tcpPorts: [5060, 80]}\n")).toEqual([5060, 80]);
    expect(load("sip: {tcpPorts: []}\n")).toEqual([]);
    expect(load("", { SIDETONE_SIP_TCP_PORTS: " 5060, 443 ,," })).toEqual([5060, 443]);
  });

  it.each([
    ["sip: {tcpPorts: [5060, 70000]}", "sip.tcpPorts[1]: found 70000, expected a whole number from 1 to 65535"],
    ["sip: {tcpPorts: ['5060']}", 'sip.tcpPorts[0]: found "5060", expected a whole number from 1 to 65535'],
    ["sip: {tcpPorts: 5060}", "sip.tcpPorts: found 5060, expected a list of at most 64 whole numbers from 1 to 65535"],
    [
      `sip: {tcpPorts: [${Array.from({ length: 65 }, (_, i) => i + 1)}]}`,
      "sip.tcpPorts: found a list of 65, expected a list of at most 64 whole numbers from 1 to 65535",
    ],
  ])("%s", (yaml, message) => expect(() => load(`${yaml}\n`)).toThrow(message));

  it("refuses what is no number in the environment", () => {
    const expected = 'found "http", expected a whole number from 1 to 65535';
    expect(() => load("", { SIDETONE_SIP_TCP_PORTS: "5060,http" })).toThrow(expected);
  });

  it("stands in the reference with bounds, and with what the ports of the web cost", () => {
    const settings = describeConfig().sections.flatMap((section) => section.settings);
    expect(settings.find(({ path }) => path === "sip.tcpPorts")).toMatchObject({
      kind: "integer-list",
      minimum: 1,
      maximum: 65535,
      takes: "a list of at most 64 whole numbers from 1 to 65535",
      environment: "SIDETONE_SIP_TCP_PORTS",
    });
    expect(explainConfig()).toMatch(/80 or 443 only where WebSocket runs there: it captures all web traffic/);
  });
});
