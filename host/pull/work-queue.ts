// Ids that wait for one of a few workers. Whoever fills it waits for room; whoever ends waits until all is done.
export class WorkQueue {
  readonly #work: (id: string) => Promise<void>;
  readonly #workers: number;
  readonly #room: number;
  readonly #waiting: string[] = [];
  #running = 0;
  #fault: { error: unknown } | undefined;
  #isStopped = false;
  #watchers: (() => void)[] = [];

  /** `work` throws what ends everything: nothing further is begun then. `room`: from so many waiting on, whoever fills it waits. */
  constructor(work: (id: string) => Promise<void>, workers: number, room: number) {
    this.#work = work;
    this.#workers = workers;
    this.#room = room;
  }

  /** Waiting and being worked on. */
  get size(): number {
    return this.#waiting.length + this.#running;
  }

  add(ids: readonly string[]): void {
    if (this.#isStopped) return;
    this.#waiting.push(...ids);
    while (this.#running < this.#workers && this.#waiting.length > 0) void this.#run();
  }

  /** Nothing further is begun. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting.length = 0;
    this.#changed();
  }

  /** Throws what the work has thrown. */
  async hasRoom(): Promise<void> {
    await this.#until(() => this.#waiting.length < this.#room);
  }

  /** All is done. Throws what the work has thrown, when nothing is being worked on any more. */
  async isDone(): Promise<void> {
    await this.#until(() => this.size === 0);
  }

  async #run(): Promise<void> {
    this.#running++;
    for (let id = this.#waiting.shift(); id !== undefined; id = this.#waiting.shift()) {
      try {
        await this.#work(id);
      } catch (error) {
        this.#fault ??= { error };
        this.stop();
      }
      this.#changed();
    }
    this.#running--;
    this.#changed();
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#fault !== undefined && this.#running === 0) break;
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
    if (this.#fault !== undefined) throw this.#fault.error;
  }

  #changed(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) watcher();
  }
}
