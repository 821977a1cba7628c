// Random histories of calls against a model of consent that is written from the order in the README and knows nothing of
// the device: sources in any order from both sides, retransmissions and reordering, new SSRCs, re-INVITEs, parties that
// take each other's place, pauses, erasure, crashes of the engine. For each: which of the caller's packets may be on the
// disk, to the packet; all of the agent's; ledger and record agree.
import { rmSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CallId } from "../../device/base/ids.js";
import type { CallRecord } from "../../device/contract/call-record.js";
import type { CallCommand } from "../../device/contract/commands.js";
import type { JournalPosition } from "../../device/contract/engine-messages.js";
import { CallReader } from "../../device/journal/reader.js";
import { recoverRun } from "../../device/journal/recovery.js";
import { DEFAULT_START_US, type MidCallRequest } from "../fakes/call-options.js";
import { makeCall } from "../fakes/office-call.js";
import { makeFolder, removeFolder } from "../fakes/program.js";
import { officeConfig, RecorderRun } from "../fakes/recorder-run.js";
import { EVENT_PAYLOAD_TYPE, rtpStream } from "../fakes/rtp-stream.js";
import { mergeCalls, shuffleArrivals, type TimedFrame } from "../fakes/timed-frames.js";

const SLOT_MS = 20;
const SLOTS = 200;
const ANSWER_US = DEFAULT_START_US + 1_000_000;
const HISTORIES = Number(process.env["SIDETONE_HISTORIES"] ?? 2000);
/** In a frame: Ethernet, IPv4, UDP, RTP. */
const RTP_AT = 14 + 20 + 8;
const PAYLOAD_AT = RTP_AT + 12;
const KEYS = "0123456789*#";

type Who = "caller" | "callee";
type Effect = "granted" | "refused" | "withdrawn";
type Source = "header" | "dtmf" | "recordpref" | "api" | "mqtt" | "list";
const KEY_OF: Record<Effect, string> = { granted: "1", refused: "2", withdrawn: "9" };

type Operation =
  | { kind: "header"; from: Who; effect: Effect; repeats: boolean }
  | { kind: "key"; from: Who; effect: Effect }
  | { kind: "info-key"; from: Who; effect: Effect; repeats: boolean }
  | { kind: "recordpref"; from: Who; preference: "on" | "off" | "pause" | "nopreference" }
  | { kind: "command"; source: "api" | "mqtt"; effect: Effect }
  | { kind: "pause" | "resume" }
  | { kind: "ssrc"; from: Who }
  | { kind: "re-invite"; from: Who }
  | { kind: "successor" }
  | { kind: "crash" };

interface Plan {
  operations: (Operation & { slot: number })[];
  list: "none" | "always" | "never";
  erases: boolean;
  shuffleSeed: number;
}

const effect = fc.constantFrom<Effect>("granted", "granted", "refused", "withdrawn");
const who = fc.constantFrom<Who>("caller", "callee");
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("header" as const), from: who, effect, repeats: fc.boolean() }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("key" as const), from: who, effect }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("info-key" as const), from: who, effect, repeats: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("recordpref" as const),
      from: who,
      preference: fc.constantFrom("on" as const, "off" as const, "pause" as const, "nopreference" as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("command" as const),
      source: fc.constantFrom("api" as const, "mqtt" as const),
      effect,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("pause" as const, "resume" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("ssrc" as const), from: who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("re-invite" as const), from: who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("successor" as const) }) },
);
/** Operations at least 200 ms apart: a transaction ends before the next one begins. */
const STEP_SLOTS = 10;

const plan: fc.Arbitrary<Plan> = fc
  .record({
    operations: fc.array(operation, { maxLength: 16 }),
    crashAt: fc.option(fc.nat(15), { nil: undefined, freq: 5 }),
    list: fc.constantFrom("none" as const, "none" as const, "always" as const, "never" as const),
    erases: fc.boolean(),
    shuffleSeed: fc.nat(1000),
  })
  .map(({ operations, crashAt, ...rest }) => {
    const all: Operation[] = [...operations];
    if (crashAt !== undefined) all.splice(Math.min(crashAt, all.length), 0, { kind: "crash" });
    return { ...rest, operations: all.map((one, i) => ({ ...one, slot: STEP_SLOTS * (i + 1) })) };
  });

