// The self-test's call through the engine's recorder, journal, sealing and index, as the service goes through them; every fault that it
// is there to find fails it, at its step; and it touches nothing that is anybody's. Faults are made at the seams between the parts.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { generateIdentity } from "../../device/age/keys.js";
import { type Config, configSchema } from "../../device/contract/config.js";
import type { SelfTestOutcome } from "../../device/contract/engine-messages.js";
import type { SelfTestReport } from "../../device/contract/self-test.js";
import { recoverRun } from "../../device/journal/recovery.js";
import { CallSealer } from "../../device/seal/seal-call.js";
import type { SealJob } from "../../device/seal/seal-job.js";
import { PACKETS, SelfTestCall } from "../../device/self-test-call.js";
import { selfTestConfig } from "../../device/self-test-config.js";
import { SelfTestLane } from "../../device/self-test-lane.js";
import { type SelfTestEdges, SelfTestRun } from "../../device/self-test-run.js";
import { diskFiles } from "../../device/store/file-layer.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { SelfTestFiles } from "../../device/store/self-test-files.js";
import { makeCall } from "../fakes/office-call.js";
import { makeFolder, removeFolder } from "../fakes/program.js";
import { officeConfig, RecorderRun } from "../fakes/recorder-run.js";
import type { TimedFrame } from "../fakes/timed-frames.js";

const START_US = Date.UTC(2026, 10, 28, 9) * 1000;
const STEP_MS = 20;
const PATIENCE_MS = 20_000;

let folder: string;
let store: RecordingStore;
let box: RecorderRun;
const faults: string[] = [];
beforeEach(() => {
  folder = makeFolder();
  faults.length = 0;
  const { numbers } = configSchema.parse({});
  const said = (message: string): void => void faults.push(message);
  const index = { numbers, onFault: said, onRecovery: () => {}, onNotice: said };
  store = RecordingStore.open(join(folder, "data"), { device: "box", index });
});
afterEach(() => {
  store.close();
  removeFolder(folder);
});

interface Change {
  config?: Config;
  journalKey?: Uint8Array;
  /** Of the test's own recorder. */
  own?: Config;
  /** Of what the engine answers. */
  outcome?(outcome: SelfTestOutcome, call: SelfTestCall): void;
  /** Of a frame before it is put in; undefined = it is not. */
  frame?(frame: Buffer, n: number): Buffer | undefined;
  edges?: Partial<SelfTestEdges>;
  /** Between sealing and publishing. */
  sealed?(job: SealJob): void;
  /** Real frames meanwhile. */
  office?: readonly TimedFrame[];
}

/** A box whose engine, sealing thread and service are this process. */
async function test(change: Change = {}): Promise<SelfTestReport> {
  box = new RecorderRun(folder, change.config ?? officeConfig(), "", undefined, change.journalKey);
  const sealer = new CallSealer();
  let lane: SelfTestLane | undefined;
  const edges: SelfTestEdges = {
    askEngine: async (seed) => {
      const made = makeOutcome(seed, change);
      lane = made.lane;
      change.outcome?.(made.outcome, new SelfTestCall(seed, made.outcome.startUs));
      return { outcome: made.outcome, journalFolder: box.journalFolder, journalKey: change.journalKey };
    },
    releaseEngine: () => lane?.over(),
    seal: async (job) => {
      const sealed = sealer.seal(job);
      change.sealed?.(job);
      return { sealed, cpuUs: 0 };
    },
    files: new SelfTestFiles(join(folder, "data")),
    key: store.key,
    index: store.index,
    device: "box",
    recipients: [],
    signal: new AbortController().signal,
    ...change.edges,
  };
  return new SelfTestRun(edges).run();
}

function makeOutcome(seed: string, change: Change): { lane: SelfTestLane; outcome: SelfTestOutcome } {
  const config = change.own ?? selfTestConfig(change.config ?? officeConfig());
  let ms = 0;
  let outcome: SelfTestOutcome | undefined;
  const office = [...(change.office ?? [])];
  const clock = { nowUs: () => START_US + ms * 1000, monotonicMs: () => ms };
  const lane = new SelfTestLane({ type: "self-test", id: 1, seed, config }, START_US, {
    recorder: change.frame ? changing(box, change.frame) : box.recorder,
    clock,
    ended: (_, made) => {
      outcome = made;
    },
  });
  for (; outcome === undefined && ms < PATIENCE_MS; ms += STEP_MS) {
    lane.pass();
    while (office.length > 0 && office[0]!.atUs <= START_US + ms * 1000) box.feed([office.shift()!]);
  }
  box.feed(office);
  expect(outcome).toBeDefined();
  return { lane, outcome: outcome! };
}

