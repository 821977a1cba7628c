// Core dumps as the kernel sees them, in processes of their own: this one's limits are not to be changed.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeFolder, PROJECT_ROOT, removeFolder } from "../fakes/program.js";

/** Run as built, since the child knows no TypeScript. */
const BUILT = join(PROJECT_ROOT, "dist/device/core-dumps.js");
const NOBODY = 65_534;
const CORE_PATTERN = readFileSync("/proc/sys/kernel/core_pattern", "utf8").trim();
/** What the child has in its memory, and not in its command line. */
const SECRET = Buffer.from("6361-6c6c6572-7061796c6f6164").toString("hex");
const SECRET_CODE = `Buffer.from(Buffer.from("6361-6c6c6572-7061796c6f6164").toString("hex"))`;

const hasPrlimit = spawnSync("prlimit", ["--version"]).error === undefined;
const mayRaise = hasPrlimit && spawnSync("prlimit", ["--core=unlimited:unlimited", "true"]).status === 0;
if (!mayRaise) console.log("skipped: core dumps: prlimit is not installed, or may not raise the limit here");
const writesHere = /^[^|/]/.test(CORE_PATTERN);
if (!writesHere) console.log(`skipped: core files: they do not go to the working folder here, but to ${CORE_PATTERN}`);

interface Said {
  before: { isLimited: boolean; isFiltered: boolean };
  after: { isLimited: boolean; isFiltered: boolean };
}

describe.skipIf(!mayRaise)("switchCoreDumpsOff", () => {
  let folder: string;
  let working: string;
  const children: ChildProcess[] = [];

  beforeEach(() => {
    folder = makeFolder();
    working = join(folder, "cwd");
    mkdirSync(working);
    copyFileSync(BUILT, join(folder, "core-dumps.mjs"));
    for (const path of [folder, working]) chmodSync(path, 0o777);
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    removeFolder(folder);
  });

  /** A process that may dump as much as it likes, until it runs `code`; returns what it said as JSON. */
  async function start(code: string, options: { path?: string; uid?: number } = {}): Promise<[ChildProcess, Said]> {
    const script = `import { coreDumpState, switchCoreDumpsOff } from ${JSON.stringify(join(folder, "core-dumps.mjs"))};
      const before = coreDumpState();
      ${code}
      console.log(JSON.stringify({ before, after: coreDumpState() }));
      setInterval(() => {}, 1000);`;
    const user = options.uid === undefined ? [] : ["setpriv", "--reuid", String(options.uid), "--clear-groups"];
    const node = ["env", `PATH=${options.path ?? process.env["PATH"]}`, process.execPath, "--input-type=module"];
    const [command, ...args] = ["prlimit", "--core=unlimited:unlimited", ...user, ...node, "-e", script];
    const child = spawn(command!, args, { cwd: working, stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    const [said] = (await once(child.stdout!, "data")) as [Buffer];
    return [child, JSON.parse(said.toString()) as Said];
  }

  async function abort(child: ChildProcess): Promise<string[]> {
    child.kill("SIGABRT");
    const [, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals];
    expect(signal).toBe("SIGABRT");
    return readdirSync(working);
  }

  it("switches them off for the process, in both ways, and says so", async () => {
    const [child, { before, after }] = await start("switchCoreDumpsOff();");
    expect(before).toEqual({ isLimited: false, isFiltered: false });
    expect(after).toEqual({ isLimited: true, isFiltered: true });
    expect(readFileSync(`/proc/${child.pid}/limits`, "utf8")).toMatch(/^Max core file size\s+0\s+0\s/m);
    expect(readFileSync(`/proc/${child.pid}/coredump_filter`, "utf8")).toBe("00000000\n");
  });

  it("switches them off for what the process starts", async () => {
    const code = `switchCoreDumpsOff();
      import { execFileSync } from "node:child_process";
      import { writeFileSync } from "node:fs";
      for (const name of ["limits", "coredump_filter"])
        writeFileSync(name, execFileSync("cat", ["/proc/self/" + name]));`;
    await start(code);
    expect(readFileSync(join(working, "limits"), "utf8")).toMatch(/^Max core file size\s+0\s+0\s/m);
    expect(readFileSync(join(working, "coredump_filter"), "utf8")).toBe("00000000\n");
  });

  it("needs no rights", async () => {
    const [, { after }] = await start("switchCoreDumpsOff();", { uid: NOBODY });
    expect(after).toEqual({ isLimited: true, isFiltered: true });
  });

  it("does what it can where there is no prlimit, and says what it could not", async () => {
    const [, { after }] = await start("switchCoreDumpsOff();", { path: folder });
    expect(after).toEqual({ isLimited: false, isFiltered: true });
  });

  it("may be asked twice", async () => {
    const [, { after }] = await start("switchCoreDumpsOff(); switchCoreDumpsOff();");
    expect(after).toEqual({ isLimited: true, isFiltered: true });
  });

  describe.skipIf(!writesHere)("a process that crashes", () => {
    it("leaves what was in its memory when nothing was switched off, so that this can be told here", async () => {
      const [child] = await start(`globalThis.secret = ${SECRET_CODE};`);
      const [core] = await abort(child);
      expect(holdsSecret(join(working, core!))).toBe(true);
    });

    it("leaves nothing when they are off", async () => {
      const [child] = await start(`globalThis.secret = ${SECRET_CODE}; switchCoreDumpsOff();`);
      expect(await abort(child)).toEqual([]);
    });

    it("leaves no memory when only the dump's contents could be switched off", async () => {
      const [child] = await start(`globalThis.secret = ${SECRET_CODE}; switchCoreDumpsOff();`, { path: folder });
      const [core] = await abort(child);
      expect(holdsSecret(join(working, core!))).toBe(false);
      expect(statSync(join(working, core!)).size).toBeLessThan(1 << 20);
    });
  });
});

/** Looked for by a program that reads piece by piece: a dump may be large. */
function holdsSecret(path: string): boolean {
  const { status } = spawnSync("grep", ["-qaF", SECRET, path]);
  expect([0, 1]).toContain(status);
  return status === 0;
}
