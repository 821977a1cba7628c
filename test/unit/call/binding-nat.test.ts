// Media that comes from other addresses than the session descriptions name, because a side is behind NAT: which leg it is
// taken for, and what a source that changes in mid-call is worth.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallOptions } from "../../fakes/call-options.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { officeConfig } from "../../fakes/recorded-frames.js";
import { mergeCalls } from "../../fakes/timed-frames.js";
import {
  AGENT,
  bothParties,
  byNetwork,
  byNumber,
  CALLER,
  fates,
  media,
  record,
  signalling,
  withoutSdp,
} from "./binding-scene.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const NAT = "203.0.113.5";
const OTHER_NAT = "203.0.113.99";
/** The caller's description names a private address. */
const NAT_CALLER: CallOptions = { caller: { address: "192.168.7.2" } };
/** The agent's does: a branch office. */
const NAT_AGENT: CallOptions = { callee: { address: "192.168.1.7" } };
const AGENTS_BY = [
  ["number", byNumber],
  ["network", byNetwork],
  ["number, both parties recorded", bothParties],
] as const;

describe("behind NAT", () => {
  it.each(AGENTS_BY)("the caller is heard, and the agent whom its %s tells", async (_name, config) => {
    const frames = mergeCalls(
      signalling(NAT_CALLER),
      media("caller", `${NAT}:61000`, AGENT),
      media("agent", AGENT, `${NAT}:61000`),
    );
    expect(await fates(frames, config(), folder)).toEqual([
      `${AGENT} > ${NAT}:61000: answerer 200/200`,
      `${NAT}:61000 > ${AGENT}: originator 200/200`,
    ]);
  });

  it("the agent is heard when its number tells it, refused when only its private address does", async () => {
    const frames = mergeCalls(
      signalling(NAT_AGENT),
      media("agent", `${NAT}:50000`, CALLER),
      media("caller", CALLER, `${NAT}:50000`),
    );
    const caller = `${CALLER} > ${NAT}:50000: originator 200/200`;
    expect(await fates(frames, byNumber(), folder)).toEqual([caller, `${NAT}:50000 > ${CALLER}: answerer 200/200`]);
    const branch = officeConfig({ agents: { match: ["192.168.1.0/24"] }, consent: byNumber().consent });
    expect(await fates(frames, branch, folder)).toEqual([
      caller,
      `${NAT}:50000 > ${CALLER}: answerer 0/200 source-changed`,
    ]);
  });

  it("both sides are strangers to each other's descriptions, and nothing is guessed", async () => {
    const frames = mergeCalls(
      signalling({ ...NAT_CALLER, ...NAT_AGENT }),
      media("caller", `${NAT}:61000`, `${OTHER_NAT}:50000`),
      media("agent", `${OTHER_NAT}:50000`, `${NAT}:61000`),
    );
    const { records, counts } = await record(frames, bothParties(), folder);
    expect(records).toMatchObject([{ streams: [], noAudio: "no-media" }]);
    expect(counts["rtp.unbound"]).toBe(400);
  });

  it("both sides have one address and are told by their ports", async () => {
    const mapped = { caller: { address: NAT, rtpPort: 61_000 }, callee: { address: NAT, rtpPort: 62_000 } };
    const frames = mergeCalls(
      signalling(mapped),
      media("caller", `${NAT}:61000`, `${NAT}:62000`),
      media("agent", `${NAT}:62000`, `${NAT}:61000`),
    );
    expect(await fates(frames, byNumber(), folder)).toEqual([
      `${NAT}:61000 > ${NAT}:62000: originator 200/200`,
      `${NAT}:62000 > ${NAT}:61000: answerer 200/200`,
    ]);
  });

  it("both sides have one address, and only one of them knows it", async () => {
    const frames = mergeCalls(
      signalling({ ...NAT_CALLER, callee: { address: NAT, rtpPort: 62_000 } }),
      media("caller", `${NAT}:61000`, `${NAT}:62000`),
      media("agent", `${NAT}:62000`, `${NAT}:61000`),
    );
    expect(await fates(frames, byNumber(), folder)).toEqual([
      `${NAT}:61000 > ${NAT}:62000: originator 200/200`,
      `${NAT}:62000 > ${NAT}:61000: answerer 200/200`,
    ]);
  });

  it("a mirror that shows the packets before and behind the NAT has each person once", async () => {
    const inside = "192.168.7.2:30000";
    const frames = mergeCalls(
      signalling(NAT_CALLER),
      media("caller", inside, AGENT),
      media("caller", `${NAT}:61000`, AGENT, { delayMs: 1 }),
      media("agent", AGENT, `${NAT}:61000`),
      media("agent", AGENT, inside, { delayMs: 1 }),
    );
    for (const config of [byNumber, byNetwork, bothParties]) {
      expect(await fates(frames, config(), folder)).toEqual([
        `${AGENT} > ${inside}: answerer 0/200 other-hop`,
        `${AGENT} > ${NAT}:61000: answerer 200/200`,
        `${inside} > ${AGENT}: originator 200/200`,
        `${NAT}:61000 > ${AGENT}: originator 0/200 other-hop`,
      ]);
    }
  });
});

