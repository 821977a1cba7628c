// Evidence for two phones' halves to be that of one trunk: the stronger one holds, whichever came first; of equal ones
// neither. What the wrong half brought along, its audio and what was said in it, does not stay.
import { mkdirSync } from "node:fs";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { formatProof } from "../../../device/console/prove-report.js";
import type { CallRecord } from "../../../device/contract/call-record.js";
import { JOURNAL_KEY_BYTES } from "../../../device/journal/block-cipher.js";
import { proveRecording } from "../../../device/store/prove.js";
import { RecordingStore } from "../../../device/store/recordings.js";
import { type CallOptions, DEFAULT_START_US } from "../../fakes/call-options.js";
import { makeCall } from "../../fakes/office-call.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { publishRun } from "../../fakes/published-run.js";
import { officeConfig, type Recorded, recordFrames } from "../../fakes/recorded-frames.js";
import { RecorderRun } from "../../fakes/recorder-run.js";
import { mergeCalls, type TimedFrame } from "../../fakes/timed-frames.js";
import { publicKeyOf } from "../store/store-kit.js";

let folder: string;
let runs: number;
beforeEach(() => {
  folder = makeFolder();
  runs = 0;
});
afterEach(() => removeFolder(folder));

const PBX = { address: "10.0.9.1", sipPort: 5060 };
const CALLER = { user: "0301234567", address: "198.51.100.20", sipPort: 5060 };
const MS = 1000;
const SESSION: [string, string] = ["Session-ID", "ab30317f1a784dc48ff824d0d3715d86"];
const GRANT: [string, string] = ["X-Recording-Consent", "granted"];

type Sign = "number" | "header" | "both" | "none";

/** Everybody hangs up. */
const END_MS = 4200;

/** The trunk's half, which comes first. */
function trunk(headers: [string, string][] = []): TimedFrame[] {
  return makeCall({
    callId: "trunk",
    ringMs: 400,
    durationMs: END_MS - 400,
    caller: { ...CALLER, rtpPort: 30_000 },
    callee: { ...PBX, user: "0309999", rtpPort: 20_000 },
    headers: { invite: [SESSION, ...headers] },
  });
}

/** Phone 2n's half, answered at `answeredMs`; `sign` is what speaks for its being the trunk's. */
function phone(n: number, answeredMs: number, sign: Sign, options: CallOptions = {}): TimedFrame[] {
  const isNumbered = sign === "number" || sign === "both";
  const isNamed = sign === "header" || sign === "both";
  return makeCall({
    callId: `phone-${n}`,
    startUs: DEFAULT_START_US + (answeredMs - 400) * MS,
    ringMs: 400,
    durationMs: END_MS - answeredMs,
    caller: { ...PBX, user: isNumbered ? CALLER.user : `queue-${n}`, rtpPort: 20_000 + 2 * n },
    callee: { user: `2${n}`, address: `10.0.0.${n}`, sipPort: 5060, rtpPort: 40_000 + 2 * n },
    ...(isNamed ? { headers: { invite: [SESSION] } } : {}),
    ...options,
  });
}

async function record(config: Record<string, unknown>, ...calls: TimedFrame[][]): Promise<Recorded> {
  const all = officeConfig({ correlation: { byPayload: false }, ...config });
  return recordFrames(mergeCalls(...calls), all, `${folder}/${runs++}`);
}

/** What the recording of a dialog holds, by source. */
function recordedIn({ records }: Recorded, callId: string): [string, number][] {
  const found = records.filter(({ sipCallIds }) => sipCallIds.includes(callId));
  expect(found, callId).toHaveLength(1);
  return found[0]!.streams
    .filter(({ packets }) => packets.recorded > 0)
    .map(({ source, packets }): [string, number] => [source.split(":")[0]!, packets.recorded])
    .sort();
}

/** Packets from then to the end. */
const since = (ms: number): number => (END_MS - ms) / 20;

const groups = ({ records }: Recorded): string[] =>
  records.map(({ sipCallIds }) => [...sipCallIds].sort().join("+")).sort();
const warned = (record: CallRecord): boolean => record.warnings.some(({ code }) => code === "halves-contradictory");

