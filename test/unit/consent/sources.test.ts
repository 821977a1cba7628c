// Every source of consent as the engine's pipeline takes it: frames in, what the journal holds and the record says out.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../../device/contract/call-record.js";
import type { CallCommand } from "../../../device/contract/commands.js";
import type { CallOptions } from "../../fakes/call-options.js";
import { DEFAULT_START_US } from "../../fakes/call-options.js";
import { makeCall } from "../../fakes/office-call.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { officeConfig, RecorderRun } from "../../fakes/recorder-run.js";
import { rtpStream } from "../../fakes/rtp-stream.js";
import { mergeCalls, type TimedFrame } from "../../fakes/timed-frames.js";

const ANSWER_US = DEFAULT_START_US + 1_000_000;
const CALLER = 0;
const AGENT = 1;
/** A packet may stand in either span when it is captured at the very moment. */
const at = (ms: number): number => ANSWER_US + ms * 1000;

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

interface Outcome {
  record: CallRecord;
  run: RecorderRun;
}

/** `during`: what is done when packet time has come to the key, ms after the answer. */
async function play(
  options: CallOptions,
  consent: Record<string, unknown>,
  more: Record<string, unknown> = {},
  during: Record<number, (run: RecorderRun) => void> = {},
): Promise<Outcome> {
  const run = new RecorderRun(folder, officeConfig({ consent, ...more }));
  const due = Object.entries(during).map(([ms, act]) => ({ atUs: at(Number(ms)), act }));
  due.sort((a, b) => a.atUs - b.atUs);
  for (const frame of makeCall({ hasEvents: true, ...options })) {
    while (due[0] && frame.atUs >= due[0].atUs) due.shift()!.act(run);
    run.feed([frame as TimedFrame]);
  }
  await run.end();
  expect(run.records).toHaveLength(1);
  const record = run.records[0]!;
  for (const { packets, discardedBy } of record.streams) {
    expect(packets.seen).toBe(packets.recorded + packets.discarded + packets.duplicate);
    expect(Object.values(discardedBy).reduce((sum, count) => sum + count, 0)).toBe(packets.discarded);
  }
  for (const party of record.parties) {
    const streams = record.streams.filter((stream) => record.parties[stream.party!] === party);
    const sum = (pick: (stream: CallRecord["streams"][0]) => number) => streams.reduce((n, one) => n + pick(one), 0);
    const count = (spans: readonly { packets: number }[]) => spans.reduce((n, span) => n + span.packets, 0);
    expect(count(party.spans)).toBe(sum(({ packets }) => packets.recorded));
    expect(count(party.closedSpans)).toBe(sum(({ packets }) => packets.discarded));
  }
  return { record, run };
}

/** The party's open spans in ms after the answer, to the packet. */
function spans({ record }: Outcome, party: number): [number, number][] {
  return record.parties[party]!.spans.map(({ fromUs, toUs }) => [
    Math.round((fromUs - ANSWER_US) / 1000),
    Math.round((toUs - ANSWER_US) / 1000),
  ]);
}
const changes = ({ record }: Outcome): string[] =>
  record.ledger.map(({ party, from, to, source }) => `${party} ${from}>${to} ${source}`);
const recordedMs = ({ record }: Outcome, party: number): number =>
  record.streams.filter((stream) => stream.party === party).reduce((sum, one) => sum + one.packets.recorded, 0) * 20;

const DTMF = { dtmf: { granted: "1", refused: "2", withdrawn: "9" } };
/** At packet time `ms` after the answer. */
const key = (pressed: string, ms: number) => ({ key: pressed, index: Math.round((ms - 10) / 20) });
const command = (body: CallCommand["body"], source: CallCommand["source"] = "api"): CallCommand => ({
  body,
  source,
  by: "token front-desk",
});

