// The set-up before the program: what it decides, its lock, and how the program behind it sees arguments, folder, signals
// and exit codes. Installs nothing.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const repository = join(import.meta.dirname, "../../..");
const { nodeProblem, parseTask } = await import(join(repository, "device/setup.mjs"));
const { sourceKey } = await import(join(repository, "device/setup/build.mjs"));
const { dependencyKey, isLockSatisfied } = await import(join(repository, "device/setup/dependencies.mjs"));
const { withLock } = await import(join(repository, "device/setup/lock.mjs"));
const { areLoadable, compileEnvironment, NATIVE_PACKAGES, uncompiledPackages } = await import(
  join(repository, "device/setup/native-packages.mjs")
);
const { exitCodeOf, userFolder } = await import(join(repository, "device/setup/program.mjs"));
const { SetupFault, shorten } = await import(join(repository, "device/setup/step.mjs"));
const { BUILD_TOOLS, installCommand, missingPackages, TEST_TOOLS } = await import(
  join(repository, "device/setup/system-packages.mjs")
);
const { countTests } = await import(join(repository, ".ci/count-tests.mjs"));

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-setup-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("decisions", () => {
  it.each([
    ["v20.0.0", ""],
    ["v22.1.0", ""],
    ["v100.0.0", ""],
    ["v18.19.1", "Sidetone needs Node 20 or newer; this is v18.19.1"],
    ["v2.20.0", "Sidetone needs Node 20 or newer; this is v2.20.0"],
    ["", "Sidetone needs Node 20 or newer; this is "],
  ])("Node %s", (version, problem) => expect(nodeProblem(version)).toBe(problem));

  it("passes arguments on, without one leading --", () => {
    expect(parseTask(["start", "--read", "x"]).programArguments).toEqual(["--read", "x"]);
    expect(parseTask(["start", "--", "--read", "--"]).programArguments).toEqual(["--read", "--"]);
    expect(parseTask(["build"]).programArguments).toEqual([]);
    for (const argv of [[], ["strat"], ["toString"], ["--read"]]) expect(() => parseTask(argv)).toThrow(SetupFault);
  });

  it("installs anew when the lock file, the ABI or the machine is another", () => {
    const key = dependencyKey("lock", { modules: "115" }, "linux", "x64");
    expect(dependencyKey("lock", { modules: "115" }, "linux", "x64")).toBe(key);
    expect(dependencyKey("lock2", { modules: "115" }, "linux", "x64")).not.toBe(key);
    expect(dependencyKey("lock", { modules: "127" }, "linux", "x64")).not.toBe(key);
    expect(dependencyKey("lock", { modules: "115" }, "linux", "arm64")).not.toBe(key);
  });

  it.each([
    ["the same", { "": {}, a: { version: "1" } }, { a: { version: "1" } }, true],
    [
      "an optional one missing",
      { a: { version: "1" }, b: { version: "1", optional: true } },
      { a: { version: "1" } },
      true,
    ],
    ["one missing", { a: { version: "1" }, b: { version: "1" } }, { a: { version: "1" } }, false],
    ["another version", { a: { version: "1" } }, { a: { version: "2" } }, false],
    ["an optional one of another version", { a: { version: "1", optional: true } }, { a: { version: "2" } }, false],
    ["one too many", { a: { version: "1" } }, { a: { version: "1" }, b: { version: "1" } }, false],
    ["nothing installed", { a: { version: "1" } }, undefined, false],
  ])("node_modules with %s", (_name, wanted, present, fits) => {
    expect(isLockSatisfied({ packages: wanted }, present && { packages: present })).toBe(fits);
  });

  it("names packages, not commands, and one command to install them", () => {
    writeFileSync(join(folder, "tcpdump"), "");
    chmodSync(join(folder, "tcpdump"), 0o755);
    writeFileSync(join(folder, "sipp"), "");
    expect(missingPackages(TEST_TOOLS, ["/nonexistent", folder])).toEqual(
      TEST_TOOLS.map((tool: { package: string }) => tool.package).filter((name: string) => name !== "tcpdump"),
    );
    expect(missingPackages(TEST_TOOLS, ["/nonexistent", folder])).toContain("sip-tester");
    expect(missingPackages(BUILD_TOOLS, [folder])).toEqual(["python3", "make", "g++"]);
    expect(installCommand(["libpcap-dev", "make"])).toBe(
      "sudo apt-get install -y --no-install-recommends libpcap-dev make",
    );
  });

  it("builds when a source is added, removed, changed or touched", () => {
    mkdirSync(join(folder, "device/net"), { recursive: true });
    const source = join(folder, "device/net/x.ts");
    for (const path of [source, join(folder, "tsconfig.json"), join(folder, "package-lock.json")])
      writeFileSync(path, "1");
    const key = sourceKey(folder);
    expect(sourceKey(folder)).toBe(key);
    writeFileSync(join(folder, "device/net/notes.md"), "");
    expect(sourceKey(folder)).toBe(key);
    const changes: (() => void)[] = [
      () => utimesSync(source, 1, 1),
      () => writeFileSync(source, "22"),
      () => writeFileSync(join(folder, "device/y.ts"), ""),
      () => rmSync(join(folder, "device/y.ts")),
      () => utimesSync(join(folder, "tsconfig.json"), 1, 1),
    ];
    let last = key;
    for (const change of changes) {
      change();
      expect(sourceKey(folder)).not.toBe(last);
      last = sourceKey(folder);
    }
  });

  it("runs where the user stood", () => {
    expect(userFolder("/opt/sidetone", "/opt/sidetone", { INIT_CWD: "/home/u" })).toBe("/home/u");
    expect(userFolder("/opt/sidetone", "/opt/sidetone", {})).toBe("/opt/sidetone");
    expect(userFolder("/opt/sidetone", "/tmp", { INIT_CWD: "/home/u" })).toBe("/tmp");
  });

  it("passes exit codes on, signals as 128 + n", () => {
    expect([exitCodeOf(0, null), exitCodeOf(3, null), exitCodeOf(null, "SIGTERM"), exitCodeOf(null, "SIGINT")]).toEqual(
      [0, 3, 143, 130],
    );
  });

  it("shows head and tail of a long output", () => {
    const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`);
    expect(shorten(lines.slice(0, 60).join("\n"))).toBe(lines.slice(0, 60).join("\n"));
    const shown = shorten(lines.join("\n")).split("\n");
    expect(shown).toHaveLength(61);
    expect([shown[0], shown[20], shown[60]]).toEqual(["line 0", "(40 lines left out)", "line 99"]);
  });
});

describe("native packages", () => {
  it("are compiled and load here", () => {
    expect(uncompiledPackages(repository)).toEqual([]);
    expect(areLoadable(repository)).toBe(true);
  });

  it("are named when their native code is missing, and do not load when it is none", () => {
    const binding = join(folder, "node_modules", NATIVE_PACKAGES[0].binding);
    mkdirSync(dirname(binding), { recursive: true });
    writeFileSync(binding, "");
    expect(uncompiledPackages(folder)).toEqual(["better-sqlite3"]);
    expect(areLoadable(folder)).toBe(false);
  });

  it("are compiled from their sources, with the headers beside Node if they are that Node's", () => {
    const execPath = join(folder, "bin/node");
    const fromSource = { npm_config_build_from_source: "true", JOBS: "max" };
    expect(compileEnvironment(execPath, "v20.20.2")).toEqual(fromSource);
    mkdirSync(join(folder, "include/node"), { recursive: true });
    const lines = ["MAJOR_VERSION 20", "MINOR_VERSION 20", "PATCH_VERSION 2"].map((text) => `#define NODE_${text}\n`);
    writeFileSync(join(folder, "include/node/node_version.h"), lines.join(""));
    expect(compileEnvironment(execPath, "v20.20.2")).toEqual({ ...fromSource, npm_config_nodedir: folder });
    expect(compileEnvironment(execPath, "v20.20.1")).toEqual(fromSource);
  });
});