describe("one private address named by both sides", () => {
  // Both have 192.168.1.20:16384, each in its own network: nothing in the descriptions tells them apart.
  const place = "192.168.1.20:16384";
  const twins = (options: CallOptions = {}) =>
    signalling({
      caller: { address: NAT, mediaAddress: "192.168.1.20", rtpPort: 16_384 },
      callee: { address: "192.168.1.20", rtpPort: 16_384 },
      ...options,
    });
  const both = [media("caller", `${NAT}:61000`, place), media("agent", place, `${NAT}:61000`)];

  it("is the side's that sends its SIP from there, whoever described it last", async () => {
    const again = twins({ midCall: [{ atMs: 1000, from: "callee", method: "INVITE" }] });
    for (const sip of [twins(), again]) {
      expect(await fates(mergeCalls(sip, ...both), byNumber(), folder)).toEqual([
        `${place} > ${NAT}:61000: answerer 200/200`,
        `${NAT}:61000 > ${place}: originator 200/200`,
      ]);
    }
  });

  it("is nobody's when both send their SIP through something else", async () => {
    const through = { callee: { address: "10.0.9.1", mediaAddress: "192.168.1.20", rtpPort: 16_384 } };
    const again = { midCall: [{ atMs: 1000, from: "callee", method: "INVITE" }] as const };
    for (const options of [through, { ...through, ...again }]) {
      const { records, counts } = await record(mergeCalls(twins(options), ...both), bothParties(), folder);
      expect(records[0]!.streams).toEqual([]);
      expect(counts["rtp.unbound"]).toBe(400);
    }
  });
});

