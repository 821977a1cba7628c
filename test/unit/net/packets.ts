// Packets written out field by field for the tests of device/net, sound or broken at will, and what a decoder made of
// them. Independent of the code under test; checksums stay zero because that code does not look at them.
import { formatEndpoint } from "../../../device/base/address.js";
import type { Frame } from "../../../device/capture/frame.js";
import type { Datagram } from "../../../device/net/datagram.js";
import { NetDecoder } from "../../../device/net/decoder.js";
import { formatSourceMac, type LinkFacts } from "../../../device/net/link-facts.js";
import type { TcpSegment } from "../../../device/net/tcp-segment.js";

export const IPV4_TYPE = 0x0800;
export const IPV6_TYPE = 0x86dd;
export const START_US = 1_700_000_000_000_000;
export const LIMITS = { maxFragmentedDatagrams: 1024, maxFragmentMegabytes: 16, fragmentTimeoutMs: 5000 };

export const bytes = (...values: number[]): Buffer => Buffer.from(values);
export const uint16 = (value: number): Buffer => bytes((value >> 8) & 255, value & 255);
export const uint32 = (value: number): Buffer => Buffer.concat([uint16(value >>> 16), uint16(value)]);
export const join = (...parts: Uint8Array[]): Buffer => Buffer.concat(parts);
/** `length` bytes that differ from each other and from other seeds. */
export const pattern = (length: number, seed = 1): Buffer =>
  Buffer.from(Array.from({ length }, (_, i) => (i * 7 + seed * 31 + (i >> 8)) & 255));

export function udp(payload: Uint8Array, options: { length?: number; source?: number; destination?: number } = {}) {
  const length = options.length ?? payload.length + 8;
  return join(uint16(options.source ?? 4000), uint16(options.destination ?? 4002), uint16(length), uint16(0), payload);
}

export interface Ipv4Options {
  protocol?: number;
  source?: number[];
  destination?: number[];
  totalLength?: number;
  identification?: number;
  offset?: number;
  more?: boolean;
  options?: Buffer;
  versionAndLength?: number;
  hopLimit?: number;
}

export function ipv4(payload: Uint8Array, options: Ipv4Options = {}): Buffer {
  const extra = options.options ?? Buffer.alloc(0);
  const headerBytes = 20 + extra.length;
  return join(
    bytes(options.versionAndLength ?? 0x40 | (headerBytes >> 2), 0),
    uint16(options.totalLength ?? headerBytes + payload.length),
    uint16(options.identification ?? 7),
    uint16((options.more ? 0x2000 : 0) | ((options.offset ?? 0) >> 3)),
    bytes(options.hopLimit ?? 64, options.protocol ?? 17, 0, 0),
    Buffer.from(options.source ?? [10, 0, 0, 1]),
    Buffer.from(options.destination ?? [10, 0, 0, 2]),
    extra,
    payload,
  );
}

export const V6_SOURCE = Buffer.from("20010db8000000000000000000000001", "hex");
export const V6_DESTINATION = Buffer.from("20010db80000000000000000000000ff", "hex");

export function ipv6(payload: Uint8Array, options: { next?: number; payloadLength?: number } = {}): Buffer {
  const length = options.payloadLength ?? payload.length;
  return join(bytes(0x60, 0, 0, 0), uint16(length), bytes(options.next ?? 17, 64), V6_SOURCE, V6_DESTINATION, payload);
}

/** Hop-by-hop, routing or destination options of `units` extra 8-byte units. */
export const extension = (next: number, units = 0): Buffer => join(bytes(next, units), Buffer.alloc(6 + units * 8));
/** Authentication header with a 12-byte check value (RFC 4302 §2.2). */
export const authentication = (next: number): Buffer => join(bytes(next, 4), Buffer.alloc(22));
export const fragmentHeader = (next: number, offset: number, more: boolean, id = 9): Buffer =>
  join(bytes(next, 0), uint16(offset | (more ? 1 : 0)), uint32(id));

export const ethernet = (type: number, payload: Uint8Array): Buffer =>
  join(bytes(2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2), uint16(type), payload);
/** A VLAN tag behind its own EtherType: control information, then the next EtherType. */
export const tag = (id: number, type: number, payload: Uint8Array): Buffer => join(uint16(id), uint16(type), payload);