const atUs = (slot: number): number => ANSWER_US + slot * SLOT_MS * 1000;

interface Scene {
  frames: TimedFrame[];
  /** Retransmissions of a request with an operation, by frame: they must change nothing. */
  operationAt: Map<TimedFrame, Operation>;
}

const NEXT_ADDRESS = (n: number): string => `203.0.113.${10 + n}`;

function midCallOf({ slot, ...one }: Operation & { slot: number }, successors: number): MidCallRequest | undefined {
  const atMs = slot * SLOT_MS;
  const here = successors === 0 ? {} : { address: NEXT_ADDRESS(successors), sessionId: 100 + successors };
  switch (one.kind) {
    case "header":
      return { atMs, from: one.from, method: "INFO", headers: [["X-Recording-Consent", one.effect]] };
    case "info-key":
      return { atMs, from: one.from, method: "INFO", body: { type: "application/dtmf", text: KEY_OF[one.effect] } };
    case "recordpref":
      return {
        atMs,
        from: one.from,
        method: "UPDATE",
        sdp: { mediaLines: [`a=recordpref:${one.preference}`], ...(one.from === "caller" ? here : {}) },
        answerSdp: one.from === "caller" ? {} : here,
      };
    case "re-invite":
      return {
        atMs,
        from: one.from,
        method: "INVITE",
        sdp: one.from === "caller" ? here : {},
        answerSdp: one.from === "caller" ? {} : here,
      };
    case "successor":
      return { atMs, from: "caller", method: "INVITE", sdp: here };
    default:
      return undefined;
  }
}

/** Payload of a packet: who speaks, then its number; found again in the journal. */
const numbered =
  (speaker: number) =>
  (first: number, count: number): Buffer => {
    const payload = Buffer.alloc(count, 0xd5);
    payload.writeUInt8(0xc0 + speaker, 0);
    payload.writeUInt32BE(first, 1);
    return payload;
  };

function makeScene({ operations, shuffleSeed }: Plan): Scene {
  let successors = 0;
  const midCall: MidCallRequest[] = [];
  for (const one of operations) {
    if (one.kind === "successor") successors++;
    const request = midCallOf(one, successors);
    if (request) midCall.push(request);
  }
  const mute = { isMute: true };
  const signalling = makeCall({
    hasEvents: true,
    durationMs: SLOTS * SLOT_MS,
    caller: mute,
    callee: mute,
    midCall,
    // Of a successor's dialog side the answers must describe the successor as well: they are the caller's only as offers.
  });
  const operationAt = new Map<TimedFrame, Operation>();
  const again: TimedFrame[] = [];
  for (const one of operations) {
    const request = midCallOf(one, 1);
    if (!request) continue;
    const frame = signalling.find(
      (f) => f.atUs === atUs(one.slot) && f.label === request.method && f.from === request.from,
    )!;
    operationAt.set(frame, one);
    // After more than the mirror's window, and after the next operations.
    if ("repeats" in one && one.repeats) again.push({ ...frame, atUs: frame.atUs + 500_000 });
  }
  const media = [...streamsOf("caller", operations), ...streamsOf("callee", operations)];
  const shuffled = shuffleArrivals(mergeCalls(...media), { windowMs: 50, seed: shuffleSeed, share: 0.2 });
  return { frames: mergeCalls(signalling, again, shuffled), operationAt };
}

