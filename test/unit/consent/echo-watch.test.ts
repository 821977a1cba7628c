// The caller's voice in the agent's own stream, through the engine's pipeline: what the record says of it, and whose packets
// are taken then. How it is told is echo-finder's.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../../device/contract/call-record.js";
import type { Config } from "../../../device/contract/config.js";
import { type CallOptions, DEFAULT_START_US, type MidCallRequest } from "../../fakes/call-options.js";
import { CLEAN_SCENES, echoScene, type Scene } from "../../fakes/echo-scenes.js";
import { makeCall } from "../../fakes/office-call.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { checkCounts } from "../../fakes/recorded-frames.js";
import { officeConfig, RecorderRun } from "../../fakes/recorder-run.js";
import { encodeG711, type PayloadSource } from "../../fakes/tone.js";

const ANSWER_US = DEFAULT_START_US + 1_000_000;
const SECONDS = 10;
const CALLER = 0;
const AGENT = 1;
const ECHO = { delayMs: 180, levelDb: -15 };
const ECHOES = echoScene(1, ECHO.levelDb, ECHO.delayMs, "noise", SECONDS);

type Check = Config["consent"]["echo"]["check"];

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const saying =
  (samples: Float64Array): PayloadSource =>
  (first, count, codec) =>
    encodeG711(
      Int16Array.from({ length: count }, (_, i) => Math.round(samples[first + i] ?? 0)),
      codec,
    );

interface Outcome {
  record: CallRecord;
  counts: Record<string, number>;
  run: RecorderRun;
}

async function play(
  check: Check,
  options: CallOptions = {},
  consent: object = {},
  { caller, agent }: Scene = ECHOES,
): Promise<Outcome> {
  const run = new RecorderRun(folder, officeConfig({ consent: { echo: { check }, ...consent } }));
  run.feed(
    makeCall({
      durationMs: SECONDS * 1000,
      ...options,
      caller: { payload: saying(caller) },
      callee: { payload: saying(agent) },
    }),
  );
  const counts = await run.end();
  expect(run.records).toHaveLength(1);
  const record = run.records[0]!;
  checkCounts(record);
  return { record, counts, run };
}

const consents = (atMs: number, word: string): MidCallRequest => ({
  atMs,
  from: "caller",
  method: "INFO",
  headers: [["X-Recording-Consent", word]],
});
const agreed = (word: string): CallOptions => ({ headers: { answer: [["X-Recording-Consent", word]] } });
const ms = (atUs: number): number => Math.round((atUs - ANSWER_US) / 1000);
const open = ({ record }: Outcome, party: number) =>
  record.parties[party]!.spans.map(({ fromUs, toUs }) => [ms(fromUs), ms(toUs)]);
const shut = ({ record }: Outcome, party: number) =>
  record.parties[party]!.closedSpans.map(({ reason, fromUs, toUs }) => [reason, ms(fromUs), ms(toUs)]);
const discarded = ({ record }: Outcome, party: number) =>
  record.streams.filter((stream) => stream.party === party).map(({ discardedBy }) => discardedBy);
const codes = ({ record }: Outcome): string[] => record.warnings.map(({ code }) => code);

/** When the caller was recognised, ms after the answer: no earlier than in the second window. */
const RECOGNISED_MS = { least: 2500, most: 6000 };

describe("consent.echo.check", () => {
  it("off: nobody listens", async () => {
    const outcome = await play("off");
    expect(outcome.record.echo).toBeUndefined();
    expect(codes(outcome)).toEqual([]);
    expect(Object.keys(outcome.counts).filter((name) => name.startsWith("echo"))).toEqual([]);
    expect(discarded(outcome, AGENT)).toEqual([{}]);
  });

  it("report: the record says what was heard, and nothing else happens", async () => {
    const outcome = await play("report");
    const { echo } = outcome.record;
    expect(echo!.found).toBeGreaterThanOrEqual(2);
    expect(echo!.windows).toBeGreaterThanOrEqual(echo!.found);
    expect(echo!.correlation).toBeGreaterThan(0.9);
    expect(Math.abs(echo!.delayMs - ECHO.delayMs)).toBeLessThan(2);
    expect(Math.abs(echo!.levelDb - ECHO.levelDb)).toBeLessThan(1);
    expect(outcome.counts["echo.with-echo"]).toBe(echo!.found);
    expect(codes(outcome)).toEqual([]);
    expect(discarded(outcome, AGENT)).toEqual([{}]);
  });

  it("warn: the call has a warning with the figures, and the agent is recorded all the same", async () => {
    const outcome = await play("warn");
    expect(outcome.record.echo!.found).toBeGreaterThanOrEqual(2);
    const [warning, ...more] = outcome.record.warnings;
    expect(more).toEqual([]);
    expect(warning).toMatchObject({
      code: "caller-heard-in-agent",
      detail: { correlation: expect.any(Number), delayMs: expect.any(Number), levelDb: expect.any(Number) },
    });
    expect(Math.abs(Number(warning!.detail["delayMs"]) - ECHO.delayMs)).toBeLessThan(2);
    expect(discarded(outcome, AGENT)).toEqual([{}]);
  });

  it.each(["report", "warn", "mute"] as const)("%s: nothing is found where nothing is to be found", async (check) => {
    const scene = CLEAN_SCENES["an agent in background noise"]!(7, SECONDS);
    const outcome = await play(check, {}, {}, scene);
    expect(outcome.record.echo).toMatchObject({ found: 0 });
    expect(outcome.record.echo!.windows).toBeGreaterThan(1);
    expect(codes(outcome)).toEqual([]);
    expect(discarded(outcome, AGENT)).toEqual([{}]);
  });
});