describe("a port that changes without signalling", () => {
  const sip = signalling(NAT_CALLER);
  const agent = media("agent", AGENT, `${NAT}:61000`);
  const first = media("caller", `${NAT}:61000`, AGENT, { toMs: 2010 });

  it("is the NAT's doing when the stream goes on: nothing is missed", async () => {
    const next = media("caller", `${NAT}:61500`, AGENT, { fromMs: 2010, firstSequence: 1100 });
    for (const config of [byNumber, byNetwork, bothParties]) {
      expect(await fates(mergeCalls(sip, first, next, agent), config(), folder)).toEqual([
        `${AGENT} > ${NAT}:61000: answerer 200/200`,
        `${NAT}:61000 > ${AGENT}: originator 100/100`,
        `${NAT}:61500 > ${AGENT}: originator 100/100`,
      ]);
    }
  });

  it("is accepted for a new stream once the port before is silent", async () => {
    const next = media("caller", `${NAT}:61500`, AGENT, { fromMs: 2010, ssrc: 77 });
    const told = await fates(mergeCalls(sip, first, next, agent), byNumber(), folder);
    // 200 ms of silence, and up to as long until the next attempt.
    expect(told[2]).toMatch(/^203\.0\.113\.5:61500 > 10\.0\.0\.7:40000: originator (8[0-9]|90)\/100 source-changed$/);
  });

  it("is refused while the port before is heard", async () => {
    const intruder = media("stranger", `${NAT}:61500`, AGENT, { fromMs: 2010 });
    const whole = media("caller", `${NAT}:61000`, AGENT);
    expect(await fates(mergeCalls(sip, whole, intruder, agent), byNumber(), folder)).toEqual([
      `${AGENT} > ${NAT}:61000: answerer 200/200`,
      `${NAT}:61000 > ${AGENT}: originator 200/200`,
      `${NAT}:61500 > ${AGENT}: originator 0/100 source-changed`,
    ]);
  });

  it("is refused while the call is on hold: the address may be many people's", async () => {
    const held = signalling({
      ...NAT_CALLER,
      midCall: [
        { atMs: 1990, from: "callee", method: "INVITE", sdp: { direction: "sendonly" } },
        { atMs: 3490, from: "callee", method: "INVITE" },
      ],
    });
    const neighbour = media("neighbour", `${NAT}:61500`, AGENT, { fromMs: 2300, toMs: 3300 });
    const resumed = media("caller", `${NAT}:61000`, AGENT, { fromMs: 3510, firstSequence: 1100 });
    expect(await fates(mergeCalls(held, first, neighbour, resumed, agent), byNumber(), folder)).toEqual([
      `${AGENT} > ${NAT}:61000: answerer 200/200`,
      `${NAT}:61000 > ${AGENT}: originator 125/125`,
      `${NAT}:61500 > ${AGENT}: originator 0/50 source-changed`,
    ]);
  });

  it.each(AGENTS_BY)("is accepted of an agent told by %s, at its own address", async (_name, config) => {
    const frames = mergeCalls(
      signalling(),
      media("agent", AGENT, CALLER, { toMs: 2010 }),
      media("agent", "10.0.0.7:40500", CALLER, { fromMs: 2010, firstSequence: 1100 }),
      media("caller", CALLER, AGENT),
    );
    expect(await fates(frames, config(), folder)).toEqual([
      `${AGENT} > ${CALLER}: answerer 100/100`,
      `10.0.0.7:40500 > ${CALLER}: answerer 100/100`,
      `${CALLER} > ${AGENT}: originator 200/200`,
    ]);
  });

  it("may differ from the described one from the start", async () => {
    const frames = mergeCalls(
      signalling(),
      media("agent", "10.0.0.7:40500", CALLER),
      media("caller", "198.51.100.20:31111", AGENT),
    );
    for (const config of [byNumber, byNetwork, bothParties]) {
      expect(await fates(frames, config(), folder)).toEqual([
        `10.0.0.7:40500 > ${CALLER}: answerer 200/200`,
        `198.51.100.20:31111 > ${AGENT}: originator 200/200`,
      ]);
    }
  });
});

