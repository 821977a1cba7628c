// Requests as they come off the network: the right ones become commands, the others are refused with the field's name.
import { describe, expect, it } from "vitest";
import { REQUEST_VERBS } from "../../../device/contract/mqtt.js";
import { type IncomingMessage, MAX_PAYLOAD_BYTES, readRequest } from "../../../device/mqtt/request.js";
import { Topics } from "../../../device/mqtt/topics.js";

const topics = new Topics("box");
const id = "01J00000000000000000000000";

function message(verb: string, payload: unknown, more: Partial<IncomingMessage> = {}): IncomingMessage {
  const bytes = payload instanceof Uint8Array ? payload : Buffer.from(JSON.stringify(payload));
  return { topic: `sidetone/box/request/${verb}`, payload: bytes, isRetained: false, isDuplicate: false, ...more };
}
const read = (verb: string, payload: unknown, more?: Partial<IncomingMessage>) =>
  readRequest(message(verb, payload, more), topics, [...REQUEST_VERBS]);
function refusal(verb: string, payload: unknown, more?: Partial<IncomingMessage>) {
  const request = read(verb, payload, more);
  if (!request || !("refusal" in request)) throw new Error("was not refused");
  return request.refusal;
}

describe("readRequest", () => {
  it.each(["values", "call"])("refuses a prototype within %s, whatever stands beside it", (name) => {
    const payload = Buffer.from(`{"action":"set","${name}":{"__proto__":{"x":1},"call.tailMs":1}}`);
    expect(refusal("configuration", payload)).toMatchObject({ code: "invalid", field: name });
  });

  it("reads what is nested deeply without looking into it", () => {
    const payload = Buffer.from(`{"action":"set","values":{"call.tailMs":${"[".repeat(7000)}${"]".repeat(7000)}}}`);
    expect(read("configuration", payload)).toMatchObject({ body: { verb: "configuration" } });
  });

  it.each([
    ["calls", {}, { verb: "calls" }],
    ["calls", { verb: "calls" }, { verb: "calls" }],
    ["pause", { call: "all" }, { verb: "pause", call: "all", reason: "" }],
    ["resume", { call: { id }, reason: "done" }, { verb: "resume", call: { id }, reason: "done" }],
    ["start", { call: { agent: "21" } }, { verb: "start", call: { agent: "21" }, reason: "" }],
    [
      "consent",
      { call: { sipCallId: "x@y" }, party: 1, effect: "refused", reason: "said so" },
      { verb: "consent", call: { sipCallId: "x@y" }, party: 1, effect: "refused", reason: "said so" },
    ],
  ])("%s %j", (verb, payload, body) => {
    expect(read(verb, payload)).toEqual({ reply: { verb }, body, by: "mqtt" });
    expect(read(verb, { ...payload, transaction: 7 })).toEqual({ reply: { verb, transaction: 7 }, body, by: "mqtt" });
  });

  it("takes nothing at all for an empty object", () => {
    expect(read("calls", Buffer.alloc(0))).toMatchObject({ body: { verb: "calls" } });
    expect(refusal("pause", Buffer.alloc(0))).toMatchObject({ code: "invalid", field: "call" });
  });

  it.each([
    ["pause", {}, "call", /takes one of .* or "all"$/],
    ["tag", { add: ["a"] }, "call", /missing/],
    ["tag", { call: { id: "x" } }, "call.id", /26 characters/],
    ["tag", { call: { id }, add: ["a", "B"] }, "add.1", /lower-case/],
    ["tag", { call: { id, x: 1 } }, "call.x", /not a field/],
    ["recordings", { limit: 500 }, "limit", /100/],
    ["recordings", { from: "2026-02-30" }, "from", /no such day/],
    ["recordings", { consent: "maybe" }, "consent", /granted/],
    ["health", { x: 1 }, "x", /not a field/],
    ["completeness", { by: "week" }, "by", /day/],
    ["configuration", {}, "action", /missing/],
    ["configuration", { action: "delete" }, "action", /"get" or "set"/],
    ["configuration", { action: "set" }, "values", /missing/],
    ["configuration", { action: "set", values: {} }, "values", /1 to 100/],
    ["configuration", { action: "set", values: { "a b": 1 } }, "values.a b", /no setting is called so/],
    ["configuration", { action: "set", values: { "call.tailMs": 1 }, dryRun: "yes" }, "dryRun", /boolean/],
    ["alarms", { action: "raise" }, "action", /"list" or "acknowledge"/],
    ["alarms", { action: "acknowledge" }, "code", /missing/],
    ["alarms", { action: "acknowledge", code: "x" }, "code", /no such alarm/],
    ["restart", { when: "later" }, "when", /idle/],
    ["pause", { call: 7 }, "call", /takes one of/],
    ["pause", { call: {} }, "call", /takes one of/],
    ["pause", { call: { agent: "1", id } }, "call", /takes one of/],
    ["pause", { call: { agent: 21 } }, "call.agent", /wrong: .*expected string/],
    ["pause", { call: { id: "x" } }, "call.id", /26 characters/],
    ["start", { call: { id: "x" } }, "call.id", /26 characters/],
    ["stop", { call: "all" }, "call", /takes one of (?!.*"all")/],
    ["pause", { call: "all", reason: "x".repeat(257) }, "reason", /256/],
    ["pause", { call: "all", reason: "a\nb" }, "reason", /control/],
    ["pause", { call: "all", why: 1 }, "why", /not a field/],
    ["calls", { filter: 1 }, "filter", /not a field/],
    ["calls", { ["x".repeat(1000)]: 1 }, "x".repeat(64), /not a field/],
    ["consent", { call: { id }, effect: "granted" }, "reason", /missing/],
    ["consent", { call: { id }, effect: "yes", reason: "r" }, "effect", /granted/],
    ["consent", { call: { id }, effect: "granted", reason: "r", party: "agent" }, "party", /"caller"/],
    ["consent", { call: { id }, effect: "granted", reason: "r", by: "boss" }, "by", /not a field/],
    ["consent", { call: { id }, effect: "granted", reason: "r", source: "api" }, "source", /not a field/],
    ["calls", { verb: "pause" }, "verb", /topic/],
    ["calls", { transaction: {} }, "transaction", /takes/],
    ["calls", { transaction: null }, "transaction", /takes/],
    ["calls", { transaction: "x".repeat(129) }, "transaction", /128/],
  ])("%s %j names the field %s", (verb, payload, field, text) => {
    const { code, message, field: named } = refusal(verb, payload);
    expect([code, named]).toEqual(["invalid", field]);
    expect(message).toMatch(text);
    expect(message).not.toMatch(/\n|undefined/);
    expect(message.length).toBeLessThan(300);
  });

  it.each([
    ["not JSON", "{call", "not-json"],
    ["a list", "[]", "not-json"],
    ["null", "null", "not-json"],
    ["text", '"pause"', "not-json"],
    ["not UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), "not-json"],
    ["UTF-16", Buffer.from('{"call":"all"}', "utf16le"), "not-json"],
    ["deep", "[".repeat(MAX_PAYLOAD_BYTES), "not-json"],
    ["deep and closed", `${'{"a":'.repeat(2000)}1${"}".repeat(2000)}`, "invalid"],
    ["__proto__", '{"__proto__":{"call":"all"}}', "invalid"],
    ["a call in __proto__", '{"call":{"__proto__":{"agent":"1"}}}', "invalid"],
    ["constructor", '{"call":"all","constructor":{"prototype":{"x":1}}}', "invalid"],
    ["an infinite transaction", '{"call":"all","transaction":1e999}', "invalid"],
    ["too long", `{"call":"all","reason":"${"x".repeat(MAX_PAYLOAD_BYTES)}"}`, "too-long"],
  ])("refuses %s", (_what, payload, code) => {
    expect(refusal("pause", Buffer.from(payload as string))).toMatchObject({ code });
  });

  it("is cut off at no length into another command", () => {
    const whole = Buffer.from('{"call":{"agent":"21"},"reason":"für \\u0041","transaction":12}');
    for (let length = 1; length < whole.length; length++)
      expect(refusal("pause", whole.subarray(0, length)).code, String(length)).toBe("not-json");
    expect(read("pause", whole)).toMatchObject({ body: { reason: "für A" } });
  });

  it("takes a payload of exactly the limit", () => {
    const body = '{"call":"all"}'.padEnd(MAX_PAYLOAD_BYTES, " ");
    expect(read("pause", Buffer.from(body))).toMatchObject({ body: { verb: "pause" } });
    expect(refusal("pause", Buffer.from(`${body} `)).code).toBe("too-long");
  });

  it("refuses verbs that are unknown or not allowed", () => {
    for (const verb of ["reboot", "", "constructor", "__proto__", "PAUSE"])
      expect(refusal(verb, { transaction: 1 }).code).toBe("unknown-verb");
    const request = readRequest(message("pause", { call: "all", transaction: 1 }), topics, ["calls"]);
    expect(request).toMatchObject({ refusal: { code: "not-allowed" }, reply: { transaction: 1 } });
  });

  it("refuses what is retained, but not its clearing", () => {
    expect(refusal("pause", { call: "all" }, { isRetained: true }).code).toBe("retained");
    expect(read("pause", Buffer.alloc(0), { isRetained: true })).toBeUndefined();
  });

  it("knows no request on another topic", () => {
    expect(readRequest({ ...message("pause", { call: "all" }), topic: "sidetone/box/state" }, topics, [])).toBe(
      undefined,
    );
  });

  it("keeps where to answer, or refuses it", () => {
    const correlationData = Buffer.from("c");
    const reply = { verb: "calls", responseTopic: "desk/1", correlationData };
    expect(read("calls", {}, { responseTopic: "desk/1", correlationData })).toMatchObject({ reply });
    expect(read("calls", "x", { responseTopic: "desk/1", correlationData })).toMatchObject({ reply });
    expect(read("calls", {}, { responseTopic: "sidetone/box/state" })).toEqual({
      reply: { verb: "calls" },
      refusal: expect.objectContaining({ code: "invalid", field: "responseTopic" }),
    });
    expect(refusal("calls", {}, { correlationData: Buffer.alloc(1025) }).field).toBe("correlationData");
  });

  it.each([
    ["node-red-7", "mqtt client node-red-7"],
    [" a\nb\u0000 ", "mqtt client a b"],
    ["\n", "mqtt"],
    ["x".repeat(100), `mqtt client ${"x".repeat(64)}`],
  ])("enters the client %j as %j", (client, by) => expect(read("calls", {}, { client })).toMatchObject({ by }));
});