/** The stream of one side: cut where its SSRC changes, and where somebody else takes the caller's place. */
function streamsOf(from: Who, operations: Plan["operations"]): TimedFrame[][] {
  const cuts = operations.filter(
    (one) => (one.kind === "ssrc" && one.from === from) || (one.kind === "successor" && from === "caller"),
  );
  const bounds = [0, ...cuts.map(({ slot, kind }) => (kind === "successor" ? slot + 2 : slot)), SLOTS];
  let speaker = 0;
  return bounds.slice(0, -1).map((begin, i) => {
    const cut = cuts[i - 1];
    if (cut?.kind === "successor") speaker++;
    const end = bounds[i + 1]!;
    const agent = "10.0.0.7:40000";
    const caller = speaker === 0 ? "198.51.100.20:30000" : `${NEXT_ADDRESS(speaker)}:30000`;
    const keys = operations.flatMap((one) =>
      one.kind === "key" && one.from === from && one.slot >= begin && one.slot + 5 < end
        ? [{ key: KEY_OF[one.effect], index: one.slot - begin }]
        : [],
    );
    return rtpStream({
      from,
      source: from === "caller" ? caller : agent,
      destination: from === "caller" ? agent : caller,
      startUs: atUs(begin) + 10_000,
      packets: end - begin,
      ssrc: (from === "caller" ? 1000 : 2000) + i,
      firstSequence: 1000 * (i + 1),
      firstTimestamp: begin * 160,
      payload: (first, count) => numbered(from === "caller" ? speaker : 9)(begin * 160 + first, count),
      keys,
    });
  });
}

/** Consent of the one who is there, as the README has it: what the office forbids, what is said in the call, lists. */
class Model {
  private readonly said = new Map<Source, Effect>();
  private current = "unknown";
  isPaused = false;
  isErased = false;
  private readonly list: Plan["list"];

  constructor(list: Plan["list"]) {
    this.list = list;
    this.settle();
  }

  /** Somebody else is there now, or nobody remembers. */
  newParty(): void {
    this.said.clear();
    this.current = "unknown";
    this.settle();
  }

  say(source: Source, statement: Effect): void {
    const before = this.said.get(source);
    if (before !== undefined && (before === "granted") === (statement === "granted")) return;
    this.said.set(source, statement);
    this.settle();
  }

  lift(source: Source): void {
    this.said.delete(source);
    this.settle();
  }

  get mayTake(): boolean {
    return this.current === "granted" && !this.isPaused;
  }

  private settle(): void {
    const inCall = [...this.said.values()];
    const before = this.current;
    const closed = before === "granted" || before === "withdrawn" ? "withdrawn" : "refused";
    if (this.list === "never") this.current = closed;
    else if (inCall.some((one) => one !== "granted")) this.current = closed;
    else if (inCall.length > 0 || this.list === "always") this.current = "granted";
    else this.current = "unknown";
    this.isErased = before === "granted" && this.current === "withdrawn";
  }
}

interface Expectation {
  /** Packets of callers that may be on the disk: "speaker first-sample". */
  allowed: Set<string>;
  /** Of them, those that were taken back. */
  erased: Set<string>;
  agent: Set<string>;
}

/** `refused`: commands that the box said it could not carry out (after a crash it may not know the call yet). */
function expectationOf(scene: Scene, { list, erases, operations }: Plan, refused: ReadonlySet<Operation>): Expectation {
  const model = new Model(list);
  const allowed = new Set<string>();
  const erased = new Set<string>();
  const agent = new Set<string>();
  const presses = new Set<string>();
  let ofParty: string[] = [];
  let isSucceeding = false;
  /** A new engine hears keys once it knows where the call's media goes: what nobody heard closes nothing. */
  let isHearing = true;
  const outside = operations.filter(({ kind }) => ["command", "pause", "resume", "crash"].includes(kind));
  const takeBack = (): void => {
    if (model.isErased && erases) for (const packet of ofParty) erased.add(packet);
    if (model.isErased) ofParty = [];
    model.isErased = false;
  };
  const act = (one: Operation): void => {
    if (one.kind === "header") model.say("header", one.effect);
    if (one.kind === "info-key" && one.from === "caller" && !model.isPaused) model.say("dtmf", one.effect);
    if (one.kind === "recordpref" && one.from === "caller") {
      if (one.preference === "on") model.say("recordpref", "granted");
      else if (one.preference === "nopreference") model.lift("recordpref");
      else model.say("recordpref", "refused");
    }
    if (one.kind === "command" && !refused.has(one)) model.say(one.source, one.effect);
    if (one.kind === "pause" || one.kind === "resume") model.isPaused = one.kind === "pause";
    if (one.kind === "successor") isSucceeding = true;
    if (one.kind === "crash") {
      model.isPaused = false;
      model.newParty();
      ofParty = [];
      isHearing = false;
    }
    takeBack();
  };
  for (const frame of scene.frames) {
    while (outside[0] && frame.atUs >= atUs(outside[0].slot)) act(outside.shift()!);
    const operationHere = scene.operationAt.get(frame);
    if (operationHere) act(operationHere);
    if (isSucceeding && frame.label === "200 INVITE" && frame.from === "callee") {
      isSucceeding = false;
      model.newParty();
      ofParty = [];
      model.isErased = false;
    }
    if (frame.label === "200 INVITE" || frame.label === "200 UPDATE") isHearing = true;
    if (frame.kind !== "rtp") continue;
    if ((frame.frame[RTP_AT + 1]! & 0x7f) === EVENT_PAYLOAD_TYPE) {
      const press = `${frame.frame.readUInt32BE(RTP_AT + 8)} ${frame.frame.readUInt32BE(RTP_AT + 4)}`;
      const pressed = KEYS[frame.frame[PAYLOAD_AT]!];
      if (frame.from === "caller" && !presses.has(press) && !model.isPaused) {
        const meant = (Object.keys(KEY_OF) as Effect[]).find((one) => KEY_OF[one] === pressed);
        if (meant && (isHearing || meant === "granted")) model.say("dtmf", meant);
        takeBack();
      }
      presses.add(press);
      continue;
    }
    const name = nameOf(frame.frame.subarray(PAYLOAD_AT));
    if (frame.from === "callee") {
      if (!model.isPaused) agent.add(name);
    } else if (model.mayTake) {
      allowed.add(name);
      ofParty.push(name);
    }
  }
  return { allowed, erased, agent };
}

