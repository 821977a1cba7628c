// Proof beyond the box, by the built programs: a real broker has the chains' heads, a real authority (OpenSSL's) stamps them, and
// both verifiers name a box that was put back to an older state. And what the commands that verify say of bad usage.
import { spawn } from "node:child_process";
import { cpSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AnchorStatement } from "../../device/contract/anchor.js";
import { CaptureFile } from "../fakes/capture-file.js";
import { Mosquitto, mosquittoObstacle } from "../fakes/mosquitto.js";
import { makeCall } from "../fakes/office-call.js";
import {
  logLines,
  makeFolder,
  PROJECT_ROOT,
  type ProgramResult,
  RunningProgram,
  removeFolder,
  runProgram,
} from "../fakes/program.js";
import { authorityObstacle, opensslVerifies, TimeStampAuthority } from "../fakes/time-stamp-authority.js";
import { liveTestObstacle } from "./veth-pair.js";

const obstacle = liveTestObstacle() ?? mosquittoObstacle() ?? authorityObstacle();
if (obstacle) console.log(`skipped: proof beyond the box: ${obstacle}`);

/** `sidetone`, on the auditor's computer. */
function runHost(...args: string[]): Promise<ProgramResult> {
  const child = spawn(process.execPath, [join(PROJECT_ROOT, "dist/host/main.js"), ...args]);
  const result: ProgramResult = { exitCode: null, stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    result.stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    result.stderr += chunk.toString();
  });
  return new Promise((resolve) => child.on("close", (exitCode) => resolve({ ...result, exitCode })));
}