describe("withLock", () => {
  const patience = { graceMs: 0, timeoutMs: 0 };
  const lock = (): string => join(folder, "lock");
  const hold = (pid: number | string): void => {
    mkdirSync(lock());
    writeFileSync(join(lock(), "pid"), String(pid));
  };

  it("holds while the work runs and lets go, also when it fails", () => {
    expect(withLock(lock(), () => readFileSync(join(lock(), "pid"), "utf8"))).toBe(String(process.pid));
    expect(existsSync(lock())).toBe(false);
    expect(() =>
      withLock(lock(), () => {
        throw new Error("work");
      }),
    ).toThrow("work");
    expect(existsSync(lock())).toBe(false);
  });

  it("respects a living owner", () => {
    hold(process.pid);
    expect(() => withLock(lock(), () => 1, patience)).toThrow(/another set-up does not end/);
    expect(existsSync(lock())).toBe(true);
  });

  it("takes over from a dead owner", () => {
    hold(spawnSync("true").pid);
    expect(withLock(lock(), () => 1, { graceMs: 60_000, timeoutMs: 60_000 })).toBe(1);
  });

  it("believes a lock without pid for a while only", () => {
    mkdirSync(lock());
    expect(() => withLock(lock(), () => 1, { graceMs: 60_000, timeoutMs: 0 })).toThrow(/does not end/);
    utimesSync(lock(), 1, 1);
    expect(withLock(lock(), () => 1, { graceMs: 60_000, timeoutMs: 60_000 })).toBe(1);
  });
});

