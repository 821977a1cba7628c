// Retention as people use it: captures replayed by the built program, then the commands, without a service and beside one.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sha256Of } from "../../device/base/sha256.js";
import { CaptureFile } from "../fakes/capture-file.js";
import { LeakSearch, makeMarkers } from "../fakes/leak-search.js";
import { makeCall } from "../fakes/office-call.js";
import {
  filesBelow,
  logLines,
  makeFolder,
  type ProgramResult,
  RunningProgram,
  readRecordings,
  removeFolder,
  runProgram,
} from "../fakes/program.js";
import { markerSource } from "../fakes/tone.js";
import { liveTestObstacle } from "./veth-pair.js";

const obstacle = liveTestObstacle();
if (obstacle) console.log(`skipped: retention beside a running service: ${obstacle}`);

const DAY_MS = 86_400_000;
const NUMBER = "0301234567";
const MARKERS = makeMarkers(["caller"], 11);
const audible = new LeakSearch([MARKERS.caller], "PCMA");
let folder: string;
let data: string;
let configFile: string;

beforeEach(() => {
  folder = makeFolder();
  data = join(folder, "data");
  configFile = join(folder, "c.yaml");
});
afterEach(() => removeFolder(folder));

function configure(retention: object, rest: object = {}): void {
  const config = {
    agents: { match: ["10.0.0.0/24"] },
    consent: { policy: "both-parties" },
    api: { enabled: false },
    retention,
    ...rest,
  };
  writeFileSync(configFile, JSON.stringify(config));
}

function run(...args: string[]): Promise<ProgramResult> {
  return runProgram([...args, "--data", data, "--config", configFile], { timeoutMs: 30_000 });
}

/** One call of three days ago, recorded; with `other`, a second one, of that number. */
async function record(other?: string): Promise<string> {
  const capture = join(folder, "a.pcap");
  const startUs = (Date.now() - 3 * DAY_MS) * 1000;
  const frames = makeCall({ startUs, caller: { payload: markerSource(MARKERS.caller.pattern) } });
  const more = other === undefined ? [] : makeCall({ callId: "2@b", startUs: startUs + 60e6, caller: { user: other } });
  new CaptureFile().addAll([...frames, ...more]).write(capture);
  expect((await run("--read", capture)).exitCode).toBe(0);
  return readRecordings(data)[0]!.manifest.id;
}

/** Files in which the number stands, in any of the forms that a text can have. */
function filesWithNumber(): string[] {
  return filesBelow(data).filter((name) => readFileSync(join(data, name)).includes(NUMBER.slice(1)));
}

function exportsInAudit(): { sha256?: unknown }[] {
  return filesBelow(join(data, "audit"))
    .filter((name) => name.endsWith(".jsonl"))
    .flatMap((name) =>
      readFileSync(join(data, "audit", name), "utf8")
        .split("\n")
        .filter(Boolean),
    )
    .map((line) => JSON.parse(line) as { kind: string; detail: { sha256?: unknown } })
    .filter(({ kind }) => kind === "exported")
    .map(({ detail }) => detail);
}

/** GNU tar extracts it, its hashes fit, and it has the one recording. */
function expectArchive(archive: string, id: string): void {
  const target = join(folder, "extracted");
  mkdirSync(target);
  execFileSync("tar", ["-xf", archive, "-C", target, "--no-same-owner"]);
  const { files } = JSON.parse(readFileSync(join(target, "contents.json"), "utf8")) as {
    files: { name: string; sha256: string }[];
  };
  const names = filesBelow(target);
  expect(files.map(({ name }) => name).sort()).toEqual(names.filter((name) => name !== "contents.json"));
  for (const { name, sha256 } of files) expect(sha256Of(readFileSync(join(target, name)))).toBe(sha256);
  expect(names.filter((name) => name.startsWith("recordings/"))).toEqual(
    [".json", ".wav"].map((end) => `recordings/${id}${end}`),
  );
  expect(audible.inFolders([target]).length).toBeGreaterThan(0);
}

