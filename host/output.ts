// Where results and messages go: results to stdout, as text or as JSON; messages, questions and progress to stderr. Colours and
// what is drawn over itself exist on a terminal only, and colours not where NO_COLOR says so (no-color.org).
import { safeJson, safeText } from "./safe-text.js";

/** process.stdout and process.stderr, as far as they are used. */
export interface TextSink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): boolean;
  once?(event: "drain", listener: () => void): unknown;
  on?(event: "resize", listener: () => void): unknown;
  off?(event: "resize", listener: () => void): unknown;
}

export type Colour = "red" | "green" | "yellow" | "dim" | "bold";
/** ECMA-48 SGR. */
const SGR: Readonly<Record<Colour, string>> = { red: "31", green: "32", yellow: "33", dim: "2", bold: "1" };

export interface OutputOptions {
  stdout: TextSink;
  stderr: TextSink;
  environment: Readonly<Record<string, string | undefined>>;
  isJson: boolean;
}

export class Output {
  readonly isJson: boolean;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly #hasColour: boolean;

  constructor({ stdout, stderr, environment, isJson }: OutputOptions) {
    this.isJson = isJson;
    this.stdout = stdout;
    this.stderr = stderr;
    this.#hasColour = stdout.isTTY === true && !environment["NO_COLOR"] && environment["TERM"] !== "dumb" && !isJson;
  }

  /** Results may be drawn over themselves. */
  get isLive(): boolean {
    return this.stdout.isTTY === true && !this.isJson;
  }

  /** Of the terminal; what is cut there is whole in a pipe. */
  get width(): number {
    return this.stdout.isTTY === true ? (this.stdout.columns ?? 80) : Number.POSITIVE_INFINITY;
  }

  /** One JSON document, or one of JSON lines. False when the reader should be waited for (`drain`). */
  json(value: unknown): boolean {
    return this.stdout.write(`${safeJson(value)}\n`);
  }

  /** Lines that are safe already: made by safeText, textTable or of the tool's own words. */
  lines(lines: readonly string[]): void {
    this.stdout.write(lines.map((line) => `${line}\n`).join(""));
  }

  /** A line of one's own words with text from anywhere in it. */
  line(text: string): void {
    this.stdout.write(`${safeText(text)}\n`);
  }

  /** For the person, not for what reads stdout. */
  note(text: string): void {
    this.stderr.write(`${safeText(text)}\n`);
  }

  /** `text` must be safe. */
  paint(colour: Colour, text: string): string {
    return this.#hasColour ? `\x1b[${SGR[colour]}m${text}\x1b[0m` : text;
  }
}
