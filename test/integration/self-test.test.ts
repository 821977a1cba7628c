// The self-test of real boxes on capture ports of namespaces: one passes beside a real call, keeps the two apart and leaves nothing; one
// cannot write; one records nothing, encrypts everything, is killed in the middle of its test and passes the next. All at once.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateIdentity } from "../../device/age/keys.js";
import type { SelfTestReport } from "../../device/contract/self-test.js";
import { DEFAULT_START_US } from "../fakes/call-options.js";
import { Mosquitto, mosquittoObstacle, type Subscriber } from "../fakes/mosquitto.js";
import { makeCall } from "../fakes/office-call.js";
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
import { liveTestObstacle, VethPair } from "./veth-pair.js";

const obstacle = liveTestObstacle() ?? mosquittoObstacle() ?? mountObstacle();
if (obstacle) console.log(`skipped: the self-test of real boxes: ${obstacle}`);

function mountObstacle(): string | undefined {
  const folder = makeFolder();
  const isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", "ro", "tmpfs", folder]).status === 0;
  if (isMounted) spawnSync("umount", [folder]);
  removeFolder(folder);
  return isMounted ? undefined : "file systems cannot be mounted";
}

/** What the box has in its folder that is of calls. */
const OF_CALLS = /^(?:calls|recordings|self-test|journal|locked-journals|spool)\//;

