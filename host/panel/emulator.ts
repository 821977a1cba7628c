// A panel without hardware: a module on a pseudo terminal. Tells whoever shows it of every change.
import { PanelModule, type PanelPicture } from "./module.js";
import { PseudoTerminal } from "./pseudo-terminal.js";

const WATCHDOG_LOOK_MS = 250;

export class PanelEmulator {
  readonly module: PanelModule;
  readonly terminal: PseudoTerminal;
  private readonly changed: () => void;
  private shown = "";
  private readonly timer: NodeJS.Timeout;

  /** Throws RangeError for a model that there is not. */
  constructor(model: string, path: string, changed: () => void = () => {}) {
    this.module = new PanelModule(model);
    this.changed = changed;
    this.terminal = new PseudoTerminal(path, (bytes) => {
      this.terminal.write(this.module.receive(bytes, performance.now()));
      this.look();
    });
    this.timer = setInterval(() => {
      this.module.passTime(performance.now());
      this.look();
    }, WATCHDOG_LOOK_MS);
    this.timer.unref();
  }

  get picture(): PanelPicture {
    return this.module.picture;
  }

  plug(): Promise<void> {
    return this.terminal.plug();
  }

  unplug(): Promise<void> {
    return this.terminal.unplug();
  }

  /** Throws RangeError for a key that the module lacks. */
  press(key: string): void {
    this.terminal.write(this.module.press(key));
  }

  release(key: string): void {
    this.terminal.write(this.module.release(key));
  }

  tap(key: string): void {
    this.press(key);
    this.release(key);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.terminal.unplug();
  }

  private look(): void {
    const now = JSON.stringify([this.picture, this.module.hostFate]);
    if (now === this.shown) return;
    this.shown = now;
    this.changed();
  }
}
