// Codes of one to eight keys, as one person presses them: which code the last keys make. Pure state in packet time. No code
// may end with another one (the configuration is refused then), so that a code counts with its last key.
import type { TimeUs } from "../base/ids.js";

const LONGEST_CODE = 8;

export class KeyCodes<Meaning> {
  private readonly codes: readonly { keys: string; meaning: Meaning }[];
  private readonly betweenUs: number;
  private pressed = "";
  private lastAtUs: TimeUs = 0;

  /** Entries without keys are none. */
  constructor(codes: readonly { keys: string; meaning: Meaning }[], betweenKeysMs: number) {
    this.codes = codes.filter(({ keys }) => keys !== "");
    this.betweenUs = betweenKeysMs * 1000;
  }

  /** The meaning of the code that this key completes, and its keys. */
  press(key: string, atUs: TimeUs): { keys: string; meaning: Meaning } | undefined {
    if (Math.abs(atUs - this.lastAtUs) > this.betweenUs) this.pressed = "";
    this.lastAtUs = atUs;
    this.pressed = (this.pressed + key).slice(-LONGEST_CODE);
    const found = this.codes.find(({ keys }) => this.pressed.endsWith(keys));
    if (found) this.pressed = "";
    return found;
  }

  /** What was pressed so far is part of no code. */
  forget(): void {
    this.pressed = "";
  }
}
