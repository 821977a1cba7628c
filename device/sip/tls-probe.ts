// Watches the beginning of a stream for TLS: holds an unfinished ClientHello until it can be read. Bounded; a longer hello
// is read as far as it has come.
import { readClientHello, sightTls } from "./tls-record.js";

/** What the first records show. */
export interface TlsView {
  /** Which end of this direction is the server. */
  server: "source" | "destination" | "unknown";
  /** "" when none is named. */
  serverName: string;
  alpn: string[];
}

const EMPTY = Buffer.alloc(0);
const MAX_HELD_BYTES = 8192;

export class TlsProbe {
  #held = EMPTY;

  /** Bytes are held that may become TLS, or a hello that is not complete. */
  get isUndecided(): boolean {
    return this.#held.length > 0;
  }

  /** Looks at the next bytes, which a record may begin; a view once it is TLS and all of it that matters is there. */
  look(data: Buffer, start: number, end: number): TlsView | undefined {
    const next = data.subarray(start, end);
    if (this.#held.length === 0) return this.#judge(next);
    const both = Buffer.concat([this.#held, next]);
    this.#held = EMPTY;
    return this.#judge(both) ?? (this.isUndecided ? undefined : this.#judge(next));
  }

  /** Bytes of the stream are missing here. */
  gap(): void {
    this.#held = EMPTY;
  }

  #judge(bytes: Buffer): TlsView | undefined {
    switch (sightTls(bytes, 0, bytes.length)) {
      case "no":
        return undefined;
      case "more":
        return this.#hold(bytes);
      case "client-hello":
        return this.#readHello(bytes);
      case "server-hello":
        return { server: "source", serverName: "", alpn: [] };
      case "record":
        return { server: "unknown", serverName: "", alpn: [] };
    }
  }

  #readHello(bytes: Buffer): TlsView | undefined {
    const { isComplete, serverName, alpn } = readClientHello(bytes, 0, bytes.length);
    if (!isComplete && bytes.length < MAX_HELD_BYTES) return this.#hold(bytes);
    return { server: "destination", serverName, alpn };
  }

  #hold(bytes: Buffer): undefined {
    this.#held = Buffer.from(bytes);
  }
}
