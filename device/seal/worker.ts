// A sealing thread: takes one job at a time from its pool and answers each. Runs at lower priority than the threads that
// answer the network. A fault of one call is an answer, not the thread's end.
import { readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { SidetoneError } from "../base/errors.js";
import { CallSealer } from "./seal-call.js";
import type { SealJob, SealReply } from "./seal-job.js";

const NICENESS = 10;
const sealer = new CallSealer();

/** Processor time of this thread, µs: the kernel's figure, or the time that passed where there is none. */
function threadCpuUs(): number {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "latin1").split(" ")[0]) / 1000;
  } catch {
    return performance.now() * 1000;
  }
}

function answer(job: SealJob): SealReply {
  try {
    const startUs = threadCpuUs();
    const sealed = sealer.seal(job);
    return { result: { sealed, cpuUs: Math.round(threadCpuUs() - startUs) } };
  } catch (error) {
    if (error instanceof SidetoneError) return { fault: { code: error.code, message: error.message } };
    const message = error instanceof Error ? error.message : String(error);
    return { fault: { code: "seal-failed", message: `cannot seal call ${job.record.id}: ${message}` } };
  }
}

// On Linux a process id of 0 means the calling thread alone (setpriority(2), "C library/kernel differences").
setPriority(0, NICENESS);
parentPort!.on("message", (job: SealJob) => parentPort!.postMessage(answer(job)));
