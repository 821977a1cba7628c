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

export class ProblemList {
  readonly #lines: { line: number; text: string }[] = [];
  #untold = 0;

  get count(): number {
    return this.#lines.length + this.#untold;
  }

  /** `describe` is called only when the line will be shown. */
  add(place: () => Place, describe: () => string): void {
    if (this.#lines.length >= MAXIMUM_LINES) {
      this.#untold++;
      return;
    }
    const { label, line } = place();
    this.#lines.push({ line, text: label === "" ? describe() : `${label}: ${describe()}` });
  }

  throwIfAny(code: ErrorCode): void {
    if (this.#lines.length === 0) return;
    const ordered = this.#lines.toSorted((a, b) => a.line - b.line).map(({ text }) => text);
    if (this.#untold > 0) ordered.push(`and ${this.#untold} more problems`);
    throw new SidetoneError(code, ordered.join("\n"));
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
