// A sealing thread: takes one job at a time from its pool and answers each. Runs at lower priority than the threads that
// answer the network. A fault of one call is an answer, not the thread's end.
import { readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { SidetoneError } from "../base/errors.js";
import { BlockMemory } from "../journal/block-memory.js";
import { CallReader } from "../journal/reader.js";
import { sealAudio } from "./seal.js";
import type { SealJob, SealReply, SealResult } from "./seal-job.js";
import { SealMemory } from "./seal-memory.js";

const NICENESS = 10;
/** About half an hour of a G.711 call; longer ones are read from the journal twice. */
const BLOCK_BYTES = 32 * 1024 * 1024;
const memory = new SealMemory(BLOCK_BYTES);
const blockMemory = new BlockMemory(memory.blocks);

/** Processor time of this thread, µs: the kernel's figure, or the time that passed where there is none. */
function threadCpuUs(): number {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "latin1").split(" ")[0]) / 1000;
  } catch {
    return performance.now() * 1000;
  }
}

function seal(job: SealJob): SealResult {
  const startUs = threadCpuUs();
  const reader = CallReader.open(job.folder, job.position, job.record.id, blockMemory);
  try {
    const sealed = sealAudio(reader, job.record, { temporaryPath: job.temporaryPath, memory });
    const blocks = reader.damagedBlocks;
    if (blocks > 0) sealed.warnings.push({ code: "journal-damaged", detail: { blocks } });
    return { sealed, cpuUs: Math.round(threadCpuUs() - startUs) };
  } finally {
    reader.close();
  }
}

function answer(job: SealJob): SealReply {
  try {
    return { result: seal(job) };
  } catch (error) {
    if (error instanceof SidetoneError) return { fault: { code: error.code, message: error.message } };
    const message = error instanceof Error ? error.message : String(error);
    return { fault: { code: "seal-failed", message: `cannot seal call ${job.record.id}: ${message}` } };
  }
}

// On Linux a process id of 0 means the calling thread alone (setpriority(2), "C library/kernel differences").
setPriority(0, NICENESS);
parentPort!.on("message", (job: SealJob) => parentPort!.postMessage(answer(job)));
