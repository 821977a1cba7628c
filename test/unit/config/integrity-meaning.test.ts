// Settings of `integrity` that would have no effect, and addresses that are none, are refused at the start in words.
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../../device/config/load.js";

function refusal(environment: Record<string, string>): string {
  try {
    loadConfig({ environment, defaultFile: "/nowhere" });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "";
}
const URL = "SIDETONE_INTEGRITY_TIMESTAMP_URL";
const CA = "SIDETONE_INTEGRITY_TIMESTAMP_CA_FILE";
const ANCHOR = "SIDETONE_INTEGRITY_ANCHOR";

describe("integrity", () => {
  it("is off by default, and takes what makes sense together", () => {
    const { config } = loadConfig({ environment: {}, defaultFile: "/nowhere" });
    expect([config.integrity.anchor, config.integrity.timestamp.url]).toEqual(["off", ""]);
    for (const url of ["http://tsa.example/tsr", "https://[2001:db8::1]:8443/a?b=c", "http://10.0.0.1"])
      expect(refusal({ [URL]: url, [CA]: "/etc/ca.pem" }), url).toBe("");
    expect(refusal({ [ANCHOR]: "mqtt", SIDETONE_MQTT_URL: "mqtt://broker" })).toBe("");
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ["an anchor without a broker", { [ANCHOR]: "mqtt" }, /integrity\.anchor: "mqtt" needs a broker in mqtt\.url/],
    ["an anchor of another kind", { [ANCHOR]: "chain" }, /integrity\.anchor/],
    ["an authority's certificate without its address", { [CA]: "a.pem" }, /caFile: "a\.pem" has no effect without/],
    ["a port that is none", { [URL]: "http://a:70000/" }, /has a port that is not within 1 to 65535/],
    ["another scheme", { [URL]: "ftp://a/" }, /integrity\.timestamp\.url/],
    ["a password in an address", { [URL]: "http://me:secret@a/" }, /integrity\.timestamp\.url/],
    ["an interval that would flood", { SIDETONE_INTEGRITY_INTERVAL_MINUTES: "1" }, /intervalMinutes/],
    ["a hash that proves nothing", { SIDETONE_INTEGRITY_TIMESTAMP_HASH: "sha1" }, /integrity\.timestamp\.hash/],
  ])("refuses %s", (_, environment, expected) => {
    expect(refusal(environment)).toMatch(expected);
  });
});
