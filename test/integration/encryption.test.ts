// The box can write and cannot read: with recipients nothing that was admitted is in clear on the disk, while a call goes on,
// after it, after the engine or the service was killed and after the recovery. Whoever has a recipient's secret key opens all of
// it, with Debian's age and with ours. Searched is everything that the processes can write, and what was said is found in what
// the key opens, or the search would prove nothing.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { generateIdentity, identityText } from "../../device/age/keys.js";
import { type AgeKey, ageDecrypt, ageObstacle, makeAgeKey } from "../fakes/age-program.js";
import { readWav } from "../fakes/audio.js";
import { CaptureFile } from "../fakes/capture-file.js";
import { filePathsBelow, LeakSearch, makeMarkers } from "../fakes/leak-search.js";
import { LiveCall, NetworkCard, passMs } from "../fakes/live-call.js";
import { makeCall } from "../fakes/office-call.js";
import { OfficeNetwork } from "../fakes/office-network.js";
import {
  filesBelow,
  logLines,
  makeFolder,
  RunningProgram,
  readCallLog,
  readRecordings,
  removeFolder,
  runProgram,
} from "../fakes/program.js";
import { type G711Codec, markerSource, tonePresentMs, toneSource } from "../fakes/tone.js";
import { liveTestObstacle } from "./veth-pair.js";

const noAge = ageObstacle();
const notLive = noAge ?? liveTestObstacle();
if (noAge) console.log(`skipped: encryption: ${noAge}`);
else if (notLive) console.log(`skipped: encryption of live calls: ${notLive}`);

const CODEC: G711Codec = "PCMA";
const AGENT_HZ = 440;
/** What the caller says, by when it says it; all of it is admitted. */
const PHASES = ["before", "afterEngine", "afterService", "toTheEnd"] as const;
const MARKERS = makeMarkers(PHASES, 20_261_128);
const search = new LeakSearch(Object.values(MARKERS), CODEC);

let folder = "";
let keys: [AgeKey, AgeKey];
beforeEach(() => {
  folder = makeFolder();
  if (!noAge) keys = [makeAgeKey(folder, "one"), makeAgeKey(folder, "two")];
});
afterEach(() => removeFolder(folder));

function writeConfig(lines: readonly string[]): string {
  const file = join(folder, "sidetone.yaml");
  const recipients = keys.map(({ recipient }) => recipient);
  writeFileSync(file, [...lines, `encryption: { recipients: ${JSON.stringify(recipients)} }`, ""].join("\n"));
  return file;
}

