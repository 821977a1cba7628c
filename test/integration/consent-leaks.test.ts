// Nothing of a closed span is written anywhere: not while the call goes on, not after it, not by processes that are killed
// or crash, not by those that come after them. The caller says something else in every phase of a call, and all that the
// box can write is searched for it. What the caller agreed to is found by the same search, or it would prove nothing.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readWav } from "../fakes/audio.js";
import { keyTone } from "../fakes/key-tones.js";
import { type Find, filePathsBelow, LeakSearch, type Marker, makeMarkers } from "../fakes/leak-search.js";
import { LiveCall, NetworkCard, passMs } from "../fakes/live-call.js";
import { OfficeNetwork } from "../fakes/office-network.js";
import {
  logLines,
  makeFolder,
  RunningProgram,
  readCallLog,
  readRecordings,
  removeFolder,
  type StoredRecording,
} from "../fakes/program.js";
import { encodeG711, type G711Codec, markerSource, silenceSource, tonePresentMs, toneSource } from "../fakes/tone.js";
import { liveTestObstacle } from "./veth-pair.js";

const obstacle =
  liveTestObstacle() ??
  ["prlimit", "curl"]
    .map((one) => (spawnSync(one, ["--version"]).error ? `${one} is not installed` : undefined))
    .find(Boolean);
if (obstacle) console.log(`skipped: consent and leaks: ${obstacle}`);

const CODEC: G711Codec = "PCMA";
const CALLER = { user: "0301234567", address: "198.51.100.20", rtpPort: 30_000 };
const AGENT = { user: "21", address: "10.77.0.2", rtpPort: 40_000 };
const CONSENT = "X-Recording-Consent";
const PAUSE = "X-Recording-Pause";
const AGENT_SAYS = toneSource(440);
/** How long a key sounds, and how long it is quiet afterwards: ITU-T Q.24 asks for 40 ms of each. */
const KEY_MS = 120;
/** In which the caller speaks and the agent does not, until an echo can be told: a window is about two seconds. */
const ECHO_MS = 2500;
/** Long enough for a packet to be admitted and written: journal.flushMs and the ticks around it. */
const WRITTEN_AFTER_MS = 500;
const CORE_FILTER_OFF = /^0+\s*$/;
const CORE_LIMIT_OFF = /^Max core file size\s+0\s+0\s/m;

/** What the caller says, by when it says it. */
const PHASES = ["unasked", "granted", "withdrawn", "again", "paused", "resumed", "after"] as const;
type Phase = (typeof PHASES)[number];
const MARKERS: Record<Phase, Marker> = makeMarkers(PHASES, 20_261_121);
const search = new LeakSearch(Object.values(MARKERS), CODEC);

/** The recorder with all that it can write, with everything that listens switched on. */
class Box {
  readonly folder = makeFolder();
  readonly data = join(this.folder, "data");
  private readonly configFile = join(this.folder, "sidetone.yaml");
  private readonly temporary = join(this.folder, "tmp");
  private readonly working = join(this.folder, "cwd");
  private readonly office: OfficeNetwork;
  private readonly programs: RunningProgram[] = [];

  /** `always`: numbers that consent beforehand. */
  constructor(office: OfficeNetwork, onWithdrawal: "keep" | "erase", always: readonly string[] = []) {
    this.office = office;
    for (const folder of [this.temporary, this.working]) mkdirSync(folder);
    writeFileSync(
      this.configFile,
      [
        "agents: { match: [10.77.0.0/24] }",
        "consent:",
        `  onWithdrawal: ${onWithdrawal}`,
        `  numbers: { always: ${JSON.stringify(always)} }`,
        '  dtmf: { granted: "1", refused: "2", withdrawn: "3", tones: true }',
        '  pause: { pauseKeys: "*7", resumeKeys: "*8" }',
        "  echo: { check: mute }",
        "recording: { digits: store }",
        "journal: { flushMs: 200 }",
        "log: { level: debug }",
        "api: { enabled: true }",
        "",
      ].join("\n"),
    );
  }