function nameOf(payload: Buffer): string {
  return `${payload[0]! - 0xc0} ${payload.readUInt32BE(1)}`;
}

interface Outcome {
  records: CallRecord[];
  /** On the disk, whatever was taken back of it. */
  callers: Set<string>;
  agents: Set<string>;
  /** Would be in the recording: not taken back. */
  kept: Set<string>;
  run: RecorderRun;
  hasCrashed: boolean;
  refused: Set<Operation>;
}

function configFor({ list, erases }: Plan) {
  return officeConfig({
    consent: {
      dtmf: KEY_OF,
      recordpref: { grants: true },
      numbers: { [list === "never" ? "never" : "always"]: list === "none" ? [] : ["030*"] },
      onWithdrawal: erases ? "erase" : "keep",
      pause: { maxS: 3600 },
    },
    // A packet that shuffling moved past its successors is late, not gone.
    capture: { duplicates: "remove" },
  });
}

async function play(scene: Scene, history: Plan, folder: string): Promise<Outcome> {
  const config = configFor(history);
  const outcome: Omit<Outcome, "run"> = {
    records: [],
    callers: new Set(),
    agents: new Set(),
    kept: new Set(),
    hasCrashed: false,
    refused: new Set(),
  };
  let run = new RecorderRun(folder, config);
  const outside = history.operations.filter(({ kind }) => ["command", "pause", "resume", "crash"].includes(kind));
  for (const frame of scene.frames) {
    while (outside[0] && frame.atUs >= atUs(outside[0].slot)) {
      const one = outside.shift()!;
      if (one.kind === "crash") {
        // Killed: what was written is all that is left.
        run.recorder.journal.flush();
        readDisk(run.journalFolder, undefined, outcome);
        outcome.hasCrashed = true;
        await run.recorder.journal.close();
        run = new RecorderRun(folder, config);
      } else if (!run.recorder.command(commandOf(one)).ok) outcome.refused.add(one);
    }
    run.feed([frame]);
  }
  run.recorder.closeAll();
  readDisk(run.journalFolder, run.records, outcome);
  await run.recorder.journal.close();
  outcome.records.push(...run.records);
  return { ...outcome, run };
}

function commandOf(one: Operation): CallCommand {
  const source = one.kind === "command" ? one.source : "api";
  const body = (
    one.kind === "command"
      ? { verb: "consent", call: { agent: "21" }, party: "caller", effect: one.effect, reason: "model" }
      : { verb: one.kind, call: "all", reason: "" }
  ) as CallCommand["body"];
  return { body, source, by: "model" };
}

