// Properties of the binding of RTP to legs: what holds whatever is sent between whatever addresses, and what holds in any
// office with NAT, shared ports, moves and stragglers.
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../../device/contract/call-record.js";
import type { CallParty, MidCallRequest } from "../../fakes/call-options.js";
import { DEFAULT_START_US } from "../../fakes/call-options.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { officeConfig, type Recorded } from "../../fakes/recorded-frames.js";
import { rtpStream } from "../../fakes/rtp-stream.js";
import { mergeCalls, type TimedFrame } from "../../fakes/timed-frames.js";
import { ANSWER_US, MS, record, signalling, throughProxy } from "./binding-scene.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const apart = { byNumber: false, byPayload: false };
const consents = { rules: [{ name: "all consent", consent: "granted" }] };

interface Sent {
  source: string;
  destination: string;
  fromMs: number;
  toMs: number;
  ssrc: number;
  firstSequence: number;
  /** Of the speaker. */
  voice: number;
}

/** Every packet carries its speaker and a number of its own. */
function send(sent: Sent, serial: number): TimedFrame[] {
  return rtpStream({
    ...sent,
    from: "caller",
    startUs: ANSWER_US + sent.fromMs * MS,
    packets: Math.max(0, Math.ceil((sent.toMs - sent.fromMs) / 20)),
    payload: (first, count) => {
      const payload = Buffer.alloc(count, sent.voice);
      payload.writeInt32BE(serial * 10_000 + first / 160, 1);
      return payload;
    },
  });
}

function party(place: string): Partial<CallParty> {
  const [mediaAddress, port] = place.split(":");
  return { mediaAddress: mediaAddress!, rtpPort: Number(port) };
}

function expectEachOnce({ records, journalled }: Recorded): void {
  for (const [i, packets] of journalled.entries()) {
    expect(new Set(packets.map(({ payload }) => payload.readInt32BE(1))).size).toBe(packets.length);
    expect(records[i]!.streams.reduce((sum, { packets: { recorded } }) => sum + recorded, 0)).toBe(packets.length);
  }
}