describe("mute", () => {
  it("shuts the agent's gate from the recognition to the end of the call while the caller has not consented", async () => {
    const outcome = await play("mute");
    const [[from, to]] = open(outcome, AGENT) as [[number, number]];
    expect(open(outcome, AGENT)).toHaveLength(1);
    expect(from).toBe(0);
    expect(to).toBeGreaterThan(RECOGNISED_MS.least);
    expect(to).toBeLessThan(RECOGNISED_MS.most);
    const [[reason, shutMs, untilMs]] = shut(outcome, AGENT) as [[string, number, number]];
    expect(shut(outcome, AGENT)).toHaveLength(1);
    expect(reason).toBe("echo");
    expect(shutMs - to).toBeLessThanOrEqual(20);
    expect(untilMs).toBeGreaterThanOrEqual(SECONDS * 1000);
    const [agent] = outcome.record.streams.filter(({ party }) => party === AGENT);
    expect(agent!.discardedBy).toEqual({ echo: agent!.packets.discarded });
    // One packet each 20 ms, of which none after the recognition is in the journal.
    expect(Math.abs(agent!.packets.recorded - to / 20)).toBeLessThanOrEqual(1);
    expect(outcome.run.recorder.journal.counters["journal.records"]).toBe(agent!.packets.recorded);
    expect(codes(outcome)).toEqual(["caller-heard-in-agent"]);
    expect(outcome.record.echo!.found).toBeGreaterThanOrEqual(2);
    expect(outcome.record.parties[AGENT]!.consent).toBe("not-required");
  });

  it.each(["unknown", "refused"])("does so whatever the caller's consent is instead: %s", async (word) => {
    const outcome = await play("mute", word === "unknown" ? {} : agreed(word));
    expect(outcome.record.parties[CALLER]!.consent).toBe(word);
    expect(shut(outcome, AGENT).map(([reason]) => reason)).toEqual(["echo"]);
  });

  it("leaves the gate open, and looks at nothing, when the caller has consented", async () => {
    const outcome = await play("mute", agreed("granted"));
    expect(discarded(outcome, CALLER)).toEqual([{}]);
    expect(discarded(outcome, AGENT)).toEqual([{}]);
    expect(outcome.record.echo).toBeUndefined();
    expect(outcome.counts["echo.opened"]).toBe(0);
    expect(codes(outcome)).toEqual([]);
  });

  it("ends with the caller's consent, and is there again with the first packet after a withdrawal", async () => {
    const outcome = await play("mute", { midCall: [consents(7000, "granted"), consents(8000, "withdrawn")] });
    const [first, second, ...more] = open(outcome, AGENT);
    expect(more).toEqual([]);
    expect(first![1]).toBeLessThan(RECOGNISED_MS.most);
    expect(second).toEqual([7000, 8000]);
    expect(open(outcome, CALLER)).toEqual([[7000, 8000]]);
    expect(shut(outcome, AGENT).map(([reason]) => reason)).toEqual(["echo", "echo"]);
    const [{ echo }] = discarded(outcome, AGENT) as [{ echo: number }];
    expect(Math.abs(echo - (SECONDS * 1000 - first![1]! - 1000) / 20)).toBeLessThanOrEqual(2);
  });

  it("is not for calls that need no consent: under both-parties the caller is heard anyway", async () => {
    const outcome = await play("mute", {}, { policy: "both-parties" });
    for (const party of [CALLER, AGENT]) expect(discarded(outcome, party)).toEqual([{}]);
  });

  it("does not begin while nobody may listen: in a pause nothing is compared", async () => {
    const pause = { atMs: 0, from: "callee" as const, method: "INFO" };
    const outcome = await play("mute", { midCall: [{ ...pause, headers: [["X-Recording-Pause", "pause"]] }] });
    expect(outcome.record.echo).toBeUndefined();
    expect(outcome.counts["echo.opened"]).toBe(0);
    expect(shut(outcome, AGENT).map(([reason]) => reason)).toEqual(["paused"]);
  });
});
