// IPv4 (RFC 791) and IPv6 with its extension headers (RFC 8200): checks the headers, trims the frame to the packet and
// writes the addresses into the key. Never reassembles and never looks into the payload.
//
//   IPv4  |ver|ihl| tos |  total length | identification |flags| offset | ttl | protocol | checksum | source | destination |
//   IPv6  |ver| class | flow label | payload length | next header | hop limit | source (16) | destination (16) |
//
// Header checksums are not verified: a mirror may deliver frames taken before the sender's hardware filled them in.
import { readInt32, readUint16 } from "./big-endian.js";
import type { NetCounters } from "./counters.js";
import type { PacketCursor } from "./packet-cursor.js";

/** Protocol numbers (IANA); NONE = the packet was counted and is done with. */
export const PROTOCOL_NONE = -1;
export const PROTOCOL_ICMP = 1;
/** IPv4 in IP (RFC 2003, RFC 2473). */
export const PROTOCOL_IPV4 = 4;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
/** IPv6 in IP (RFC 4213, RFC 2473). */
export const PROTOCOL_IPV6 = 41;
export const PROTOCOL_GRE = 47;
export const PROTOCOL_AUTHENTICATION = 51;
export const PROTOCOL_ICMPV6 = 58;
const NEXT_HOP_BY_HOP = 0;
const NEXT_ROUTING = 43;
const NEXT_FRAGMENT = 44;
const NEXT_DESTINATION = 60;

const IPV4_HEADER_BYTES = 20;
const IPV4_FRAGMENT_OFFSET = 6;
const IPV4_TTL_OFFSET = 8;
const IPV4_PROTOCOL_OFFSET = 9;
const IPV4_SOURCE_OFFSET = 12;
const IPV4_MORE_FRAGMENTS = 0x2000;
const IPV4_OFFSET_MASK = 0x1fff;
/** ::ffff:0:0/96, third word (RFC 4291 §2.5.5.2). */
const MAPPED_PREFIX = 0x0000ffff;

const IPV6_HEADER_BYTES = 40;
const IPV6_HOP_LIMIT_OFFSET = 7;
const IPV6_SOURCE_OFFSET = 8;
const EXTENSION_MINIMUM_BYTES = 8;
const IPV6_OFFSET_MASK = 0xfff8;
const IPV6_MORE_FRAGMENTS = 0x0001;
/** Real packets carry one or two; the bound keeps a hostile chain from costing time. */
const MAX_EXTENSION_HEADERS = 8;

/** Moves behind an IPv4 header and sets the packet's end. Returns the payload's protocol, or NONE. */
export function openIpv4(packet: PacketCursor, counters: NetCounters): number {
  const { data, at } = packet;
  packet.isFragment = false;
  if (packet.end - at < IPV4_HEADER_BYTES) return rejectHeader(counters);
  const versionAndLength = data[at]!;
  const headerBytes = (versionAndLength & 0x0f) << 2;
  if (versionAndLength >> 4 !== 4 || headerBytes < IPV4_HEADER_BYTES || headerBytes > packet.end - at) {
    return rejectHeader(counters);
  }
  const totalBytes = readUint16(data, at + 2);
  packet.isLengthUnknown = totalBytes === 0;
  if (totalBytes !== 0) {
    if (totalBytes < headerBytes) {
      counters.badIpLength++;
      return PROTOCOL_NONE;
    }
    trimTo(packet, at + totalBytes, counters);
  }
  const fragment = readUint16(data, at + IPV4_FRAGMENT_OFFSET);
  if ((fragment & (IPV4_MORE_FRAGMENTS | IPV4_OFFSET_MASK)) !== 0) {
    packet.isFragment = true;
    packet.fragmentOffsetBytes = (fragment & IPV4_OFFSET_MASK) << 3;
    packet.hasMoreFragments = (fragment & IPV4_MORE_FRAGMENTS) !== 0;
    packet.identification = readUint16(data, at + 4);
  }
  packet.link.identification = readUint16(data, at + 4);
  packet.link.hopLimit = data[at + IPV4_TTL_OFFSET]!;
  const key = packet.key;
  key[0] = 0;
  key[1] = 0;
  key[2] = MAPPED_PREFIX;
  key[3] = readInt32(data, at + IPV4_SOURCE_OFFSET);
  key[4] = 0;
  key[5] = 0;
  key[6] = MAPPED_PREFIX;
  key[7] = readInt32(data, at + IPV4_SOURCE_OFFSET + 4);
  packet.at = at + headerBytes;
  return data[at + IPV4_PROTOCOL_OFFSET]!;
}

