// ASN.1 in its distinguished encoding (DER, X.690 §10), as much of it as certificates and time stamps need: definite lengths
// in their shortest form, tags below 31. Reads strictly and within the bytes given; knows no type's meaning.

/** X.680 §8.4, universal tags; SEQUENCE and SET are constructed. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  generalizedTime: 0x18,
} as const;

const HIGH_TAG = 0x1f;
const CONSTRUCTED = 0x20;
const CONTEXT = 0x80;
/** Of length octets: 4 GiB is more than anything here. */
const MAX_LENGTH_OCTETS = 4;

/** `[number]`, context-specific; constructed unless `isPrimitive`. */
export function contextTag(number: number, isPrimitive = false): number {
  return CONTEXT | (isPrimitive ? 0 : CONSTRUCTED) | number;
}

/** The bytes are no such DER. The message says what was expected and at which byte. */
export class DerFault extends Error {}

export interface DerElement {
  tag: number;
  content: Buffer;
  /** With tag and length. */
  bytes: Buffer;
}

/** Goes along the elements within some bytes. Every method throws DerFault. */
export class DerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next element, which must have this tag, if one is given. */
  read(tag?: number): DerElement {
    const start = this.#at;
    const found = this.#octet();
    if ((found & HIGH_TAG) === HIGH_TAG || found === 0) throw new DerFault(`tag 0x${found.toString(16)} at ${start}`);
    if (tag !== undefined && found !== tag)
      throw new DerFault(`tag 0x${found.toString(16)} for 0x${tag.toString(16)} at byte ${start}`);
    const length = this.#length();
    const contentAt = this.#at;
    if (length > this.#bytes.length - contentAt)
      throw new DerFault(`${length} bytes at byte ${contentAt} of ${this.#bytes.length}`);
    this.#at += length;
    return {
      tag: found,
      content: this.#bytes.subarray(contentAt, this.#at),
      bytes: this.#bytes.subarray(start, this.#at),
    };
  }

  /** The next element if it has this tag. */
  readIf(tag: number): DerElement | undefined {
    return this.#bytes[this.#at] === tag ? this.read(tag) : undefined;
  }

  /** What is in the next element, a SEQUENCE unless another tag is given. */
  enter(tag: number = TAG.sequence): DerReader {
    return new DerReader(this.read(tag).content);
  }

  enterIf(tag: number): DerReader | undefined {
    return this.#bytes[this.#at] === tag ? this.enter(tag) : undefined;
  }

  /** In dotted form; X.690 §8.19. */
  readOid(): string {
    return oidText(this.read(TAG.oid).content);
  }

  /** The content of an INTEGER in its shortest form, two's complement; X.690 §8.3. */
  readInteger(): Buffer {
    const { content } = this.read(TAG.integer);
    const [first = 0, second = 0] = content;
    const isPadded = content.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
    if (content.length === 0 || isPadded) throw new DerFault("an INTEGER that is not in its shortest form");
    return content;
  }

  /** Of a value within 0 to 127. */
  readSmallInteger(): number {
    const content = this.readInteger();
    if (content.length !== 1 || content[0]! > 0x7f) throw new DerFault("an INTEGER out of bounds");
    return content[0]!;
  }

  /** Nothing may follow. */
  end(): void {
    if (!this.isEnd) throw new DerFault(`${this.#bytes.length - this.#at} bytes too many at byte ${this.#at}`);
  }

  #octet(): number {
    const octet = this.#bytes[this.#at];
    if (octet === undefined) throw new DerFault(`the end at byte ${this.#at}`);
    this.#at++;
    return octet;
  }

  /** X.690 §8.1.3, §10.1. */
  #length(): number {
    const first = this.#octet();
    if (first < 0x80) return first;
    const octets = first & 0x7f;
    if (octets === 0 || octets > MAX_LENGTH_OCTETS) throw new DerFault(`a length of ${octets} octets`);
    let length = 0;
    for (let i = 0; i < octets; i++) length = length * 256 + this.#octet();
    if (length < 0x80 || length < 256 ** (octets - 1)) throw new DerFault("a length that is not in its shortest form");
    return length;
  }
}

/** One element; `parts` are its content, in order. */
export function derOf(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthOctets(content.length), content]);
}

/** An INTEGER of a number that is not negative, from its bytes, most significant first. */
export function derInteger(magnitude: Uint8Array): Buffer {
  let at = 0;
  while (at < magnitude.length - 1 && magnitude[at] === 0) at++;
  const bytes = magnitude.subarray(at);
  const isPositive = bytes.length > 0 && bytes[0]! < 0x80;
  return derOf(TAG.integer, isPositive ? bytes : Buffer.concat([Buffer.from([0]), bytes]));
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function derOid(text: string): Buffer {
  const [first = 0, second = 0, ...arcs] = text.split(".").map(Number);
  return derOf(TAG.oid, Buffer.from([first * 40 + second, ...arcs].flatMap(base128)));
}

function base128(arc: number): number[] {
  const septets = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) septets.unshift((rest % 128) + 128);
  return septets;
}

function lengthOctets(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Buffer.from([0x80 | octets.length, ...octets]);
}

function oidText(content: Buffer): string {
  const arcs: number[] = [];
  let arc = 0;
  let isWithin = false;
  for (const octet of content) {
    if (!isWithin && octet === 0x80) throw new DerFault("an OBJECT IDENTIFIER that is not in its shortest form");
    arc = arc * 128 + (octet & 0x7f);
    if (!Number.isSafeInteger(arc)) throw new DerFault("an OBJECT IDENTIFIER out of bounds");
    isWithin = octet >= 0x80;
    if (isWithin) continue;
    arcs.push(arc);
    arc = 0;
  }
  if (isWithin || arcs.length === 0) throw new DerFault("an OBJECT IDENTIFIER without its end");
  const [first, ...rest] = arcs;
  const root = Math.min(2, Math.floor(first! / 40));
  return [root, first! - root * 40, ...rest].join(".");
}
