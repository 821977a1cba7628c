// Builds the headers of tunnels around frames and packets, with correct lengths and checksums, sound or broken at will:
// GRE, ERSPAN, VXLAN, GENEVE, TZSP, GTP-U, MPLS, IEEE 802.1ah, PPPoE. Pure; never sends anything.
import { internetChecksum, sumOf } from "./frames.js";

const ETHERTYPE_ETHERNET = 0x6558;
const PROTOCOL_ERSPAN = 0x88be;
const PROTOCOL_ERSPAN_3 = 0x22eb;
const ETHERTYPE_PPP = 0x880b;

export const PORT = { vxlan: 4789, vxlanGpe: 4790, vxlanLinux: 8472, geneve: 6081, gtpU: 2152, tzsp: 37008 } as const;

const join = (...parts: Uint8Array[]): Buffer => Buffer.concat(parts);
const bytes = (...values: number[]): Buffer => Buffer.from(values);
const uint16 = (value: number): Buffer => bytes((value >>> 8) & 255, value & 255);
const uint24 = (value: number): Buffer => bytes((value >>> 16) & 255, (value >>> 8) & 255, value & 255);
const uint32 = (value: number): Buffer => join(uint16(value >>> 16), uint16(value));

export interface GreOptions {
  hasChecksum?: boolean;
  key?: number;
  sequence?: number;
  /** Bits set besides those of the fields that are there. */
  flags?: number;
}

/** RFC 2784, RFC 2890. */
export function gre(protocol: number, payload: Uint8Array, options: GreOptions = {}): Buffer {
  const { hasChecksum = false, key, sequence, flags = 0 } = options;
  const present = (hasChecksum ? 0x8000 : 0) | (key === undefined ? 0 : 0x2000) | (sequence === undefined ? 0 : 0x1000);
  const packet = join(
    uint16(present | flags),
    uint16(protocol),
    hasChecksum ? Buffer.alloc(4) : Buffer.alloc(0),
    key === undefined ? Buffer.alloc(0) : uint32(key),
    sequence === undefined ? Buffer.alloc(0) : uint32(sequence),
    payload,
  );
  if (hasChecksum) packet.writeUInt16BE(internetChecksum(sumOf(packet)), 4);
  return packet;
}

/** GRE that carries an Ethernet frame. */
export const greEthernet = (frame: Uint8Array, options: GreOptions = {}): Buffer =>
  gre(ETHERTYPE_ETHERNET, frame, options);

/** Enhanced GRE of PPTP (RFC 2637 §4.1) around a PPP packet; without sequence number it is an acknowledgment alone. */
export function pptp(ppp: Uint8Array, options: { call?: number; sequence?: number; acknowledgment?: number } = {}) {
  const { call = 7, sequence, acknowledgment } = options;
  return join(
    uint16(0x2001 | (sequence === undefined ? 0 : 0x1000) | (acknowledgment === undefined ? 0 : 0x0080)),
    uint16(ETHERTYPE_PPP),
    uint16(ppp.length),
    uint16(call),
    sequence === undefined ? Buffer.alloc(0) : uint32(sequence),
    acknowledgment === undefined ? Buffer.alloc(0) : uint32(acknowledgment),
    ppp,
  );
}

export interface ErspanOptions {
  session?: number;
  vlan?: number;
  /** Type II: how the frame was tagged; 3 = the tag is still in it. */
  encapsulation?: number;
  isTruncated?: boolean;
  /** Type III: 0 = Ethernet, 2 = IP. */
  frameType?: number;
  /** Type III: the 8 bytes of the platform-specific header. */
  platform?: Uint8Array;
  version?: number;
}

function erspanStart(version: number, options: ErspanOptions): Buffer {
  const { session = 1, vlan = 0, encapsulation = 0, isTruncated = false } = options;
  return join(
    uint16(((options.version ?? version) << 12) | vlan),
    uint16((encapsulation << 11) | (isTruncated ? 0x0400 : 0) | session),
  );
}

