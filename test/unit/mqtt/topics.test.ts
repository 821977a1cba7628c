// Names of topics: whatever the box is called they are valid (MQTT 5 §4.7), and a requester cannot choose any to be
// published on.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isResponseTopic, safeLevel, Topics } from "../../../device/mqtt/topics.js";

const anyText = fc.string({ unit: "binary", maxLength: 200 });

describe("Topics", () => {
  it("are where the contract says", () => {
    const topics = new Topics("front office");
    expect(topics.state).toBe("sidetone/front office/state");
    expect(topics.requests).toBe("sidetone/front office/request/+");
    expect(topics.response("consent")).toBe("sidetone/front office/response/consent");
    expect(topics.event("pause")).toBe("sidetone/front office/event/pause");
    expect(topics.retained("calls")).toBe("sidetone/front office/calls");
  });

  it("hold any name as one valid level", () => {
    fc.assert(
      fc.property(anyText, (name) => {
        const level = safeLevel(name);
        expect(level).not.toMatch(/[+#/\0]/);
        expect(level.length).toBeGreaterThan(0);
        expect([...level].length).toBeLessThanOrEqual(64);
        // Valid UTF-8: nothing is lost on the way through it.
        expect(Buffer.from(level, "utf8").toString("utf8")).toBe(level);
      }),
    );
    expect(safeLevel("a+b#c/d\0e\u{ffff}")).toBe("a_b_c_d_e_");
    expect(safeLevel("  ")).toBe("box");
    expect(safeLevel("Empfang süd")).toBe("Empfang süd");
  });

  it("give the verb of a request and of nothing else", () => {
    const topics = new Topics("box");
    expect(topics.verbOf("sidetone/box/request/pause")).toBe("pause");
    expect(topics.verbOf("sidetone/box/request/")).toBe("");
    for (const topic of ["sidetone/box/response/pause", "sidetone/box2/request/pause", "sidetone/box/request", ""])
      expect(topics.verbOf(topic)).toBeUndefined();
  });

  it("repeat no verb that is not a plain word", () => {
    const topics = new Topics("box");
    for (const verb of ["", "a/b", "é", "x".repeat(33), "a b", "\u0001"])
      expect(topics.response(verb)).toBe("sidetone/box/response/unknown");
  });
});

describe("isResponseTopic", () => {
  it.each(["desk/answers", "sidetone/box/response/calls", "sidetone/other/response/x/y", "a", "sidetones/x", "/x"])(
    "takes %s",
    (topic) => expect(isResponseTopic(topic)).toBe(true),
  );
  it.each([
    "",
    "a/+",
    "a/#",
    "a\0b",
    "a\nb",
    "$SYS/x",
    "sidetone",
    "sidetone/box",
    "sidetone/box/state",
    "sidetone/box/request/pause",
    "sidetone/box/event/consent",
    "sidetone/box/responses",
    "sidetone//state",
    "x".repeat(513),
  ])("refuses %j", (topic) => expect(isResponseTopic(topic)).toBe(false));
});