/** The engine's recorder, whose recorder for the test is given other frames. */
function changing({ recorder }: RecorderRun, change: NonNullable<Change["frame"]>): RecorderRun["recorder"] {
  const forSelfTest = recorder.forSelfTest.bind(recorder);
  recorder.forSelfTest = (config, ended) => {
    const own = forSelfTest(config, ended);
    const handleFrame = own.handleFrame.bind(own);
    let n = 0;
    own.handleFrame = (frame) => {
      const data = change(Buffer.from(frame.data), n++);
      if (data) handleFrame({ ...frame, data, capturedLength: data.length, originalLength: data.length });
    };
    return own;
  };
  return recorder;
}

/** Everything below the data folder but what the lock and the databases do by themselves. */
function filesOf(): string[] {
  return readdirSync(join(folder, "data"), { recursive: true, encoding: "utf8" })
    .filter((name) => !/^(?:lock|index)/.test(name))
    .sort();
}

function failedStep({ result, steps }: SelfTestReport): string {
  expect(result).toBe("fail");
  return steps
    .filter(({ ok }) => !ok)
    .map(({ step, detail }) => `${step}: ${detail}`)
    .join("; ");
}

describe("the self-test", () => {
  it("passes, says what it saw, and leaves nothing", async () => {
    const before = filesOf();
    const report = await test();
    expect(report).toMatchObject({ result: "pass" });
    expect(report.steps.map(({ step, detail }) => `${step}: ${detail}`)).toEqual([
      "decode: 206 frames, one call, 200 packets",
      "gate: 100 of the agent admitted, 100 of the caller refused",
      "journal: 100 packets, byte for byte",
      "seal: 2040 ms, signed",
      "index: taken, found, written",
      "delete: nothing is left",
    ]);
    expect(filesOf()).toEqual(before);
    expect(store.index!.listing!.list({}).calls).toEqual([]);
    expect(faults).toEqual([]);
  });

  it("passes where everything is encrypted, and reads back what only the recipients can", async () => {
    const recipients = [generateIdentity().recipient.text];
    const key = Buffer.alloc(32, 7);
    const report = await test({ journalKey: key, edges: { recipients } });
    expect(report.steps.map(({ detail }) => detail).join("; ")).toContain(
      "byte for byte, encrypted; 2040 ms, signed, encrypted to 1",
    );
    expect(report.result).toBe("pass");
  });

  it.each([
    { consent: { policy: "none" } },
    { consent: { policy: "both-parties" } },
    { consent: { policy: "consent-first", rules: [{ policy: "both-parties" }] } },
    { agents: { match: ["198.51.100.0/24"] } },
    { agents: { match: [], register: "required" } },
    { trunks: { match: ["192.0.2.0/24"], otherSideIsAgent: true } },
    { recording: { earlyMedia: "keep" }, call: { tailMs: 0, preAnswerMs: 0 } },
    { consent: { sampling: { percentPerAgent: 0 }, onDemand: { mode: "start-stopped" } } },
  ])("passes, by its own rules, under %j", async (overrides) => {
    const parsed = configSchema.safeParse(overrides);
    // What is asked for is a configuration of today.
    expect(parsed.error?.issues ?? []).toEqual([]);
    expect(await test({ config: parsed.data! })).toMatchObject({ result: "pass" });
  });

  it("is another call each time, of which the wire tells nothing", () => {
    const calls = ["a", "b"].map((seed) => new SelfTestCall(seed, START_US));
    expect(new Set(calls.map(({ sipCallId }) => sipCallId)).size).toBe(2);
    expect(new Set(calls.flatMap(({ ssrcs }) => ssrcs)).size).toBe(4);
    expect(calls[0]!.speech[1].equals(calls[1]!.speech[1])).toBe(false);
    // Every code of the law is said.
    expect(new Set(calls[0]!.speech[1]).size).toBe(256);
  });
});

