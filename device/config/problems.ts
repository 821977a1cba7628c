// What is wrong with a configuration, one line each, collected so that all of it can be mended at once. Never holds more
// lines than a person reads; the rest is counted.
import { type ErrorCode, SidetoneError } from "../base/errors.js";

const MAXIMUM_LINES = 50;
const MAXIMUM_SHOWN_CHARACTERS = 60;

/** Where a value came from, as the start of a line: "sidetone.yaml:12", "SIDETONE_LOG_LEVEL", "--policy". */
export interface Place {
  label: string;
  /** 1-based line within the file, 0 when there is none; puts lines in order. */
  line: number;
}

/** One thing that is wrong, for whoever shows problems by the setting and not by the line. */
export interface Problem {
  /** "consent.rules[3].policy"; "" when it belongs to no setting. */
  path: string;
  /** Without the place. */
  text: string;
}

/** A configuration that is wrong, with its problems one by one; the message has a line for each. */
export class ConfigFault extends SidetoneError {
  readonly problems: readonly Problem[];
  constructor(code: ErrorCode, message: string, problems: readonly Problem[]) {
    super(code, message);
    this.problems = problems;
  }
}

export class ProblemList {
  readonly #lines: ({ line: number; label: string } & Problem)[] = [];
  #untold = 0;

  get count(): number {
    return this.#lines.length + this.#untold;
  }

  /** `describe` is called only when the line will be shown; `path` is that of the setting, if it is one's. */
  add(place: () => Place, describe: () => string, path: () => string = () => ""): void {
    if (this.#lines.length >= MAXIMUM_LINES) {
      this.#untold++;
      return;
    }
    this.#lines.push({ ...place(), text: describe(), path: path() });
  }

  throwIfAny(code: ErrorCode): void {
    if (this.#lines.length === 0) return;
    const ordered = this.#lines.toSorted((a, b) => a.line - b.line);
    const lines = ordered.map(({ label, text }) => (label === "" ? text : `${label}: ${text}`));
    if (this.#untold > 0) lines.push(`and ${this.#untold} more problems`);
    throw new ConfigFault(
      code,
      lines.join("\n"),
      ordered.map(({ path, text }) => ({ path, text })),
    );
  }
}

/** A value as it may stand in a line: quoted, shortened, without control characters. */
export function showValue(value: unknown): string {
  if (value === null || value === undefined) return "no value";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a section";
  if (typeof value !== "string") return String(value);
  const short = value.length > MAXIMUM_SHOWN_CHARACTERS ? `${value.slice(0, MAXIMUM_SHOWN_CHARACTERS)}...` : value;
  return JSON.stringify(short);
}

/** A key as it may stand in a path: shortened, without control characters. */
export function showKey(key: string): string {
  const short = key.length > MAXIMUM_SHOWN_CHARACTERS ? `${key.slice(0, MAXIMUM_SHOWN_CHARACTERS)}...` : key;
  return /^[\x21-\x7e]+$/.test(short) ? short : JSON.stringify(short);
}