  /** The service; core dumps are allowed to it, as far as the system goes. */
  async start(): Promise<void> {
    const args = [
      "--interface",
      this.office.mirrorInterface,
      "--data",
      this.data,
      "--config",
      this.configFile,
      "--json",
    ];
    const program = new RunningProgram(args, {
      launcher: [...this.office.launcher("recorder"), "prlimit", "--core=unlimited:unlimited"],
      environment: { TMPDIR: this.temporary },
      cwd: this.working,
      timeoutMs: 90_000,
    });
    this.programs.push(program);
    await program.waitFor("capturing and the API", (stderr) =>
      logLines(stderr, "capturing").length > 0 && logLines(stderr, "the API listens").length > 0 ? true : undefined,
    );
    this.expectNoWayOut();
  }

  get program(): RunningProgram {
    return this.programs.at(-1)!;
  }

  get servicePid(): number {
    return this.program.child.pid!;
  }

  /** The engine: the service's only child. */
  get enginePid(): number {
    const [child, ...more] = childrenOf(this.servicePid);
    expect(more).toEqual([]);
    return child!;
  }

  /** Everything that any of its processes has written so far, and where it could have. */
  leaks(): Find[] {
    const texts = this.programs.flatMap(({ stdout, stderr }, i) => [
      ...search.inBytes(Buffer.from(stdout), `stdout ${i}`),
      ...search.inBytes(Buffer.from(stderr), `stderr ${i}`),
    ]);
    return [...search.inFolders([this.folder]), ...texts];
  }

  /** None of what was said in these phases is anywhere. */
  expectNothingOf(phases: readonly Phase[]): void {
    expect(this.leaks().filter(({ marker }) => phases.includes(marker as Phase))).toEqual([]);
    expect(filePathsBelow(this.folder).filter((path) => /(^|\/)(core|vgcore|report|Heap)[^/]*$/.test(path))).toEqual(
      [],
    );
  }

  /** Waits until what was said in the phase is in the journal, as packets and nowhere else. */
  async expectInJournal(phase: Phase): Promise<void> {
    const packets = (): Find[] =>
      this.leaks().filter(({ marker, form }) => marker === phase && form === "packet bytes");
    await this.program.waitFor(`${phase} in the journal`, () => (packets().length > 0 ? true : undefined));
    for (const { place } of packets()) expect(place.startsWith(join(this.data, "journal")), place).toBe(true);
  }

  /**
   * Both processes as the kernel sees them: core dumps are off, and no file is open for writing but where the search
   * looks.
   */
  expectNoWayOut(): void {
    for (const pid of [this.servicePid, this.enginePid]) {
      expect(readFileSync(`/proc/${pid}/limits`, "utf8")).toMatch(CORE_LIMIT_OFF);
      expect(readFileSync(`/proc/${pid}/coredump_filter`, "utf8")).toMatch(CORE_FILTER_OFF);
      for (const path of writtenFiles(pid)) expect(path.startsWith(this.folder), path).toBe(true);
      expect(readlinkSync(`/proc/${pid}/cwd`)).toBe(this.working);
    }
  }

  /** Ends the engine in the middle of what it does; returns when the service has recovered what it left. */
  async killEngine(signal: NodeJS.Signals, endedCalls: number): Promise<void> {
    const before = this.seen("the engine stopped unexpectedly; its journal is being recovered");
    const pid = this.enginePid;
    process.kill(pid, signal);
    await this.program.waitFor("the recovery", (stderr) =>
      this.seen("the engine stopped unexpectedly; its journal is being recovered") > before &&
      logLines(stderr, "call").length >= endedCalls
        ? true
        : undefined,
    );
  }

  /** Waits for the engine that comes after one that died. */
  async engineAgain(starts: number): Promise<void> {
    await this.program.waitFor("the next engine", () => (this.seen("capturing") >= starts ? true : undefined));
    this.expectNoWayOut();
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const engine = this.enginePid;
    process.kill(this.servicePid, signal);
    await this.program.ended;
    // The engine leaves by itself when the service is gone.
    for (let i = 0; i < 100 && isAlive(engine); i++) await passMs(50);
    expect(isAlive(engine)).toBe(false);
  }

