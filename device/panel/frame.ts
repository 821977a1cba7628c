// What the panel is to show, and what of it has to be sent to a module that shows something else: the parts of rows that
// differ, and the LEDs that do.

import type { PanelModel } from "./models.js";
import { COMMAND, type CommandPacket, command, textCommand } from "./packet.js";

export const LED_COLOURS = ["off", "green", "amber", "red"] as const;
export type LedColour = (typeof LED_COLOURS)[number];

export interface PanelFrame {
  /** As many as the model has, in its character set, each as long as it is wide. */
  rows: readonly Uint8Array[];
  /** Top to bottom; those that the model lacks are ignored. */
  leds: readonly LedColour[];
}

/** A further packet costs as much as so many characters that need not be sent: type, length, column, row, CRC. */
const PACKET_COST = 6;
const ON = 100;
const BLANK = 0x20;

/** What the module shows, as far as it has acknowledged. */
export class ShownFrame {
  private readonly rows: Uint8Array[];
  /** By output; undefined = not known. */
  private readonly outputs = new Map<number, number>();
  private readonly model: PanelModel;

  /** After command 6 (clear). */
  constructor(model: PanelModel) {
    this.model = model;
    this.rows = Array.from({ length: model.rows }, () => new Uint8Array(model.columns).fill(BLANK));
  }

  /** The next command on the way to `frame`; undefined = it is shown. */
  next(frame: PanelFrame): CommandPacket | undefined {
    return this.nextText(frame) ?? this.nextOutput(frame);
  }

  /** The module has taken (or will never take) this command. */
  note({ code, data }: CommandPacket): void {
    if (code === COMMAND.text) this.rows[data[1]!]!.set(data.subarray(2), data[0]!);
    else if (code === COMMAND.output) this.outputs.set(data[0]!, data[1]!);
  }

  private nextText(frame: PanelFrame): CommandPacket | undefined {
    for (const [row, shown] of this.rows.entries()) {
      const wanted = frame.rows[row]!;
      const [from, to] = firstDifference(shown, wanted);
      if (to > from) return textCommand(from, row, wanted.subarray(from, to));
    }
    return undefined;
  }

  private nextOutput(frame: PanelFrame): CommandPacket | undefined {
    for (const [index, { green, red }] of this.model.leds.entries()) {
      const colour = frame.leds[index] ?? "off";
      const wanted: [number, number][] = [
        [green, colour === "green" || colour === "amber" ? ON : 0],
        [red, colour === "red" || colour === "amber" ? ON : 0],
      ];
      const changed = wanted.find(([output, value]) => this.outputs.get(output) !== value);
      if (changed !== undefined) return command(COMMAND.output, ...changed);
    }
    return undefined;
  }
}

/** From the first column that differs to the end of its differences, unless a long stretch that does not is between. */
function firstDifference(shown: Uint8Array, wanted: Uint8Array): [number, number] {
  let from = 0;
  while (from < wanted.length && shown[from] === wanted[from]) from++;
  let to = from;
  for (let at = from; at < wanted.length && at - to <= PACKET_COST; at++) {
    if (shown[at] !== wanted[at]) to = at + 1;
  }
  return [from, to];
}
