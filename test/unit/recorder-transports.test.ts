// The same call over every transport that can be read, through the engine's pipeline as a whole: the call record is that
// of the call over UDP.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../device/contract/call-record.js";
import type { TlsEndpointStatus } from "../../device/contract/engine-messages.js";
import { makeCall } from "../fakes/office-call.js";
import { makeFolder, removeFolder } from "../fakes/program.js";
import { RecorderRun } from "../fakes/recorder-run.js";
import { overTcp, overWebSocket, type StreamOptions, type WebSocketOptions } from "../fakes/stream-call.js";
import type { TimedFrame } from "../fakes/timed-frames.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

interface Outcome {
  records: CallRecord[];
  counts: Record<string, number>;
  tlsEndpoints: TlsEndpointStatus[];
}

async function record(frames: readonly TimedFrame[]): Promise<Outcome> {
  const run = new RecorderRun(folder).feed(frames);
  const counts = await run.end();
  return { records: run.records, counts, tlsEndpoints: run.recorder.tlsEndpoints() };
}

/** What a record says but for what differs from run to run, and to within what cutting into segments delays. */
function essence(one: CallRecord): unknown {
  return JSON.parse(
    JSON.stringify(one, (key, value: unknown) => {
      if (key === "id") return undefined;
      return key.endsWith("Us") && typeof value === "number" ? Math.floor(value / 1000) : value;
    }),
  );
}

const call = () =>
  makeCall({
    midCall: [{ atMs: 1500, from: "callee", method: "INFO", headers: [["X-Recording-Consent", "granted"]] }],
  });

async function expectSameAsUdp(frames: TimedFrame[], counts: Record<string, number> = {}): Promise<void> {
  const plain = await record(call());
  const outcome = await record(frames);
  expect(plain.records.length).toBe(1);
  expect(outcome.records.map(essence)).toEqual(plain.records.map(essence));
  expect(outcome.counts["sip.messages"]).toBe(plain.counts["sip.messages"]);
  expect(Object.keys(outcome.counts).filter((name) => name.startsWith("sip.rejected"))).toEqual([]);
  expect(outcome.counts).toMatchObject(counts);
}

const ODD: StreamOptions = { segmentSizes: [1, 2, 61, 300, 7, 1460, 3, 128] };

describe("a call over TCP", () => {
  it.each<[string, StreamOptions]>([
    ["one segment per message", {}],
    ["odd segments", ODD],
    ["segments of one byte", { segmentSizes: [1] }],
    ["odd segments, out of order and twice", { ...ODD, isDisordered: true }],
    ["joined midway", { ...ODD, isMidway: true }],
  ])("%s", async (_name, options) => {
    await expectSameAsUdp(overTcp(call(), options), { "sip.websocket-connections": 0, "sip.tcp-discarded-bytes": 0 });
  });
});

describe("a call over WebSocket", () => {
  it.each<[string, WebSocketOptions]>([
    ["one frame per message", {}],
    ["on the port of the web", { server: "10.0.0.7:80" }],
    ["binary, with long lengths", { opcode: 2, lengthBytes: 8 }],
    ["odd segments", ODD],
    ["segments of one byte", { segmentSizes: [1] }],
    ["odd segments, out of order and twice", { ...ODD, isDisordered: true }],
    ["fragments with control frames between", { ...ODD, isFragmented: true }],
    ["compressed with the window kept", { ...ODD, compression: "window" }],
    ["compressed message by message, in fragments", { ...ODD, compression: "message", isFragmented: true }],
    ["all of it", { ...ODD, compression: "window", isFragmented: true, isDisordered: true, opcode: 2 }],
    ["joined midway", { isMidway: true }],
    ["joined midway, odd segments out of order", { ...ODD, isMidway: true, isDisordered: true }],
    ["joined midway, compressed message by message", { isMidway: true, compression: "message" }],
  ])("%s", async (_name, options) => {
    await expectSameAsUdp(overWebSocket(call(), options), {
      "sip.websocket-connections": 1,
      "sip.websocket-undecodable": 0,
      "sip.websocket-lost": 0,
      "sip.websocket-incomplete": 0,
    });
  });
});
