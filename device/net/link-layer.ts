// From a capture's link type to the network protocol of a frame: https://www.tcpdump.org/linktypes.html. Each
// encapsulation is one function that checks, counts and moves the cursor; none keeps state.
import { readInt32, readUint16 } from "./big-endian.js";
import type { NetCounters } from "./counters.js";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MINIMUM, ETHERTYPE_NONE } from "./ether-type.js";
import { openEthernet, openEtherType, openLlc } from "./ethernet.js";
import type { PacketCursor } from "./packet-cursor.js";
import { openPpp, openPppoe } from "./ppp.js";

export const LINKTYPE = {
  null: 0,
  ethernet: 1,
  ppp: 9,
  /** Raw IP under the numbers that BSD systems wrote into files. */
  rawBsd: 12,
  rawOpenBsd: 14,
  pppHdlc: 50,
  pppEther: 51,
  raw: 101,
  loop: 108,
  linuxSll: 113,
  erf: 197,
  ipv4: 228,
  ipv6: 229,
  linuxSll2: 276,
} as const;

const FAMILY_BYTES = 4;
const AF_INET = 2;
/** AF_INET6 of Linux, of NetBSD, OpenBSD and Windows captures, of FreeBSD, and of macOS. */
const AF_INET6 = [10, 24, 28, 30] as const;

const SLL_BYTES = 16;
const SLL_PROTOCOL_OFFSET = 14;
const SLL2_BYTES = 20;
/** In cooked captures: an 802.2 LLC header follows. */
const SLL_PROTOCOL_LLC = 0x0004;

const ERF_HEADER_BYTES = 16;
const ERF_TYPE_OFFSET = 8;
const ERF_EXTENSION_BYTES = 8;
const ERF_MORE_EXTENSIONS = 0x80;
const ERF_MAX_EXTENSIONS = 16;
const ERF_ETHERNET_PAD_BYTES = 2;
const ERF_ETHERNET = 2;
const ERF_COLOUR_ETHERNET = 11;
const ERF_DSM_COLOUR_ETHERNET = 16;
const ERF_IPV4 = 22;
const ERF_IPV6 = 23;

/**
 * Moves the cursor to the IP header of a frame. Returns its EtherType (IPv4 or IPv6), or NONE when the frame carries no
 * IP, which has then been counted.
 */
export function openFrame(packet: PacketCursor, linkType: number, counters: NetCounters): number {
  switch (linkType) {
    case LINKTYPE.ethernet:
      return openEthernet(packet, counters);
    case LINKTYPE.linuxSll:
      return openLinuxSll(packet, counters);
    case LINKTYPE.linuxSll2:
      return openLinuxSll2(packet, counters);
    case LINKTYPE.raw:
    case LINKTYPE.rawBsd:
    case LINKTYPE.rawOpenBsd:
      return openRaw(packet, counters);
    case LINKTYPE.ipv4:
      return ETHERTYPE_IPV4;
    case LINKTYPE.ipv6:
      return ETHERTYPE_IPV6;
    case LINKTYPE.null:
    case LINKTYPE.loop:
      return openLoopback(packet, counters);
    case LINKTYPE.ppp:
    case LINKTYPE.pppHdlc:
      return openPpp(packet, counters);
    case LINKTYPE.pppEther:
      return openPppoe(packet, counters);
    case LINKTYPE.erf:
      return openErf(packet, counters);
    default:
      counters.unknownLinkType++;
      return ETHERTYPE_NONE;
  }
}

/** Raw IP: the version nibble is all there is. */
function openRaw(packet: PacketCursor, counters: NetCounters): number {
  if (packet.remainingBytes < 1) {
    counters.shortFrame++;
    return ETHERTYPE_NONE;
  }
  const version = packet.data[packet.at]! >> 4;
  if (version === 4) return ETHERTYPE_IPV4;
  if (version === 6) return ETHERTYPE_IPV6;
  counters.notIp++;
  return ETHERTYPE_NONE;
}

