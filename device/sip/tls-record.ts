// What TLS shows of itself without a key: that it is TLS (the record layer, RFC 8446 §5.1), who began, and from the
// ClientHello the server's name (RFC 6066 §3) and the application protocols offered (RFC 7301 §3.1). Never decrypts, and
// never throws: a hello that is cut short says as much as is there.

const CONTENT_HANDSHAKE = 22;
const MIN_CONTENT_TYPE = 20;
const MAX_CONTENT_TYPE = 23;
const MAJOR_VERSION = 3;
const MAX_MINOR_VERSION = 4;
const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_HEADER_BYTES = 4;
/** RFC 5246 §6.2.3: 2^14 and what protection may add. */
const MAX_RECORD_BYTES = (1 << 14) + 2048;
const CLIENT_HELLO = 1;
const SERVER_HELLO = 2;

/** client-hello and server-hello say which side is which; other records do not. */
export type TlsSight = "no" | "more" | "client-hello" | "server-hello" | "record";

/** Whether a TLS record begins at `data[start]`. */
export function sightTls(data: Buffer, start: number, end: number): TlsSight {
  const length = end - start;
  if (length < 1) return "more";
  const type = data[start]!;
  if (type < MIN_CONTENT_TYPE || type > MAX_CONTENT_TYPE) return "no";
  if (length > 1 && data[start + 1] !== MAJOR_VERSION) return "no";
  if (length > 2 && data[start + 2]! > MAX_MINOR_VERSION) return "no";
  if (length <= RECORD_HEADER_BYTES) return "more";
  const recordBytes = data.readUInt16BE(start + 3);
  if (recordBytes === 0 || recordBytes > MAX_RECORD_BYTES) return "no";
  if (type !== CONTENT_HANDSHAKE) return "record";
  const handshake = data[start + RECORD_HEADER_BYTES];
  if (handshake === CLIENT_HELLO) return "client-hello";
  return handshake === SERVER_HELLO ? "server-hello" : "record";
}

const DTLS_RECORD_HEADER_BYTES = 13;
const DTLS_MESSAGE_SEQUENCE_AT = 4;

/**
 * Whether a DTLS record that begins at `data[start]` holds a client's first ClientHello: the one that answers a cookie
 * has a later number (RFC 6347 §4.2.1, §4.2.2).
 */
export function opensDtls(data: Buffer, start: number, end: number): boolean {
  const handshake = start + DTLS_RECORD_HEADER_BYTES;
  if (end < handshake + DTLS_MESSAGE_SEQUENCE_AT + 2) return false;
  if (data[start] !== CONTENT_HANDSHAKE || data[handshake] !== CLIENT_HELLO) return false;
  return data.readUInt16BE(handshake + DTLS_MESSAGE_SEQUENCE_AT) === 0;
}

export interface ClientHello {
  /** False when the bytes given end before the hello does. */
  isComplete: boolean;
  /** "" when none is named. */
  serverName: string;
  /** As offered, the first few. */
  alpn: string[];
}

const EXTENSION_SERVER_NAME = 0;
const EXTENSION_ALPN = 16;
const HOST_NAME = 0;
const RANDOM_BYTES = 32;
const MAX_PROTOCOLS = 8;
const MAX_NAME_CHARACTERS = 255;

/** Reads the ClientHello whose first record begins at `data[start]`. */
export function readClientHello(data: Buffer, start: number, end: number): ClientHello {
  const message = handshakeBytes(data, start, end);
  const hello: ClientHello = { isComplete: false, serverName: "", alpn: [] };
  if (message.length < HANDSHAKE_HEADER_BYTES) return hello;
  const announced = HANDSHAKE_HEADER_BYTES + message.readUIntBE(1, 3);
  hello.isComplete = message.length >= announced;
  const reader = new ByteReader(message.subarray(0, announced));
  // Type and length, version, random, session id, cipher suites, compression methods (RFC 8446 §4.1.2).
  reader.skip(HANDSHAKE_HEADER_BYTES + 2 + RANDOM_BYTES);
  reader.vector(1);
  reader.vector(2);
  reader.vector(1);
  const extensions = reader.vector(2);
  while (extensions.hasMore) {
    const type = extensions.number(2);
    const body = extensions.vector(2);
    if (type === EXTENSION_SERVER_NAME) hello.serverName = readServerName(body);
    else if (type === EXTENSION_ALPN) hello.alpn = readAlpn(body);
  }
  return hello;
}

/** The handshake message without record headers: it may go on in further records (RFC 8446 §5.1). */
function handshakeBytes(data: Buffer, start: number, end: number): Buffer {
  const parts: Buffer[] = [];
  let at = start;
  while (at + RECORD_HEADER_BYTES <= end && data[at] === CONTENT_HANDSHAKE) {
    const from = at + RECORD_HEADER_BYTES;
    at = from + data.readUInt16BE(at + 3);
    parts.push(data.subarray(from, Math.min(at, end)));
  }
  return Buffer.concat(parts);
}

function readServerName(body: ByteReader): string {
  const list = body.vector(2);
  while (list.hasMore) {
    const type = list.number(1);
    const name = list.vector(2).text();
    if (type === HOST_NAME) return /^[\w.-]+$/.test(name) ? name.slice(0, MAX_NAME_CHARACTERS).toLowerCase() : "";
  }
  return "";
}

function readAlpn(body: ByteReader): string[] {
  const list = body.vector(2);
  const names: string[] = [];
  while (list.hasMore && names.length < MAX_PROTOCOLS) {
    const name = list.vector(1).text();
    // RFC 8701: made-up names keep servers tolerant; they are no text.
    if (/^[\x21-\x7e]+$/.test(name)) names.push(name);
  }
  return names;
}

/** Reads front to back; beyond the end there are zeros and empty vectors. */
class ByteReader {
  readonly #data: Buffer;
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  get hasMore(): boolean {
    return this.#at < this.#data.length;
  }

  skip(bytes: number): void {
    this.#at = Math.min(this.#data.length, this.#at + bytes);
  }

  number(bytes: number): number {
    const value = this.#at + bytes <= this.#data.length ? this.#data.readUIntBE(this.#at, bytes) : 0;
    this.skip(bytes);
    return value;
  }

  /** The bytes behind a length of so many bytes. */
  vector(lengthBytes: number): ByteReader {
    const length = this.number(lengthBytes);
    const body = this.#data.subarray(this.#at, this.#at + length);
    this.skip(length);
    return new ByteReader(body);
  }

  text(): string {
    return this.#data.toString("latin1");
  }
}