describe.skipIf(obstacle !== undefined)("the self-test", () => {
  const folder = makeFolder();
  const veths = ["t0", "t1", "t2"].map((name) => new VethPair(name));
  const mounted = join(folder, "closed", "self-test");
  let broker: Mosquitto | undefined;
  let admin: Subscriber | undefined;
  let open!: RunningProgram;
  let closed!: RunningProgram;
  let again!: RunningProgram;

  beforeAll(async () => {
    for (const veth of veths) veth.create();
    await Promise.all([besideCalls(veths[0]!), whereNothingIsWritten(veths[1]!), killedAndAgain(veths[2]!)]);
  }, 90_000);
  afterAll(async () => {
    spawnSync("umount", [mounted]);
    await admin?.stop();
    await broker?.stop();
    for (const veth of veths) veth.remove();
    removeFolder(folder);
  });

  function start(name: string, device: string, settings: object): RunningProgram {
    const config = join(folder, `${name}.json`);
    writeFileSync(config, JSON.stringify({ api: { enabled: false }, selfTest: { firstAfterS: 1 }, ...settings }));
    const args = ["--json", "--config", config, "--interface", device, "--data", join(folder, name)];
    return new RunningProgram(args);
  }

  const said = (program: RunningProgram, message: string | RegExp): Promise<true> =>
    program.waitFor(String(message), (stderr) => {
      const lines = stderr.split("\n").filter((line) => line.startsWith("{"));
      const isSaid = lines.some((line) => new RegExp(message).test((JSON.parse(line) as { message: string }).message));
      return isSaid || undefined;
    });

  async function besideCalls(veth: VethPair): Promise<void> {
    broker = await Mosquitto.start(folder);
    admin = await broker.subscribe("sidetone/#");
    open = start("open", veth.near, {
      device: { id: "box" },
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
      agents: { match: ["10.0.0.0/24"] },
    });
    await said(open, "capturing");
    // From before the test's call begins until after its end.
    const call = makeCall({
      callId: "real@office",
      startUs: DEFAULT_START_US,
      ringMs: 100,
      durationMs: 4500,
      callee: { address: "10.0.0.7" },
    });
    await veth.replayLater(call);
    await said(open, "self-test (?:passed|failed)");
    await admin.next("sidetone/box/self-test");
    await open.stop();
  }

  async function whereNothingIsWritten(veth: VethPair): Promise<void> {
    mkdirSync(mounted, { recursive: true, mode: 0o700 });
    spawnSync("mount", ["-t", "tmpfs", "-o", "ro", "tmpfs", mounted]);
    closed = start("closed", veth.near, {});
    await said(closed, "self-test (?:passed|failed)");
    await closed.stop();
  }

  async function killedAndAgain(veth: VethPair): Promise<void> {
    const recipients = [generateIdentity().recipient.text];
    const settings = { consent: { policy: "none" }, encryption: { recipients } };
    const killed = start("killed", veth.near, settings);
    await killed.waitFor(
      "the test's call in the journal",
      () => hasJournal(join(folder, "killed/journal")) || undefined,
    );
    await killed.stop("SIGKILL");
    again = start("killed", veth.near, settings);
    await said(again, "self-test (?:passed|failed)");
    await again.stop();
  }

  function hasJournal(root: string): boolean {
    const files = existsSync(root) ? readdirSync(root, { recursive: true, encoding: "utf8" }) : [];
    return files.some((name) => name.endsWith(".seg"));
  }

  it("passes while a real call is recorded, and tells the admin", () => {
    expect(logLines(open.stderr, "the self-test passed")).toHaveLength(1);
    const { payload, retain } = admin!.on("sidetone/box/self-test").at(-1)! as { payload: string; retain?: boolean };
    const report = JSON.parse(payload) as SelfTestReport;
    expect(report).toMatchObject({ result: "pass" });
    expect(report.steps.map(({ step }) => step)).toEqual(["decode", "gate", "journal", "seal", "index", "delete"]);
    expect(retain ?? true).toBe(true);
  });

  it("is nowhere but in the audit chain: one call, one recording, and all as it was signed", async () => {
    const data = join(folder, "open");
    expect(readCallLog(data).map(({ sipCallIds }) => sipCallIds)).toEqual([["real@office"]]);
    const [recording, ...more] = readRecordings(data);
    expect([recording!.manifest.previous, recording!.manifest.selfTest, more]).toEqual(["", undefined, []]);
    const { streams } = recording!.manifest.parties[0];
    expect(streams.map(({ packets }) => packets.seen)).toEqual([streams[0]!.packets.recorded]);
    for (const { topic, payload } of admin!.received) {
      if (topic.includes("/event/")) expect(payload).toContain(recording!.manifest.id);
      expect(payload).not.toContain("self-test-caller");
      if (topic.endsWith("/calls")) expect((JSON.parse(payload) as { active: number }).active).toBeLessThan(2);
    }
    const ask = async (...args: string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await runProgram([...args, "--data", data]);
      expect([exitCode, stderr]).toEqual([0, ""]);
      return stdout;
    };
    const [verified, calls, counted, audit] = await Promise.all([
      ask("verify"),
      ask("calls", "--json"),
      ask("completeness", "--json"),
      ask("audit", "list", "--json"),
    ]);
    expect(verified).toContain("Everything is as it was signed.");
    expect((JSON.parse(calls) as { calls: unknown[] }).calls).toHaveLength(1);
    expect(JSON.parse(counted)).toMatchObject({ total: { seen: 1, recorded: 1 }, faults: 0 });
    expect(audit.match(/"kind":"self-test"/g)).toHaveLength(1);
    expect(audit.match(/"kind":"recorded"/g)).toHaveLength(1);
    expect(filesBelow(data).filter((file) => file.startsWith("self-test/") || file.startsWith("journal/"))).toEqual([]);
  });

  it("fails where its folder takes no writes, raises the alarm and names the step", () => {
    expect(closed.stderr).toMatch(/"message":"the self-test failed: [^"]*EROFS[^"]*","step":"seal"/);
    expect(closed.stderr).toMatch(/"message":"alarm self-test-failed: [^"]+","step":"seal"/);
    const alarms = JSON.parse(readFileSync(join(folder, "closed/alarms.json"), "utf8")) as {
      standing: { code: string }[];
    };
    expect(alarms.standing.map(({ code }) => code)).toContain("self-test-failed");
    expect(filesBelow(join(folder, "closed")).filter((file) => OF_CALLS.test(file))).toEqual([]);
  });

  it("leaves nothing of one that was killed, and passes under none with encryption", () => {
    expect(logLines(again.stderr, "the self-test passed")).toHaveLength(1);
    expect(again.stderr).not.toContain("self-test-failed");
    expect(filesBelow(join(folder, "killed")).filter((file) => OF_CALLS.test(file))).toEqual([]);
  });
});
