// A CFA635, CFA631, CFA633 or CFA533 without the hardware: takes the host's bytes, answers them, and keeps what the glass, the
// LEDs and the backlight would show. Keys that are pressed come out as reports. Pure: told the time, it has no port.
import { toWire, WireReader } from "./wire.js";

export interface ModuleKind {
  /** As it answers to command 1. */
  version: string;
  columns: number;
  rows: number;
  baudRate: number;
  hasLeds: boolean;
  /** Codes of the reports: pressed, released. */
  keys: Readonly<Record<string, readonly [number, number]>>;
  isShifted: boolean;
}

const SIX: ModuleKind["keys"] = {
  up: [1, 7],
  down: [2, 8],
  left: [3, 9],
  right: [4, 10],
  enter: [5, 11],
  exit: [6, 12],
};
const FOUR: ModuleKind["keys"] = { up: [13, 17], enter: [14, 18], down: [15, 19], exit: [16, 20] };

export const MODULES: Readonly<Record<string, ModuleKind>> = {
  cfa635: kind("CFA635:h1.4,k1.7", 20, 4, 115200, SIX, true, true),
  cfa631: kind("CFA631:h1.1,v1.0", 20, 2, 115200, FOUR, false, true),
  cfa633: kind("CFA633:h1.5,k1.7", 16, 2, 19200, SIX, false, false),
  cfa533: kind("CFA533:h1.4,u1.4", 16, 2, 19200, SIX, false, false),
};

function kind(
  version: string,
  columns: number,
  rows: number,
  baudRate: number,
  keys: ModuleKind["keys"],
  hasLeds: boolean,
  isShifted: boolean,
): ModuleKind {
  return { version, columns, rows, baudRate, keys, hasLeds, isShifted };
}

/** What the character generator of the larger modules shows for codes that are not ASCII's. */
const SHIFTED: Readonly<Record<number, string>> = {
  29: "^",
  36: "¤",
  64: "¡",
  91: "Ä",
  92: "Ö",
  93: "Ñ",
  94: "Ü",
  95: "§",
  96: "¿",
  123: "ä",
  124: "ö",
  125: "ñ",
  126: "ü",
  127: "à",
  160: "@",
  162: "$",
  196: "_",
  206: "~",
  250: "[",
  251: "\\",
  252: "]",
  253: "{",
  254: "|",
  255: "}",
};
/** The smaller ones', an HD44780's. */
const PLAIN: Readonly<Record<number, string>> = { 92: "¥", 126: "→", 127: "←" };
/** Outputs of the LEDs, top to bottom: green, red. */
const LED_OUTPUTS = [
  [11, 12],
  [9, 10],
  [7, 8],
  [5, 6],
] as const;
const LAST_OUTPUT = 12;
/** Command → lengths of data that it takes. */
const LENGTHS: Readonly<Record<number, readonly number[]>> = {
  1: [0],
  5: [3],
  6: [0],
  11: [2],
  12: [1],
  13: [1, 2],
  14: [1, 2],
  23: [2],
  24: [0],
  29: [1],
  34: [2, 3],
};
/** Taken without any effect that shows: storing the state, custom characters, fans, temperatures, reports. */
const IGNORED = new Set([4, 7, 8, 9, 16, 17, 18, 19, 20, 21, 22, 25, 26, 27, 28, 30, 33, 35]);

export interface PanelPicture {
  rows: string[];
  /** Top to bottom; none where the module has none. */
  leds: ("off" | "green" | "amber" | "red")[];
  /** Percent. */
  backlight: number;
  contrast: number;
}

export class PanelModule {
  readonly kind: ModuleKind;
  /** Packets that the host has sent, by command; a packet of text has two bytes besides. */
  readonly counts: Record<number, number> = {};
  /** Characters of text that the host has sent. */
  textBytes = 0;
  /** What the host has asked for, or brought about, that would have cut it off; "" = nothing. */
  hostFate: "" | "reset" | "powered off" | "reset by the watchdog" = "";
  backlight = 100;
  contrast = 95;
  private readonly reader = new WireReader();
  private readonly outputs = new Map<number, number>();
  private cells: number[][] = [];
  private pressMask = 0x3f;
  private releaseMask = 0x3f;
  private watchdog: { timeoutMs: number; endsMs: number } | undefined;
  private readonly held = new Set<string>();

  constructor(name: string) {
    const known = MODULES[name];
    if (known === undefined) throw new RangeError(`there is no module ${name}: ${Object.keys(MODULES).join(", ")}`);
    this.kind = known;
    this.blank();
    this.write(0, 0, Buffer.from(known.version.slice(0, known.columns)));
  }

  get junkBytes(): number {
    return this.reader.junkBytes;
  }

  /** undefined = the watchdog is off. */
  get watchdogTimeoutMs(): number | undefined {
    return this.watchdog?.timeoutMs;
  }