describe("keys", () => {
  it("of the caller grant, withdraw and grant again, by RTP events, once per press", async () => {
    const outcome = await play({ caller: { keys: [key("1", 500), key("9", 1500), key("1", 2500)] } }, DTMF);
    expect(changes(outcome)).toEqual([
      "0 unknown>granted dtmf",
      "0 granted>withdrawn dtmf",
      "0 withdrawn>granted dtmf",
    ]);
    expect(outcome.record.evidence.filter(({ kind }) => kind === "dtmf")).toHaveLength(3);
    const [first, second] = spans(outcome, CALLER);
    expect([first, second!.slice(0, 1)]).toEqual([[510, 1510], [2510]]);
    // The keys themselves are not stored.
    expect(outcome.record.streams.find(({ side }) => side === 0)!.discardedBy.digits).toBeGreaterThan(10);
    expect(outcome.record.events.filter(({ kind }) => kind === "dtmf")).toEqual([]);
  });

  it("of the agent count for nothing", async () => {
    const outcome = await play({ callee: { keys: [key("1", 500)] } }, DTMF);
    expect(outcome.record.parties[CALLER]!.consent).toBe("unknown");
    expect(recordedMs(outcome, CALLER)).toBe(0);
  });

  it("in INFO count once, whatever is sent again", async () => {
    const info = (ms: number, digit: string) => ({
      atMs: ms,
      from: "caller" as const,
      method: "INFO",
      body: { type: "application/dtmf-relay", text: `Signal=${digit}\r\nDuration=160\r\n` },
    });
    const outcome = await play({ midCall: [info(500, "1"), info(1500, "9")] }, DTMF);
    expect(spans(outcome, CALLER)).toEqual([[500, 1500]]);
    const agents = await play({ midCall: [{ ...info(500, "1"), from: "callee" }] }, DTMF);
    expect(agents.record.parties[CALLER]!.consent).toBe("unknown");
  });

  it("are stored when configured, of those who are recorded", async () => {
    const outcome = await play({ caller: { keys: [key("5", 500)] }, callee: { keys: [key("7", 900)] } }, DTMF, {
      recording: { digits: "store" },
    });
    expect(outcome.record.events.filter(({ kind }) => kind === "dtmf").map(({ detail }) => detail)).toEqual([
      { key: "7", by: 1, how: "rfc4733" },
    ]);
    expect(outcome.record.streams.find(({ side }) => side === 1)!.discardedBy.digits).toBeUndefined();
  });

  it("make codes only when they are pressed one after the other", async () => {
    const codes = { dtmf: { granted: "*12", betweenKeysMs: 1000 } };
    const pressed = await play({ caller: { keys: [key("*", 300), key("1", 600), key("2", 900)] } }, codes);
    expect(pressed.record.parties[CALLER]!.consent).toBe("granted");
    const slow = await play({ caller: { keys: [key("*", 300), key("1", 600), key("2", 1900)] } }, codes);
    expect(slow.record.parties[CALLER]!.consent).toBe("unknown");
  });
});

describe("a=recordpref (RFC 7866)", () => {
  it("off and pause are a refusal, which stands against a grant of equal strength until it is lifted", async () => {
    for (const preference of ["off", "pause"]) {
      const outcome = await play(
        {
          sdpLines: { caller: [`a=recordpref:${preference}`, "a=record:off"] },
          headers: { answer: [["X-Recording-Consent", "granted"]] },
          midCall: [
            { atMs: 2000, from: "caller", method: "UPDATE", sdp: { mediaLines: ["a=recordpref:nopreference"] } },
          ],
        },
        {},
      );
      expect(changes(outcome)).toEqual(["0 unknown>refused recordpref", "0 refused>granted recordpref"]);
      expect(spans(outcome, CALLER)[0]![0]).toBe(2000);
      expect(outcome.record.evidence).toContainEqual(expect.objectContaining({ kind: "recordpref", effect: "none" }));
    }
  });

  it("of the agent's own device says nothing of the caller, and on is a grant only where configured", async () => {
    const agents = await play({ sdpLines: { callee: ["a=recordpref:on"] } }, { recordpref: { grants: true } });
    expect(agents.record.parties[CALLER]!.consent).toBe("unknown");
    const callers = await play({ sdpLines: { caller: ["a=recordpref:on"] } }, {});
    expect(callers.record.parties[CALLER]!.consent).toBe("unknown");
    const configured = await play({ sdpLines: { caller: ["a=recordpref:on"] } }, { recordpref: { grants: true } });
    expect(configured.record.parties[CALLER]!.consent).toBe("granted");
  });
});