  async endedCalls(calls: number): Promise<void> {
    await this.program.waitFor(`${calls} calls`, (stderr) =>
      logLines(stderr, "call").length >= calls ? true : undefined,
    );
  }

  /** An API request about the one call in progress, by who knows the first token. */
  command(verb: string, body: Record<string, unknown>): void {
    const token = /the API's first token, shown only now: (\S+)/.exec(this.programs[0]!.stderr)![1]!;
    const curl = (path: string, ...more: string[]): string => {
      const [command, ...rest] = [...this.office.launcher("recorder"), "curl", "-sSf", "--max-time", "10"];
      const request = ["-H", `Authorization: Bearer ${token}`, ...more, `http://127.0.0.1:8385/api/v1/calls/${path}`];
      return execFileSync(command!, [...rest, ...request]).toString();
    };
    const { calls } = JSON.parse(curl("active")) as { calls: { id: string }[] };
    expect(calls.length).toBe(1);
    curl(`${calls[0]!.id}/${verb}`, "-H", "Content-Type: application/json", "-d", JSON.stringify(body));
  }

  async stop(): Promise<void> {
    expect(await this.program.stop()).toBe(0);
  }

  remove(): void {
    for (const { child } of this.programs) child.kill("SIGKILL");
    removeFolder(this.folder);
  }

  private seen(message: string): number {
    return logLines(this.program.stderr, message).length;
  }
}