  get picture(): PanelPicture {
    const leds = this.kind.hasLeds ? LED_OUTPUTS.map(([green, red]) => this.colour(green, red)) : [];
    const rows = this.cells.map((row) => row.map((code) => this.character(code)).join(""));
    return { rows, leds, backlight: this.backlight, contrast: this.contrast };
  }

  /** What the module sends back. */
  receive(bytes: Uint8Array, nowMs: number): Buffer {
    this.passTime(nowMs);
    return Buffer.concat(this.reader.read(bytes).map(({ type, data }) => this.answer(type, data, nowMs)));
  }

  /** The report, or nothing where the host has masked it. Throws RangeError for a key that the module lacks. */
  press(key: string): Buffer {
    this.held.add(key);
    return this.report(key, 0, this.pressMask);
  }

  release(key: string): Buffer {
    this.held.delete(key);
    return this.report(key, 1, this.releaseMask);
  }

  passTime(nowMs: number): void {
    if (this.watchdog === undefined || nowMs < this.watchdog.endsMs) return;
    this.watchdog = undefined;
    this.hostFate = "reset by the watchdog";
  }

  private report(key: string, which: 0 | 1, mask: number): Buffer {
    const codes = this.kind.keys[key];
    if (codes === undefined) throw new RangeError(`this module has no key ${key}`);
    return mask === 0 ? Buffer.alloc(0) : toWire(0x80, [codes[which]]);
  }

  private answer(type: number, data: number[], nowMs: number): Buffer {
    // Only commands are for a module.
    if (type > 63) return Buffer.alloc(0);
    this.counts[type] = (this.counts[type] ?? 0) + 1;
    const reply = this.obey(type, data, nowMs);
    return reply === undefined ? toWire(0xc0 | type, []) : toWire(0x40 | type, reply);
  }

  /** The response's data; undefined = refused. */
  private obey(type: number, data: number[], nowMs: number): number[] | undefined {
    if (LENGTHS[type] !== undefined && !LENGTHS[type].includes(data.length)) return undefined;
    switch (type) {
      case 0:
        return data.length > 16 ? undefined : data;
      case 1:
        return [...Buffer.from(this.kind.version)];
      case 5:
        return this.restart(data);
      case 6:
        this.blank();
        return [];
      case 11:
      case 12:
        return [];
      case 13:
        this.contrast = data[0]!;
        return [];
      case 14:
        if (data[0]! > 100) return undefined;
        this.backlight = data[0]!;
        return [];
      case 23:
        [this.pressMask, this.releaseMask] = data as [number, number];
        return [];
      case 24:
        return [this.heldMask(), 0, 0];
      case 29: {
        const timeoutMs = data[0]! * 1000;
        this.watchdog = timeoutMs === 0 ? undefined : { timeoutMs, endsMs: nowMs + timeoutMs };
        return [];
      }
      case 31:
        return this.write(data[0] ?? 99, data[1] ?? 99, data.slice(2)) ? [] : undefined;
      case 34:
        if (data[0]! > LAST_OUTPUT || data[1]! > 100) return undefined;
        this.outputs.set(data[0]!, data[1]!);
        return [];
      default:
        return IGNORED.has(type) ? [] : undefined;
    }
  }

  private restart(data: number[]): number[] | undefined {
    const magic = data.join(",");
    if (magic === "8,18,99") {
      this.blank();
      return [];
    }
    if (magic !== "12,28,97" && magic !== "3,11,95") return undefined;
    this.hostFate = magic === "12,28,97" ? "reset" : "powered off";
    return [];
  }

  private blank(): void {
    this.cells = Array.from({ length: this.kind.rows }, () => new Array<number>(this.kind.columns).fill(32));
  }

  private write(column: number, row: number, text: Iterable<number>): boolean {
    const cells = this.cells[row];
    const codes = [...text];
    if (cells === undefined || codes.length === 0 || column + codes.length > cells.length) return false;
    for (const [index, code] of codes.entries()) cells[column + index] = code;
    this.textBytes += codes.length;
    return true;
  }

  private heldMask(): number {
    return Object.keys(this.kind.keys).reduce((mask, key, bit) => (this.held.has(key) ? mask | (1 << bit) : mask), 0);
  }

  private colour(green: number, red: number): PanelPicture["leds"][number] {
    const [hasGreen, hasRed] = [(this.outputs.get(green) ?? 0) > 0, (this.outputs.get(red) ?? 0) > 0];
    if (hasGreen) return hasRed ? "amber" : "green";
    return hasRed ? "red" : "off";
  }

  private character(code: number): string {
    const special = (this.kind.isShifted ? SHIFTED : PLAIN)[code];
    if (special !== undefined) return special;
    return code >= 32 && code < 127 ? String.fromCharCode(code) : "▒";
  }
}
