// The table of requests, of which the MQTT reference is made: its examples are what it says, its schemas can be written down, and
// what is taken without being asked for is known.
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { BOX_ERRORS, boxCommandSchema, momentAfter, momentOf } from "../../../device/contract/box-commands.js";
import { configSchema } from "../../../device/contract/config.js";
import { DEFAULT_VERBS, MQTT_ERROR_CODES, REQUEST_VERBS, type RequestVerb } from "../../../device/contract/mqtt.js";
import { MQTT_REQUESTS } from "../../../device/contract/mqtt-requests.js";

describe("requests over MQTT", () => {
  it("has each verb once, in one table", () => {
    expect(Object.keys(MQTT_REQUESTS).sort()).toEqual([...REQUEST_VERBS].sort());
    expect(new Set(REQUEST_VERBS).size).toBe(REQUEST_VERBS.length);
  });

  it.each([...REQUEST_VERBS])(
    "%s: its examples are what its schemas take, and both can be written as JSON Schema",
    (verb) => {
      const { request, data, example, errors } = MQTT_REQUESTS[verb as RequestVerb];
      const { transaction: _, ...payload } = example.request as Record<string, unknown>;
      expect(request.safeParse(payload).error).toBeUndefined();
      expect(data.safeParse(example.data).error).toBeUndefined();
      for (const io of ["input", "output"] as const) {
        expect(JSON.stringify(z.toJSONSchema(request, { io }))).not.toContain("verb");
        expect(z.toJSONSchema(data, { io })).toBeTypeOf("object");
      }
      for (const code of errors) expect(MQTT_ERROR_CODES[code]).toMatch(/./);
    },
  );

  it("takes by default what only asks or is about calls, and neither configuration nor restart", () => {
    expect(configSchema.parse({}).mqtt.allow).toEqual([...DEFAULT_VERBS]);
    expect(REQUEST_VERBS.filter((verb) => !DEFAULT_VERBS.includes(verb))).toEqual(["configuration", "restart"]);
  });

  it("knows each error of the box", () => {
    for (const [code, meaning] of Object.entries(BOX_ERRORS))
      expect(MQTT_ERROR_CODES).toMatchObject({ [code]: meaning });
  });

  it.each([
    ["a day's first moment", "2026-11-28", "2026-11-28T00:00:00.000Z", "2026-11-29T00:00:00.000Z"],
    ["a moment, with or without Z", "2026-11-28T09:30", "2026-11-28T09:30:00.000Z", "2026-11-28T09:30:00.000Z"],
    ["fractions", "2026-02-28T23:59:59.5Z", "2026-02-28T23:59:59.500Z", "2026-02-28T23:59:59.500Z"],
  ])("understands %s", (_, text, first, after) => {
    expect(new Date(momentOf(text)).toISOString()).toBe(first);
    expect(new Date(momentAfter(text)).toISOString()).toBe(after);
  });

  it.each(["2026-02-30", "2026-02-30T10:00", "2026-13-01", "0", "2026-11-28T24:00", "2026-11-28 09:00", "−2026-01-01"])(
    "takes %s for no time",
    (from) => {
      expect(boxCommandSchema.safeParse({ verb: "recordings", from }).success).toBe(false);
    },
  );

  it.each<[string, unknown]>([
    ["an unknown field", { verb: "health", x: 1 }],
    ["a list as values", { verb: "configuration", action: "set", values: [] }],
    ["no settings", { verb: "configuration", action: "set", values: {} }],
    ["a path that is none", { verb: "configuration", action: "set", values: { "a b": 1 } }],
    ["a prototype", JSON.parse('{"verb":"configuration","action":"set","values":{"__proto__":1}}')],
    ["an unknown action", { verb: "alarms", action: "raise" }],
    ["an acknowledgement of nothing", { verb: "alarms", action: "acknowledge" }],
    ["an unknown alarm", { verb: "alarms", action: "acknowledge", code: "__proto__" }],
    ["a list with a code", { verb: "alarms", action: "list", code: "no-agents" }],
    ["a bad tag", { verb: "tag", call: { id: "01JD7Q2Z3F8W5V9T6R4M1K0H2C" }, add: ["+49 30 123456"] }],
    ["too many tags", { verb: "tag", call: { id: "01JD7Q2Z3F8W5V9T6R4M1K0H2C" }, add: Array(33).fill("a") }],
    ["a call that is no id", { verb: "tag", call: { id: "../../etc/passwd" }, add: ["a"] }],
    ["a limit of 0", { verb: "recordings", limit: 0 }],
    ["a limit of 101", { verb: "recordings", limit: 101 }],
    ["a fraction", { verb: "recordings", limit: 1.5 }],
    ["a long cursor", { verb: "recordings", cursor: "a".repeat(65) }],
    ["an unknown moment to restart", { verb: "restart", when: "never" }],
  ])("refuses %s", (_, body) => {
    expect(boxCommandSchema.safeParse(body).success).toBe(false);
  });

  it("lists alarms without being told an action", () => {
    expect(boxCommandSchema.parse({ verb: "alarms" })).toEqual({ verb: "alarms" });
  });
});