describe.skipIf(obstacle !== undefined)("what nobody agreed to", { timeout: 90_000 }, () => {
  let office: OfficeNetwork;
  let card: NetworkCard;
  let box: Box;
  const calls: LiveCall[] = [];

  beforeAll(async () => {
    office = new OfficeNetwork("leaks", { phones: [] });
    office.create();
    card = await NetworkCard.open(office, "phones");
  });
  afterEach(() => {
    for (const call of calls.splice(0)) call.stop();
    box.remove();
  });
  afterAll(() => {
    card?.close();
    office.remove();
  });

  async function beginCall(
    name: string,
    agentSays = AGENT_SAYS,
    says = markerSource(MARKERS.unasked.pattern),
  ): Promise<LiveCall> {
    const call = new LiveCall(card, {
      callId: name,
      codec: CODEC,
      caller: { ...CALLER, says },
      agent: { ...AGENT, says: agentSays },
    });
    calls.push(call);
    await call.begin();
    return call;
  }

  function say(call: LiveCall, phase: Phase): void {
    call.say("caller", markerSource(MARKERS[phase].pattern));
  }

  /** The header says it, and the caller speaks on at once. */
  function decide(call: LiveCall, header: typeof CONSENT | typeof PAUSE, value: string, phase: Phase): void {
    call.inform("agent", header, value);
    say(call, phase);
  }

  /** The caller presses a key, as RTP events, and speaks on at once. */
  async function press(call: LiveCall, key: string, phase: Phase): Promise<void> {
    say(call, phase);
    await call.press("caller", key);
  }

  /** The same as a tone, which is a key once it has been listened to. */
  async function sound(call: LiveCall, key: string, phase: Phase): Promise<void> {
    const tone = Int16Array.from(keyTone(key, { durationMs: 10_000 }));
    let began: number | undefined;
    call.say("caller", (first, count, codec) => {
      began ??= first;
      return encodeG711(tone.subarray(first - began, first - began + count), codec);
    });
    await passMs(KEY_MS);
    call.say("caller", silenceSource());
    await passMs(KEY_MS);
    say(call, phase);
  }

  /** Looks everywhere several times while the phase lasts. */
  async function expectNothingMeanwhile(phases: readonly Phase[], forMs = WRITTEN_AFTER_MS): Promise<void> {
    const untilMs = performance.now() + forMs;
    do {
      await passMs(WRITTEN_AFTER_MS / 4);
      box.expectNothingOf(phases);
    } while (performance.now() < untilMs);
  }

  /**
   * A call up to where the caller has withdrawn and speaks on, alone, so that its voice is looked for in the agent's
   * stream; what was agreed to is in the journal.
   */
  async function withdrawnCall(name: string): Promise<LiveCall> {
    const call = await beginCall(name);
    await passMs(200);
    decide(call, CONSENT, "granted", "granted");
    await box.expectInJournal("granted");
    decide(call, CONSENT, "withdrawn", "withdrawn");
    call.say("agent", silenceSource());
    await expectNothingMeanwhile(["unasked", "withdrawn"]);
    return call;
  }

  it("is written nowhere by a whole call, and what they agreed to is in the recording", async () => {
    box = new Box(office, "keep");
    await box.start();
    const call = await beginCall("whole", silenceSource());
    await expectNothingMeanwhile(["unasked"], ECHO_MS);
    call.say("agent", AGENT_SAYS);
    await sound(call, "1", "granted");
    await box.expectInJournal("granted");
    await press(call, "5", "granted");
    await press(call, "3", "withdrawn");
    await press(call, "6", "withdrawn");
    await expectNothingMeanwhile(["unasked", "withdrawn"]);
    await press(call, "1", "again");
    await box.expectInJournal("again");
    decide(call, PAUSE, "pause", "paused");
    await press(call, "9", "paused");
    await expectNothingMeanwhile(["unasked", "withdrawn", "paused"]);
    box.expectNoWayOut();
    decide(call, PAUSE, "resume", "resumed");
    await box.expectInJournal("resumed");
    // What an administrator says counts from its answer on.
    box.command("consent", { effect: "withdrawn", reason: "asked on the telephone" });
    say(call, "after");
    await expectNothingMeanwhile(["after"]);
    call.hangUp();
    await box.endedCalls(1);
    const closed = ["unasked", "withdrawn", "paused", "after"] as const;
    box.expectNothingOf(closed);

    const [recording, ...more] = readRecordings(box.data);
    expect(more).toEqual([]);
    const { manifest, wavPath } = recording!;
    expect(search.inBytes(readFileSync(wavPath), "recording")).toEqual(
      ["granted", "again", "resumed"].map((marker) => ({
        marker,
        form: "samples of one channel of two",
        place: "recording",
      })),
    );
    expectSilenceOutsideSpans(recording!, 3);
    expectAgentHeard(recording!);
    // Everything did listen: to tones, to events, for the caller in the agent's stream. Keys are kept like audio.
    const said = manifest.evidence.filter(({ kind }) => kind === "dtmf" || kind === "api");
    expect(said.map(({ effect, detail }) => [effect, detail["by"]])).toEqual([
      ["granted", "tones"],
      ["withdrawn", "rfc4733"],
      ["granted", "rfc4733"],
      ["withdrawn", expect.stringContaining("token")],
    ]);
    expect(manifest.echo).toMatchObject({ windows: expect.any(Number), found: 0 });
    const keys = manifest.events.filter(({ kind }) => kind === "dtmf").map(({ detail }) => detail!["key"]);
    expect(keys).toContain("5");
    expect(keys).not.toContain("6");
    expect(keys).not.toContain("9");
    await box.stop();
    box.expectNothingOf(closed);
    expect(readdirSync(join(box.data, "journal"))).toEqual([]);
  });

  it("is written nowhere by an engine or a service that is killed or crashes, nor by those that recover", async () => {
    box = new Box(office, "keep");
    await box.start();
    const closed = ["unasked", "withdrawn", "after"] as const;
    for (const [i, signal] of (["SIGKILL", "SIGABRT", "SIGSEGV"] as const).entries()) {
      const call = await withdrawnCall(`engine-${signal}`);
      await box.killEngine(signal, i + 1);
      box.expectNothingOf(closed);
      say(call, "after");
      await box.engineAgain(i + 2);
      // The next engine has not heard the caller agree.
      await passMs(WRITTEN_AFTER_MS);
      box.expectNothingOf(closed);
      call.stop();
    }
    for (const signal of ["SIGKILL", "SIGABRT"] as const) {
      const call = await withdrawnCall(`service-${signal}`);
      await box.kill(signal);
      box.expectNothingOf(closed);
      say(call, "after");
      await box.start();
      await passMs(WRITTEN_AFTER_MS);
      box.expectNothingOf(closed);
      call.stop();
    }
    await box.stop();
    box.expectNothingOf(closed);
    expect(readdirSync(join(box.data, "journal"))).toEqual([]);
    const recovered = readRecordings(box.data);
    expect(recovered.map(({ manifest }) => manifest.endReason)).toEqual(Array(5).fill("recovered"));
    for (const recording of recovered) {
      const found = search.inBytes(readFileSync(recording.wavPath), "");
      expect(found.map(({ marker }) => marker)).toEqual(["granted"]);
      expectSilenceOutsideSpans(recording, 1);
      expectAgentHeard(recording);
    }
  });

  it("leaves what they agreed to with its evidence, whenever the engine is killed", async () => {
    box = new Box(office, "keep");
    await box.start();
    const call = await beginCall("at once");
    await passMs(200);
    decide(call, CONSENT, "granted", "granted");
    await box.expectInJournal("granted");
    await box.killEngine("SIGKILL", 1);
    say(call, "after");
    box.expectNothingOf(["unasked", "after"]);
    const [recording] = readRecordings(box.data);
    const { manifest } = recording!;
    expectSilenceOutsideSpans(recording!, 1);
    expect(manifest.parties[1].consent).toBe("granted");
    const opened = manifest.evidence.find(({ id }) => id === manifest.parties[1].spans[0]!.evidence);
    expect(opened).toMatchObject({ kind: "sip-header", effect: "granted" });
    expect(manifest.warnings.map(({ code }) => code)).not.toContain("packets-outside-spans");
    await box.stop();
  });

  it("stays out in a pause, whichever process dies in it, of the agent as well, until the call goes on", async () => {
    box = new Box(office, "keep");
    await box.start();
    const call = await beginCall("paused and killed");
    await passMs(200);
    decide(call, PAUSE, "pause", "paused");
    call.say("agent", markerSource(MARKERS.paused.pattern));
    await expectNothingMeanwhile(["paused"]);
    await box.killEngine("SIGKILL", 1);
    await box.engineAgain(2);
    // Now the next engine knows where the media goes, and who the agent is.
    call.renew("agent");
    await expectNothingMeanwhile(["paused"], 2 * WRITTEN_AFTER_MS);
    await box.kill("SIGKILL");
    await box.start();
    call.renew("agent");
    await expectNothingMeanwhile(["paused"], 2 * WRITTEN_AFTER_MS);
    decide(call, PAUSE, "resume", "unasked");
    call.say("agent", markerSource(MARKERS.resumed.pattern));
    await box.expectInJournal("resumed");
    call.hangUp();
    await box.endedCalls(1);
    await box.stop();
    box.expectNothingOf(["paused", "unasked"]);
    const pauses = readRecordings(box.data).flatMap(({ manifest }) => manifest.pauses);
    expect(pauses.map(({ source, endedBy }) => [source, endedBy])).toContainEqual(["sip-header", "request"]);
  });

  it("stays out after a caller's no, whichever process dies, though the number has consented beforehand", async () => {
    box = new Box(office, "keep", [CALLER.user]);
    await box.start();
    const call = await beginCall("refused and killed", AGENT_SAYS, silenceSource());
    await passMs(200);
    await press(call, "2", "withdrawn");
    await expectNothingMeanwhile(["withdrawn"]);
    await box.killEngine("SIGKILL", 1);
    await box.engineAgain(2);
    call.renew("caller");
    call.renew("agent");
    await expectNothingMeanwhile(["withdrawn"], 2 * WRITTEN_AFTER_MS);
    await box.kill("SIGKILL");
    await box.start();
    call.renew("caller");
    call.renew("agent");
    await expectNothingMeanwhile(["withdrawn"], 2 * WRITTEN_AFTER_MS);
    // Whoever has not refused is recorded at once.
    const other = new LiveCall(card, {
      callId: "beside it",
      codec: CODEC,
      caller: { ...CALLER, rtpPort: 30_002, says: markerSource(MARKERS.granted.pattern) },
      agent: { ...AGENT, rtpPort: 40_002, says: AGENT_SAYS },
    });
    calls.push(other);
    await other.begin();
    await box.expectInJournal("granted");
    other.hangUp();
    call.hangUp();
    await box.endedCalls(2);
    await box.stop();
    box.expectNothingOf(["withdrawn"]);
    const last = readRecordings(box.data).filter(({ manifest }) => manifest.endReason === "bye");
    const refusal = last.flatMap(({ manifest }) => manifest.ledger).find(({ to }) => to !== "granted");
    expect(refusal).toMatchObject({ source: "dtmf", by: expect.stringContaining("before the engine") });
  });

  describe("when a withdrawal erases", () => {
    beforeEach(async () => {
      box = new Box(office, "erase");
      await box.start();
    });

    it("is in no file once the call is stored, and until then in its journal only", async () => {
      const call = await withdrawnCall("erased");
      await box.expectInJournal("granted");
      decide(call, CONSENT, "granted", "again");
      await box.expectInJournal("again");
      call.hangUp();
      await box.endedCalls(1);
      const [recording] = readRecordings(box.data);
      const found = search.inBytes(readFileSync(recording!.wavPath), "");
      expect(found.map(({ marker }) => marker)).toEqual(["again"]);
      expect(recording!.manifest.parties[1].erased).toMatchObject([{ packets: expect.any(Number) }]);
      expectSilenceOutsideSpans(recording!, 1);
      await passMs(WRITTEN_AFTER_MS);
      box.expectNothingOf(["unasked", "granted", "withdrawn"]);
    });

    it("is in the journal's files for as long as another call needs them, and no longer", async () => {
      const other = new LiveCall(card, {
        callId: "other",
        codec: CODEC,
        caller: { ...CALLER, user: "0307654321", address: "198.51.100.21", says: silenceSource() },
        agent: { ...AGENT, user: "22", address: "10.77.0.3", says: toneSource(500) },
      });
      calls.push(other);
      await other.begin();
      const call = await withdrawnCall("beside another");
      call.hangUp();
      await box.endedCalls(1);
      await passMs(WRITTEN_AFTER_MS);
      const left = box.leaks().filter(({ marker }) => marker === "granted");
      for (const { place } of left) expect(place.startsWith(join(box.data, "journal")), place).toBe(true);
      other.hangUp();
      await box.endedCalls(2);
      await passMs(WRITTEN_AFTER_MS);
      box.expectNothingOf(["unasked", "granted", "withdrawn"]);
    });

    it("is in no file after a crash and the recovery either", async () => {
      const call = await withdrawnCall("erased and killed");
      await box.killEngine("SIGKILL", 1);
      call.stop();
      await box.engineAgain(2);
      box.expectNothingOf(["unasked", "granted", "withdrawn"]);
      expect(readCallLog(box.data)).toMatchObject([{ endReason: "recovered" }]);
      const [recording] = readRecordings(box.data);
      expectSilenceOutsideSpans(recording!, 0);
      expectAgentHeard(recording!);
      await box.stop();
    });
  });
});

