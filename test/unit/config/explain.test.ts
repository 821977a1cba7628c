// The reference covers every setting of the schema, each with what a reader needs, and stays plain text.
import { describe, expect, it } from "vitest";
import { describeConfig, explainConfig } from "../../../device/config/explain.js";
import { environmentName } from "../../../device/config/fields.js";
import { configSchema } from "../../../device/contract/config.js";
import { ruleSchema } from "../../../device/contract/config-consent.js";

/** Paths of all leaves of a value, lists being leaves. */
function leaves(value: unknown, path: string): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [path];
  return Object.entries(value).flatMap(([key, member]) => leaves(member, path === "" ? key : `${path}.${key}`));
}

const settings = describeConfig().sections.flatMap((section) => section.settings);

describe("describeConfig", () => {
  it("has every setting of the schema, with the schema's default", () => {
    const listed = settings.filter((setting) => !setting.path.includes("[]"));
    expect(listed.map((setting) => setting.path)).toEqual(leaves(configSchema.parse({}), ""));
    for (const { path, default: fallback } of listed) {
      const value = path
        .split(".")
        .reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], configSchema.parse({}));
      expect(fallback, path).toEqual(value);
    }
  });

  it("has the members of rules", () => {
    const members = settings.filter((setting) => setting.path.startsWith("consent.rules[].")).map(({ path }) => path);
    expect(members).toEqual(Object.keys(ruleSchema.shape).map((name) => `consent.rules[].${name}`));
  });

  it("describes every setting and section", () => {
    for (const section of describeConfig().sections) expect(section.description, section.path).not.toBe("");
    for (const setting of settings) {
      expect(setting.description.length, setting.path).toBeGreaterThan(10);
      expect(setting.takes, setting.path).not.toMatch(/undefined/);
      if (setting.kind === "integer") expect([setting.minimum, setting.maximum], setting.path).not.toContain(null);
      if (setting.kind === "choice") expect(setting.values.length, setting.path).toBeGreaterThan(1);
    }
  });

  it("gives a unit to every setting whose name ends in one", () => {
    const units: [RegExp, string][] = [
      [/Ms$/, "ms"],
      [/Megabytes$/, "MiB"],
      [/Bytes$/, "bytes"],
    ];
    for (const { path, unit } of settings) {
      for (const [ending, expected] of units) if (ending.test(path)) expect(unit, path).toBe(expected);
    }
  });

  it("has one environment name per setting", () => {
    const names = settings.map((setting) => setting.environment).filter((name) => name !== "");
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain("SIDETONE_CALL_IDLE_TIMEOUT_MS");
    expect(environmentName("consent.header.name")).toBe("SIDETONE_CONSENT_HEADER_NAME");
  });
});

describe("explainConfig", () => {
  const text = explainConfig();
  it("is plain ASCII and ends with a newline", () => {
    expect(text).toMatch(/^[\n\x20-\x7e]+\n$/);
    expect(text).not.toMatch(/undefined|\[object/);
  });

  it("shows a setting with all that belongs to it", () => {
    expect(text).toContain(
      [
        "  call.idleTimeoutMs",
        "      time without RTP and SIP until an answered call counts as ended",
        "      takes a whole number from 5000 to 86400000 ms; default 120000 ms",
        "      SIDETONE_CALL_IDLE_TIMEOUT_MS\n",
      ].join("\n"),
    );
    expect(text).toContain("SIDETONE_CONSENT_POLICY, --policy");
  });

  it("shows every setting once", () => {
    for (const { path } of settings) expect(text.split(`\n  ${path}\n`), path).toHaveLength(2);
  });
});