describe.skipIf(obstacle !== undefined)("proof beyond the box", () => {
  let folder: string;
  let data: string;
  let key: string;
  let configFile: string;
  let broker: Mosquitto;
  let authority: TimeStampAuthority;
  let anchor: string;
  beforeAll(async () => {
    folder = makeFolder();
    data = join(folder, "data");
    key = join(data, "keys/device.pub");
    broker = await Mosquitto.start(folder);
    authority = await TimeStampAuthority.start(join(folder, "authority"));
    configFile = configure({});
    anchor = join(folder, "anchor.jsonl");
  });
  afterAll(async () => {
    await broker.stop();
    await authority.stop();
    removeFolder(folder);
  });

  function configure(timestamp: object): string {
    const config = {
      device: { id: "box" },
      agents: { match: ["10.0.0.0/24"] },
      api: { enabled: false },
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
      integrity: { anchor: "mqtt", timestamp: { url: authority.url, caFile: authority.caFile, ...timestamp } },
    };
    const path = join(folder, `c-${readdirSync(folder).length}.yaml`);
    writeFileSync(path, JSON.stringify(config));
    return path;
  }
  const stamps = (): string[] => readdirSync(join(data, "stamps")).sort();

  it("is made at an orderly stop: retained at the broker, stamped by the authority", async () => {
    const service = new RunningProgram(["--interface", "lo", "--data", data, "--config", configFile, "--json"]);
    await service.waitFor("the broker", (stderr) => /MQTT: connected/.exec(stderr) ?? undefined);
    expect(await service.stop()).toBe(0);
    const late = await broker.subscribe("sidetone/box/anchor");
    const statement = await late.next<AnchorStatement>("sidetone/box/anchor");
    await late.stop();
    expect(statement).toMatchObject({ schema: "sidetone.anchor/1", device: "box", manifests: { sha256: "" } });
    expect(late.received[0]!.isRetained).toBe(true);
    // As a broker's log would have it.
    writeFileSync(anchor, `sidetone/box/anchor ${late.received[0]!.payload}\n`);
    const [json, tsr] = stamps().map((name) => join(data, "stamps", name));
    expect(opensslVerifies(json!, tsr!, authority.caFile)).toBe(true);
    expect(logLines(service.stderr, "the time stamp authority")).toEqual([]);
  });

  it("names, with either verifier, a box that was put back to an older state and verifies by itself", async () => {
    const older = join(folder, "older");
    cpSync(data, older, { recursive: true });
    const capture = join(folder, "a.pcap");
    new CaptureFile().addAll(makeCall()).write(capture);
    const replay = ["--read", capture, "--data", data, "--config", configFile, "--json"];
    expect(await runProgram(replay)).toMatchObject({ exitCode: 0 });
    const kept = join(folder, "kept.json");
    expect(stamps()).toHaveLength(4);
    cpSync(join(data, "stamps", stamps().at(-2)!), kept);

    const proofs = ["--anchor", anchor, "--anchor", kept, "--tsa-ca", authority.caFile];
    const on = (path: string, ...more: string[]) => runProgram(["verify", "--data", path, ...more]);
    const of = (path: string, ...more: string[]) => runHost("verify", path, "--public-key", key, ...more);
    const [box, copy, boxOlder, copyOlder, boxFound, copyFound] = await Promise.all([
      on(data, ...proofs),
      of(data, ...proofs),
      on(older),
      of(older),
      on(older, ...proofs),
      of(older, ...proofs, "--json"),
    ]);
    for (const { exitCode, stdout } of [box, copy, boxOlder, copyOlder]) {
      expect(stdout).toMatch(/\nEverything is as it was signed\.\n$/);
      expect(exitCode).toBe(0);
    }
    expect(box.stdout).toMatch(/^1 recordings with .*, 2 time stamps, 2 statements\n/);
    expect(boxOlder.stdout).toMatch(/who signed the time stamps is not checked/);
    expect(boxFound.exitCode).toBe(5);
    expect(boxFound.stdout).toMatch(
      /TRUNCATED {2}audit\/.*entry \d+, which the box stated at .*kept\.json:1\), is cut off/,
    );
    expect(boxFound.stdout).toMatch(/MISSING {2}recordings: the manifest .*kept\.json:1/);
    expect(boxFound.stdout).toMatch(/\nNOT as it was signed: 2 findings\.\n$/);
    expect(copyFound.exitCode).toBe(5);
    const verdict = JSON.parse(copyFound.stdout) as { isWhole: boolean; findings: { kind: string }[] };
    expect([verdict.isWhole, verdict.findings.map(({ kind }) => kind)]).toEqual([false, ["truncated", "missing"]]);
  });

  it("does not keep a box from its work that reaches nobody", async () => {
    const capture = join(folder, "b.pcap");
    new CaptureFile().addAll(makeCall({ callId: "2@b" })).write(capture);
    const replay = ["--read", capture, "--data", join(folder, "alone"), "--json"];
    const { exitCode, stderr } = await runProgram([...replay, "--config", configure({ url: "http://127.0.0.1:1/" })]);
    expect(exitCode).toBe(0);
    const lines = logLines(stderr, "no time stamp at the stop; the next start asks for one");
    expect(lines).toMatchObject([{ level: "warn", reason: expect.stringContaining("ECONNREFUSED") }]);
  });

  it("refuses bad usage in one line that says what to do", async () => {
    const box = (...args: string[]) => runProgram(["verify", "--data", data, ...args]);
    const cases: [Promise<ProgramResult>, RegExp][] = [
      [
        box("--anchor", "/nowhere"),
        /^sidetoned: cannot read \/nowhere \(ENOENT\): name a file with statements of a box$/,
      ],
      [box("--tsa-ca", key), /^sidetoned: .*device\.pub holds no certificate \(PEM\)/],
      [runProgram(["verify", "--data", join(folder, "none")]), /^sidetoned: cannot read the public key .* \(ENOENT\)/],
      [
        runHost("verify", data),
        /^sidetone: --public-key FILE is missing; usage: sidetone verify FOLDER --public-key FILE/,
      ],
      [
        runHost("verify", data, "--public-key", "/nowhere"),
        /^sidetone: cannot read the public key \/nowhere \(ENOENT\)$/,
      ],
      [runHost("verify", key, "--public-key", key), /^sidetone: .* is no folder: name a copy/],
      [runHost("verify", data, "--public-key", key, "--anchor", key), /^sidetone: .*holds no statement of a box/],
      [runHost("verify", data, "--public-key", key, "--tsa-ca", "/"), /^sidetone: cannot read \/ \(EISDIR\)$/],
      [
        runHost("verify", data, "--public-key", key, "--what"),
        /^sidetone: --what: unknown flag of verify; sidetone help verify lists all$/,
      ],
    ];
    for (const [run, expected] of cases) {
      const { exitCode, stdout, stderr } = await run;
      expect([exitCode, stdout]).toEqual([2, ""]);
      expect(stderr).toMatch(new RegExp(expected.source, "m"));
      expect(stderr.trimEnd()).not.toContain("\n");
    }
  });
});
