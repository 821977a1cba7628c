// Server-sent events, in whatever pieces they come.
import { describe, expect, it } from "vitest";
import { EventStreamParser, type ServerEvent } from "../../../host/event-stream.js";

const STREAM =
  ': hello\n\nid: 7\nevent: consent\ndata: {"a":\ndata:1}\n\ndata: \u00e9\u5f20\r\n\r\nretry: 10\nevent: none\n\nid\ndata:  two\r\rdata\n\n:\n\n';
const EVENTS: ServerEvent[] = [
  { id: "7", event: "consent", data: '{"a":\n1}' },
  { id: "7", event: "message", data: "\u00e9\u5f20" },
  { id: "", event: "message", data: " two" },
  { id: "", event: "message", data: "" },
];

describe("EventStreamParser", () => {
  it("finds the events, split at every byte", () => {
    const bytes = Buffer.from(STREAM);
    for (let at = 0; at <= bytes.length; at++) {
      const parser = new EventStreamParser();
      expect([at, [...parser.push(bytes.subarray(0, at)), ...parser.push(bytes.subarray(at))]]).toEqual([at, EVENTS]);
    }
  });

  it("finds them byte by byte", () => {
    const parser = new EventStreamParser();
    expect([...Buffer.from(STREAM)].flatMap((byte) => parser.push(Uint8Array.of(byte)))).toEqual(EVENTS);
  });

  it("holds no more of a line or an event than it may, and goes on behind it", () => {
    const parser = new EventStreamParser();
    const much = Buffer.from(`data: ${"x".repeat(100_000)}`);
    for (let i = 0; i < 10; i++) expect(parser.push(much)).toEqual([]);
    expect(parser.push(Buffer.from("\n\ndata: next\n\n"))).toEqual([{ id: "", event: "message", data: "next" }]);
    for (let i = 0; i < 20; i++) expect(parser.push(Buffer.from(`data: ${"y".repeat(100_000)}\n`))).toEqual([]);
    expect(parser.push(Buffer.from("\ndata: last\n\n"))).toEqual([{ id: "", event: "message", data: "last" }]);
    expect(parser.tooLong).toBeGreaterThanOrEqual(2);
  });
});