describe("a header against number and time", () => {
  it.each([
    ["before", 1700, 1200],
    ["after", 1200, 1700],
  ])("holds when its half is answered %s the other's", async (_, numberMs, headerMs) => {
    const result = await record({}, trunk(), phone(1, numberMs, "number"), phone(2, headerMs, "header"));
    expect(groups(result)).toEqual(["phone-1", "phone-2+trunk"]);
    expect(recordedIn(result, "trunk")).toEqual([["10.0.0.2", since(headerMs)]]);
    // Nothing of the other agent is lost: it is in a recording of its own.
    expect(recordedIn(result, "phone-1")).toEqual([["10.0.0.1", since(numberMs)]]);
    for (const { warnings, sipCallIds } of result.records) {
      const warning = warnings.find(({ code }) => code === "halves-contradictory");
      expect(warning?.detail, sipCallIds.join()).toEqual({
        holds: `header ${SESSION[1]}: trunk and phone-2`,
        against: "number caller: trunk and phone-1",
      });
    }
  });

  it("takes the wrong agent's packets out of the journalled call, for good", async () => {
    const result = await record({}, trunk(), phone(1, 1200, "number"), phone(2, 1700, "header"));
    const one = result.records.find(({ sipCallIds }) => sipCallIds.includes("trunk"))!;
    const ghost = one.parties.find(({ number }) => number === "21")!;
    expect(ghost.spans).toEqual([]);
    const [erased] = ghost.erased!;
    expect(erased!.packets).toBeGreaterThan(20);
    expect(
      one.parties.filter(({ role, erased: gone }) => role === "agent" && !gone).map(({ number }) => number),
    ).toEqual(["22"]);
    // What of it is in the call's journal is from before its erasure.
    const place = one.parties.indexOf(ghost);
    const indexes = one.streams.filter(({ party }) => party === place).map(({ index }) => index);
    const packets = result.journalled[result.records.indexOf(one)]!.filter(({ stream }) => indexes.includes(stream));
    expect(packets.every(({ atUs }) => atUs <= erased!.toUs)).toBe(true);
    expect(packets).toHaveLength(erased!.packets);
  });
});

it("takes its audio along in a sealed journal as in one in clear, and so does a join", async () => {
  const frames = mergeCalls(trunk(), phone(1, 1200, "number"), phone(2, 1700, "header"));
  const config = officeConfig({ correlation: { byPayload: false } });
  const clear = await recordFrames(frames, config, `${folder}/clear`);
  const sealed = await recordFrames(frames, config, `${folder}/sealed`, Buffer.alloc(JOURNAL_KEY_BYTES, 5));
  const packets = ({ records, journalled }: Recorded) =>
    records.map(({ sipCallIds }, i) => [[...sipCallIds].sort(), journalled[i]]);
  expect(packets(sealed)).toEqual(packets(clear));
  expect(sealed.journalled.map((kept) => kept.length > 0)).toEqual([true, true]);
  expect(recordedIn(sealed, "phone-1")).toEqual(recordedIn(clear, "phone-1"));
});

describe("what was said in the wrong half", () => {
  const granted: CallOptions = { headers: { invite: [GRANT] } };

  it("opens the caller's leg no longer, and what it had opened is erased", async () => {
    const result = await record({}, trunk(), phone(1, 1200, "number", granted), phone(2, 1700, "header"));
    const one = result.records.find(({ sipCallIds }) => sipCallIds.includes("trunk"))!;
    expect(one.parties[0]).toMatchObject({ role: "caller", number: CALLER.user, consent: "unknown", spans: [] });
    expect(recordedIn(result, "trunk")).toEqual([["10.0.0.2", since(1700)]]);
    expect(one.parties[0].erased![0]!.packets).toBeGreaterThan(20);
  });

  it("stays with that half", async () => {
    const result = await record({}, trunk(), phone(1, 1200, "number", granted), phone(2, 1700, "header"));
    const other = result.records.find(({ sipCallIds }) => sipCallIds.includes("phone-1"))!;
    expect(other.parties.map(({ role, consent }) => [role, consent])).toEqual([
      ["caller", "granted"],
      ["agent", "not-required"],
    ]);
  });

  it("does not take along what was said in the right one", async () => {
    const result = await record({}, trunk([GRANT]), phone(1, 1200, "number"), phone(2, 1700, "header"));
    const [one, other] = ["trunk", "phone-1"].map((id) => result.records.find((r) => r.sipCallIds.includes(id))!);
    expect(one!.parties[0].consent).toBe("granted");
    expect(recordedIn(result, "trunk")).toEqual([
      ["10.0.0.2", since(1700)],
      // Before the right half came nobody knew who the agent was.
      ["198.51.100.20", since(1700)],
    ]);
    expect(other!.parties[0].consent).toBe("unknown");
  });

  it("is dealt with in the same way where the agent calls out and the trunk's half is the wrong one", async () => {
    const out = makeCall({
      callId: "phone",
      ringMs: 2500,
      durationMs: 4000,
      caller: { user: "21", address: "10.0.0.1", sipPort: 5060, rtpPort: 40_002 },
      callee: { ...PBX, user: CALLER.user, rtpPort: 20_000 },
      headers: { invite: [SESSION] },
    });
    const leaves = (n: number, headers: [string, string][], user: string): TimedFrame[] =>
      makeCall({
        callId: `trunk-${n}`,
        startUs: DEFAULT_START_US + 200 * n * MS,
        ringMs: 2500,
        durationMs: 3500,
        caller: { ...PBX, user: "0309999", rtpPort: 20_000 + 2 * n },
        callee: { ...CALLER, user, address: `198.51.100.2${n}`, rtpPort: 30_000 + 2 * n },
        headers: { invite: headers },
      });
    const result = await record({}, out, leaves(1, [GRANT], CALLER.user), leaves(2, [SESSION], "other"));
    expect(groups(result)).toEqual(["phone+trunk-2", "trunk-1"]);
    expect(recordedIn(result, "phone").map(([source]) => source)).toEqual(["10.0.0.1"]);
    expect(recordedIn(result, "trunk-1")).toEqual([]);
  });
});