/** BSD loopback: a 4-byte address family, in the byte order of whichever machine captured it (LOOP: network order). */
function openLoopback(packet: PacketCursor, counters: NetCounters): number {
  if (packet.remainingBytes < FAMILY_BYTES) {
    counters.shortFrame++;
    return ETHERTYPE_NONE;
  }
  const family = readFamily(packet.data, packet.at);
  packet.at += FAMILY_BYTES;
  if (family === AF_INET) return ETHERTYPE_IPV4;
  for (let i = 0; i < AF_INET6.length; i++) if (family === AF_INET6[i]) return ETHERTYPE_IPV6;
  counters.notIp++;
  return ETHERTYPE_NONE;
}

/** Families are small numbers: the order in which the value is below 65,536 is the one it was written in. */
function readFamily(data: Buffer, at: number): number {
  const big = readInt32(data, at);
  if (big >>> 16 === 0) return big;
  return data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24);
}

/** Linux cooked capture: packet type, hardware type, address length, address (8), protocol. */
function openLinuxSll(packet: PacketCursor, counters: NetCounters): number {
  if (packet.remainingBytes < SLL_BYTES) {
    counters.shortFrame++;
    return ETHERTYPE_NONE;
  }
  const protocol = readUint16(packet.data, packet.at + SLL_PROTOCOL_OFFSET);
  packet.at += SLL_BYTES;
  return openCookedProtocol(packet, protocol, counters);
}

/** Linux cooked capture, version 2: protocol first, then interface index, hardware type, address. */
function openLinuxSll2(packet: PacketCursor, counters: NetCounters): number {
  if (packet.remainingBytes < SLL2_BYTES) {
    counters.shortFrame++;
    return ETHERTYPE_NONE;
  }
  const protocol = readUint16(packet.data, packet.at);
  packet.at += SLL2_BYTES;
  return openCookedProtocol(packet, protocol, counters);
}

/** Below 0x0600 cooked captures have numbers of their own, not lengths; only LLC among them can carry IP. */
function openCookedProtocol(packet: PacketCursor, protocol: number, counters: NetCounters): number {
  if (protocol === SLL_PROTOCOL_LLC) return openLlc(packet, counters);
  if (protocol >= ETHERTYPE_MINIMUM) return openEtherType(packet, protocol, counters);
  counters.notIp++;
  return ETHERTYPE_NONE;
}

/** Endace ERF: a 16-byte record header, extension headers while the top bit says so, then the frame itself. */
function openErf(packet: PacketCursor, counters: NetCounters): number {
  if (packet.remainingBytes < ERF_HEADER_BYTES) {
    counters.shortFrame++;
    return ETHERTYPE_NONE;
  }
  const type = packet.data[packet.at + ERF_TYPE_OFFSET]!;
  packet.at += ERF_HEADER_BYTES;
  if ((type & ERF_MORE_EXTENSIONS) !== 0 && !skipErfExtensions(packet)) {
    counters.shortFrame++;
    return ETHERTYPE_NONE;
  }
  switch (type & ~ERF_MORE_EXTENSIONS) {
    case ERF_ETHERNET:
    case ERF_COLOUR_ETHERNET:
    case ERF_DSM_COLOUR_ETHERNET:
      packet.at += ERF_ETHERNET_PAD_BYTES;
      return openEthernet(packet, counters);
    case ERF_IPV4:
      return ETHERTYPE_IPV4;
    case ERF_IPV6:
      return ETHERTYPE_IPV6;
    default:
      counters.notIp++;
      return ETHERTYPE_NONE;
  }
}

function skipErfExtensions(packet: PacketCursor): boolean {
  for (let extensions = 0; extensions < ERF_MAX_EXTENSIONS; extensions++) {
    if (packet.remainingBytes < ERF_EXTENSION_BYTES) return false;
    const hasMore = (packet.data[packet.at]! & ERF_MORE_EXTENSIONS) !== 0;
    packet.at += ERF_EXTENSION_BYTES;
    if (!hasMore) return true;
  }
  return false;
}