describe("a fault", () => {
  const isRtp = (frame: Buffer): boolean => frame.length === 14 + 20 + 8 + 12 + 160;
  const isAgents = (frame: Buffer): boolean => isRtp(frame) && frame.readUInt16BE(34) === 42_000;
  let seen = 0;
  beforeEach(() => {
    seen = 0;
  });

  it.each<[string, Change, string]>([
    ["a lost frame", { frame: (bytes) => (isAgents(bytes) && seen++ === 50 ? undefined : bytes) }, "decode: 99 of 100"],
    [
      "a doubled stream",
      { frame: (bytes) => (isAgents(bytes) && seen++ === 50 ? withSsrc(bytes) : bytes) },
      "decode: 3 streams",
    ],
    [
      "a lost BYE",
      { frame: (bytes) => (/BYE/.test(bytes.toString("latin1")) ? undefined : bytes) },
      "decode: the call ended by capture-ended",
    ],
    ["no call", { outcome: (outcome) => void outcome.calls.pop() }, "decode: 0 calls came of one"],
    [
      "an engine that does not answer",
      { edges: { askEngine: () => Promise.reject(new Error("the engine did not answer in time")) } },
      "decode: the engine did not answer in time",
    ],
    ["a gate that lets the caller in", { own: both() }, "gate: the call was recorded under both-parties"],
    [
      "a caller's packet that is admitted",
      { outcome: ({ calls }) => void calls[0]!.record.streams.find(({ side }) => side === 0)!.packets.recorded++ },
      "gate: 1 of the caller's packets were admitted",
    ],
    [
      "a refusal for another reason",
      {
        outcome: ({ calls }) => {
          const { discardedBy } = calls[0]!.record.streams.find(({ side }) => side === 0)!;
          discardedBy.consent = 99;
          discardedBy["source-changed"] = 1;
        },
      },
      "gate: 99 of 100 of the caller's packets were refused for want of consent",
    ],
    [
      "an agent who is not recognised",
      { own: configSchema.parse({ agents: { match: ["10.0.0.1"] } }) },
      "gate: the caller is taken for originator",
    ],
    [
      "a gate that stays shut",
      { own: { ...own(), consent: { ...own().consent, policy: "none" } } },
      "gate: the call was recorded under none",
    ],
    ["no mark", { outcome: ({ calls }) => void delete calls[0]!.record.isSelfTest }, "gate: the call is not marked"],
    ["other audio in the journal", { outcome: () => spoilJournal(60) }, "journal: "],
    [
      "a journal that the disk refused",
      { outcome: ({ calls }) => void delete calls[0]!.journal },
      "journal: the disk has not taken the journal",
    ],
    ["sealing that fails", { edges: { seal: () => Promise.reject(new Error("no thread")) } }, "seal: no thread"],
    [
      "a byte in the recording",
      { sealed: ({ temporaryPath }) => spoil(temporaryPath, 9000) },
      "seal: the recording's file is not what its manifest says",
    ],
    ["a disk that refuses to publish", { edges: { files: refusing() } }, "seal: ENOSPC"],
    ["another's signature", { edges: { files: signedBy() } }, "seal: the manifest's signature does not fit"],
    ["an index that is not there", { edges: { index: undefined } }, "index: there is no index"],
    [
      "an index that refuses",
      { edges: { index: { rehearse: () => "it is full", listing: undefined } } },
      "index: it is full",
    ],
    ["something that stays", { edges: { files: keeping() } }, "delete: 1 files are left"],
  ])("is found: %s", async (_, change, what) => {
    const report = await test(change);
    expect(failedStep(report)).toContain(what);
    // Whatever failed, what was made goes, and the audit chain's and the recordings' folders know of nothing.
    expect(report.steps.at(-1)!.step).toBe("delete");
    if (!what.startsWith("delete")) expect(existsSync(join(folder, "data/self-test"))).toBe(false);
  });

  it("in the caller's channel of the very recording is found", async () => {
    let shifted = false;
    const report = await test({
      edges: {
        files: new (class extends SelfTestFiles {
          override async publish(...args: Parameters<SelfTestFiles["publish"]>): ReturnType<SelfTestFiles["publish"]> {
            const [unsigned, key] = args;
            const path = this.temporaryPath(unsigned.id);
            const bytes = readFileSync(path);
            bytes.writeInt16LE(1, bytes.length - 2);
            writeFileSync(path, bytes);
            shifted = true;
            const { createHash } = await import("node:crypto");
            const hash = (name: string): string => createHash(name).update(bytes).digest("hex");
            const audio = { ...unsigned.audio, sha256: hash("sha256"), sha512: hash("sha512") };
            return super.publish({ ...unsigned, audio }, key);
          }
        })(join(folder, "data")),
      },
    });
    expect(shifted).toBe(true);
    expect(failedStep(report)).toBe("seal: the caller's channel is not silent at sample 16319");
  });

  function own(): Config {
    return selfTestConfig(configSchema.parse({}));
  }
  function both(): Config {
    return { ...own(), consent: { ...own().consent, policy: "both-parties" } };
  }
  function withSsrc(bytes: Buffer): Buffer {
    bytes.writeUInt32BE(7, 14 + 20 + 8 + 8);
    bytes.writeUInt16BE(0, 14 + 20 + 6);
    return bytes;
  }
  function spoil(path: string, at: number): void {
    const bytes = readFileSync(path);
    bytes[at]! ^= 1;
    writeFileSync(path, bytes);
  }
  function spoilJournal(at: number): void {
    const [segment] = readdirSync(box.journalFolder).filter((name) => name !== "engine.json");
    spoil(join(box.journalFolder, segment!), 4000 + at);
  }
  function refusing(): SelfTestFiles {
    const rename = (): Promise<never> => Promise.reject(new Error("ENOSPC: no space left on device"));
    return lazily(() => new SelfTestFiles(join(folder, "data"), { ...diskFiles, rename }));
  }
  function keeping(): SelfTestFiles {
    return lazily(() => {
      const files = new SelfTestFiles(join(folder, "data"));
      files.left = () => ["x.wav"];
      return files;
    });
  }
  function signedBy(): SelfTestFiles {
    return lazily(() => {
      const files = new SelfTestFiles(join(folder, "data"));
      const publish = files.publish.bind(files);
      files.publish = async (unsigned, key) => {
        const file = await publish(unsigned, key);
        const text = file.manifest.toString().replace('"durationMs":2040', '"durationMs":2041');
        return { ...file, manifest: Buffer.from(text) };
      };
      return files;
    });
  }
  /** The folder is another one for each test, and is not known when the table is made. */
  function lazily(make: () => SelfTestFiles): SelfTestFiles {
    let made: SelfTestFiles | undefined;
    return new Proxy({} as SelfTestFiles, {
      get: (_, name) => {
        made ??= make();
        const member = made[name as keyof SelfTestFiles] as (...args: unknown[]) => unknown;
        return member.bind(made);
      },
    });
  }
});

