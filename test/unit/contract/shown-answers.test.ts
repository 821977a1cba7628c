// What commands about the box answer, as it goes to the broker: numbers as mqtt.numbers says, addresses as they are.
import { describe, expect, it } from "vitest";
import type { BoxAnswers } from "../../../device/contract/box-answers.js";
import type { BoxResult } from "../../../device/contract/box-commands.js";
import { retainedAlarm, showBoxData } from "../../../device/contract/shown-answers.js";
import { respondOfBox } from "../../../device/mqtt/response.js";

const configuration: BoxResult & { ok: true } = {
  ok: true,
  verb: "configuration",
  data: {
    action: "get",
    file: "/etc/sidetone/sidetone.yaml",
    settings: {
      "agents.match": {
        value: ["10.0.0.0/24", "2001:db8::/32", "21", "+4930123456*", "anna"],
        source: "file",
        settable: false,
      },
      "consent.rules": {
        value: [{ name: "of 030 123456", numbers: ["+4930123456"], headers: ["X-Queue: 7"], policy: "none" }],
        source: "file",
        settable: false,
      },
      "sip.tcpPorts": { value: [5060, 15060], source: "file", settable: false },
      "mqtt.url": { value: "mqtt://10.0.0.1:18830", source: "file", settable: false },
    },
    omitted: [],
    pending: [],
  },
};
const settingsOf = (display: "full" | "masked" | "none") => {
  const data = showBoxData(configuration, display) as Extract<BoxAnswers["configuration"], { action: "get" }>;
  return Object.fromEntries(Object.entries(data.settings).map(([path, { value }]) => [path, value]));
};

describe("settings", () => {
  it("are masked where they hold numbers", () => {
    expect(settingsOf("masked")).toEqual({
      "agents.match": ["10.0.0.0/24", "2001:db8::/32", "21", "•••56*", "•••"],
      "consent.rules": [{ name: "of •••", numbers: ["•••456"], headers: ["X-Queue: 7"], policy: "none" }],
      "sip.tcpPorts": [5060, 15060],
      "mqtt.url": "mqtt://10.0.0.1:18830",
    });
  });

  it("show no number at all, or all of them, where that is wished", () => {
    expect(settingsOf("none")).toMatchObject({
      "agents.match": ["10.0.0.0/24", "2001:db8::/32", "•••", "•••", "•••"],
      "consent.rules": [{ name: "of •••", numbers: ["•••"] }],
    });
    expect(settingsOf("full")["agents.match"]).toContain("+4930123456*");
  });
});

it("says why an address is an agent's without a number in full", () => {
  const endpoint = { address: "10.0.0.7", kind: "agent", calls: 1, sipPeers: 1, lastAtUs: 0 } as const;
  const data: BoxAnswers["span"] = {
    at: "",
    state: "pass",
    checks: [],
    endpoints: [
      { ...endpoint, evidence: "agents.match 4930123456" },
      { ...endpoint, evidence: "agents.match 10.0.0.0/24" },
    ],
  };
  const shown = showBoxData({ ok: true, verb: "span", data }, "masked") as BoxAnswers["span"];
  expect(shown.endpoints.map(({ evidence }) => evidence)).toEqual(["agents.match •••456", "agents.match 10.0.0.0/24"]);
});

it("keeps numbers out of a retained alarm, whoever says he has seen it", () => {
  const facts = {
    code: "no-agents",
    severity: "warning",
    title: "",
    remedy: "",
    since: "",
    count: 1,
    detail: {},
  } as const;
  expect(retainedAlarm({ ...facts, acknowledged: { at: "", by: "mqtt client 030 1234567" } }).acknowledged).toEqual({
    at: "",
    by: "mqtt client •••",
  });
  expect(retainedAlarm(facts)).toEqual(facts);
});

describe("a refusal", () => {
  const refused = (error: "invalid" | "configuration-invalid", display: "full" | "masked") =>
    JSON.parse(
      respondOfBox({ verb: "configuration" }, { ok: false, error, message: "found 0301234567", field: "a.b" }, display),
    ).error;
  it("says what the request held, and not what the box holds", () => {
    expect(refused("invalid", "masked")).toEqual({ code: "invalid", message: "found 0301234567", field: "a.b" });
    expect(refused("configuration-invalid", "masked").message).toBe("found •••");
    expect(refused("configuration-invalid", "full").message).toBe("found 0301234567");
  });
});