describe("property: whatever is sent between whatever addresses", () => {
  const PLACES = [
    "10.0.0.7:40000",
    "10.0.0.8:40000",
    "198.51.100.20:30000",
    "203.0.113.5:61000",
    "203.0.113.5:61002",
    "10.0.9.1:20000",
  ];
  const place = fc.constantFrom(...PLACES);
  const call = fc.record({
    startMs: fc.nat(1500),
    durationMs: fc.integer({ min: 300, max: 2500 }),
    caller: place,
    callee: place,
    rewrites: fc.option(fc.record({ caller: place, callee: place }), { nil: undefined }),
    moves: fc.option(fc.record({ atMs: fc.nat(1000), from: fc.constantFrom("caller", "callee"), to: place }), {
      nil: undefined,
    }),
  });
  const flow = fc
    .record({
      source: place,
      destination: place,
      fromMs: fc.integer({ min: -400, max: 3000 }),
      lengthMs: fc.integer({ min: 20, max: 900 }),
      ssrc: fc.integer({ min: 1, max: 3 }),
      firstSequence: fc.constantFrom(0, 20, 40_000),
    })
    .map(({ lengthMs, ...rest }) => ({ ...rest, toMs: rest.fromMs + lengthMs, voice: 1 }));

  it("a packet goes to one leg of a call at most, and to none against exact evidence", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(call, { minLength: 1, maxLength: 2 }),
        fc.array(flow, { minLength: 1, maxLength: 8 }),
        fc.constantFrom("both-parties", "agent-only"),
        async (calls, flows, policy) => {
          const sip = calls.map(({ startMs, durationMs, caller, callee, rewrites, moves }, i) => {
            const [address, port] = moves?.to.split(":") ?? [];
            const move = moves && {
              atMs: Math.min(moves.atMs, durationMs - 100),
              from: moves.from,
              method: "INVITE",
              sdp: { address: address!, port: Number(port) },
            };
            const one = signalling({
              callId: `call-${i}`,
              startUs: DEFAULT_START_US + startMs * MS,
              durationMs,
              caller: party(caller),
              callee: party(callee),
              ...(move && { midCall: [move as MidCallRequest] }),
            });
            return rewrites ? throughProxy(one, { address: "10.0.9.1:5060", rewrites }) : one;
          });
          const config = officeConfig({
            agents: { match: ["21"] },
            correlation: apart,
            consent: { policy, ...consents },
          });
          const recorded = await record(mergeCalls(...sip, ...flows.map(send)), config, folder);
          expectEachOnce(recorded);
          for (const one of recorded.records) {
            const plan = calls[Number(one.sipCallIds[0]!.slice(-1))]!;
            const moved = (from: string) => (plan.moves?.from === from ? [plan.moves.to] : []);
            const movedAtUs = ANSWER_US + (plan.startMs + Math.min(plan.moves?.atMs ?? 0, plan.durationMs)) * MS;
            // What was sent before a side moved was judged without the address that it moved to.
            const streams = one.streams.filter(({ source, destination, firstAtUs }) => {
              return firstAtUs > movedAtUs + 20 * MS || ![source, destination].includes(plan.moves?.to ?? "");
            });
            expectNoContradiction({ ...one, streams }, [
              [plan.caller, ...(plan.rewrites ? [plan.rewrites.caller] : []), ...moved("caller")],
              [plan.callee, ...(plan.rewrites ? [plan.rewrites.callee] : []), ...moved("callee")],
            ]);
            expectSeenOnce(one, flows);
          }
        },
      ),
      { seed: 40, numRuns: 100 },
    );
  });

  /** `places` by side: what was described of it at any time. */
  function expectNoContradiction(record: CallRecord, places: readonly [readonly string[], readonly string[]]): void {
    const isOnly = (place: string, side: 0 | 1) =>
      places[side].includes(place) && !places[side === 0 ? 1 : 0].includes(place);
    const isContradictory = record.warnings.some(({ code }) => code === "media-contradicts-sdp");
    for (const { side, source, destination } of record.streams) {
      const other = side === 0 ? 1 : 0;
      // From the other side's address to this side's own: as exact as it can be that it is the other's.
      expect([source, destination, isOnly(source, other) && isOnly(destination, side)]).toEqual([
        source,
        destination,
        false,
      ]);
      if (isContradictory) continue;
      const isNobodys = (place: string) => !places.flat().includes(place);
      expect(isOnly(source, other) && isNobodys(destination)).toBe(false);
      expect(isOnly(destination, side) && isNobodys(source)).toBe(false);
    }
  }

  /** Of the packets between two addresses a call saw none twice. */
  function expectSeenOnce({ streams }: CallRecord, flows: readonly Sent[]): void {
    const isBetween = (a: { source: string; destination: string }, b: { source: string; destination: string }) =>
      a.source === b.source && a.destination === b.destination;
    for (const stream of streams) {
      const seen = streams.filter((one) => isBetween(one, stream)).reduce((sum, one) => sum + one.packets.seen, 0);
      const sent = flows.filter((one) => isBetween(one, stream)).map((one, i) => send(one, i).length);
      expect(seen).toBeLessThanOrEqual(sent.reduce((sum, packets) => sum + packets, 0));
    }
  }
});

