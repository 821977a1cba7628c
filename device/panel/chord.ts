// Which keys are held down, and when those that pause all recording have been held together for long enough. Pure: told the
// time.
import type { PanelKey } from "../contract/panel.js";
import type { KeyEvent } from "./models.js";

/** A combination counts only when it is held, so that no passing hand pauses the box. */
export const HOLD_MS = 1000;

export class Chord {
  private readonly keys: readonly PanelKey[];
  private readonly held = new Set<PanelKey>();
  private completeAtMs: number | undefined;

  /** No keys: there is none. */
  constructor(keys: readonly PanelKey[]) {
    this.keys = keys;
  }

  /** When `isDue` will be true if nothing changes; undefined while the combination is not held. */
  get wakeAtMs(): number | undefined {
    return this.completeAtMs;
  }

  /** Whether the key is for the menu: a press while no other key is down. */
  take({ key, isPressed }: KeyEvent, nowMs: number): boolean {
    const isAlone = [...this.held].every((other) => other === key);
    if (isPressed) this.held.add(key);
    else this.held.delete(key);
    const isComplete =
      this.keys.length > 0 && this.held.size === this.keys.length && this.keys.every((wanted) => this.held.has(wanted));
    this.completeAtMs = isComplete ? nowMs + HOLD_MS : undefined;
    return isPressed && isAlone;
  }

  /** True once for each time that the combination is held. */
  isDue(nowMs: number): boolean {
    if (this.completeAtMs === undefined || nowMs < this.completeAtMs) return false;
    this.completeAtMs = undefined;
    return true;
  }

  /** Another module: what was held on the one before is not known. */
  clear(): void {
    this.held.clear();
    this.completeAtMs = undefined;
  }
}
