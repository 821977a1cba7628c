// What the pipeline tells of calls in progress that must outlive their engine, and what the next one makes of it.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../../device/contract/call-record.js";
import type { CallCommand } from "../../../device/contract/commands.js";
import type { CarriedState } from "../../../device/contract/engine-messages.js";
import { DEFAULT_START_US } from "../../fakes/call-options.js";
import { makeCall } from "../../fakes/office-call.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { officeConfig, RecorderRun } from "../../fakes/recorder-run.js";
import { mergeCalls, type TimedFrame } from "../../fakes/timed-frames.js";

const MS = 1000;
const ANSWER_US = DEFAULT_START_US + 1000 * MS;
const bothParties = officeConfig({ consent: { policy: "both-parties", pause: { maxS: 60 } } });
const agentOnly = officeConfig({ consent: { pause: { maxS: 60 } } });

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const command = (body: CallCommand["body"]): CallCommand => ({ body, source: "api", by: "token front-desk" });
const pause = (verb: "pause" | "resume", call: "all" | { sipCallId: string }): CallCommand =>
  command({ verb, call, reason: "card data" });
const refuse = (sipCallId: string): CallCommand =>
  command({ verb: "consent", call: { sipCallId }, party: "caller", effect: "refused", reason: "on the telephone" });
const grant = (sipCallId: string): CallCommand =>
  command({ verb: "consent", call: { sipCallId }, party: "caller", effect: "granted", reason: "on the telephone" });
const call = (n: number): TimedFrame[] =>
  makeCall({
    callId: `call-${n}`,
    startUs: DEFAULT_START_US + n * 10 * MS,
    durationMs: 4000,
    caller: { user: `030123456${n}`, address: `198.51.100.2${n}` },
    callee: { user: `2${n}`, address: `10.0.0.${n}` },
  });
const both = mergeCalls(call(1), call(2));
const between = (fromMs: number, untilMs: number): TimedFrame[] =>
  both.filter(({ atUs }) => atUs >= ANSWER_US + fromMs * MS && atUs < ANSWER_US + untilMs * MS);
const ALL_MS = 60_000;

/** Both calls up to a second after the answer. */
const inProgress = (config = bothParties): RecorderRun => new RecorderRun(folder, config).feed(between(-ALL_MS, 1000));
const leftBy = (run: RecorderRun): CarriedState => run.carried.state(ANSWER_US + 1000 * MS);
/** Both calls once more, from their INVITEs, through an engine that was told of the one before. */
async function replayed(before: CarriedState, config = bothParties): Promise<(n: number) => CallRecord> {
  const run = new RecorderRun(folder, config, "", before).feed(both);
  await run.end();
  return (n) => run.records.find(({ sipCallIds }) => sipCallIds[0] === `call-${n}`)!;
}
const callerOf = ({ parties }: CallRecord) => parties.find(({ role }) => role === "caller")!;
const recordedOfCaller = (record: CallRecord): number =>
  record.streams
    .filter(({ party }) => record.parties[party ?? -1]?.role === "caller")
    .reduce((sum, { packets }) => sum + packets.recorded, 0);
const recorded = ({ streams }: CallRecord): number => streams.reduce((sum, { packets }) => sum + packets.recorded, 0);

