// Seals one call in a process of its own, in a sealing thread as the service does, and prints what that took as one JSON
// object: node seal-program.js JOB, where JOB is a file with a SealJob as JSON (`journalKey` in base64).
import { readFileSync } from "node:fs";
import { SealPool } from "../../device/seal/pool.js";
import type { SealJob } from "../../device/seal/seal-job.js";
import type { SealMeasure } from "./seal-run.js";

const job = JSON.parse(readFileSync(process.argv[2]!, "utf8")) as SealJob & { journalKey?: string };
if (typeof job.journalKey === "string") job.journalKey = Buffer.from(job.journalKey, "base64") as never;
const pool = new SealPool({ workers: 1 });
const startedAtMs = performance.now();
const { sealed, cpuUs } = await pool.seal(job);
const wallMs = performance.now() - startedAtMs;
// While the thread lives: what it holds belongs to the peak.
const peakRssBytes = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1"))![1]) * 1024;
await pool.close();
process.stdout.write(`${JSON.stringify({ sealed, wallMs, cpuUs, peakRssBytes } satisfies SealMeasure)}\n`);