describe("beside real calls", () => {
  /** Real traffic that has everything of the test's call that a wire can have: its addresses and ports. */
  const twin = (): TimedFrame[] =>
    makeCall({
      callId: "real@office",
      startUs: START_US + 100_000,
      ringMs: 100,
      durationMs: 1500,
      caller: { address: "198.51.100.20", rtpPort: 40_000 },
      callee: { address: "192.0.2.10", rtpPort: 42_000 },
    });

  it("nothing of either is in the other, whatever the addresses", async () => {
    const config = officeConfig({ agents: { match: ["198.51.100.20"] } });
    const alone = new RecorderRun(folder, config).feed(twin());
    await alone.end();
    expect(await test({ config, office: twin() })).toMatchObject({ result: "pass" });
    await box.end();
    const plain = (run: RecorderRun): unknown[] =>
      run.records.map(({ id, ...record }) => ({ ...record, isSelfTest: record.isSelfTest ?? false }));
    expect(plain(box)).toEqual(plain(alone));
    expect(box.records[0]!.isSelfTest).toBeUndefined();
    // Nothing is counted, seen or said of it, but for the journal that both are written to.
    const counts = (run: RecorderRun): unknown[] =>
      Object.entries(run.recorder.exportCounters()).filter(([name]) => !name.startsWith("journal."));
    expect(counts(box)).toEqual(counts(alone));
    const span = ({ recorder }: RecorderRun): unknown => ({ ...recorder.spanFigures(), atUs: 0 });
    expect(span(box)).toEqual(span(alone));
    expect(box.recorder.encapsulations()).toEqual(alone.recorder.encapsulations());
    expect(box.audited.map(({ kind }) => kind)).toEqual(alone.audited.map(({ kind }) => kind));
    expect(box.notices).toEqual([]);
    expect(box.carried.state(0)).toEqual(alone.carried.state(0));
  });

  it("who repeats its frames on the wire, byte for byte, gets an ordinary call", async () => {
    let frames: TimedFrame[] = [];
    const config = officeConfig();
    const report = await test({
      config,
      edges: {},
      outcome: (_, call) => {
        frames = call.frames().map(({ atUs, bytes }) => ({ atUs, frame: bytes }) as TimedFrame);
      },
    });
    expect(report.result).toBe("pass");
    await box.feed(frames).end();
    expect(box.records).toHaveLength(1);
    expect(box.records[0]!.isSelfTest).toBeUndefined();
    // Under the office's own rules, which know no agent there.
    expect(box.records[0]!.streams.map(({ packets }) => packets.recorded)).toEqual([0, 0]);
  });

  it("is known for what it is in the journal of a killed engine", async () => {
    await test({ edges: { releaseEngine: () => {} } });
    const { calls } = recoverRun(box.journalFolder);
    expect(calls.map(({ record, ended }) => [record?.isSelfTest, ended])).toEqual([[true, true]]);
    expect(calls[0]!.record!.streams.map(({ packets }) => packets.recorded).toSorted()).toEqual([0, PACKETS]);
  });
});