describe("number lists and rules", () => {
  it("always is the weakest grant, never outweighs everything", async () => {
    const headers = { answer: [["X-Recording-Consent", "refused"]] as const };
    const always = await play({}, { numbers: { always: ["030*"] } });
    expect(recordedMs(always, CALLER)).toBeGreaterThan(3900);
    const refused = await play({ headers }, { numbers: { always: ["030*"] } });
    expect(recordedMs(refused, CALLER)).toBe(0);
    const granted = { answer: [["X-Recording-Consent", "granted"]] as const };
    const never = await play({ headers: granted }, { numbers: { never: ["0301234567"] } });
    expect(never.record.parties[CALLER]!.consent).toBe("refused");
    expect(recordedMs(never, CALLER)).toBe(0);
  });

  it("a rule names policy, purpose and retention, and the record says which", async () => {
    const rules = [
      { name: "sales", headers: ["X-Queue: sales*"], policy: "both-parties", purpose: "quality", retention: "short" },
      { name: "rest", policy: "none" },
    ];
    const sales = await play({ headers: { invite: [["X-Queue", "Sales-2"]] } }, { rules });
    expect(sales.record).toMatchObject({
      policy: "both-parties",
      policyRule: "sales",
      purpose: "quality",
      retention: "short",
    });
    expect(sales.run.audited).toContainEqual(
      expect.objectContaining({ kind: "policy", rule: "sales", purpose: "quality" }),
    );
    const rest = await play({}, { rules });
    expect(rest.record).toMatchObject({ policyRule: "rest", noAudio: "policy-none" });
  });

  it("consent for another purpose opens nothing", async () => {
    const rules = [{ name: "quality", purpose: "quality" }];
    const grant = (purpose?: string) => (run: RecorderRun) =>
      run.recorder.command(
        command({
          verb: "consent",
          call: { agent: "21" },
          party: "caller",
          effect: "granted",
          purpose,
          reason: "asked",
        }),
      );
    const other = await play({}, { rules }, {}, { 1000: grant("training") });
    expect(recordedMs(other, CALLER)).toBe(0);
    expect(other.record.ledger).toMatchObject([{ purpose: "training", to: "granted" }]);
    const own = await play({}, { rules }, {}, { 1000: grant() });
    expect(spans(own, CALLER)[0]![0]).toBeGreaterThanOrEqual(980);
    expect(own.record.ledger).toMatchObject([{ purpose: "quality", to: "granted", by: "token front-desk" }]);
  });
});

describe("commands", () => {
  const consent = (effect: "granted" | "withdrawn", call: CallCommand["body"] extends infer _ ? object : never) =>
    ({ verb: "consent", call, party: "caller", effect, reason: "said so on the phone" }) as CallCommand["body"];

  it("grant and withdraw with the next packet, are evidence and go into the audit chain", async () => {
    const results: unknown[] = [];
    const say = (effect: "granted" | "withdrawn", source: "api" | "mqtt") => (run: RecorderRun) =>
      results.push(run.recorder.command(command(consent(effect, { agent: "21" }), source)));
    const outcome = await play({}, {}, {}, { 1000: say("granted", "mqtt"), 2000: say("withdrawn", "mqtt") });
    expect(results).toMatchObject([{ ok: true }, { ok: true }]);
    expect(changes(outcome)).toEqual(["0 unknown>granted mqtt", "0 granted>withdrawn mqtt"]);
    const [span] = spans(outcome, CALLER);
    expect(span![1] - span![0]).toBe(1000);
    expect(outcome.run.audited.filter(({ kind }) => kind === "consent")).toMatchObject([
      { from: "unknown", to: "granted", source: "mqtt", by: "token front-desk", side: 0, role: "caller" },
      { from: "granted", to: "withdrawn" },
    ]);
    expect(JSON.stringify(outcome.run.audited)).not.toContain("0301234567");
  });

  it("name what is wrong: no such call, no such party, the agent, a source that is switched off", async () => {
    const results: Record<string, unknown> = {};
    const ask = (name: string, body: CallCommand["body"]) => (run: RecorderRun) => {
      results[name] = run.recorder.command(command(body));
    };
    const of = (party: number | "caller", call: object) =>
      ({ verb: "consent", call, party, effect: "granted", reason: "x" }) as CallCommand["body"];
    await play(
      {},
      {},
      {},
      {
        500: ask("call", of("caller", { sipCallId: "nobody" })),
        600: ask("party", of(7, { agent: "21" })),
        700: ask("agent", of(1, { agent: "21" })),
        800: ask("demand", { verb: "start", call: { agent: "21" }, reason: "" } as CallCommand["body"]),
        900: ask("calls", { verb: "calls" }),
      },
    );
    expect(results).toMatchObject({
      call: { ok: false, error: "call-not-found" },
      party: { ok: false, error: "party-not-found" },
      agent: { ok: false, error: "caller-unknown" },
      demand: { ok: false, error: "not-on-demand" },
      calls: { ok: true, calls: [{ policy: "agent-only", parties: [{ isRecorded: false }, { isRecorded: true }] }] },
    });
    await play({}, { commands: { api: false } }, {}, { 500: ask("off", of("caller", { agent: "21" })) });
    expect(results["off"]).toMatchObject({ ok: false, error: "not-allowed" });
  });
});

