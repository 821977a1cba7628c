// The HTTP handshake that opens a WebSocket connection (RFC 6455 §4), as far as a listener needs it: finds the head of
// an upgrade request or of the 101 response in a byte stream and reads the three fields that matter. Keeps one line and
// those fields; bodies and other heads are passed over line by line.
const LF = 10;
/** Longer lines are no request line and none of the three fields. */
const MAX_LINE_CHARACTERS = 8192;
const MAX_PROTOCOLS = 16;

export interface Upgrade {
  /** The server's 101, else the client's request. */
  isResponse: boolean;
  /** Sec-WebSocket-Protocol, lower case: offered or chosen. */
  protocols: string[];
  /** Sec-WebSocket-Extensions, lower case. */
  extensions: string;
}

export class UpgradeScanner {
  /** The handshake whose head ended where `scan` last said. */
  upgrade: Upgrade | undefined;
  #line = "";
  /** The head that is being read, and whether it asks for WebSocket. */
  #head: Upgrade | undefined;
  #isWebSocket = false;

  /** Offset behind the head of a handshake that ends in `data[start..end)`, with `upgrade` set; -1 when none does. */
  scan(data: Buffer, start: number, end: number): number {
    for (let at = start; at < end; ) {
      const lineFeed = data.indexOf(LF, at);
      const next = lineFeed < 0 || lineFeed >= end ? end : lineFeed + 1;
      if (this.#line.length < MAX_LINE_CHARACTERS) {
        this.#line += data.toString("latin1", at, Math.min(next, at + MAX_LINE_CHARACTERS));
      }
      at = next;
      if (data[at - 1] !== LF) continue;
      const isEnd = this.#takeLine(this.#line.trim());
      this.#line = "";
      if (isEnd) return at;
    }
    return -1;
  }

  /** Bytes of the stream are missing here. */
  gap(): void {
    this.#line = "";
    this.#head = undefined;
  }

  /** True at the empty line behind a WebSocket handshake's fields. */
  #takeLine(line: string): boolean {
    if (line === "") {
      this.upgrade = this.#isWebSocket ? this.#head : undefined;
      this.#head = undefined;
      return this.upgrade !== undefined;
    }
    const isResponse = /^HTTP\/1\.\d 101\b/.test(line);
    if (isResponse || /^GET \S+ HTTP\/1\.\d$/.test(line)) {
      this.#head = { isResponse, protocols: [], extensions: "" };
      this.#isWebSocket = false;
    } else if (this.#head !== undefined) {
      this.#takeField(line, this.#head);
    }
    return false;
  }

  #takeField(line: string, head: Upgrade): void {
    const [, name = "", value = ""] = /^([\w-]+)\s*:\s*(.*)$/.exec(line.toLowerCase()) ?? [];
    if (name === "upgrade") this.#isWebSocket ||= listOf(value).includes("websocket");
    else if (name === "sec-websocket-protocol")
      head.protocols = [...head.protocols, ...listOf(value)].slice(0, MAX_PROTOCOLS);
    else if (name === "sec-websocket-extensions")
      head.extensions = `${head.extensions}${value},`.slice(0, MAX_LINE_CHARACTERS);
  }
}

function listOf(value: string): string[] {
  return value.split(",", MAX_PROTOCOLS).map((part) => part.trim());
}
