// The sealing threads: hands each job to a free one, starts threads when they are needed, replaces one that died. A
// thread's death fails its own job and no other. Jobs wait in order; how many may wait is the caller's to bound.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { SidetoneError } from "../base/errors.js";
import type { SealJob, SealReply, SealResult } from "./seal-job.js";

/**
 * Of a thread's heap. What ciphers return is memory beside the heap that goes with its young objects: room for as many of them
 * as V8 would allow costs 25 MB more with encryption, 7 MB without, and no time is gained.
 */
const YOUNG_MEGABYTES = 3;

export interface SealPoolOptions {
  /**
   * Threads; 0 = one fewer than there are cores, which leaves one to the engine. Each costs a quarter of a second of processor
   * time before it runs at its full speed.
   */
  workers: number;
  /** The thread's compiled module; only tests give another. */
  workerUrl?: URL;
}

interface Ticket {
  job: SealJob;
  resolve(result: SealResult): void;
  reject(error: Error): void;
}

export class SealPool {
  readonly #size: number;
  readonly #workerUrl: URL;
  readonly #waiting: Ticket[] = [];
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Ticket>();
  #isClosed = false;
  /** Threads that ended by themselves. */
  crashes = 0;

  constructor(options: SealPoolOptions) {
    this.#size = options.workers > 0 ? options.workers : Math.max(1, availableParallelism() - 1);
    this.#workerUrl = options.workerUrl ?? new URL("./worker.js", import.meta.url);
  }

  /** Jobs that no thread has begun. */
  get waiting(): number {
    return this.#waiting.length;
  }

  get running(): number {
    return this.#busy.size;
  }

  /** Resolves with what became of the call; rejects with SidetoneError when it could not be sealed. */
  seal(job: SealJob): Promise<SealResult> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) {
        reject(new SidetoneError("seal-failed", `cannot seal call ${job.record.id}: sealing has ended`));
        return;
      }
      this.#waiting.push({ job, resolve, reject });
      this.#next();
    });
  }

  /** Ends every thread; jobs that are not done are rejected. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const workers = [...this.#idle, ...this.#busy.keys()];
    for (const ticket of [...this.#waiting, ...this.#busy.values()]) {
      ticket.reject(new SidetoneError("seal-failed", `cannot seal call ${ticket.job.record.id}: sealing has ended`));
    }
    this.#waiting.length = 0;
    this.#idle.length = 0;
    this.#busy.clear();
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  #next(): void {
    if (this.#waiting.length === 0) return;
    const worker = this.#idle.pop() ?? (this.#busy.size < this.#size ? this.#start() : undefined);
    if (worker === undefined) return;
    const ticket = this.#waiting.shift()!;
    this.#busy.set(worker, ticket);
    worker.ref();
    worker.postMessage(ticket.job);
  }

  #start(): Worker {
    const worker = new Worker(this.#workerUrl, {
      name: "seal",
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
    });
    worker.on("message", (reply: SealReply) => this.#finished(worker, reply));
    worker.on("error", (error) => this.#died(worker, error instanceof Error ? error.message : String(error)));
    worker.on("exit", (code) => this.#died(worker, `thread ended with ${code}`));
    return worker;
  }

  #finished(worker: Worker, reply: SealReply): void {
    const ticket = this.#busy.get(worker);
    if (ticket === undefined) return;
    this.#busy.delete(worker);
    this.#idle.push(worker);
    // An idle thread does not keep the process alive.
    worker.unref();
    if ("result" in reply) ticket.resolve(reply.result);
    else ticket.reject(new SidetoneError(reply.fault.code, reply.fault.message));
    this.#next();
  }

  /** `error` and `exit` both come for one death. */
  #died(worker: Worker, how: string): void {
    const idleAt = this.#idle.indexOf(worker);
    if (idleAt >= 0) this.#idle.splice(idleAt, 1);
    const ticket = this.#busy.get(worker);
    this.#busy.delete(worker);
    if (this.#isClosed || (idleAt < 0 && ticket === undefined)) return;
    this.crashes++;
    ticket?.reject(new SidetoneError("seal-failed", `cannot seal call ${ticket.job.record.id}: ${how}`));
    this.#next();
  }
}