/** Where a file system may be mounted for a test. */
async function withSmallDisk(use: (folder: string) => Promise<void>): Promise<void> {
  const small = join(folder, "small");
  mkdirSync(small);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", small]);
  if (mounted.status !== 0) {
    console.log("not tried: an export to a full disk: nothing can be mounted here");
    return;
  }
  try {
    await use(small);
  } finally {
    execFileSync("umount", ["--lazy", small]);
  }
}

const CLASSES = { classes: [{ name: "standard", minDays: 36_000, maxDays: 36_500 }], defaultClass: "standard" };

describe("without a service", () => {
  it("says what would go and what stays, and refuses in one line what may not be done", async () => {
    configure(CLASSES);
    const id = await record();
    const report = await run("retention", "--all", "--dry-run");
    expect(report.stdout).toContain("0 recordings would go now");
    expect(report.stdout).toContain("1 stay: class standard goes at 36500 days");
    expect(report.stdout).toContain(id);
    const refused = await run("delete", id, "--reason", "wrong call");
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(/^sidetoned: [^\n]*minimum age of 36000 days keeps it until[^\n]*\n$/);
  });

  it("holds, lifts, deletes by order, and proves the deletion", async () => {
    configure({});
    const id = await record();
    const held = await run("hold", "add", "--call", id, "--reason", "court order 7", "--json");
    const { hold } = (JSON.parse(held.stdout) as { result: { hold: string } }).result;
    expect((await run("hold", "list")).stdout).toMatch(new RegExp(`${hold}.*call ${id}.*court order 7`));
    expect((await run("delete", id, "--reason", "x", "--override-minimum")).stderr).toContain(`held by ${hold}`);
    expect((await run("hold", "remove", hold, "--reason", "case closed")).exitCode).toBe(0);
    expect((await run("delete", id, "--reason", "wrong call")).stdout).toContain(`deleted: ${id}`);
    expect(filesBelow(data).filter((name) => name.includes(id))).toEqual([expect.stringMatching(/\.deleted$/)]);
    const proof = await run("prove", id);
    expect(proof.exitCode).toBe(0);
    expect(proof.stdout).toMatch(/it was deleted.*request, .* by cli .*: wrong call/);
    expect(await run("verify")).toMatchObject({ exitCode: 0 });
  });

  it("exports all that there is about a number; killed, stopped or without room it leaves no archive and no entry", async () => {
    configure({});
    const id = await record("0409999999");
    const archive = join(folder, "a.tar");
    const asking = (out: string) => ["export", "--number", NUMBER, "--reason", "letter of the 3rd", "--out", out];
    // So large that it takes a while, and beside the recording as whatever belongs to it.
    const large = `${readRecordings(data)[0]!.wavPath}.large`;
    writeFileSync(large, "");
    truncateSync(large, 8e9);
    const begin = async (): Promise<RunningProgram> => {
      const program = new RunningProgram([...asking(archive), "--data", data, "--config", configFile]);
      await program.waitFor("the archive", () => existsSync(`${archive}.partial`) || undefined);
      return program;
    };
    await (await begin()).stop("SIGKILL");
    expect(existsSync(archive)).toBe(false);
    expect((await run(...asking(archive))).stderr).toMatch(/^sidetoned: \S+a.tar.partial is there: [^\n]*\n$/);
    rmSync(`${archive}.partial`);
    const stopped = await begin();
    expect(await stopped.stop()).toBe(4);
    expect(stopped.stderr).toBe("sidetoned: it was stopped: nothing was exported\n");
    await withSmallDisk(async (small) => {
      const full = await run(...asking(join(small, "a.tar")));
      expect([full.exitCode, readdirSync(small)]).toEqual([4, []]);
      expect(full.stderr).toMatch(/^sidetoned: nothing was exported: no space is left on the disk \(ENOSPC\)\n$/);
    });
    expect(readdirSync(folder).filter((name) => name.startsWith("a.tar"))).toEqual([]);
    rmSync(large);
    const done = await run(...asking(archive));
    expect([done.exitCode, done.stderr]).toEqual([0, ""]);
    const entries = exportsInAudit();
    expect(entries.map(({ sha256 }) => sha256)).toEqual([sha256Of(readFileSync(archive))]);
    expectArchive(archive, id);
    expect(await run("verify")).toMatchObject({ exitCode: 0 });
  }, 60_000);

  it("erases a number: first as a dry run, then so that nothing of it is left", async () => {
    configure({});
    const id = await record();
    expect(filesWithNumber().length).toBeGreaterThan(1);
    expect(audible.inFolders([data]).length).toBeGreaterThan(0);
    const dry = await run("erase", "--number", NUMBER, "--dry-run");
    expect(dry.stdout).toContain("1 recordings would go now");
    expect(dry.stdout).not.toContain(NUMBER);
    const unconfirmed = await run("erase", "--number", NUMBER, "--reason", "letter of the 3rd");
    expect([unconfirmed.exitCode, unconfirmed.stderr]).toEqual([2, expect.stringContaining("--yes does it")]);
    expect(readRecordings(data).length).toBe(1);
    const erased = await run("erase", "--number", NUMBER, "--reason", "letter of the 3rd", "--yes");
    expect([erased.exitCode, erased.stderr]).toEqual([0, ""]);
    expect(erased.stdout).toContain("erased: 1 recordings");
    expect(filesWithNumber()).toEqual([]);
    expect(audible.inFolders([data])).toEqual([]);
    expect(filesBelow(data).filter((name) => name.includes(id))).toEqual([expect.stringMatching(/\.deleted$/)]);
    expect((await run("audit", "verify")).exitCode).toBe(0);
  });
});

