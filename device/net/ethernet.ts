// Ethernet II, VLAN tags (IEEE 802.1Q, 802.1ad and the older QinQ types) and IEEE 802.3 with LLC/SNAP (RFC 1042): finds
// the network protocol behind them, and notes sender and outermost VLAN.
import { readInt32, readUint16 } from "./big-endian.js";
import type { NetCounters } from "./counters.js";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MINIMUM, ETHERTYPE_NONE } from "./ether-type.js";
import type { PacketCursor } from "./packet-cursor.js";
import { openPppoe } from "./ppp.js";

const ETHERTYPE_PPPOE_SESSION = 0x8864;
const ETHERTYPE_8021Q = 0x8100;
const ETHERTYPE_8021AD = 0x88a8;
const ETHERTYPE_QINQ_9100 = 0x9100;
const ETHERTYPE_QINQ_9200 = 0x9200;

const ETHERNET_HEADER_BYTES = 14;
const SOURCE_OFFSET = 6;
const TYPE_OFFSET = 12;
const TAG_BYTES = 4;
const TAG_TYPE_OFFSET = 2;
const VLAN_MASK = 0x0fff;
const LLC_SNAP_BYTES = 8;
const SNAP_TYPE_OFFSET = 6;
/** A real network stacks two or three; a longer stack is hostile or broken. */
const MAX_TAGS = 8;

/** Moves behind the Ethernet header and all tags. Returns the EtherType of the payload: IPv4, IPv6 or NONE. */
export function openEthernet(packet: PacketCursor, counters: NetCounters): number {
  const at = packet.at;
  if (packet.end - at < ETHERNET_HEADER_BYTES) {
    counters.shortFrame++;
    return ETHERTYPE_NONE;
  }
  packet.at = at + ETHERNET_HEADER_BYTES;
  packet.link.sourceMacHigh = readUint16(packet.data, at + SOURCE_OFFSET);
  packet.link.sourceMacLow = readInt32(packet.data, at + SOURCE_OFFSET + 2);
  const type = readUint16(packet.data, at + TYPE_OFFSET);
  return type === ETHERTYPE_IPV4 ? type : openEtherType(packet, type, counters);
}

/** What lies behind an EtherType or 802.3 length: skips tags, PPPoE and LLC/SNAP. Same result as `openEthernet`. */
export function openEtherType(packet: PacketCursor, etherType: number, counters: NetCounters): number {
  let type = etherType;
  for (let tags = 0; isVlanTag(type); tags++) {
    if (tags === MAX_TAGS) {
      counters.tooManyTags++;
      return ETHERTYPE_NONE;
    }
    if (packet.remainingBytes < TAG_BYTES) {
      counters.shortFrame++;
      return ETHERTYPE_NONE;
    }
    if (packet.link.vlan < 0) packet.link.vlan = readUint16(packet.data, packet.at) & VLAN_MASK;
    type = readUint16(packet.data, packet.at + TAG_TYPE_OFFSET);
    packet.at += TAG_BYTES;
  }
  if (type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6) return type;
  if (type === ETHERTYPE_PPPOE_SESSION) return openPppoe(packet, counters);
  if (type < ETHERTYPE_MINIMUM) return openLlc(packet, counters);
  counters.notIp++;
  return ETHERTYPE_NONE;
}

function isVlanTag(type: number): boolean {
  return (
    type === ETHERTYPE_8021Q ||
    type === ETHERTYPE_8021AD ||
    type === ETHERTYPE_QINQ_9100 ||
    type === ETHERTYPE_QINQ_9200
  );
}

/** LLC with a SNAP header of organisation 0 and an IP EtherType (RFC 1042); all other LLC is spanning tree and the like. */
export function openLlc(packet: PacketCursor, counters: NetCounters): number {
  const { data, at } = packet;
  if (packet.end - at < LLC_SNAP_BYTES) {
    counters.notIp++;
    return ETHERTYPE_NONE;
  }
  const isSnap =
    readUint16(data, at) === 0xaaaa && readUint16(data, at + 2) === 0x0300 && readUint16(data, at + 4) === 0;
  const type = readUint16(data, at + SNAP_TYPE_OFFSET);
  if (!isSnap || (type !== ETHERTYPE_IPV4 && type !== ETHERTYPE_IPV6)) {
    counters.notIp++;
    return ETHERTYPE_NONE;
  }
  packet.at = at + LLC_SNAP_BYTES;
  return type;
}