describe("withdrawal with onWithdrawal: erase", () => {
  it("takes out what was recorded of the party, and says so", async () => {
    const outcome = await play(
      { caller: { keys: [key("1", 500), key("9", 2000), key("1", 3000)] } },
      { ...DTMF, onWithdrawal: "erase" },
    );
    const [caller, agent] = outcome.record.parties;
    expect(caller.erased).toMatchObject([{ packets: expect.any(Number) }]);
    expect(caller.erased![0]!.packets).toBeGreaterThan(60);
    expect(spans(outcome, CALLER)[0]![0]).toBe(3010);
    expect(recordedMs(outcome, CALLER)).toBeLessThan(1000);
    expect(agent.erased).toBeUndefined();
    expect(outcome.run.audited).toContainEqual(expect.objectContaining({ kind: "erased", side: 0 }));
    expect(recordedMs(outcome, AGENT)).toBeGreaterThan(3900);
  });
});

describe("pause", () => {
  const CODES = { pause: { pauseKeys: "*7", resumeKeys: "*8", maxS: 2 } };

  it("by the agent's keys takes nothing of anybody and leaves a marked span; the caller's keys meanwhile are not kept", async () => {
    const outcome = await play(
      {
        callee: { keys: [key("*", 500), key("7", 700), key("*", 1500), key("8", 1700)] },
        caller: { keys: [key("4", 900), key("1", 1100)] },
      },
      { ...DTMF, ...CODES, policy: "both-parties" },
      { recording: { digits: "store" } },
    );
    expect(spans(outcome, CALLER)).toEqual([
      [0, 710],
      [1710, expect.any(Number)],
    ]);
    expect(spans(outcome, AGENT)).toEqual([
      [0, 710],
      [1710, expect.any(Number)],
    ]);
    expect(outcome.record.pauses).toMatchObject([{ source: "dtmf", by: "agent pressed *7", endedBy: "request" }]);
    expect(JSON.stringify(outcome.record.events)).not.toContain('"4"');
    expect(outcome.record.ledger).toEqual([]);
    for (const { discardedBy } of outcome.record.streams) expect(discardedBy.paused).toBeGreaterThan(30);
  });

  it("ends by itself, and the caller cannot pause or resume", async () => {
    const outcome = await play(
      { callee: { keys: [key("*", 500), key("7", 700)] }, caller: { keys: [key("*", 1000), key("8", 1200)] } },
      { ...CODES, policy: "both-parties" },
    );
    expect(outcome.record.pauses).toMatchObject([{ endedBy: "time" }]);
    const [pause] = outcome.record.pauses;
    expect(pause!.toUs! - pause!.fromUs).toBe(2_000_000);
  });

  it("by header and by command for all calls", async () => {
    const byHeader = await play(
      {
        midCall: [
          { atMs: 1000, from: "callee", method: "INFO", headers: [["X-Recording-Pause", "pause"]] },
          { atMs: 2000, from: "callee", method: "INFO", headers: [["X-Recording-Pause", "resume"]] },
        ],
      },
      { policy: "both-parties" },
    );
    expect(byHeader.record.pauses).toMatchObject([{ source: "sip-header", endedBy: "request" }]);
    const say = (verb: "pause" | "resume") => (run: RecorderRun) =>
      run.recorder.command(command({ verb, call: "all", reason: "card data" }, "mqtt"));
    const byCommand = await play({}, {}, {}, { 1000: say("pause"), 1500: say("resume"), 3000: say("pause") });
    expect(byCommand.record.pauses).toMatchObject([
      { source: "mqtt", reason: "card data", endedBy: "request" },
      { source: "mqtt", endedBy: "call" },
    ]);
    expect(spans(byCommand, AGENT)).toHaveLength(2);
  });
});