describe("pauses in force", () => {
  it("are told while they last, and no longer", async () => {
    const run = inProgress();
    expect(leftBy(run)).toEqual({ calls: [] });
    run.recorder.command(pause("pause", { sipCallId: "call-1" }));
    const { calls } = leftBy(run);
    expect(calls).toMatchObject([
      { sipCallIds: ["call-1"], pause: { source: "api", by: "token front-desk", reason: "card data" }, refusals: [] },
    ]);
    expect(calls[0]!.pause!.endsUs - 60_000_000).toBeGreaterThan(ANSWER_US + 900 * MS);
    run.recorder.command(pause("resume", { sipCallId: "call-1" }));
    expect(leftBy(run)).toEqual({ calls: [] });
    run.recorder.command(pause("pause", { sipCallId: "call-2" }));
    expect(leftBy(run).calls).toHaveLength(1);
    run.feed(between(1000, ALL_MS));
    await run.end();
    expect(leftBy(run)).toEqual({ calls: [] });
  });

  it("of all calls are told of each of them and of those to come", async () => {
    const run = inProgress();
    run.recorder.command(pause("pause", "all"));
    const { calls, pauseOfAll } = leftBy(run);
    expect(calls.map(({ sipCallIds }) => sipCallIds[0]).sort()).toEqual(["call-1", "call-2"]);
    expect(pauseOfAll).toMatchObject({ source: "api", by: "token front-desk" });
    run.recorder.command(pause("resume", "all"));
    expect(leftBy(run)).toEqual({ calls: [] });
    await run.end();
  });

  it("are taken up by the next engine: of one call for that one only, of all calls for every one", async () => {
    const one = inProgress();
    one.recorder.command(pause("pause", { sipCallId: "call-1" }));
    const afterOne = await replayed(leftBy(one));
    expect(afterOne(1).pauses).toMatchObject([{ by: "token front-desk", endedBy: "call" }]);
    expect(recorded(afterOne(1))).toBe(0);
    expect(afterOne(2).pauses).toEqual([]);
    expect(recorded(afterOne(2))).toBeGreaterThan(0);
    await one.end();

    const all = inProgress();
    all.recorder.command(pause("pause", "all"));
    const afterAll = await replayed({ ...leftBy(all), calls: [] });
    expect([recorded(afterAll(1)), recorded(afterAll(2))]).toEqual([0, 0]);
    await all.end();
  });

  it("of all calls that are ordered of the next engine hold for a call of which only a refusal was carried", async () => {
    const run = inProgress();
    run.recorder.command(refuse("call-1"));
    const next = new RecorderRun(folder, bothParties, "", leftBy(run)).feed(call(0).slice(0, 1));
    next.recorder.command(pause("pause", "all"));
    next.feed(both);
    await next.end();
    expect(next.records).toHaveLength(3);
    expect(next.records.map(recorded)).toEqual([0, 0, 0]);
    await run.end();
  });

  it("that are over by then hold for nobody", async () => {
    const over = { endsUs: DEFAULT_START_US, source: "api" as const, by: "x", reason: "" };
    const carried = { sipCallIds: ["call-1"], pause: over, refusals: [], isStopped: false };
    const after = await replayed({ calls: [carried], pauseOfAll: over });
    expect(after(1).pauses).toEqual([]);
    expect(after(2).pauses).toEqual([]);
  });
});

describe("refusals that were said in the call", () => {
  it("stand in the next engine, against a number that is always recorded; a grant does not", async () => {
    const always = officeConfig({ consent: { numbers: { always: ["030*"] } } });
    const run = inProgress(always);
    run.recorder.command(refuse("call-1"));
    run.recorder.command(grant("call-2"));
    expect(leftBy(run)).toEqual({ calls: [{ sipCallIds: ["call-1"], refusals: ["api"], isStopped: false }] });
    const after = await replayed(leftBy(run), always);
    // By the list, and then by what had been said.
    expect(callerOf(after(1)).consent).toBe("withdrawn");
    expect(recordedOfCaller(after(1))).toBe(0);
    expect(after(1).ledger.at(-1)).toMatchObject({ source: "api", by: expect.stringContaining("before the engine") });
    expect(callerOf(after(2)).consent).toBe("granted");
    expect(recordedOfCaller(after(2))).toBeGreaterThan(0);
    await run.end();

    const withoutList = await replayed(leftBy(run), agentOnly);
    expect(callerOf(withoutList(2)).consent).toBe("unknown");
  });

  it("are told of no longer once they are taken back", async () => {
    const run = inProgress(agentOnly);
    run.recorder.command(refuse("call-1"));
    expect(leftBy(run).calls).toHaveLength(1);
    run.recorder.command(grant("call-1"));
    expect(leftBy(run)).toEqual({ calls: [] });
    await run.end();
  });

  it("wait for a call that the next engine has not seen yet, and go on to the one after it", async () => {
    const first = inProgress(agentOnly);
    first.recorder.command(refuse("call-1"));
    // As the service does it: an engine that dies before it sees anything.
    first.carried.passOn();
    first.carried.passOn();
    expect(leftBy(first).calls).toMatchObject([{ sipCallIds: ["call-1"], refusals: ["api"] }]);
    await first.end();
  });
});

describe("recording on demand that the agent has stopped", () => {
  it("stays stopped in the next engine", async () => {
    const config = officeConfig({ consent: { policy: "both-parties", onDemand: { mode: "start-recording" } } });
    const run = inProgress(config);
    expect(leftBy(run)).toEqual({ calls: [] });
    run.recorder.command(command({ verb: "stop", call: { sipCallId: "call-1" }, reason: "" }));
    expect(leftBy(run)).toEqual({ calls: [{ sipCallIds: ["call-1"], refusals: [], isStopped: true }] });
    const after = await replayed(leftBy(run), config);
    expect(recorded(after(1))).toBe(0);
    expect(recorded(after(2))).toBeGreaterThan(0);
    await run.end();
  });
});
