// Ctrl+C as a command sees it that has to end well: the first signal aborts, a second one ends the program whatever it does.
import { HostError } from "./errors.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export class StopSignal {
  #controller: AbortController | undefined;

  /** Until this is first called, a signal ends the program at once. Its reason is a HostError `interrupted`. */
  readonly ask = (): AbortSignal => {
    if (this.#controller) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    const stop = (): void => {
      for (const signal of SIGNALS) process.removeListener(signal, stop);
      controller.abort(new HostError("interrupted", "interrupted"));
    };
    for (const signal of SIGNALS) process.on(signal, stop);
    return controller.signal;
  };
}
