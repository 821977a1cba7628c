import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SidetoneError } from "../../../device/base/errors.js";
import { SealPool } from "../../../device/seal/pool.js";
import type { SealJob } from "../../../device/seal/seal-job.js";
import { callRecord } from "./sealing.js";

// A sealing thread that does what the job's folder says.
const WORKER = `
import { threadId, parentPort } from "node:worker_threads";
let jobs = 0;
parentPort.on("message", (job) => {
  jobs++;
  if (job.folder === "crash") throw new Error("the thread broke");
  if (job.folder === "exit") process.exit(3);
  if (job.folder === "fault") parentPort.postMessage({ fault: { code: "seal-failed", message: "no space" } });
  if (job.folder === "wait") return;
  parentPort.postMessage({ result: { sealed: { kind: "no-audio", reason: "no-media", streams: [], warnings: [] }, cpuUs: threadId * 1000 + jobs } });
});`;

let folder: string;
let workerUrl: URL;
let pool: SealPool;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-pool-"));
  const path = join(folder, "worker.mjs");
  writeFileSync(path, WORKER);
  workerUrl = pathToFileURL(path);
});
afterEach(async () => {
  await pool.close();
  rmSync(folder, { recursive: true, force: true });
});

const job = (what: string): SealJob => ({
  folder: what,
  position: { segment: 1, offset: 0 },
  record: callRecord([]),
  temporaryPath: join(folder, "a.wav"),
});

test("jobs run, more of them than threads, and threads are used again", async () => {
  pool = new SealPool({ workers: 2, workerUrl });
  const results = Array.from({ length: 20 }, () => pool.seal(job("ok")));
  expect([pool.running, pool.waiting]).toEqual([2, 18]);
  const threads = new Set((await Promise.all(results)).map(({ cpuUs }) => Math.floor(cpuUs / 1000)));
  expect(threads.size).toBeLessThanOrEqual(2);
  expect([pool.running, pool.waiting, pool.crashes]).toEqual([0, 0, 0]);
});

test.each(["crash", "exit"])("a thread's death (%s) fails its job only", async (how) => {
  pool = new SealPool({ workers: 1, workerUrl });
  const results = await Promise.allSettled([job("ok"), job(how), job("ok")].map((each) => pool.seal(each)));
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  const { reason } = results[1] as PromiseRejectedResult;
  expect(reason).toBeInstanceOf(SidetoneError);
  expect(reason).toMatchObject({ code: "seal-failed" });
  expect(pool.crashes).toBe(1);
});

test("a fault that the thread answers with rejects the job with its code", async () => {
  pool = new SealPool({ workers: 1, workerUrl });
  await expect(pool.seal(job("fault"))).rejects.toMatchObject({ code: "seal-failed", message: "no space" });
  expect(pool.crashes).toBe(0);
  await expect(pool.seal(job("ok"))).resolves.toBeDefined();
});

test("closing rejects what is not done and what comes later", async () => {
  pool = new SealPool({ workers: 1, workerUrl });
  const results = [pool.seal(job("wait")), pool.seal(job("ok"))];
  const settled = Promise.allSettled(results);
  await pool.close();
  expect((await settled).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  await expect(pool.seal(job("ok"))).rejects.toMatchObject({ code: "seal-failed" });
  expect(pool.crashes).toBe(0);
});

test("the real thread answers a journal that is not there, at lower priority than its process", async () => {
  const compiled = new URL("../../../dist/device/seal/worker.js", import.meta.url);
  if (!existsSync(compiled)) {
    console.log("skipped: the sealing thread is not built");
    pool = new SealPool({ workers: 1, workerUrl });
    return;
  }
  pool = new SealPool({ workers: 1, workerUrl: compiled });
  const before = new Set(niceness().keys());
  await expect(pool.seal(job(join(folder, "missing")))).rejects.toBeInstanceOf(SidetoneError);
  const threads = niceness();
  if (threads.size === 0) return;
  expect(threads.get(process.pid)).toBe(0);
  expect([...threads].filter(([id, nice]) => !before.has(id) && nice === 10).length).toBe(1);
});

/** Niceness by thread of this process; empty where the kernel does not say. */
function niceness(): Map<number, number> {
  const tasks = "/proc/self/task";
  const found = new Map<number, number>();
  if (!existsSync(tasks)) return found;
  for (const id of readdirSync(tasks)) {
    const status = readFileSync(join(tasks, id, "stat"), "latin1");
    found.set(Number(id), Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[16]));
  }
  return found;
}
