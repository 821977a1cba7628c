// What session descriptions say beyond one address per side: ICE candidates, RTCP's port, hold in its old and new forms,
// resuming elsewhere, IPv6, and more addresses than are remembered.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallOptions, MidCallRequest } from "../../fakes/call-options.js";
import { udpFrame } from "../../fakes/frames.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { mergeCalls, type TimedFrame } from "../../fakes/timed-frames.js";
import {
  AGENT,
  ANSWER_US,
  bothParties,
  byNetwork,
  byNumber,
  CALLER,
  checkVoices,
  fates,
  MS,
  media,
  record,
  signalling,
} from "./binding-scene.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const CONFIGS = [byNumber, byNetwork, bothParties];
const FROM_CALLER = media("caller", CALLER, AGENT);

/** A receiver report on the way to an RTCP port (RFC 3550 §6.4.2). */
function rtcp(source: string, destination: string, atMs: number): TimedFrame {
  const payload = Buffer.from([0x80, 201, 0, 1, 0, 0, 0, 7]);
  const frame = udpFrame({ source, destination, payload });
  return { atUs: ANSWER_US + atMs * MS, frame, kind: "rtp", from: "caller", label: "" };
}

describe("ICE (RFC 8839)", () => {
  const candidates = [
    "a=candidate:1 1 UDP 2130706431 192.168.7.2 30000 typ host",
    "a=candidate:2 1 UDP 1694498815 203.0.113.5 61000 typ srflx raddr 192.168.7.2 rport 30000",
    "a=candidate:3 1 UDP 16777215 203.0.113.200 51000 typ relay raddr 203.0.113.5 rport 61000",
    "a=candidate:1 2 UDP 2130706430 192.168.7.2 30001 typ host",
  ];
  const sip = signalling({ caller: { address: "192.168.7.2" }, sdpLines: { caller: candidates } });

  it.each(["192.168.7.2:30000", "203.0.113.5:61000", "203.0.113.200:51000"])(
    "takes the caller's candidate %s for the caller, and no other source beside it",
    async (place) => {
      const frames = mergeCalls(
        sip,
        media("caller", place, AGENT),
        media("agent", AGENT, place),
        media("stranger", "203.0.113.77:6000", AGENT, { fromMs: 1010 }),
      );
      const told = await fates(frames, byNumber(), folder);
      expect(told).toContain(`${place} > ${AGENT}: originator 200/200`);
      expect(told).toContain(`${AGENT} > ${place}: answerer 200/200`);
      // Beside a candidate that is not the default one the first other source is still a possible one: it is silent.
      const stranger = told.find((one) => one.startsWith("203.0.113.77"))!;
      expect(stranger).toBe(`203.0.113.77:6000 > ${AGENT}: originator 0/150 source-changed`);
    },
  );

  it("has the stream once when the pair changes in mid-call", async () => {
    const frames = mergeCalls(
      sip,
      media("caller", "203.0.113.200:51000", AGENT, { toMs: 1010 }),
      media("caller", "203.0.113.5:61000", AGENT, { fromMs: 1010, firstSequence: 1050 }),
      media("agent", AGENT, "203.0.113.200:51000", { toMs: 1050 }),
      media("agent", AGENT, "203.0.113.5:61000", { fromMs: 1030, firstSequence: 1051 }),
    );
    for (const config of CONFIGS) {
      const recorded = await record(frames, config(), folder);
      checkVoices(recorded);
      // One of the agent's packets went to both.
      expect([0, 1].map((side) => recorded.journalled[0]!.filter((one) => one.side === side).length)).toEqual([
        200, 200,
      ]);
    }
  });
});

