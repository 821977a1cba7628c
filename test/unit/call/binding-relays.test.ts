// Media relays that a proxy puts in the way by rewriting the session descriptions: the mirror shows the same audio before
// and behind the relay, and each person is recorded once.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallOptions } from "../../fakes/call-options.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import type { Recorded } from "../../fakes/recorded-frames.js";
import { mergeCalls, type TimedFrame } from "../../fakes/timed-frames.js";
import {
  AGENT,
  bothParties,
  byNetwork,
  byNumber,
  CALLER,
  checkVoices,
  fates,
  type MediaOptions,
  media,
  type RewritingProxy,
  record,
  signalling,
  throughProxy,
} from "./binding-scene.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const CONFIGS = [byNumber, byNetwork, bothParties];
/** Where the agent sends, standing for the caller, and where the caller sends, standing for the agent. */
const FOR_CALLER = "10.0.9.1:20000";
const FOR_AGENT = "10.0.9.1:20002";
const PROXY: RewritingProxy = { address: "10.0.9.1:5060", rewrites: { caller: FOR_CALLER, callee: FOR_AGENT } };

function relayed(options: CallOptions = {}, proxy: Partial<RewritingProxy> = {}): TimedFrame[] {
  return throughProxy(signalling(options), { ...PROXY, ...proxy });
}

/** Both people's audio on both hops; `behind` changes what the relay makes of it. */
function bothHops(behind: MediaOptions = {}, near: MediaOptions = {}, caller = CALLER): TimedFrame[] {
  return mergeCalls(
    media("caller", caller, FOR_AGENT, near),
    media("caller", FOR_CALLER, AGENT, { delayMs: 2, ...behind }),
    media("agent", AGENT, FOR_CALLER, near),
    media("agent", FOR_AGENT, caller, { delayMs: 2, ...behind }),
  );
}

/** Packets in the first call's journal. */
const packetsBySide = ({ journalled }: Recorded) =>
  [0, 1].map((side) => journalled[0]!.filter((packet) => packet.side === side).length);

const onceEach = [
  `${FOR_CALLER} > ${AGENT}: originator 0/200 other-hop`,
  `${FOR_AGENT} > ${CALLER}: answerer 0/200 other-hop`,
  `${AGENT} > ${FOR_CALLER}: answerer 200/200`,
  `${CALLER} > ${FOR_AGENT}: originator 200/200`,
].sort();

describe("a relay whose both hops are described", () => {
  it("passes the same stream on: it is recorded where it comes first", async () => {
    for (const config of CONFIGS) {
      expect(await fates(mergeCalls(relayed(), bothHops()), config(), folder)).toEqual(onceEach);
    }
  });

  it("makes a stream of its own of it: only the one at the person is recorded", async () => {
    const caller = media("caller", FOR_CALLER, AGENT, { delayMs: 30, ssrc: 71, firstSequence: 5 });
    const agent = media("agent", FOR_AGENT, CALLER, { delayMs: 30, ssrc: 72, firstSequence: 5 });
    const direct = mergeCalls(media("caller", CALLER, FOR_AGENT), media("agent", AGENT, FOR_CALLER));
    for (const config of CONFIGS) {
      expect(await fates(mergeCalls(relayed(), direct, caller, agent), config(), folder)).toEqual(onceEach);
    }
  });

  it("is followed whichever hop's messages the mirror shows first", async () => {
    const frames = mergeCalls(relayed({}, { isFarHopFirst: true }), bothHops());
    for (const config of [byNumber, bothParties]) expect(await fates(frames, config(), folder)).toEqual(onceEach);
    // What is seen first stands for the person: an agent told by its address alone is not found behind the relay's.
    const { records } = await record(frames, byNetwork(), folder);
    expect(records).toMatchObject([{ noAudio: "agent-unknown" }]);
  });

  it("gives the packets that the mirror lost at the other hop", async () => {
    const frames = mergeCalls(relayed(), bothHops({}, { isLost: (i) => i % 10 === 3 }));
    for (const [config, packets] of [
      [byNumber, [200, 200]],
      [bothParties, [200, 200]],
      // The relay's address is none of the agents'.
      [byNetwork, [200, 180]],
    ] as const) {
      const recorded = await record(frames, config(), folder);
      checkVoices(recorded);
      expect(packetsBySide(recorded)).toEqual(packets);
    }
  });

  it("takes over where the mirror shows one hop for some of the time only", async () => {
    for (const own of [{}, { ssrc: 71, firstSequence: 5 }]) {
      const frames = mergeCalls(
        relayed(),
        media("agent", AGENT, FOR_CALLER, { toMs: 2010 }),
        media("agent", FOR_AGENT, CALLER, { delayMs: 2, ...own }),
        media("caller", CALLER, FOR_AGENT),
      );
      const recorded = await record(frames, byNumber(), folder);
      checkVoices(recorded);
      const [, agents] = packetsBySide(recorded);
      expect(agents).toBeLessThanOrEqual(200);
      expect(agents).toBeGreaterThanOrEqual("ssrc" in own ? 190 : 200);
    }
  });

  it("keeps silence suppression and sequence restarts apart from copies", async () => {
    const gaps = (i: number) => i % 50 >= 30;
    const first = bothHops({ toMs: 2010, isSuppressed: gaps }, { toMs: 2010, isSuppressed: gaps });
    const restarted = { fromMs: 2010, firstSequence: 40_000 };
    const frames = mergeCalls(relayed(), first, bothHops(restarted, restarted));
    for (const config of CONFIGS) {
      const recorded = await record(frames, config(), folder);
      checkVoices(recorded);
      expect(packetsBySide(recorded)).toEqual([160, 160]);
    }
  });
});

