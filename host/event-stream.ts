// Server-sent events as they come (WHATWG HTML §9.2): pure, bounded, whatever the pieces are that they come in.

const MAX_LINE_CHARACTERS = 256 * 1024;
const MAX_DATA_CHARACTERS = 1024 * 1024;

export interface ServerEvent {
  /** Of this or an earlier event; "" before the first. */
  id: string;
  /** "message" where none is named. */
  event: string;
  data: string;
}

export class EventStreamParser {
  /** Lines that were longer than any, and their events. */
  tooLong = 0;
  readonly #decoder = new TextDecoder("utf-8");
  #rest = "";
  #isSkipping = false;
  #id = "";
  #event = "";
  #data: string[] = [];
  #dataLength = 0;

  /** The events that are complete with this piece. */
  push(piece: Uint8Array): ServerEvent[] {
    const lines = (this.#rest + this.#decoder.decode(piece, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop()!;
    if (this.#rest.length > MAX_LINE_CHARACTERS) {
      this.#rest = "";
      this.#skip();
    }
    return lines.flatMap((line) => this.#line(line) ?? []);
  }

  #line(line: string): ServerEvent | undefined {
    if (line === "") return this.#dispatch();
    const [, field = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === "data") {
      this.#dataLength += value.length;
      if (this.#dataLength > MAX_DATA_CHARACTERS) this.#skip();
      else this.#data.push(value);
    } else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return undefined;
  }

  #dispatch(): ServerEvent | undefined {
    const [event, data, isSkipped] = [this.#event || "message", this.#data, this.#isSkipping];
    this.#event = "";
    this.#data = [];
    this.#dataLength = 0;
    this.#isSkipping = false;
    return data.length === 0 || isSkipped ? undefined : { id: this.#id, event, data: data.join("\n") };
  }

  #skip(): void {
    if (!this.#isSkipping) this.tooLong++;
    this.#isSkipping = true;
    this.#data = [];
  }
}