/** The caller's channel is digital silence but where the manifest says that its open spans stand. */
function expectSilenceOutsideSpans({ manifest, wavPath }: StoredRecording, spans: number): void {
  const extents = manifest.parties[1].spans.flatMap(({ audio }) => (audio ? [audio] : []));
  expect(extents.length).toBe(spans);
  const outside = readWav(wavPath).channels[1]!.filter(
    (sample, at) => sample !== 0 && !extents.some(({ fromSample, toSample }) => at >= fromSample && at < toSample),
  );
  expect(outside.length).toBe(0);
}

function expectAgentHeard({ wavPath }: StoredRecording): void {
  expect(tonePresentMs(readWav(wavPath).channels[0]!, 440, 8000, 0.3)).toBeGreaterThan(100);
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
}

function isAlive(pid: number): boolean {
  try {
    // A zombie has written all that it ever will.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Files, as opposed to pipes, sockets and devices, that the process has open for writing: O_WRONLY 1, O_RDWR 2. */
function writtenFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
      const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8"))![1]!;
      const isFile = target.startsWith("/") && !/^\/(dev\/(null|pts|tty|urandom)|proc\/)/.test(target);
      return isFile && (Number.parseInt(flags, 8) & 3) !== 0 ? [target] : [];
    } catch {
      return [];
    }
  });
}