function sha256Of(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

describe.skipIf(noAge !== undefined)("recordings of a capture", { timeout: 60_000 }, () => {
  /** The data folder of a call that was replayed, always the same one. */
  async function replayed(name: "clear" | "sealed"): Promise<string> {
    const capture = join(folder, "calls.pcap");
    new CaptureFile().addAll(makeCall()).write(capture);
    const data = join(folder, name);
    const config = name === "sealed" ? ["--config", writeConfig([])] : [];
    const args = ["--read", capture, "--policy", "both-parties", "--json", "--data", data, ...config];
    expect((await runProgram(args)).exitCode).toBe(0);
    return data;
  }

  it("are for each recipient the bytes of the same recordings in clear; all else is the same", async () => {
    const [clear, sealed] = await Promise.all([replayed("clear"), replayed("sealed")]);
    const [plain] = readRecordings(clear);
    const [encrypted, ...more] = readRecordings(sealed);
    expect(more).toEqual([]);
    const { manifest, wavPath } = encrypted!;
    expect(manifest.audio.file).toBe(`${manifest.id}.wav.age`);
    expect(plain!.manifest.audio.file).toBe(`${plain!.manifest.id}.wav`);
    const wav = readFileSync(plain!.wavPath);
    for (const key of keys) expect(ageDecrypt(wavPath, key).equals(wav)).toBe(true);
    expect(() => ageDecrypt(wavPath, makeAgeKey(folder, "stranger"))).toThrow("no identity matched");
    const { bytes, sha256, sha512: _, file: __, encryption, ...rest } = manifest.audio;
    expect([bytes, sha256]).toEqual([statSync(wavPath).size, sha256Of(readFileSync(wavPath))]);
    expect(encryption).toEqual({
      format: "age",
      recipients: keys.map(({ recipient }) => sha256Of(Buffer.from(recipient)).slice(0, 16)),
      plainBytes: plain!.manifest.audio.bytes,
      plainSha256: plain!.manifest.audio.sha256,
    });
    expect(plain!.manifest.audio).toMatchObject(rest);
    expect(plain!.manifest.parties).toEqual(manifest.parties);
    const [line] = readCallLog(sealed);
    expect(line!.file).toBe(wavPath.slice(sealed.length + 1));
    // Nothing is left but what there is without recipients.
    const kinds = (data: string): string[] =>
      // One that takes longer has looked at the registers meanwhile.
      filesBelow(data)
        .filter((path) => path !== "audit/watched.json")
        .map((path) => path.replace(/[0-9A-HJKMNP-TV-Z]{26}/g, "ID"));
    expect(kinds(sealed)).toEqual(kinds(clear).map((path) => path.replace(/\.wav$/, ".wav.age")));
    expect(readdirSync(join(sealed, "journal"))).toEqual([]);
  });

  it("are proved with a key, and without one as far as that goes", async () => {
    const sealed = await replayed("sealed");
    const { id } = readRecordings(sealed)[0]!.manifest;
    const prove = (...more: string[]) => runProgram(["prove", id, "--data", sealed, ...more]);
    const without = await prove();
    expect(without.exitCode).toBe(5);
    expect(without.stdout).toMatch(/NOT PROVED WITHOUT A KEY: \d+ of \d+ checks hold, 2 need --identity FILE/);
    expect(without.stdout.match(/^ {2}key {3}digital silence/gm)?.length).toBe(2);
    const withKey = await prove("--identity", keys[1].identityFile);
    expect(withKey.stdout).toMatch(/Proved: all \d+ checks hold\.\n$/);
    expect(withKey.exitCode).toBe(0);
    const withOther = await prove("--identity", makeAgeKey(folder, "stranger").identityFile);
    expect([withOther.exitCode, withOther.stdout]).toEqual([2, ""]);
    expect(withOther.stderr).toMatch(/^sidetoned: --identity: .* none of the identities opens it.*\n$/);
    // What was changed shows with a key and without.
    const { wavPath } = readRecordings(sealed)[0]!;
    const bytes = readFileSync(wavPath);
    bytes[bytes.length - 100]! ^= 1;
    writeFileSync(wavPath, bytes);
    for (const result of [await prove(), await prove("--identity", keys[0].identityFile)]) {
      expect(result.exitCode).toBe(5);
      expect(result.stdout).toContain("FAIL  the audio is the one that was signed");
    }
  });

  it("are not made at all for a recipient that is none", async () => {
    const secret = identityText(generateIdentity());
    const config = join(folder, "bad.yaml");
    writeFileSync(config, `encryption: { recipients: [${secret}] }\n`);
    const { exitCode, stderr } = await runProgram([
      "--read",
      "x.pcap",
      "--config",
      config,
      "--data",
      join(folder, "d"),
    ]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("encryption.recipients[0]: is a secret key");
    expect(stderr).not.toContain(secret.slice(16, 30));
  });
});

/** The recorder on a mirror port, with all that it can write below one folder. */
class Box {
  readonly data = join(folder, "box", "data");
  private readonly programs: RunningProgram[] = [];

  constructor(
    private readonly office: OfficeNetwork,
    private readonly config: string,
  ) {
    for (const name of ["box", "box/tmp", "box/cwd"]) mkdirSync(join(folder, name));
  }

  async start(): Promise<void> {
    const args = ["--interface", this.office.mirrorInterface, "--data", this.data, "--config", this.config, "--json"];
    const program = new RunningProgram(args, {
      launcher: this.office.launcher("recorder"),
      environment: { TMPDIR: join(folder, "box/tmp") },
      cwd: join(folder, "box/cwd"),
      timeoutMs: 60_000,
    });
    this.programs.push(program);
    await this.seen("capturing", 1);
  }

  get program(): RunningProgram {
    return this.programs.at(-1)!;
  }

  get enginePid(): number {
    const pid = this.program.child.pid!;
    const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
    expect(children.length).toBe(1);
    return children[0]!;
  }

  async seen(message: string, times: number): Promise<Record<string, unknown>[]> {
    return this.program.waitFor(message, (stderr) => {
      const lines = logLines(stderr, message);
      return lines.length >= times ? lines : undefined;
    });
  }

  /** Kills the service; the engine leaves by itself and writes what it has. */
  async kill(): Promise<void> {
    const engine = this.enginePid;
    process.kill(this.program.child.pid!, "SIGKILL");
    await this.program.ended;
    for (let i = 0; i < 100 && isAlive(engine); i++) await passMs(50);
    expect(isAlive(engine)).toBe(false);
  }

  /** Of nothing that was said is anything on the disk. */
  expectNothingInClear(): void {
    const texts = this.programs.flatMap(({ stdout, stderr }) => search.inBytes(Buffer.from(stdout + stderr), "output"));
    expect([...search.inFolders([join(folder, "box")]), ...texts]).toEqual([]);
  }

  journalBytes(): number {
    return filePathsBelow(join(this.data, "journal"))
      .filter((path) => path.endsWith(".seg"))
      .reduce((sum, path) => sum + statSync(path).size, 0);
  }

  /** Looks everywhere, again and again, until the journal has grown by a second of both. */
  async untilJournalled(): Promise<void> {
    const until = this.journalBytes() + 2 * 8000;
    for (let i = 0; i < 100 && this.journalBytes() < until; i++) {
      await passMs(100);
      this.expectNothingInClear();
    }
    expect(this.journalBytes()).toBeGreaterThanOrEqual(until);
  }

  remove(): void {
    for (const { child } of this.programs) child.kill("SIGKILL");
  }
}

describe.skipIf(notLive !== undefined)("live calls", { timeout: 90_000 }, () => {
  let office: OfficeNetwork;
  let card: NetworkCard;
  let call: LiveCall | undefined;
  let box: Box | undefined;
  beforeAll(async () => {
    office = new OfficeNetwork("enc", { phones: [] });
    office.create();
    card = await NetworkCard.open(office, "phones");
  });
  afterEach(() => {
    call?.stop();
    box?.remove();
  });
  afterAll(() => {
    card?.close();
    office?.remove();
  });

  it("are in clear nowhere, whichever process dies, and whole for who holds a key", async () => {
    const config = writeConfig([
      "agents: { match: [10.77.0.0/24] }",
      "consent: { policy: both-parties }",
      "journal: { flushMs: 200 }",
      "log: { level: debug }",
      "api: { enabled: false }",
    ]);
    box = new Box(office, config);
    await box.start();
    call = new LiveCall(card, {
      callId: "encrypted",
      codec: CODEC,
      caller: {
        user: "0301234567",
        address: "198.51.100.20",
        rtpPort: 30_000,
        says: markerSource(MARKERS.before.pattern),
      },
      agent: { user: "21", address: "10.77.0.2", rtpPort: 40_000, says: toneSource(AGENT_HZ) },
    });
    await call.begin();
    await box.untilJournalled();

    // The engine dies: the service has the key, and seals what it left.
    process.kill(box.enginePid, "SIGKILL");
    await box.seen("call", 1);
    box.expectNothingInClear();
    const [recovered] = readRecordings(box.data);
    expect(recovered!.manifest.endReason).toBe("recovered");
    expectSaid(ageDecrypt(recovered!.wavPath, keys[0]), ["before"]);

    await box.seen("capturing", 2);
    call.say("caller", markerSource(MARKERS.afterEngine.pattern));
    call.renew("caller");
    call.renew("agent");
    await box.untilJournalled();

    // The service dies, and with it the key: the box cannot read what it wrote, and keeps it.
    await box.kill();
    box.expectNothingInClear();
    await box.start();
    await box.seen("a journal can be opened only with a recipient's secret key: it is kept", 1);
    await box.program.waitFor("an alarm of it", (text) => text.includes("alarm journals-locked: ") || undefined);
    box.expectNothingInClear();
    const [run, ...otherRuns] = readdirSync(join(box.data, "locked-journals"));
    expect(otherRuns).toEqual([]);
    const lockedFolder = join(box.data, "locked-journals", run!);
    expect(readdirSync(lockedFolder).sort()).toEqual(["000001.seg", "engine.json", "key.age", "locked.json"]);
    const locked = readCallLog(box.data).filter(({ noAudio }) => noAudio === "journal-locked");
    expect(locked).toMatchObject([{ sipCallIds: ["encrypted"], endReason: "recovered", file: "" }]);
    expectKeyNowhere(run!, ageDecrypt(join(lockedFolder, "key.age"), keys[1]));

    call.say("caller", markerSource(MARKERS.afterService.pattern));
    call.renew("caller");
    call.renew("agent");
    await box.untilJournalled();
    call.say("caller", markerSource(MARKERS.toTheEnd.pattern));
    await box.untilJournalled();
    call.hangUp();
    await box.seen("call", 2);
    expect(await box.program.stop()).toBe(0);
    box.expectNothingInClear();
    expect(readdirSync(join(box.data, "journal"))).toEqual([]);
    const last = readRecordings(box.data).find(({ manifest }) => manifest.endReason === "bye");
    expectSaid(ageDecrypt(last!.wavPath, keys[1]), ["afterService", "toTheEnd"]);

    await expectOpened(run!, lockedFolder);
    const audit = await runProgram(["audit", "list", "--kind", "locked", "--data", box.data, "--json"]);
    expect(audit.stdout).toContain(run!);
    const verify = () => runProgram(["verify", "--data", box!.data]);
    const verified = await verify();
    expect(verified.exitCode, verified.stdout).toBe(0);
    const removed = await runProgram(["journal", "remove", run!, "--reason", "opened", "--data", box.data]);
    expect(removed, removed.stderr).toMatchObject({ exitCode: 0, stdout: `Run ${run} is removed\n` });
    expect(existsSync(lockedFolder)).toBe(false);
    const without = await verify();
    expect(without.exitCode, without.stdout).toBe(0);
  });

  /** The locked run, opened by who may, and by nobody else. */
  async function expectOpened(run: string, lockedFolder: string): Promise<void> {
    const { data } = box!;
    const list = await runProgram(["journal", "list", "--data", data]);
    expect(list.stdout).toMatch(new RegExp(`^${run} {2}1 calls`));
    const before = filePathsBelow(lockedFolder).map((path) => sha256Of(readFileSync(path)));
    const open = (what: string, key: AgeKey, out: string) =>
      runProgram(["journal", "open", what, "--identity", key.identityFile, "--out", join(folder, out), "--data", data]);
    const refused = await open(run, makeAgeKey(folder, "stranger"), "nothing");
    expect([refused.exitCode, refused.stdout]).toEqual([2, ""]);
    expect(refused.stderr).toMatch(/^sidetoned: .*key\.age cannot be opened: none of the identities opens it.*\n$/);
    for (const [what, key, out] of [
      [run, keys[0], "opened-one"],
      [lockedFolder, keys[1], "opened-two"],
    ] as const) {
      const opened = await open(what, key, out);
      expect(opened.exitCode, opened.stderr).toBe(0);
      const [recording, ...more] = readRecordings(join(folder, out));
      expect(more).toEqual([]);
      expectSaid(readFileSync(recording!.wavPath), ["afterEngine"]);
      expect(recording!.manifest).toMatchObject({ endReason: "recovered", sipCallIds: ["encrypted"] });
      // What the next engine sees of the call does not tell who is who: it is on one of the channels.
      const heardMs = readWav(recording!.wavPath).channels.map((one) => tonePresentMs(one, AGENT_HZ, 8000, 0.3));
      expect(Math.max(...heardMs)).toBeGreaterThan(500);
    }
    expect(filePathsBelow(lockedFolder).map((path) => sha256Of(readFileSync(path)))).toEqual(before);
  }

  function expectSaid(wav: Buffer, markers: readonly (typeof PHASES)[number][]): void {
    expect(search.inBytes(wav, "wav").map(({ marker }) => marker)).toEqual(markers);
  }

  /** The run's key, which its recipient has just unwrapped, is in no file in any form. */
  function expectKeyNowhere(run: string, unwrapped: Buffer): void {
    const { key, run: named } = JSON.parse(unwrapped.toString()) as { key: string; run: string };
    expect(named).toBe(run);
    const bytes = Buffer.from(key, "hex");
    expect(bytes.length).toBe(32);
    const forms = [bytes, Buffer.from(key), Buffer.from(key.toUpperCase()), Buffer.from(bytes.toString("base64"))];
    for (const path of filePathsBelow(join(folder, "box"))) {
      const content = readFileSync(path);
      for (const form of forms) expect(content.includes(form.subarray(0, 16)), path).toBe(false);
      for (const { secret } of keys) expect(content.includes(secret.slice(20)), path).toBe(false);
    }
  }
});

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
