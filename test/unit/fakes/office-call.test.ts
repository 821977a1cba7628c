import { describe, expect, it } from "vitest";
import type { CallOptions } from "../../fakes/call-options.js";
import { CaptureFile } from "../../fakes/capture-file.js";
import { makeCall } from "../../fakes/office-call.js";
import { mergeCalls, reorderWithin, shuffleArrivals, type TimedFrame } from "../../fakes/timed-frames.js";
import { hasTshark, tshark, tsharkFields } from "./tshark.js";

const captureOf = (frames: TimedFrame[]): Buffer => new CaptureFile().addAll(frames).bytes();
const ladder = (frames: TimedFrame[]): string[] =>
  frames.filter((one) => one.kind === "sip").map((one) => `${one.from} ${one.label}`);
const rtpOf = (frames: TimedFrame[], from: TimedFrame["from"]): TimedFrame[] =>
  frames.filter((one) => one.kind === "rtp" && one.from === from);
const textOf = (frames: TimedFrame[], label: string): string =>
  frames
    .find((one) => one.label === label)!
    .frame.subarray(42)
    .toString();
const sequences = (frames: TimedFrame[]): number[] => frames.map((one) => one.frame.readUInt16BE(44));

const ANSWERED = ["caller INVITE", "callee 100 INVITE", "callee 180 INVITE", "callee 200 INVITE", "caller ACK"];