/**
 * Moves behind an IPv6 header and its extension headers and sets the packet's end. Returns the payload's protocol, or
 * NONE; stops behind the Fragment header of a fragment.
 */
export function openIpv6(packet: PacketCursor, counters: NetCounters): number {
  const { data, at } = packet;
  packet.isFragment = false;
  if (packet.end - at < IPV6_HEADER_BYTES || data[at]! >> 4 !== 6) return rejectHeader(counters);
  packet.link.identification = -1;
  packet.link.hopLimit = data[at + IPV6_HOP_LIMIT_OFFSET]!;
  const payloadBytes = readUint16(data, at + 4);
  // 0 is a jumbogram (RFC 2675 §3) or segmentation offload: the packet is as long as the frame.
  packet.isLengthUnknown = payloadBytes === 0;
  if (payloadBytes !== 0) trimTo(packet, at + IPV6_HEADER_BYTES + payloadBytes, counters);
  const key = packet.key;
  for (let word = 0; word < 8; word++) key[word] = readInt32(data, at + IPV6_SOURCE_OFFSET + (word << 2));
  packet.at = at + IPV6_HEADER_BYTES;
  return walkExtensions(packet, data[at + 6]!, counters);
}

/**
 * Moves behind a chain of IPv6 extension headers (RFC 8200 §4) or the Authentication header of either version (RFC 4302
 * §2). Returns the first protocol that is none of them, or NONE. Behind the header of a real fragment it stops with
 * `isFragment` set; an atomic fragment is a whole packet (RFC 6946).
 */
export function walkExtensions(packet: PacketCursor, first: number, counters: NetCounters): number {
  const data = packet.data;
  let next = first;
  for (let headers = 0; headers < MAX_EXTENSION_HEADERS; headers++) {
    if (!isExtension(next)) return next;
    const at = packet.at;
    if (packet.end - at < EXTENSION_MINIMUM_BYTES) return rejectHeader(counters);
    const headerBytes = extensionBytes(next, data[at + 1]!);
    if (packet.end - at < headerBytes) return rejectHeader(counters);
    packet.at = at + headerBytes;
    if (next === NEXT_FRAGMENT && readFragmentHeader(packet, at)) return data[at]!;
    next = data[at]!;
  }
  return isExtension(next) ? rejectHeader(counters) : next;
}

function isExtension(next: number): boolean {
  return (
    next === NEXT_HOP_BY_HOP ||
    next === NEXT_ROUTING ||
    next === NEXT_FRAGMENT ||
    next === PROTOCOL_AUTHENTICATION ||
    next === NEXT_DESTINATION
  );
}

function extensionBytes(next: number, lengthField: number): number {
  if (next === NEXT_FRAGMENT) return EXTENSION_MINIMUM_BYTES;
  // The Authentication header counts 4-byte units less two, the others 8-byte units less one.
  if (next === PROTOCOL_AUTHENTICATION) return (lengthField + 2) << 2;
  return (lengthField + 1) << 3;
}

/** Takes over the fields of the Fragment header at `at` (RFC 8200 §4.5); false when it is an atomic fragment. */
function readFragmentHeader(packet: PacketCursor, at: number): boolean {
  const field = readUint16(packet.data, at + 2);
  if ((field & (IPV6_OFFSET_MASK | IPV6_MORE_FRAGMENTS)) === 0) return false;
  packet.isFragment = true;
  packet.fragmentOffsetBytes = field & IPV6_OFFSET_MASK;
  packet.hasMoreFragments = (field & IPV6_MORE_FRAGMENTS) !== 0;
  packet.identification = readInt32(packet.data, at + 4);
  return true;
}

/** The header's length decides: link padding goes, and bytes that should be there but are not show in `wireEnd`. */
function trimTo(packet: PacketCursor, packetEnd: number, counters: NetCounters): void {
  if (packetEnd > packet.wireEnd) counters.badIpLength++;
  packet.wireEnd = packetEnd;
  if (packetEnd < packet.end) packet.end = packetEnd;
}

function rejectHeader(counters: NetCounters): number {
  counters.badIpHeader++;
  return PROTOCOL_NONE;
}