describe("equally strong evidence", () => {
  it.each(["header", "number"] as const)("(%s) leaves all apart, and names both", async (sign) => {
    const result = await record({}, trunk([GRANT]), phone(1, 1200, sign), phone(2, 1700, sign));
    expect(groups(result)).toEqual(["phone-1", "phone-2", "trunk"]);
    expect(recordedIn(result, "trunk")).toEqual([]);
    expect(recordedIn(result, "phone-1")).toEqual([["10.0.0.1", since(1200)]]);
    expect(result.records.every(warned)).toBe(true);
  });

  it("is none when the other half only failed to end", async () => {
    const gone = phone(1, 1200, "number", { durationMs: 300, isEndless: true });
    const result = await record({}, trunk(), gone, phone(2, 4200, "number", { durationMs: 500 }));
    expect(groups(result)).toEqual(["phone-1+trunk", "phone-2"]);
  });
});

describe("every recording that comes of a separation", () => {
  it.each(["agent-only", "consent-first", "both-parties"])("can be proved under %s", async (policy) => {
    for (const [i, [headers, options]] of [
      [[GRANT], {}],
      [[], { headers: { invite: [GRANT] } }],
      [[GRANT], { headers: { invite: [GRANT] } }],
    ].entries() as Iterable<[number, [[string, string][], CallOptions]]>) {
      const run = new RecorderRun(folder, officeConfig({ consent: { policy }, correlation: { byPayload: false } }));
      await run.feed(mergeCalls(trunk(headers), phone(1, 1200, "number", options), phone(2, 1700, "header"))).end();
      const data = `${folder}/data-${i}`;
      mkdirSync(data);
      const store = RecordingStore.open(data, { gatherMs: 0 });
      const ids = await publishRun(store, run);
      store.close();
      const granted = [headers, options.headers?.invite ?? []].filter(({ length }) => length > 0).length;
      expect(ids).toHaveLength(policy === "consent-first" ? granted : 2);
      for (const id of ids) {
        const proof = proveRecording(data, id, publicKeyOf(data))!;
        expect(proof.proved, formatProof(proof)).toBe(true);
      }
    }
  });
});

describe("property: whichever half is answered first", () => {
  const sign = fc.constantFrom<Sign>("number", "header", "both", "none");

  it("the same halves are one call, with the same audio and the same consent", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(sign, { minLength: 2, maxLength: 3 }), fc.nat(), async (signs, seed) => {
        const order = (shift: number) => signs.map((_, i) => (i * (1 + (seed % 2)) + shift) % signs.length);
        const outcomes = [];
        for (const places of [order(0), order(1), order(0).reverse()]) {
          if (new Set(places).size < signs.length) continue;
          const phones = signs.map((one, i) => phone(i + 1, 1200 + 300 * places[i]!, one));
          const result = await record({}, trunk([GRANT]), ...phones);
          const consents = result.records.map(({ sipCallIds, parties }) => {
            return [[...sipCallIds].sort().join("+"), parties[0].consent];
          });
          outcomes.push({ groups: groups(result), consents: consents.sort() });
          const named = signs.flatMap((one, i) => (one === "header" || one === "both" ? [i + 1] : []));
          const numbered = signs.flatMap((one, i) => (one === "number" ? [i + 1] : []));
          const [only, ...more] = named.length > 0 ? named : numbered;
          const right = more.length === 0 ? only : undefined;
          expect(groups(result)).toContain(right === undefined ? "trunk" : `phone-${right}+trunk`);
          for (const [i, place] of places.entries()) {
            const agents = since(1200 + 300 * place);
            const caller = i + 1 === right ? [["198.51.100.20", agents]] : [];
            expect(recordedIn(result, `phone-${i + 1}`)).toEqual([[`10.0.0.${i + 1}`, agents], ...caller]);
          }
        }
        for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
      }),
      { numRuns: 12, seed: 7 },
    );
  }, 60_000);
});