describe("a call", () => {
  it("is the same bytes for the same options, others for another seed", () => {
    expect(captureOf(makeCall()).equals(captureOf(makeCall()))).toBe(true);
    expect(captureOf(makeCall()).equals(captureOf(makeCall({ seed: 2 })))).toBe(false);
  });

  it("has the ladder of an answered call and RTP both ways from answer to BYE", () => {
    const frames = makeCall({ durationMs: 2000, byeBy: "callee" });
    expect(ladder(frames)).toEqual([...ANSWERED, "callee BYE", "caller 200 BYE"]);
    expect([rtpOf(frames, "caller").length, rtpOf(frames, "callee").length]).toEqual([100, 100]);
    const answeredAtUs = frames.find((one) => one.label === "200 INVITE")!.atUs;
    const byeAtUs = frames.find((one) => one.label === "BYE")!.atUs;
    expect(byeAtUs - answeredAtUs).toBe(2_000_000);
    for (const one of frames.filter((frame) => frame.kind === "rtp")) {
      expect(one.atUs).toBeGreaterThan(answeredAtUs);
      expect(one.atUs).toBeLessThan(byeAtUs);
    }
  });

  it.each<[string, CallOptions, string[]]>([
    ["endless", { isEndless: true }, ANSWERED],
    [
      "cancelled",
      { outcome: "cancelled" },
      [...ANSWERED.slice(0, 3), "caller CANCEL", "callee 200 CANCEL", "callee 487 INVITE", "caller ACK"],
    ],
    ["rejected", { outcome: 486 }, [...ANSWERED.slice(0, 3), "callee 486 INVITE", "caller ACK"]],
    ["unanswered", { outcome: "unanswered" }, ANSWERED.slice(0, 3)],
    [
      "answers only",
      { onlyResponses: true },
      ["100", "180", "200"].map((s) => `callee ${s} INVITE`).concat("callee 200 BYE"),
    ],
    [
      "held by re-INVITE",
      { midCall: [{ atMs: 500, from: "callee", method: "INVITE", sdp: { direction: "sendonly" } }] },
      [...ANSWERED, "callee INVITE", "caller 200 INVITE", "callee ACK", "caller BYE", "callee 200 BYE"],
    ],
  ])("can be %s", (_name, options, expected) => {
    expect(ladder(makeCall({ durationMs: 1000, ...options }))).toEqual(expected);
  });

  it("mirrors the direction of a hold in its answer and counts the session version up", () => {
    const hold = { atMs: 500, from: "caller", method: "INVITE", sdp: { direction: "sendonly" } } as const;
    const frames = makeCall({ midCall: [hold] });
    const sessions = frames.filter((one) => /INVITE$/.test(one.label)).map((one) => one.frame.subarray(42).toString());
    expect(sessions.at(-2)).toMatch(/^INVITE[\s\S]*o=- 1 2 [\s\S]*a=sendonly/);
    expect(sessions.at(-1)).toMatch(/^SIP\/2\.0 200[\s\S]*o=- 1 2 [\s\S]*a=recvonly/);
  });

  it("keeps one dialog: tags, Call-ID and rising CSeq", () => {
    const info = { atMs: 100, from: "caller", method: "INFO", headers: [["X-Recording-Consent", "granted"]] } as const;
    const frames = makeCall({ midCall: [info], headers: { invite: [["X-One", "1"]], answer: [["X-Two", "2"]] } });
    const invite = textOf(frames, "INVITE");
    const fromTag = /From: .*;tag=(\S+)/.exec(invite)![1]!;
    const toTag = /To: .*;tag=(\S+)/.exec(textOf(frames, "200 INVITE"))![1]!;
    for (const label of ["ACK", "INFO", "BYE", "200 BYE"]) {
      expect(textOf(frames, label)).toContain(`;tag=${fromTag}\r\n`);
      expect(textOf(frames, label)).toContain(`;tag=${toTag}\r\n`);
    }
    const cseq = (label: string): number => Number(/CSeq: (\d+)/.exec(textOf(frames, label))![1]);
    expect([cseq("ACK"), cseq("INFO"), cseq("BYE")]).toEqual([0, 1, 2].map((n) => cseq("INVITE") + n));
    expect(invite).toContain("\r\nX-One: 1\r\n");
    expect(textOf(frames, "200 INVITE")).toContain("\r\nX-Two: 2\r\n");
    expect(textOf(frames, "INFO")).toContain("\r\nX-Recording-Consent: granted\r\n");
  });

  it("sends early media and media after the BYE", () => {
    const frames = makeCall({ ringMs: 1000, durationMs: 1000, earlyMediaMs: 500, rtpAfterByeMs: 200 });
    expect([rtpOf(frames, "caller").length, rtpOf(frames, "callee").length]).toEqual([60, 85]);
    expect(textOf(frames, "183 INVITE")).toContain("m=audio 40000");
    expect(() => makeCall({ ringMs: 500, earlyMediaMs: 500 })).toThrow(RangeError);
  });

  it("comes from the far side of a NAT while its SDP names the private address", () => {
    const frames = makeCall({ caller: { natRtpEndpoint: "203.0.113.9:31000" } });
    expect(textOf(frames, "INVITE")).toContain("c=IN IP4 198.51.100.20");
    const [sent, received] = [rtpOf(frames, "caller")[0]!.frame, rtpOf(frames, "callee")[0]!.frame];
    expect([...sent.subarray(26, 30), sent.readUInt16BE(34)]).toEqual([203, 0, 113, 9, 31000]);
    expect([...received.subarray(30, 34), received.readUInt16BE(36)]).toEqual([203, 0, 113, 9, 31000]);
  });

  it("loses, copies, suppresses and wraps as told", () => {
    const only = (n: number) => (index: number) => index === n;
    const lossy = { firstSequence: 65_534, firstTimestamp: 2 ** 32 - 160, isLost: only(1) };
    const frames = makeCall({ durationMs: 100, caller: { ...lossy, isDuplicated: only(2), isSuppressed: only(3) } });
    const packets = rtpOf(frames, "caller");
    expect(sequences(packets)).toEqual([65_534, 0, 0, 1]);
    expect(packets.map((one) => one.frame.readUInt32BE(46))).toEqual([2 ** 32 - 160, 160, 160, 480]);
    expect(packets.map((one) => one.frame[43]! >> 7)).toEqual([1, 0, 0, 1]);
    expect(rtpOf(makeCall({ callee: { isMute: true } }), "callee")).toEqual([]);
  });
});