/** Type I: no header of its own and no sequence number. */
export const erspan1 = (frame: Uint8Array): Buffer => gre(PROTOCOL_ERSPAN, frame);

export const erspan2 = (frame: Uint8Array, options: ErspanOptions = {}): Buffer =>
  gre(PROTOCOL_ERSPAN, join(erspanStart(1, options), uint32(0x00000123), frame), { sequence: 5 });

export function erspan3(frame: Uint8Array, options: ErspanOptions = {}): Buffer {
  const { frameType = 0, platform = Buffer.alloc(0) } = options;
  const isEthernet = frameType === 0;
  const last = (isEthernet ? 0x8000 : 0) | (frameType << 10) | (3 << 4) | (platform.length > 0 ? 1 : 0);
  const header = join(erspanStart(2, options), uint32(0x01020304), uint16(0), uint16(last), platform);
  return gre(PROTOCOL_ERSPAN_3, join(header, frame), { sequence: 6 });
}

/** RFC 7348 §5. */
export const vxlan = (frame: Uint8Array, network = 100): Buffer =>
  join(bytes(0x08, 0, 0, 0), uint24(network), bytes(0), frame);

/** draft-ietf-nvo3-vxlan-gpe: 1 = IPv4, 2 = IPv6, 3 = Ethernet, 5 = MPLS. */
export const vxlanGpe = (nextProtocol: number, payload: Uint8Array, network = 100): Buffer =>
  join(bytes(0x0c, 0, 0, nextProtocol), uint24(network), bytes(0), payload);

/** RFC 8926 §3.4; the length of `options` is a multiple of 4. */
export const geneve = (protocol: number, payload: Uint8Array, options: Uint8Array = Buffer.alloc(0), network = 100) =>
  join(bytes(options.length >> 2, 0), uint16(protocol), uint24(network), bytes(0), options, payload);

/** One option of 4 bytes of data, of an experimental class. */
export const GENEVE_OPTION = join(uint16(0xff01), bytes(0x01, 0x01), uint32(0xdeadbeef));

/** `tags` without the one that ends them. */
export const tzsp = (frame: Uint8Array, tags: Uint8Array = Buffer.alloc(0), protocol = 1): Buffer =>
  join(bytes(1, 0), uint16(protocol), tags, bytes(1), frame);

export interface GtpOptions {
  endpoint?: number;
  sequence?: number;
  /** Extension headers: kind and content, whose length is 2 bytes short of a multiple of 4. */
  extensions?: { kind: number; content: Uint8Array }[];
  message?: number;
}

/** 3GPP TS 29.281 §5.1. */
export function gtpU(packet: Uint8Array, options: GtpOptions = {}): Buffer {
  const { endpoint = 0x12345678, sequence, extensions = [], message = 255 } = options;
  const flags = 0x30 | (extensions.length > 0 ? 4 : 0) | (sequence === undefined ? 0 : 2);
  const isPlain = flags === 0x30;
  const optional = isPlain ? Buffer.alloc(0) : join(uint16(sequence ?? 0), bytes(0, extensions[0]?.kind ?? 0));
  const chain = extensions.map(({ content }, i) =>
    join(bytes((content.length + 2) >> 2), content, bytes(extensions[i + 1]?.kind ?? 0)),
  );
  const rest = join(optional, ...chain, packet);
  return join(bytes(flags, message), uint16(rest.length), uint32(endpoint), rest);
}

/** A label stack, outermost first (RFC 3032). */
export function mpls(labels: number[], payload: Uint8Array): Buffer {
  const entries = labels.map((label, i) => uint32((label << 12) | (i === labels.length - 1 ? 0x100 : 0) | 64));
  return join(...entries, payload);
}

/** Behind EtherType 0x88e7: service tag, then the customer's frame (IEEE 802.1ah). */
export const macInMac = (frame: Uint8Array, service = 0x123): Buffer => join(bytes(0), uint24(service), frame);

/** RFC 2516 around a PPP packet. */
export const pppoe = (ppp: Uint8Array, session = 0x1234): Buffer =>
  join(bytes(0x11, 0), uint16(session), uint16(ppp.length), ppp);