describe("a relay in front of which the caller is behind NAT", () => {
  const nat = "203.0.113.5:61000";
  const sip = relayed({ caller: { address: "192.168.7.2" } }, { caller: "203.0.113.5:5060" });
  const told = (direct: string, behind: string) => [
    `${FOR_CALLER} > ${AGENT}: originator ${behind}`,
    `${FOR_AGENT} > ${nat}: answerer 0/200 other-hop`,
    `${AGENT} > ${FOR_CALLER}: answerer 200/200`,
    `${nat} > ${FOR_AGENT}: originator ${direct}`,
  ];

  it("has each person once", async () => {
    for (const config of CONFIGS) {
      const frames = mergeCalls(sip, bothHops({}, {}, nat));
      expect(await fates(frames, config(), folder)).toEqual(told("200/200", "0/200 other-hop").sort());
    }
  });

  it("has each person once when the hop behind the relay is seen first", async () => {
    // The mirror missed the first packets at the caller.
    const frames = mergeCalls(
      sip,
      media("caller", nat, FOR_AGENT, { isLost: (i) => i < 3 }),
      media("caller", FOR_CALLER, AGENT, { delayMs: 2 }),
      media("agent", AGENT, FOR_CALLER),
      media("agent", FOR_AGENT, nat, { delayMs: 2 }),
    );
    for (const config of CONFIGS) {
      const recorded = await record(frames, config(), folder);
      checkVoices(recorded);
      expect(packetsBySide(recorded)).toEqual([200, 200]);
    }
  });

  it("has each person once when the relay makes streams of its own", async () => {
    const caller = media("caller", FOR_CALLER, AGENT, { delayMs: 30, ssrc: 71, firstSequence: 5 });
    const agent = media("agent", FOR_AGENT, nat, { delayMs: 30, ssrc: 72, firstSequence: 5 });
    const direct = mergeCalls(media("caller", nat, FOR_AGENT), media("agent", AGENT, FOR_CALLER));
    for (const config of CONFIGS) {
      const frames = mergeCalls(sip, direct, caller, agent);
      expect(await fates(frames, config(), folder)).toEqual(told("200/200", "0/200 other-hop").sort());
    }
  });
});

describe("a relay that the descriptions do not tell all of", () => {
  it("has a second hop that nobody described: that one belongs to no call", async () => {
    // As some softswitches do: the caller's description is the relay's, its own was in another protocol.
    const frames = mergeCalls(
      signalling({ caller: { mediaAddress: "10.0.9.1", rtpPort: 20_000 } }),
      media("caller", "10.0.9.1:20002", AGENT, { delayMs: 2 }),
      media("agent", AGENT, FOR_CALLER),
      media("caller", "198.51.100.20:4800", "10.0.9.1:20004"),
      media("agent", "10.0.9.1:20004", "198.51.100.20:4800", { delayMs: 2 }),
    );
    const { records, counts } = await record(frames, bothParties(), folder);
    expect(records[0]!.streams.map(({ packets }) => packets.recorded)).toEqual([200, 200]);
    expect(counts["rtp.unbound"]).toBe(400);
  });

  it("sends on from the port at which it hears the caller: the caller's packets stay the caller's", async () => {
    // One port for both sides, named in the answer only; the agent says little, so that nothing else tells the sides apart.
    const frames = mergeCalls(
      throughProxy(signalling(), { ...PROXY, rewrites: { callee: FOR_AGENT } }),
      media("caller", CALLER, FOR_AGENT),
      media("caller", FOR_AGENT, AGENT, { delayMs: 2 }),
      media("agent", AGENT, FOR_AGENT, { fromMs: 3010 }),
      media("agent", FOR_AGENT, CALLER, { fromMs: 3010, delayMs: 2 }),
    );
    for (const config of CONFIGS) {
      const recorded = await record(frames, config(), folder);
      checkVoices(recorded);
      const packets = packetsBySide(recorded);
      expect(packets).toEqual([200, 50]);
    }
  });

  it("has one port for both sides in both descriptions", async () => {
    const one = "10.0.9.1:20000";
    const frames = mergeCalls(
      throughProxy(signalling(), { ...PROXY, rewrites: { caller: one, callee: one } }),
      media("caller", CALLER, one),
      media("caller", one, AGENT, { delayMs: 2 }),
      media("agent", AGENT, one),
      media("agent", one, CALLER, { delayMs: 2 }),
    );
    for (const config of CONFIGS) {
      expect(await fates(frames, config(), folder)).toEqual(
        [
          `${one} > ${AGENT}: originator 0/200 other-hop`,
          `${one} > ${CALLER}: answerer 0/200 other-hop`,
          `${AGENT} > ${one}: answerer 200/200`,
          `${CALLER} > ${one}: originator 200/200`,
        ].sort(),
      );
    }
  });

  it("has one port for both sides, and a caller behind NAT: whose address that is, nothing tells", async () => {
    const [one, nat] = ["10.0.9.1:20000", "203.0.113.5:61000"];
    const frames = mergeCalls(
      throughProxy(signalling({ caller: { address: "192.168.7.2" } }), {
        ...PROXY,
        caller: "203.0.113.5:5060",
        rewrites: { caller: one, callee: one },
      }),
      media("caller", nat, one),
      media("caller", one, AGENT, { delayMs: 2 }),
      media("agent", AGENT, one),
      media("agent", one, nat, { delayMs: 2 }),
    );
    for (const config of CONFIGS) {
      const recorded = await record(frames, config(), folder);
      checkVoices(recorded);
      // What passes the agent's own address is told by that.
      expect(recorded.records[0]!.streams.map(({ source, packets }) => [source, packets.recorded])).toEqual([
        [AGENT, 200],
        [one, 200],
      ]);
    }
  });
});