describe.skipIf(obstacle !== undefined)("beside a running service", () => {
  async function start(): Promise<RunningProgram> {
    const args = ["--interface", "lo", "--data", data, "--config", configFile, "--json"];
    const service = new RunningProgram(args, { timeoutMs: 60_000 });
    await service.waitFor("capturing", (stderr) => logLines(stderr, "capturing")[0]);
    return service;
  }

  it("what is due goes by itself, what is held when the hold is lifted; an erasure leaves nothing, the index included", async () => {
    configure({});
    const id = await record("0409999999");
    configure({ classes: [{ name: "short", maxDays: 2 }], defaultClass: "short" });
    const held = await run("hold", "add", "--number", NUMBER, "--reason", "court order 7", "--json");
    const { hold } = (JSON.parse(held.stdout) as { result: { hold: string } }).result;
    const service = await start();
    try {
      const sweep = await service.waitFor("a sweep", (stderr) => sweptOrWhyNot(stderr));
      // Where the box's own clock is not set nothing may go by age.
      if (sweep !== "swept") console.log(`nothing went by age here: ${sweep}`);
      const ids = readRecordings(data).map(({ manifest }) => manifest.id);
      expect(ids).toEqual(sweep === "swept" ? [id] : [id, expect.anything()]);
      const archive = join(folder, "a.tar");
      const exported = await run("export", "--number", NUMBER, "--reason", "letter of the 3rd", "--out", archive);
      expect([exported.exitCode, exported.stderr]).toEqual([0, ""]);
      expectArchive(archive, id);
      const erased = await run("erase", "--number", NUMBER, "--reason", "letter of the 3rd", "--yes");
      // What was asked for before is done before.
      expect(exportsInAudit().length).toBe(1);
      expect([erased.stderr, erased.stdout]).toEqual(["", expect.stringContaining(`${id}: held by ${hold}`)]);
      expect((await run("hold", "remove", hold, "--reason", "case closed")).exitCode).toBe(0);
      expect(readRecordings(data).map(({ manifest }) => manifest.id)).not.toContain(id);
      expect(filesWithNumber()).toEqual([]);
      expect((await run("prove", id)).exitCode).toBe(0);
    } finally {
      expect(await service.stop()).toBe(0);
    }
    expect(filesWithNumber()).toEqual([]);
    expect(await run("verify")).toMatchObject({ exitCode: 0 });
  });
});

function sweptOrWhyNot(stderr: string): string | undefined {
  if (logLines(stderr, "recordings whose time is over were deleted").length > 0) return "swept";
  return logLines(stderr, "nothing is deleted by age")[0]?.["reason"] as string | undefined;
}