describe("a pause of all calls", () => {
  it("holds for calls that begin meanwhile, and ends with its time", async () => {
    const run = new RecorderRun(folder, officeConfig({ consent: { policy: "both-parties", pause: { maxS: 4 } } }));
    const first = makeCall({ durationMs: 2000 });
    const second = makeCall({ callId: "second", startUs: DEFAULT_START_US + 3_000_000, caller: { rtpPort: 30_002 } });
    run.feed(first.filter(({ atUs }) => atUs < at(500)));
    run.recorder.command(command({ verb: "pause", call: "all", reason: "panel" } as CallCommand["body"]));
    run.feed(first.filter(({ atUs }) => atUs >= at(500)));
    run.feed(second);
    await run.end();
    const [one, other] = run.records;
    expect(one!.pauses).toMatchObject([{ endedBy: "call" }]);
    expect(other!.pauses).toMatchObject([{ endedBy: "time" }]);
    const pausedUntilUs = at(500) + 4_000_000;
    expect(Math.abs(other!.pauses[0]!.toUs! - pausedUntilUs)).toBeLessThan(40_000);
    expect(other!.parties[0].spans[0]!.fromUs).toBeGreaterThanOrEqual(pausedUntilUs - 40_000);
  });
});

describe("on demand", () => {
  it("the agent starts and stops within what policy and consent allow", async () => {
    const keys = [key("*", 500), key("1", 700), key("*", 2000), key("2", 2200)];
    const outcome = await play({ callee: { keys } }, { onDemand: { mode: "start-stopped" } });
    expect(spans(outcome, AGENT)).toEqual([[710, 2210]]);
    expect(recordedMs(outcome, CALLER)).toBe(0);
    const never = await play({}, { onDemand: { mode: "start-stopped" } });
    expect(never.record.noAudio).toBe("not-started");
  });
});

describe("a disk without room", () => {
  it("begins no recording, lets those in progress go on, and begins with the next packet when there is room again", async () => {
    const during = {
      400: (run: RecorderRun) => run.recorder.setRoom(false),
      900: (run: RecorderRun) => run.recorder.setRoom(true),
    };
    const inProgress = await play({}, {}, {}, during);
    expect(inProgress.record.parties[AGENT].closedSpans).toEqual([]);
    const before = await play({}, {}, {}, { [-900]: (run) => run.recorder.setRoom(false), ...during });
    expect(spans(before, AGENT)[0]![0]).toBeCloseTo(900, -2);
    expect(before.record.parties[AGENT].closedSpans.map(({ reason }) => reason)).toEqual(["disk-full"]);
    expect(before.record.parties[CALLER].closedSpans.map(({ reason }) => reason)).not.toContain("disk-full");
  });

  it("says why nothing of the call was recorded", async () => {
    const { record } = await play({}, {}, {}, { [-900]: (run) => run.recorder.setRoom(false) });
    expect(record.noAudio).toBe("disk-full");
    const agent = record.streams.find(({ party }) => party === AGENT)!;
    expect(agent.discardedBy["disk-full"]).toBeGreaterThan(0);
    expect(record.parties[AGENT].spans).toEqual([]);
  });
});

describe("sampling", () => {
  it("takes every so many-th of the calls that policy would record", async () => {
    const run = new RecorderRun(folder, officeConfig({ consent: { sampling: { everyNth: 3 } } }));
    for (let i = 0; i < 7; i++) {
      run.feed(
        makeCall({
          callId: `call-${i}`,
          startUs: DEFAULT_START_US + i * 10_000_000,
          caller: { rtpPort: 30_000 + 2 * i },
        }),
      );
    }
    await run.end();
    expect(run.records.map(({ noAudio }) => noAudio ?? "recorded")).toEqual([
      "recorded",
      "sampled-out",
      "sampled-out",
      "recorded",
      "sampled-out",
      "sampled-out",
      "recorded",
    ]);
  });
});

describe("what nobody vouched for", () => {
  it("keys from a changed source, and in encrypted media, count for nothing", async () => {
    const keys = [key("1", 500)];
    const encrypted = await play(
      { caller: { keys }, sdpLines: { caller: ["a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x"] } },
      DTMF,
    );
    expect(encrypted.record.parties[CALLER]!.consent).toBe("unknown");
    const run = new RecorderRun(folder, officeConfig({ consent: DTMF }));
    // The call as it is, and somebody who sends to the agent's port from elsewhere once the caller has been heard.
    const call = makeCall({ hasEvents: true });
    const intruder = rtpStream({
      from: "caller",
      source: "203.0.113.99:30000",
      destination: "10.0.0.7:40000",
      startUs: at(1000),
      packets: 50,
      ssrc: 99,
      payload: (_first, count) => Buffer.alloc(count, 0xd5),
      keys: [{ key: "1", index: 10 }],
    });
    run.feed(mergeCalls(call, intruder));
    await run.end();
    expect(run.records[0]!.parties[0].consent).toBe("unknown");
    for (const { source, packets } of run.records[0]!.streams) {
      if (source.startsWith("203.")) expect(packets.recorded).toBe(0);
    }
  });
});