describe("property: any office with NAT, shared ports, moves and stragglers", () => {
  const AGENT_VOICE = 0x80;
  /** Phones; both calls of a phone may have one port. */
  const plan = fc.record({
    phone: fc.constantFrom(7, 8),
    hasOnePort: fc.boolean(),
    /** After the call before it was answered: nobody answers two in half a second. */
    startMs: fc.integer({ min: 500, max: 2500 }),
    durationMs: fc.integer({ min: 800, max: 3000 }),
    /** What the caller describes: its NAT address, a private one, or one that others have too. */
    described: fc.constantFrom("nat", "private", "shared"),
    nat: fc.constantFrom("203.0.113.5", "203.0.113.6"),
    /** The agent sends first to where the description says. */
    sendsToDescribed: fc.boolean(),
    callerFirstMs: fc.integer({ min: -150, max: 200 }),
    agentFirstMs: fc.integer({ min: -150, max: 200 }),
    /** After the end. */
    callerLastMs: fc.constantFrom(0, 60, 300, 2500),
    agentLastMs: fc.constantFrom(0, 60, 300, 2500),
    rebindsAtMs: fc.option(fc.integer({ min: 300, max: 700 }), { nil: undefined }),
    isHeldByAgent: fc.boolean(),
    hasConstantSsrc: fc.boolean(),
  });

  function office(plans: readonly (typeof plan extends fc.Arbitrary<infer Plan> ? Plan : never)[]): TimedFrame[] {
    let startMs = 0;
    return mergeCalls(
      ...plans.flatMap((call, i) => {
        startMs += call.startMs;
        const agent = `10.0.0.${call.phone}:${call.hasOnePort ? 40_000 : 41_000 + i * 2}`;
        // A NAT gives no port to two at once; who calls again gets another one.
        const [natPort, nextPort] = [61_000 + i * 10, 61_001 + i * 10];
        const [first, next] = [`${call.nat}:${natPort}`, `${call.nat}:${nextPort}`];
        // Two calls with the same addresses on both sides are told apart by nothing until both are answered.
        const shared = call.hasOnePort ? `192.168.9.${i}:7078` : "192.168.178.20:7078";
        const described = { nat: first, private: `192.168.7.${i}:30000`, shared }[call.described];
        const held: MidCallRequest[] = call.isHeldByAgent
          ? [
              { atMs: 400, from: "callee", method: "INVITE", sdp: { direction: "sendonly" } },
              { atMs: 700, from: "callee", method: "INVITE" },
            ]
          : [];
        const sip = signalling({
          callId: `call-${i}`,
          startUs: DEFAULT_START_US + startMs * MS,
          durationMs: call.durationMs,
          caller: { user: `030${1000 + i}`, address: `198.51.100.${20 + i}`, ...party(described) },
          callee: { user: "21", address: `10.0.0.${call.phone}`, ...party(agent) },
          midCall: held,
        });
        const voices = {
          caller: { voice: 1 + i, ssrc: call.hasConstantSsrc ? 1 : 100 + i },
          agent: { voice: AGENT_VOICE + i, ssrc: call.hasConstantSsrc ? 2 : 200 + i },
        };
        const answerMs = startMs;
        const at = (ms: number) => answerMs + ms;
        const rebindMs = call.rebindsAtMs ?? call.durationMs + call.callerLastMs;
        const way = (
          speaker: keyof typeof voices,
          source: string,
          destination: string,
          span: readonly [fromMs: number, toMs: number],
          beganMs: number,
        ): Sent => ({
          ...voices[speaker],
          source,
          destination,
          fromMs: at(span[0]),
          toMs: at(span[1]),
          firstSequence: 1000 * (i + 1) + Math.ceil((span[0] - beganMs) / 20),
        });
        const callerEndMs = call.durationMs + call.callerLastMs;
        const agentEndMs = call.durationMs + call.agentLastMs;
        const heardMs = Math.max(call.agentFirstMs, call.callerFirstMs + 20);
        const { callerFirstMs, agentFirstMs } = call;
        const sent = [
          way("caller", first, agent, [callerFirstMs, Math.min(rebindMs, callerEndMs)], callerFirstMs),
          way("caller", next, agent, [rebindMs, callerEndMs], callerFirstMs),
          ...(call.sendsToDescribed ? [way("agent", agent, described, [agentFirstMs, heardMs], agentFirstMs)] : []),
          way("agent", agent, first, [heardMs, Math.min(rebindMs, agentEndMs)], agentFirstMs),
          way("agent", agent, next, [Math.max(rebindMs, heardMs), agentEndMs], agentFirstMs),
        ];
        return [sip, ...sent.map((one, j) => send(one, i * 10 + j))];
      }),
    );
  }

  it("everybody is recorded in the own call, on the own channel, and nowhere else", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(plan, { minLength: 1, maxLength: 4 }), async (plans) => {
        const config = officeConfig({
          agents: { match: ["21"], mixedStreams: "trust" },
          correlation: apart,
          consent: consents,
        });
        const recorded = await record(office(plans), config, folder);
        expectEachOnce(recorded);
        for (const [i, { sipCallIds }] of recorded.records.entries()) {
          const own = Number(sipCallIds[0]!.slice(-1));
          const heard = new Set(recorded.journalled[i]!.map(({ side, payload }) => `${side} ${payload[0]}`));
          for (const one of heard) expect([`0 ${1 + own}`, `1 ${AGENT_VOICE + own}`]).toContain(one);
          const { durationMs, callerFirstMs, agentFirstMs, sendsToDescribed } = plans[own]!;
          const agentsMs = sendsToDescribed ? agentFirstMs : Math.max(agentFirstMs, callerFirstMs + 20);
          for (const [side, firstMs] of [callerFirstMs, agentsMs].entries()) {
            const packets = recorded.journalled[i]!.filter((packet) => packet.side === side).length;
            expect(packets).toBeGreaterThanOrEqual(((durationMs - Math.max(0, firstMs)) / 20) * 0.9 - 2);
          }
        }
      }),
      { seed: 41, numRuns: 40 },
    );
  });
});