describe.skipIf(!hasTshark)("a call as tshark reads it", () => {
  const CASES: [string, CallOptions][] = [
    ["plain", {}],
    ["compact, below VLAN tags", { style: { isCompact: true }, link: { vlan: [7, 42] } }],
    ["folded, multipart, in fragments", { style: { isFolded: true }, isMultipart: true, mtu: 300 }],
    ["IPv6", { caller: { address: "2001:db8::20" }, callee: { address: "2001:db8:1::7" } }],
  ];

  it.each(CASES)("%s: every message and both streams whole", (_name, options) => {
    const capture = captureOf(makeCall({ durationMs: 1000, codec: "PCMU", ...options }));
    // A frame with a fault shows up as a row that nobody expects.
    const filter = "sip || ip.checksum.status == 0 || udp.checksum.status == 0 || _ws.malformed";
    const rows = tsharkFields(capture, filter, "sip.Method", "sip.Status-Code", "sip.Call-ID", "sdp.media.port");
    const callId = "call-1@office.example";
    expect(rows.map(([method, status, id, port = ""]) => [method || status, id, port])).toEqual([
      ["INVITE", callId, "30000"],
      ["100", callId, ""],
      ["180", callId, ""],
      ["200", callId, "40000"],
      ["ACK", callId, ""],
      ["BYE", callId, ""],
      ["200", callId, ""],
    ]);
    const streams = tshark(capture, "-q", "-z", "rtp,streams").filter((line) => /0x[0-9a-f]{8}/i.test(line));
    expect(streams.length).toBe(2);
    for (const line of streams) expect(line).toMatch(/g711U\s+50\s+0 \(0\.0%\)/);
  });
});

describe("traffic of many calls", () => {
  const frames = mergeCalls(
    makeCall({ callId: "a", durationMs: 500 }),
    makeCall({ callId: "b", durationMs: 500, caller: { rtpPort: 31_000 }, callee: { rtpPort: 41_000 } }),
  );
  const isSorted = (list: TimedFrame[]): boolean => list.every((one, i) => i === 0 || list[i - 1]!.atUs <= one.atUs);
  const bytesOf = (list: TimedFrame[]): Set<Buffer> => new Set(list.map((one) => one.frame));

  it("is merged in the order of time", () => {
    expect(isSorted(frames)).toBe(true);
    expect(frames.length).toBe(2 * (7 + 50));
  });

  it("is delayed by no more than the window, signalling not at all", () => {
    const before = new Map(frames.map((one) => [one.frame, one.atUs]));
    const reordered = reorderWithin(frames, { windowMs: 60, seed: 1 });
    const delays = reordered.map((one) => one.atUs - before.get(one.frame)!);
    expect(isSorted(reordered)).toBe(true);
    expect(bytesOf(reordered)).toEqual(bytesOf(frames));
    expect(Math.min(...delays)).toBe(0);
    expect(Math.max(...delays)).toBeGreaterThan(20_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(60_000);
    expect(reordered.filter((one) => one.kind === "sip")).toEqual(frames.filter((one) => one.kind === "sip"));
    expect(reordered.map((one) => one.frame)).not.toEqual(frames.map((one) => one.frame));
  });

  it("exchanges arrivals without changing the capture's times", () => {
    const before = new Map(frames.map((one) => [one.frame, one.atUs]));
    const shuffled = shuffleArrivals(frames, { windowMs: 60, seed: 1, share: 0.5 });
    expect(shuffled.map((one) => one.atUs)).toEqual(frames.map((one) => one.atUs));
    expect(bytesOf(shuffled)).toEqual(bytesOf(frames));
    const moves = shuffled.map((one) => Math.abs(one.atUs - before.get(one.frame)!));
    expect(Math.max(...moves)).toBeGreaterThan(20_000);
    expect(Math.max(...moves)).toBeLessThanOrEqual(60_000);
  });
});
