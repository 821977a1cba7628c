// MPLS label stacks (RFC 3032) and what is behind them, which no field tells: IP by its version (RFC 4928 §3), or an
// Ethernet pseudowire (RFC 4448) with or without control word (RFC 4385 §3).
//
//   | label (20) | traffic class (3) | bottom of stack (1) | TTL (8) |
import { readInt32, readUint16 } from "./big-endian.js";
import type { NetCounters } from "./counters.js";
import { ETHERTYPE_ETHERNET, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_NONE, isVlanTag } from "./ether-type.js";
import { Layer } from "./layer.js";
import type { PacketCursor } from "./packet-cursor.js";

const LABEL_BYTES = 4;
const LABEL_SHIFT = 12;
const BOTTOM_OF_STACK = 0x100;
/** Real stacks hold two to five. */
const MAX_LABELS = 16;
const CONTROL_WORD_BYTES = 4;
const ETHERNET_HEADER_BYTES = 14;
const ETHERNET_TYPE_OFFSET = 12;
const IPV6_HEADER_BYTES = 40;

/** Moves behind the label stack. Returns what lies there: IPv4, IPv6, ETHERNET or NONE. */
export function openMpls(packet: PacketCursor, counters: NetCounters): number {
  if (!packet.push(Layer.mpls, counters)) return ETHERTYPE_NONE;
  for (let labels = 0; labels < MAX_LABELS; labels++) {
    if (packet.remainingBytes < LABEL_BYTES) {
      counters.shortFrame++;
      return ETHERTYPE_NONE;
    }
    const entry = readInt32(packet.data, packet.at);
    packet.at += LABEL_BYTES;
    if ((entry & BOTTOM_OF_STACK) === 0) continue;
    // The innermost label names the customer's network; those before it only the way there.
    packet.identify(entry >>> LABEL_SHIFT);
    return openPayload(packet, counters);
  }
  counters.tooManyTags++;
  return ETHERTYPE_NONE;
}

/** A MAC address may begin with any of the values that tell the others: an Ethernet header that fits outweighs them. */
function openPayload(packet: PacketCursor, counters: NetCounters): number {
  const { data, at } = packet;
  if (packet.remainingBytes < 1) {
    counters.shortFrame++;
    return ETHERTYPE_NONE;
  }
  switch (data[at]! >> 4) {
    case 0:
      if (hasControlWord(packet)) packet.at = at + CONTROL_WORD_BYTES;
      return ETHERTYPE_ETHERNET;
    case 1: // An associated channel (RFC 4385 §5): operation and maintenance.
      if (isEthernet(packet, at)) return ETHERTYPE_ETHERNET;
      counters.notIp++;
      return ETHERTYPE_NONE;
    case 4:
      return isEthernet(packet, at) && !isIpv4Length(packet) ? ETHERTYPE_ETHERNET : ETHERTYPE_IPV4;
    case 6:
      return isEthernet(packet, at) && !isIpv6Length(packet) ? ETHERTYPE_ETHERNET : ETHERTYPE_IPV6;
    default:
      return ETHERTYPE_ETHERNET;
  }
}

function hasControlWord(packet: PacketCursor): boolean {
  const { data, at } = packet;
  if (packet.end - at < CONTROL_WORD_BYTES) return false;
  return readInt32(data, at) === 0 || (!isEthernet(packet, at) && isEthernet(packet, at + CONTROL_WORD_BYTES));
}

/** An Ethernet header at `at` with a VLAN tag or an IP packet behind it. */
function isEthernet(packet: PacketCursor, at: number): boolean {
  const data = packet.data;
  if (packet.end - at <= ETHERNET_HEADER_BYTES) return false;
  const type = readUint16(data, at + ETHERNET_TYPE_OFFSET);
  const version = data[at + ETHERNET_HEADER_BYTES]! >> 4;
  return isVlanTag(type) || (type === ETHERTYPE_IPV4 && version === 4) || (type === ETHERTYPE_IPV6 && version === 6);
}

/** The bytes of an IPv4 packet's lengths fit what is there (RFC 791 §3.1). */
function isIpv4Length({ data, at, wireEnd }: PacketCursor): boolean {
  const headerBytes = (data[at]! & 0x0f) << 2;
  const totalBytes = readUint16(data, at + 2);
  return headerBytes >= 20 && totalBytes >= headerBytes && totalBytes <= wireEnd - at;
}

function isIpv6Length({ data, at, wireEnd }: PacketCursor): boolean {
  return readUint16(data, at + 4) === wireEnd - at - IPV6_HEADER_BYTES;
}
