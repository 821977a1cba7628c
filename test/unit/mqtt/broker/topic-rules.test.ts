// What a client may publish on and read, and MQTT's own examples of what a filter matches.
import { describe, expect, it } from "vitest";
import { matches, TopicRules } from "../../../../device/mqtt/broker/topic-rules.js";

describe("TopicRules", () => {
  const rules = new TopicRules(["sidetone/box/request/+"]);
  rules.noteOwn("homeassistant/device/box/config");

  it.each([
    ["sidetone/box/request/pause", "no-right", "request"],
    ["sidetone/box/request/", "no-right", "request"],
    ["sidetone/box/request/pause/x", "refused", "refused"],
    ["sidetone/other/request/pause", "refused", "refused"],
    ["sidetone/box/state", "refused", "refused"],
    ["sidetone/box/event/call", "refused", "refused"],
    ["sidetone/box/response/pause", "refused", "refused"],
    ["sidetone", "refused", "refused"],
    ["$SYS/broker", "refused", "refused"],
    ["homeassistant/device/box/config", "refused", "refused"],
    ["homeassistant/status", "relayed", "relayed"],
    ["sidetones/box/state", "relayed", "relayed"],
    ["x".repeat(257), "refused", "refused"],
  ])("%s: %s for a reader, %s for who may command", (topic, reader, commander) => {
    expect([rules.judge(topic, "read"), rules.judge(topic, "command")]).toEqual([reader, commander]);
  });

  it("lets nobody read what is the broker's own", () => {
    expect(["#", "sidetone/#", "homie/#", "+/+/state"].every((filter) => rules.maySubscribe(filter))).toBe(true);
    expect(["$SYS/#", "$share/a/b", "x".repeat(257)].some((filter) => rules.maySubscribe(filter))).toBe(false);
  });
});

describe("matches", () => {
  it.each([
    ["sport/tennis/player1/#", "sport/tennis/player1", true],
    ["sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true],
    ["sport/#", "sport", true],
    ["sport/tennis/+", "sport/tennis/player1", true],
    ["sport/tennis/+", "sport/tennis/player1/ranking", false],
    ["sport/+", "sport", false],
    ["sport/+", "sport/", true],
    ["+/+", "/finance", true],
    ["+", "/finance", false],
    ["a/b", "a/b", true],
    ["a/b", "a/b/c", false],
    ["a/b/c", "a/b", false],
  ])("%s, %s: %s (MQTT 3.1.1 §4.7.1)", (filter, topic, expected) => expect(matches(filter, topic)).toBe(expected));
});
