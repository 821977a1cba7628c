// A picture that is drawn over itself, on the terminal's other screen, so that what was there before is there again afterwards.
import type { TextSink } from "../output.js";

const REDRAW_MS = 200;
/** DEC private modes 1049 (other screen) and 25 (cursor); ECMA-48 CUP, EL, ED. */
const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const ERASE_LINE = "\x1b[K";
const ERASE_BELOW = "\x1b[J";

export class Screen {
  readonly #terminal: TextSink;
  readonly #lines: (width: number, height: number) => string[];
  #timer: NodeJS.Timeout | undefined;

  /** `lines` must be safe, and within the size that is asked for. */
  constructor(terminal: TextSink, lines: (width: number, height: number) => string[]) {
    this.#terminal = terminal;
    this.#lines = lines;
  }

  enter(): void {
    this.#terminal.write(ENTER);
    this.#terminal.on?.("resize", this.change);
    this.#draw();
  }

  /** However often it is called, it is drawn a few times a second. */
  readonly change = (): void => {
    this.#timer ??= setTimeout(() => this.#draw(), REDRAW_MS);
  };

  leave(): void {
    clearTimeout(this.#timer);
    this.#terminal.off?.("resize", this.change);
    this.#terminal.write(LEAVE);
  }

  #draw(): void {
    this.#timer = undefined;
    // A full last line would scroll.
    const [width, height] = [(this.#terminal.columns ?? 80) - 1, (this.#terminal.rows ?? 24) - 1];
    const text = this.#lines(width, height).map((line) => `${line}${ERASE_LINE}\r\n`);
    this.#terminal.write(HOME + text.join("") + ERASE_BELOW);
  }
}
