// The modules that can be the front panel, and in what they differ: size, LEDs, keys, character set, speed as delivered.
// After the data sheets of Crystalfontz' CFA635, CFA631, CFA633 and CFA533.
import type { PanelKey, PanelModelName } from "../contract/panel.js";

export interface PanelModel {
  name: PanelModelName;
  /** Stands in its answer to `version`, as in "CFA635:h1.4,k1.7". */
  number: string;
  columns: number;
  rows: number;
  /** Baud, as delivered. */
  baudRate: number;
  /** Outputs of each two-colour LED, top to bottom; empty = it has none. */
  leds: readonly { green: number; red: number }[];
  /** By the report's code: a press; a release has its number plus `releaseOffset`. */
  keys: Readonly<Record<number, PanelKey>>;
  releaseOffset: number;
  /** Of command 23: every key. */
  keyMask: number;
  /** `shifted`: some of ASCII's signs have other codes (KS0073 and the like). */
  characters: "ascii" | "shifted";
}

const SIX_KEYS = {
  keys: { 1: "up", 2: "down", 3: "left", 4: "right", 5: "enter", 6: "exit" },
  releaseOffset: 6,
  keyMask: 0x3f,
} as const;

export const PANEL_MODELS: Readonly<Record<PanelModelName, PanelModel>> = {
  cfa635: {
    name: "cfa635",
    number: "635",
    columns: 20,
    rows: 4,
    baudRate: 115200,
    leds: [
      { green: 11, red: 12 },
      { green: 9, red: 10 },
      { green: 7, red: 8 },
      { green: 5, red: 6 },
    ],
    ...SIX_KEYS,
    characters: "shifted",
  },
  cfa631: {
    name: "cfa631",
    number: "631",
    columns: 20,
    rows: 2,
    baudRate: 115200,
    leds: [],
    // Upper left, upper right, lower left, lower right.
    keys: { 13: "up", 14: "enter", 15: "down", 16: "exit" },
    releaseOffset: 4,
    keyMask: 0x0f,
    characters: "shifted",
  },
  cfa633: {
    name: "cfa633",
    number: "633",
    columns: 16,
    rows: 2,
    baudRate: 19200,
    leds: [],
    ...SIX_KEYS,
    characters: "ascii",
  },
  cfa533: {
    name: "cfa533",
    number: "533",
    columns: 16,
    rows: 2,
    baudRate: 19200,
    leds: [],
    ...SIX_KEYS,
    characters: "ascii",
  },
};

export interface KeyEvent {
  key: PanelKey;
  isPressed: boolean;
}

/** undefined for a code that this model does not have. */
export function keyEventOf(model: PanelModel, code: number): KeyEvent | undefined {
  const pressed = model.keys[code];
  if (pressed !== undefined) return { key: pressed, isPressed: true };
  const released = model.keys[code - model.releaseOffset];
  return released === undefined ? undefined : { key: released, isPressed: false };
}