describe("RTCP", () => {
  it.each([
    ["on the next port", [], "10.0.0.7:40001"],
    ["on a port of its own (RFC 3605)", ["a=rtcp:47001"], "10.0.0.7:47001"],
    ["on the same port (RFC 5761)", ["a=rtcp-mux"], AGENT],
  ])("%s is no media and disturbs none", async (_name, lines, destination) => {
    const sip = signalling({ sdpLines: { caller: lines, callee: lines } });
    const reports = [500, 1500, 2500].map((atMs) => rtcp(CALLER, destination, atMs));
    const frames = mergeCalls(sip, FROM_CALLER, media("agent", AGENT, CALLER), reports);
    for (const config of CONFIGS) {
      expect(await fates(frames, config(), folder)).toEqual([
        `${AGENT} > ${CALLER}: answerer 200/200`,
        `${CALLER} > ${AGENT}: originator 200/200`,
      ]);
    }
  });
});

describe("hold and resume", () => {
  const hold = (sdp: MidCallRequest["sdp"], from: MidCallRequest["from"] = "callee"): MidCallRequest => ({
    atMs: 1000,
    from,
    method: "INVITE",
    sdp: { direction: "sendonly", ...sdp },
  });
  const resume = (sdp: MidCallRequest["sdp"], from: MidCallRequest["from"] = "callee"): MidCallRequest => ({
    atMs: 3000,
    from,
    method: "INVITE",
    ...(sdp && { sdp }),
  });
  const held = (options: CallOptions["midCall"], more: CallOptions = {}) =>
    signalling({ ...more, ...(options && { midCall: options }) });

  it.each([
    ["a=sendonly", { direction: "sendonly" }],
    ["c=0.0.0.0 (RFC 2543)", { address: "0.0.0.0", direction: "sendrecv" }],
    ["port 0", { port: 0 }],
    ["a=inactive", { direction: "inactive" }],
  ] as const)("by %s, resumed at another port", async (_name, sdp) => {
    const frames = mergeCalls(
      held([hold(sdp), resume({ port: 45_000 })]),
      media("agent", AGENT, CALLER, { toMs: 1010 }),
      media("agent", "10.0.0.7:45000", CALLER, { fromMs: 3030, ssrc: 4711 }),
      media("caller", CALLER, AGENT, { toMs: 1010 }),
      media("caller", CALLER, "10.0.0.7:45000", { fromMs: 3030, firstSequence: 1151 }),
    );
    for (const config of [byNumber, bothParties]) {
      expect(await fates(frames, config(), folder)).toEqual([
        `${AGENT} > ${CALLER}: answerer 50/50`,
        `10.0.0.7:45000 > ${CALLER}: answerer 49/49`,
        `${CALLER} > ${AGENT}: originator 50/50`,
        `${CALLER} > 10.0.0.7:45000: originator 49/49`,
      ]);
    }
  });

  it("by a caller behind NAT, resumed from another NAT port and another NAT address", async () => {
    for (const resumedAt of ["203.0.113.5:62222", "203.0.113.99:1024"]) {
      const frames = mergeCalls(
        held([hold({}, "caller"), resume({ port: 31_000 }, "caller")], { caller: { address: "192.168.7.2" } }),
        media("caller", "203.0.113.5:61000", AGENT, { toMs: 1010 }),
        media("caller", resumedAt, AGENT, { fromMs: 3030, ssrc: 4711 }),
        media("agent", AGENT, "203.0.113.5:61000", { toMs: 1010 }),
        media("agent", AGENT, resumedAt, { fromMs: 3050, firstSequence: 1152 }),
      );
      for (const config of CONFIGS) {
        expect(await fates(frames, config(), folder)).toEqual([
          `${AGENT} > 203.0.113.5:61000: answerer 50/50`,
          `${AGENT} > ${resumedAt}: answerer 48/48`,
          `203.0.113.5:61000 > ${AGENT}: originator 50/50`,
          `${resumedAt} > ${AGENT}: originator 49/49`,
        ]);
      }
    }
  });

  it("with music from where nobody described it: it is neither person's", async () => {
    const frames = mergeCalls(
      held([hold({}), resume({})]),
      media("agent", AGENT, CALLER, { toMs: 1010 }),
      media("stranger", "10.0.9.1:18000", CALLER, { fromMs: 1030, toMs: 2990 }),
      media("agent", AGENT, CALLER, { fromMs: 3030, firstSequence: 1151 }),
      FROM_CALLER,
    );
    for (const config of [byNumber, byNetwork]) {
      expect(await fates(frames, config(), folder)).toEqual([
        `${AGENT} > ${CALLER}: answerer 99/99`,
        `10.0.9.1:18000 > ${CALLER}: answerer 0/98 source-changed`,
        `${CALLER} > ${AGENT}: originator 200/200`,
      ]);
    }
  });

  it("leaves the last packets to the old port", async () => {
    const frames = mergeCalls(
      held([{ atMs: 1000, from: "callee", method: "INVITE", sdp: { port: 45_000 } }]),
      media("agent", AGENT, CALLER, { toMs: 1030, delayMs: 100 }),
      media("agent", "10.0.0.7:45000", CALLER, { fromMs: 1030, ssrc: 4711 }),
      media("caller", CALLER, AGENT, { toMs: 1050, delayMs: 100 }),
      media("caller", CALLER, "10.0.0.7:45000", { fromMs: 1050, firstSequence: 1052 }),
    );
    for (const config of CONFIGS) {
      const told = await fates(frames, config(), folder);
      expect(told.map((one) => one.split(" ").at(-1))).toEqual(["51/51", "149/149", "52/52", "148/148"]);
    }
  });
});