describe("an address that changes without signalling", () => {
  const [agent, sip] = [media("agent", AGENT, `${NAT}:61000`), signalling(NAT_CALLER)];
  const first = media("caller", `${NAT}:61000`, AGENT, { toMs: 1010 });

  it("is refused, however long the one before is silent and though the stream goes on", async () => {
    for (const ssrc of [{ firstSequence: 1050 }, { ssrc: 99 }]) {
      const next = media("caller", `${OTHER_NAT}:61000`, AGENT, { fromMs: 1010, ...ssrc });
      expect(await fates(mergeCalls(sip, first, next, agent), byNumber(), folder)).toEqual([
        `${AGENT} > ${NAT}:61000: answerer 200/200`,
        `${NAT}:61000 > ${AGENT}: originator 50/50`,
        `${OTHER_NAT}:61000 > ${AGENT}: originator 0/150 source-changed`,
      ]);
    }
  });

  it("is refused of an agent, though it be another agent's", async () => {
    const frames = mergeCalls(
      signalling(),
      media("agent", AGENT, CALLER, { toMs: 1010 }),
      media("agent", "10.0.0.8:40000", CALLER, { fromMs: 1010, ssrc: 8 }),
      media("caller", CALLER, AGENT),
    );
    for (const config of [byNumber, byNetwork]) {
      expect(await fates(frames, config(), folder)).toEqual([
        `${AGENT} > ${CALLER}: answerer 50/50`,
        `10.0.0.8:40000 > ${CALLER}: answerer 0/150 source-changed`,
        `${CALLER} > ${AGENT}: originator 200/200`,
      ]);
    }
  });

  it("is recorded where the policy does not depend on who speaks", async () => {
    const next = media("caller", `${OTHER_NAT}:61000`, AGENT, { fromMs: 1010, firstSequence: 1050 });
    expect(await fates(mergeCalls(sip, first, next, agent), bothParties(), folder)).toContain(
      `${OTHER_NAT}:61000 > ${AGENT}: originator 150/150`,
    );
  });

  it("is accepted after the side described itself anew, as soon as the one before is silent", async () => {
    const moved = signalling({
      ...NAT_CALLER,
      midCall: [{ atMs: 1000, from: "caller", method: "INVITE", sdp: { address: "100.64.0.9", port: 7000 } }],
    });
    // Both ways of the phone overlap: the old one goes on until the answer has reached it.
    const before = media("caller", `${NAT}:61000`, AGENT, { toMs: 1110 });
    const next = media("caller", `${OTHER_NAT}:7100`, AGENT, { fromMs: 1130, ssrc: 99 });
    const back = media("stranger", `${NAT}:61000`, AGENT, { fromMs: 3010, toMs: 3510 });
    const told = await fates(mergeCalls(moved, before, next, back, agent), byNumber(), folder);
    // Described from elsewhere it is another party from then on, with a stream of its own.
    expect(told.slice(1, 4)).toEqual([
      `${NAT}:61000 > ${AGENT}: originator 0/25 source-changed`,
      `${NAT}:61000 > ${AGENT}: originator 5/5`,
      `${NAT}:61000 > ${AGENT}: originator 50/50`,
    ]);
    expect(told[4]).toMatch(
      /^203\.0\.113\.99:7100 > 10\.0\.0\.7:40000: originator 1(2[4-9]|3[0-9])\/144 source-changed$/,
    );
  });

  it("is refused after a mere refresh too, while the side is heard where it was", async () => {
    const refreshed = signalling({ ...NAT_CALLER, midCall: [{ atMs: 1000, from: "caller", method: "INVITE" }] });
    const intruder = media("stranger", `${OTHER_NAT}:61000`, AGENT, { fromMs: 1510 });
    const whole = media("caller", `${NAT}:61000`, AGENT);
    expect(await fates(mergeCalls(refreshed, whole, intruder, agent), byNumber(), folder)).toEqual([
      `${AGENT} > ${NAT}:61000: answerer 200/200`,
      `${NAT}:61000 > ${AGENT}: originator 200/200`,
      `${OTHER_NAT}:61000 > ${AGENT}: originator 0/125 source-changed`,
    ]);
  });

  it("is refused for good where the side is heard from the address that it describes", async () => {
    const frames = mergeCalls(
      signalling({ midCall: [{ atMs: 500, from: "callee", method: "INVITE" }] }),
      media("agent", AGENT, CALLER, { toMs: 1010 }),
      media("stranger", "203.0.113.9:5000", CALLER, { fromMs: 1510 }),
      media("caller", CALLER, AGENT),
    );
    expect(await fates(frames, byNumber(), folder)).toEqual([
      `${AGENT} > ${CALLER}: answerer 50/50`,
      `${CALLER} > ${AGENT}: originator 200/200`,
      `203.0.113.9:5000 > ${CALLER}: answerer 0/125 source-changed`,
    ]);
  });

  it("counts from the answer on when another played the early media", async () => {
    // Nobody described the agent's side, so its description cannot say that somebody else speaks now.
    const sip = withoutSdp(signalling({ ...NAT_AGENT, earlyMediaMs: 800 }), "183 INVITE", "200 INVITE");
    const announced = media("stranger", "203.0.113.70:9000", CALLER, { fromMs: -790, toMs: -290 });
    const answered = media("agent", `${NAT}:50000`, CALLER, { fromMs: 30 });
    const frames = mergeCalls(sip, announced, answered, media("caller", CALLER, `${NAT}:50000`, { fromMs: 30 }));
    expect(await fates(frames, byNumber(), folder)).toEqual([
      `${CALLER} > ${NAT}:50000: originator 199/199`,
      `203.0.113.5:50000 > ${CALLER}: answerer 199/199`,
      `203.0.113.70:9000 > ${CALLER}: answerer 0/25 early-media`,
    ]);
  });
});