export interface TcpOptions {
  sequence?: number;
  flags?: number;
  source?: number;
  destination?: number;
  options?: Buffer;
  dataOffset?: number;
}

export function tcp(payload: Uint8Array, options: TcpOptions = {}): Buffer {
  const extra = options.options ?? Buffer.alloc(0);
  return join(
    uint16(options.source ?? 5060),
    uint16(options.destination ?? 5062),
    uint32(options.sequence ?? 1),
    uint32(0),
    bytes((options.dataOffset ?? (20 + extra.length) >> 2) << 4, options.flags ?? 0x10),
    Buffer.alloc(6),
    extra,
    payload,
  );
}

export interface FrameOptions {
  linkType?: number;
  originalLength?: number;
  atUs?: number;
  interfaceIndex?: number;
  /** Value of the bytes that stand before and behind the frame in its buffer. */
  poison?: number;
}

/** A frame in the middle of a buffer, so that reading outside it shows. */
export function frameOf(content: Uint8Array, options: FrameOptions = {}): Frame {
  const margin = Buffer.alloc(64, options.poison ?? 0xa5);
  return {
    data: join(margin, content, margin),
    start: margin.length,
    capturedLength: content.length,
    originalLength: options.originalLength ?? content.length,
    capturedAtUs: options.atUs ?? START_US,
    linkType: options.linkType ?? 1,
    interfaceIndex: options.interfaceIndex ?? 0,
  };
}

export interface SeenDatagram {
  source: string;
  destination: string;
  payload: string;
  truncated: boolean;
  atUs: number;
  interfaceIndex: number;
}

export interface SeenLink {
  vlan: number;
  sourceMac: string;
  identification: number;
  hopLimit: number;
  encapsulation: number;
}

export interface SeenSegment {
  source: string;
  destination: string;
  payload: string;
  wireBytes: number;
  sequence: number;
  flags: number;
}

const sourceOf = (key: Int32Array): string => formatEndpoint(key, 0, key[8]! >>> 16);
const destinationOf = (key: Int32Array): string => formatEndpoint(key, 4, key[8]! & 0xffff);

/** A decoder that keeps copies of all it hands on. */
export class Recorded {
  readonly datagrams: SeenDatagram[] = [];
  /** What was said of the link, datagram by datagram. */
  readonly links: SeenLink[] = [];
  readonly segments: SeenSegment[] = [];
  readonly decoder: NetDecoder;

  constructor(limits = LIMITS) {
    this.decoder = new NetDecoder(
      limits,
      (datagram) => {
        this.datagrams.push(seenDatagram(datagram));
        this.links.push(seenLink(datagram.link));
      },
      (segment) => this.segments.push(seenSegment(segment)),
    );
  }

  decode(content: Uint8Array, options: FrameOptions = {}): this {
    this.decoder.decode(frameOf(content, options));
    return this;
  }

  get payloads(): string[] {
    return this.datagrams.map((datagram) => datagram.payload);
  }

  /** The counters that are not zero, without "net." and without frames. */
  get counts(): Record<string, number> {
    const all = Object.entries(this.decoder.counters.toRecord());
    const kept = all.filter(([name, count]) => count !== 0 && name !== "net.frames");
    return Object.fromEntries(kept.map(([name, count]) => [name.slice("net.".length), count]));
  }
}

function seenDatagram(datagram: Datagram): SeenDatagram {
  return {
    source: sourceOf(datagram.key),
    destination: destinationOf(datagram.key),
    payload: datagram.data.toString("hex", datagram.start, datagram.end),
    truncated: datagram.truncated,
    atUs: datagram.capturedAtUs,
    interfaceIndex: datagram.interfaceIndex,
  };
}

function seenLink(link: LinkFacts): SeenLink {
  const { vlan, identification, hopLimit, encapsulation } = link;
  return { vlan, sourceMac: formatSourceMac(link), identification, hopLimit, encapsulation };
}

function seenSegment(segment: TcpSegment): SeenSegment {
  return {
    source: sourceOf(segment.key),
    destination: destinationOf(segment.key),
    payload: segment.data.toString("hex", segment.start, segment.end),
    wireBytes: segment.wireBytes,
    sequence: segment.sequence >>> 0,
    flags: segment.flags,
  };
}