/** Everything in the journal; `records`: of calls that ended, undefined after a crash. */
function readDisk(folder: string, records: readonly CallRecord[] | undefined, into: Omit<Outcome, "run">): void {
  for (const call of recoverRun(folder).calls) {
    const record = records?.find(({ id }) => id === call.id) ?? call.record;
    readCall(folder, call.position, call.id, record, into);
  }
}

function readCall(
  folder: string,
  position: JournalPosition,
  id: CallId,
  record: CallRecord | undefined,
  into: Omit<Outcome, "run">,
): void {
  const reader = CallReader.open(folder, position, id);
  reader.visit(({ stream, capturedAtUs, data, start }) => {
    const name = nameOf(data.subarray(start + 12));
    if (name.startsWith("9 ")) {
      into.agents.add(name);
      return;
    }
    into.callers.add(name);
    const party = record?.parties[record.streams.find(({ index }) => index === stream)?.party ?? -1];
    const lastErasedUs = Math.max(...(party?.erased ?? []).map(({ toUs }) => toUs), 0);
    if (capturedAtUs > lastErasedUs) into.kept.add(name);
  });
  reader.close();
}

/** The record's ledger is a walk from unknown to what it says of the party, and its counts are those of its spans. */
function checkRecord(record: CallRecord, run: RecorderRun): void {
  const walked = new Map<number, string>();
  for (const { party, from, to } of record.ledger) {
    expect(walked.get(party) ?? "unknown").toBe(from);
    walked.set(party, to);
  }
  for (const [i, party] of record.parties.entries()) {
    if (party.role === "caller") expect(party.consent).toBe(walked.get(i) ?? "unknown");
    const streams = record.streams.filter((stream) => stream.party === i);
    const sum = (pick: (stream: CallRecord["streams"][0]) => number) => streams.reduce((n, one) => n + pick(one), 0);
    const count = (spans: readonly { packets: number }[]) => spans.reduce((n, span) => n + span.packets, 0);
    expect(count(party.spans)).toBe(sum(({ packets }) => packets.recorded));
    expect(count(party.closedSpans)).toBe(sum(({ packets }) => packets.discarded));
    for (const { packets } of streams)
      expect(packets.seen).toBe(packets.recorded + packets.discarded + packets.duplicate);
  }
  const audited = run.audited.flatMap((event) => (event.kind === "consent" && event.call === record.id ? [event] : []));
  expect(record.ledger.map(({ atUs: time, from, to, source }) => ({ atUs: time, from, to, source }))).toEqual(
    audited.map(({ atUs: time, from, to, source }) => ({ atUs: time, from, to, source })),
  );
}

describe("property: any history of consent", () => {
  let folder: string;
  beforeAll(() => {
    folder = makeFolder();
  });
  afterAll(() => removeFolder(folder));

  it(`${HISTORIES} histories: exactly what was allowed is on the disk, ledger and record agree`, async () => {
    let admitted = 0;
    let crashes = 0;
    await fc.assert(
      fc.asyncProperty(plan, async (history) => {
        const scene = makeScene(history);
        const { records, callers, agents, kept, run, hasCrashed, refused } = await play(scene, history, folder);
        expect(hasCrashed || refused.size === 0).toBe(true);
        const expected = expectationOf(scene, history, refused);
        admitted += callers.size;
        const forbidden = [...callers].filter((name) => !expected.allowed.has(name));
        expect(forbidden).toEqual([]);
        expect([...kept].filter((name) => expected.erased.has(name))).toEqual([]);
        expect([...agents].filter((name) => !expected.agent.has(name))).toEqual([]);
        if (hasCrashed) crashes++;
        else {
          const missing = [...expected.allowed].filter((name) => !expected.erased.has(name) && !kept.has(name));
          expect(missing).toEqual([]);
          expect([...expected.agent].filter((name) => !agents.has(name))).toEqual([]);
        }
        for (const record of records) checkRecord(record, run);
        rmSync(run.journalFolder, { recursive: true, force: true });
      }),
      { seed: 20261127, numRuns: HISTORIES },
    );
    expect(admitted).toBeGreaterThan(HISTORIES * 10);
    expect(crashes).toBeGreaterThan(HISTORIES / 20);
  }, 600_000);
});
