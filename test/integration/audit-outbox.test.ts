// What the command line does to registers and tokens is in the audit chain, by the built program: with a service and without
// one, killed before and after each link and rename, and beside changes by hand.
import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sha256Of } from "../../device/base/sha256.js";
import type { AuditEntry } from "../../device/contract/audit.js";
import { logLines, makeFolder, RunningProgram, removeFolder, runProgram } from "../fakes/program.js";
import { readAudit } from "../unit/store/audit-kit.js";
import { liveTestObstacle } from "./veth-pair.js";

const obstacle =
  liveTestObstacle() ?? (spawnSync("unshare", ["-V"]).error ? "unshare (util-linux) is not installed" : undefined);
if (obstacle) console.log(`skipped: audit of commands: ${obstacle}`);

const TIMEOUT_MS = 60_000;
const REGISTER = "registers/consent.jsonl";
/** A network of its own: the API's port is free. */
const ALONE = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
/** Ends the process with SIGKILL before or after its n-th link or rename. */
const KILLER = `import fs from "node:fs"; import { syncBuiltinESMExports } from "node:module";
  let left = Number(process.env.KILL_AT);
  const die = () => process.kill(process.pid, "SIGKILL");
  for (const name of ["linkSync", "renameSync"]) {
    const real = fs[name];
    fs[name] = (...args) => {
      if (--left === 0 && process.env.KILL_WHEN === "before") die();
      const isLast = left === 0;
      try {
        return real(...args);
      } finally {
        if (isLast) die();
      }
    };
  }
  syncBuiltinESMExports();`;

describe.skipIf(obstacle !== undefined)("changes of registers and tokens", () => {
  let folder: string;
  let data: string;
  let service: RunningProgram | undefined;
  beforeEach(() => {
    folder = makeFolder();
    data = join(folder, "data");
    writeFileSync(join(folder, "killer.mjs"), KILLER);
  });
  afterEach(async () => {
    await service?.stop("SIGKILL");
    removeFolder(folder);
  });

  const command = (...args: string[]) => runProgram([...args, "--data", data]);
  const grant = (number: string) =>
    command("register", "consent", "grant", number, "--purpose", "recording", "--source", `heard on ${number}`);
  const register = (): string => (existsSync(join(data, REGISTER)) ? readFileSync(join(data, REGISTER), "utf8") : "");
  const entries = (kind: AuditEntry["kind"]): AuditEntry[] => readAudit(data).filter((entry) => entry.kind === kind);
  const byHand = (): AuditEntry[] => entries("register").filter(({ detail }) => detail["done"] === "by hand");

  async function killed(number: string, at: number, when: "before" | "after"): Promise<number | null> {
    const words = ["grant", number, "--purpose", "recording", "--source", "form"];
    const { exitCode } = await runProgram(["register", "consent", ...words, "--data", data], {
      environment: { NODE_OPTIONS: `--import=${join(folder, "killer.mjs")}`, KILL_AT: String(at), KILL_WHEN: when },
    });
    return exitCode;
  }

  async function start(): Promise<void> {
    service = new RunningProgram(["--interface", "lo", "--data", data, "--json"], { launcher: ALONE });
    await service.waitFor("capturing", (stderr) => (logLines(stderr, "capturing").length > 0 ? true : undefined));
  }

  it("are entered within a second by a running service, those by hand when they stand still", async () => {
    await start();
    await grant("+4930111111");
    await command("token", "create", "front-desk", "--rights", "see", "--reason", "phone 0301234567");
    await expect.poll(() => [entries("register").length, entries("token").length], { timeout: 3000 }).toEqual([1, 2]);
    expect(entries("register")[0]).toMatchObject({
      actor: expect.stringMatching(/^cli /),
      detail: { file: REGISTER, before: "", sha256: sha256Of(register()), entries: [{ source: "heard on •••111" }] },
    });
    expect(entries("token").map(({ actor, detail }) => [actor, detail["name"], detail["reason"]])).toContainEqual([
      entries("register")[0]!.actor,
      "front-desk",
      "phone •••567",
    ]);
    appendFileSync(join(data, REGISTER), "by hand\n");
    await grant("+4930222222");
    await expect.poll(() => byHand().length, { timeout: 15_000 }).toBe(1);
    expect(byHand()[0]).toMatchObject({ actor: "service", detail: { file: REGISTER, sha256: sha256Of(register()) } });
    expect(await service!.stop()).toBe(0);
    expect(await command("verify")).toMatchObject({ exitCode: 0 });
    expect(JSON.stringify(readAudit(data))).not.toMatch(/4930(?:111111|222222)|0301234567/);
  });

  it(
    "are entered at the next start, whoever was killed when, and none twice or as made by hand",
    async () => {
      await grant("+4930000000");
      const done: string[] = [];
      // The lock of a dead command is taken over: link, rename, link; then the intent, the register, the confirmation.
      for (let at = 1; at <= 6; at++) {
        for (const when of ["before", "after"] as const) {
          const number = `+4930${at}${when.length}0000`;
          expect(await killed(number, at, when), `${when} step ${at}`).toBe(null);
          if (register().includes(number)) done.push(number);
        }
      }
      // Killed after the register's rename, before and after the confirmation.
      expect(done).toHaveLength(3);
      expect(await killed("+4930999999", 99, "before")).toBe(0);
      await start();
      await expect.poll(() => entries("register").length, { timeout: 5000 }).toBe(1 + done.length + 1);
      expect(readdirSync(join(data, "spool"))).toEqual([]);
      const hashes = entries("register").map(({ detail }) => detail["sha256"]);
      expect(new Set(hashes).size).toBe(hashes.length);
      expect(hashes.at(-1)).toBe(sha256Of(register()));
      await service!.waitFor("two looks", () => (existsSync(join(data, "audit/watched.json")) ? true : undefined));
      await expect
        .poll(() => readFileSync(join(data, "audit/watched.json"), "utf8"), { timeout: 10_000 })
        .toMatch(new RegExp(`"sha256":"${sha256Of(register())}","previous":"[^"]*","explained":\\[\\]`));
      expect(byHand()).toEqual([]);
      expect(await service!.stop()).toBe(0);
      appendFileSync(join(data, REGISTER), "by hand\n");
      await start();
      await expect.poll(() => byHand().length, { timeout: 15_000 }).toBe(1);
    },
    TIMEOUT_MS,
  );
});
