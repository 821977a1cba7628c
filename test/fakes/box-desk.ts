// A desk for commands about the box that does nothing: for what is tested without a box behind it.
import type { BoxCommand, BoxCommandDesk, BoxResult } from "../../device/contract/box-commands.js";

export class NoBox implements BoxCommandDesk {
  readonly commands: BoxCommand[] = [];
  result: BoxResult = { ok: false, error: "unavailable", message: "there is no box here" };
  async submit(command: BoxCommand): Promise<BoxResult> {
    this.commands.push(command);
    return this.result;
  }
}