/** A copy of the set-up in a package that needs none: installed, built, with `main` as its program. */
function makePackage(main: string): string {
  const root = join(folder, "package");
  mkdirSync(join(root, "dist/device"), { recursive: true });
  cpSync(join(repository, "device/setup.mjs"), join(root, "device/setup.mjs"));
  cpSync(join(repository, "device/setup"), join(root, "device/setup"), { recursive: true });
  writeFileSync(join(root, "package.json"), '{"type":"module"}');
  writeFileSync(join(root, "package-lock.json"), "{}");
  writeFileSync(join(root, "tsconfig.json"), "{}");
  for (const { binding } of NATIVE_PACKAGES) {
    mkdirSync(dirname(join(root, "node_modules", binding)), { recursive: true });
    writeFileSync(join(root, "node_modules", binding), "");
  }
  writeFileSync(join(root, "node_modules/.sidetone-stamp.json"), JSON.stringify({ key: dependencyKey("{}") }));
  writeFileSync(join(root, "dist/device/main.js"), main);
  writeFileSync(join(root, "dist/.sidetone-stamp.json"), JSON.stringify({ key: sourceKey(root) }));
  return root;
}

describe("the program behind it", () => {
  const command = (root: string): string => join(root, "device/setup.mjs");

  it("gets the arguments, the user's folder and the streams; its exit code comes back", () => {
    const root = makePackage(
      `process.stdin.on("data", (data) => console.log(JSON.stringify([process.argv.slice(2), process.cwd(), String(data)])))
       .on("end", () => process.exit(4));`,
    );
    const environment = { ...process.env, INIT_CWD: folder };
    const result = spawnSync(process.execPath, [command(root), "start", "--read", "a b.pcap"], {
      cwd: root,
      env: environment,
      input: "bytes",
      encoding: "utf8",
    });
    expect(result.stderr).toBe("");
    expect(JSON.parse(result.stdout)).toEqual([["--read", "a b.pcap"], folder, "bytes"]);
    expect(result.status).toBe(4);
  });

  it("works through a symbolic link", () => {
    const root = makePackage("console.log('ran')");
    symlinkSync(root, join(folder, "link"));
    expect(execFileSync(process.execPath, [command(join(folder, "link")), "start"], { encoding: "utf8" })).toBe(
      "ran\n",
    );
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("gets %s once and may end in its own time", async (signal) => {
    const root = makePackage(
      `let count = 0;
       process.on("${signal}", () => { count++; setTimeout(() => { console.log(count); process.exit(7); }, 100); });
       setInterval(() => {}, 1000); console.log("ready");`,
    );
    const child: ChildProcess = spawn(process.execPath, [command(root), "start"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout!.setEncoding("utf8");
    await new Promise<void>((resolve) =>
      child.stdout!.on("data", (text: string) => {
        output += text;
        if (output.includes("ready")) resolve();
      }),
    );
    child.kill(signal);
    child.kill(signal);
    const [code] = await once(child, "close");
    expect(output).toBe("ready\n1\n");
    expect(code).toBe(7);
  });

  it("ends with 128 + n when a signal ends it", () => {
    const root = makePackage('process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000);');
    expect(spawnSync(process.execPath, [command(root), "start"]).status).toBe(137);
  });

  it("is not run when a step fails; the step's output is shown on stderr", () => {
    const root = makePackage("console.log('ran')");
    writeFileSync(join(root, "device/new.ts"), "");
    mkdirSync(join(root, "node_modules/.bin"));
    writeFileSync(join(root, "node_modules/.bin/tsc"), "#!/bin/sh\necho new.ts: wrong\nexit 2\n", { mode: 0o755 });
    const result = spawnSync(process.execPath, [command(root), "start"], { encoding: "utf8" });
    expect(result.stdout).toBe("");
    expect(result.stderr).toBe("setup: building\nsetup: the build failed (exit code 2):\nnew.ts: wrong\n");
    expect(result.status).toBe(1);
    expect(existsSync(join(root, ".setup-lock"))).toBe(false);
  });

  it("is built once for several that start at the same time", async () => {
    const root = makePackage("console.log('ran')");
    writeFileSync(join(root, "device/new.ts"), "");
    mkdirSync(join(root, "node_modules/.bin"));
    const compiler = '#!/bin/sh\necho built >> "$(dirname "$0")/builds"\nsleep 0.5\n';
    writeFileSync(join(root, "node_modules/.bin/tsc"), compiler, { mode: 0o755 });
    const children = [1, 2, 3].map(() => spawn(process.execPath, [command(root), "start"], { stdio: "ignore" }));
    const codes = await Promise.all(children.map(async (child) => (await once(child, "close"))[0]));
    expect(codes).toEqual([0, 0, 0]);
    expect(readFileSync(join(root, "node_modules/.bin/builds"), "utf8")).toBe("built\n");
  });

  it("says in one line how it is used", () => {
    const result = spawnSync(process.execPath, [join(repository, "device/setup.mjs"), "strat"], { encoding: "utf8" });
    expect(result.stderr).toBe(
      "setup: usage: node device/setup.mjs start|demo|panel|bench|test|build|prepare [-- arguments]\n",
    );
    expect(result.status).toBe(2);
  });
});

describe("countTests", () => {
  const file = (status: string, tests: string[]) => ({
    name: "a.test.ts",
    status,
    message: "cannot be loaded\nat x",
    assertionResults: tests.map((test, index) => ({ status: test, fullName: `test ${index}` })),
  });

  it("counts everything that neither passed nor failed as skipped", () => {
    const report = {
      testResults: [file("failed", ["passed", "failed", "skipped", "pending", "todo"]), file("passed", ["passed"])],
    };
    expect(countTests(report)).toMatchObject({ passed: 2, failed: 1, skipped: 3 });
  });

  it("counts a file that cannot be loaded as a failure", () => {
    expect(countTests({ testResults: [file("failed", [])] })).toEqual({
      passed: 0,
      failed: 1,
      skipped: 0,
      notes: ["failed: a.test.ts: cannot be loaded"],
    });
  });

  it("counts nothing where there is no report", () => {
    expect(countTests(undefined)).toEqual({ passed: 0, failed: 0, skipped: 0, notes: [] });
  });
});
