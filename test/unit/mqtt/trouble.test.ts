// The log of trouble with the broker: each reason in words that say what to do, once, however often it is met.
import { beforeEach, describe, expect, it } from "vitest";
import type { Logger } from "../../../device/base/logger.js";
import { connectTrouble, disconnectTrouble, LOST, PUBLISH_REFUSED, TroubleLog } from "../../../device/mqtt/trouble.js";

let lines: string[];
let nowMs: number;
let log: TroubleLog;
beforeEach(() => {
  lines = [];
  nowMs = 0;
  const add = (level: string) => (message: string) => lines.push(`${level}: ${message}`);
  const logger: Logger = { debug: add("debug"), info: add("info"), warn: add("warn"), error: add("error") };
  log = new TroubleLog(logger, { nowUs: () => nowMs * 1000, monotonicMs: () => nowMs }, "mqtt://broker");
});
const refused = connectTrouble(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }));
const untrusted = connectTrouble(Object.assign(new Error("x"), { code: "SELF_SIGNED_CERT_IN_CHAIN" }));

describe("troubles", () => {
  it.each([
    ["ECONNREFUSED", "warn", /mqtt\.url/],
    ["ENOTFOUND", "error", /mqtt\.url/],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "error", /mqtt\.caFile/],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "error", /mqtt\.caFile/],
    ["CERT_HAS_EXPIRED", "error", /clock/],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "error", /name/],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "error", /mqtt\.certFile/],
    ["ESOMETHING", "warn", /ESOMETHING/],
    [4, "error", /mqtt\.password/],
    [134, "error", /mqtt\.password/],
    [5, "error", /mqtt\.username/],
    [2, "error", /mqtt\.clientId/],
    [1, "error", /mqtt\.version/],
    [3, "warn", /takes no connections/],
    [99, "error", /99/],
  ])("%s", (code, level, words) => {
    const trouble = connectTrouble(Object.assign(new Error("text of the broker"), { code }));
    expect(trouble.level).toBe(level);
    expect(trouble.message).toMatch(words);
    expect(trouble.message).not.toMatch(/text of the broker|\n/);
  });

  it("have a word for what has no code, and repeat nothing of it", () => {
    for (const fault of [new Error("0301234567"), Object.assign(new Error(), { code: "0301234567 x" }), {}]) {
      expect(connectTrouble(fault)).toMatchObject({ reason: "protocol", level: "warn" });
      expect(connectTrouble(fault).message).not.toContain("0301234567");
    }
    expect(connectTrouble(new Error("connack timeout")).reason).toBe("no-connack");
    expect(disconnectTrouble(142).message).toMatch(/mqtt\.clientId/);
    expect(disconnectTrouble(77).message).toMatch(/77/);
  });
});

describe("TroubleLog", () => {
  it("says a reason once, another at once, and the recovery once", () => {
    for (let i = 0; i < 1000; i++) log.disconnected(refused);
    log.disconnected(untrusted);
    log.disconnected(untrusted);
    log.connected();
    expect(lines.map((line) => line.split(":")[0])).toEqual(["warn", "error", "info"]);
  });

  it("is quiet about a broker that comes and goes, and speaks again later", () => {
    log.connected();
    for (let i = 0; i < 500; i++) {
      nowMs += 1000;
      log.disconnected(LOST);
      log.disconnected(refused);
      log.connected();
    }
    expect(lines).toHaveLength(4);
    nowMs += 600_000;
    log.disconnected(LOST);
    log.connected();
    expect(lines.slice(4).map((line) => line.split(":")[0])).toEqual(["warn", "info"]);
  });

  it("says what is refused while connected once, and no recovery for it", () => {
    log.connected();
    for (let i = 0; i < 10; i++) log.say(PUBLISH_REFUSED, { topic: "a" });
    log.connected();
    expect(lines).toHaveLength(2);
  });
});