describe("addresses of two families", () => {
  const v6 = { address: "2001:db8::20", rtpPort: 30_000, sipPort: 5060 };

  it("of one kind, IPv6", async () => {
    const frames = mergeCalls(
      signalling({ caller: v6, callee: { address: "2001:db8:1::7", rtpPort: 40_000 } }),
      media("caller", "[2001:db8::20]:30000", "[2001:db8:1::7]:40000"),
      media("agent", "[2001:db8:1::7]:40000", "[2001:db8::20]:30000"),
    );
    expect(await fates(frames, byNumber(), folder)).toEqual([
      "[2001:db8:1::7]:40000 > [2001:db8::20]:30000: answerer 200/200",
      "[2001:db8::20]:30000 > [2001:db8:1::7]:40000: originator 200/200",
    ]);
  });

  it("with something between that turns one into the other (RFC 6146)", async () => {
    // The caller has IPv6 only; what reaches the agent comes from the translator.
    const frames = mergeCalls(
      signalling({ caller: { ...v6, mediaAddress: "2001:db8::20", address: "203.0.113.64" } }),
      media("caller", "203.0.113.64:7000", AGENT),
      media("agent", AGENT, "203.0.113.64:7000"),
    );
    for (const config of CONFIGS) {
      expect(await fates(frames, config(), folder)).toEqual([
        `${AGENT} > 203.0.113.64:7000: answerer 200/200`,
        `203.0.113.64:7000 > ${AGENT}: originator 200/200`,
      ]);
    }
  });
});

describe("more addresses than are remembered", () => {
  it("forget the oldest: a long call that moves with every refresh is heard to its end", async () => {
    const moves = Array.from({ length: 45 }, (_, i) => i);
    const sip = signalling({
      durationMs: 46_000,
      caller: { address: "192.168.7.2" },
      midCall: moves.map((i) => ({
        atMs: 500 + i * 1000,
        from: "callee",
        method: "INVITE",
        sdp: { port: 41_000 + i * 2 },
      })),
    });
    const streams = moves.map((i) => {
      const during = { fromMs: 530 + i * 1000, toMs: 1490 + i * 1000, ssrc: 100 + i };
      const agent = `10.0.0.7:${41_000 + i * 2}`;
      return [media("caller", "203.0.113.5:61000", agent, during), media("agent", agent, "203.0.113.5:61000", during)];
    });
    const config = { ...byNumber(), rtp: { ...byNumber().rtp, maxStreamsPerCall: 128 } };
    const recorded = await record(mergeCalls(sip, ...streams.flat()), config, folder);
    checkVoices(recorded);
    expect([0, 1].map((side) => recorded.journalled[0]!.filter((one) => one.side === side).length)).toEqual([
      2160, 2160,
    ]);
  });
});
