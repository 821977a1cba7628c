// Ethernet II, VLAN tags (IEEE 802.1Q, 802.1ad and the older QinQ types), IEEE 802.1ah and IEEE 802.3 with LLC/SNAP (RFC
// 1042): follows EtherTypes to the IP packet behind them, through whatever Ethernet carries, and notes sender and VLAN.
import { readInt32, readUint16 } from "./big-endian.js";
import type { NetCounters } from "./counters.js";
import {
  ETHERTYPE_8021AD,
  ETHERTYPE_8021Q,
  ETHERTYPE_ETHERNET,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_MAC_IN_MAC,
  ETHERTYPE_MINIMUM,
  ETHERTYPE_MPLS,
  ETHERTYPE_MPLS_UPSTREAM,
  ETHERTYPE_NONE,
  ETHERTYPE_PPP,
  ETHERTYPE_PPPOE_SESSION,
  ETHERTYPE_QINQ_9100,
  ETHERTYPE_QINQ_9200,
  isVlanTag,
} from "./ether-type.js";
import { Layer } from "./layer.js";
import { openMpls } from "./mpls.js";
import type { PacketCursor } from "./packet-cursor.js";
import { openPpp, openPppoe } from "./ppp.js";

const ETHERNET_HEADER_BYTES = 14;
const SOURCE_OFFSET = 6;
const TYPE_OFFSET = 12;
const TAG_BYTES = 4;
const TAG_TYPE_OFFSET = 2;
const VLAN_MASK = 0x0fff;
/** Behind the EtherType of 802.1ah: priority, flags and the 24-bit service identifier (IEEE 802.1Q §9.7). */
const SERVICE_TAG_BYTES = 4;
const SERVICE_ID_MASK = 0xffffff;
const LLC_SNAP_BYTES = 8;
const SNAP_TYPE_OFFSET = 6;
/** A real network stacks two or three; a longer stack is hostile or broken. */
const MAX_TAGS = 8;

/** Moves from an Ethernet header to the IP packet in the frame. Returns its EtherType, IPv4 or IPv6, or NONE. */
export function openEthernet(packet: PacketCursor, counters: NetCounters): number {
  let type = openHeader(packet, counters);
  // Most frames of a trunk have one tag and IPv4 behind it: they need not go through the list of everything.
  if (type !== ETHERTYPE_IPV4 && isVlanTag(type)) type = openTags(packet, counters);
  return type === ETHERTYPE_IPV4 ? type : openEtherType(packet, type, counters);
}

/** Moves behind the Ethernet header. Returns the EtherType or 802.3 length that it ends with, or NONE. */
function openHeader(packet: PacketCursor, counters: NetCounters): number {
  const at = packet.at;
  if (packet.end - at < ETHERNET_HEADER_BYTES) {
    counters.shortFrame++;
    return ETHERTYPE_NONE;
  }
  packet.at = at + ETHERNET_HEADER_BYTES;
  packet.link.sourceMacHigh = readUint16(packet.data, at + SOURCE_OFFSET);
  packet.link.sourceMacLow = readInt32(packet.data, at + SOURCE_OFFSET + 2);
  return readUint16(packet.data, at + TYPE_OFFSET);
}

/**
 * What lies behind an EtherType or 802.3 length: follows tags, labels and inner Ethernet headers. Same result as
 * `openEthernet`. Every turn of the loop takes bytes and all but the last note a layer, so that it ends soon.
 */
export function openEtherType(packet: PacketCursor, etherType: number, counters: NetCounters): number {
  let type = etherType;
  for (;;) {
    switch (type) {
      case ETHERTYPE_NONE:
      case ETHERTYPE_IPV4:
      case ETHERTYPE_IPV6:
        return type;
      case ETHERTYPE_8021Q:
      case ETHERTYPE_8021AD:
      case ETHERTYPE_QINQ_9100:
      case ETHERTYPE_QINQ_9200:
        type = openTags(packet, counters);
        break;
      case ETHERTYPE_ETHERNET:
        type = packet.push(Layer.ethernet, counters) ? openHeader(packet, counters) : ETHERTYPE_NONE;
        break;
      case ETHERTYPE_MPLS:
      case ETHERTYPE_MPLS_UPSTREAM:
        type = openMpls(packet, counters);
        break;
      case ETHERTYPE_MAC_IN_MAC:
        type = openMacInMac(packet, counters);
        break;
      case ETHERTYPE_PPPOE_SESSION:
        return openPppoe(packet, counters);
      case ETHERTYPE_PPP:
        return packet.push(Layer.ppp, counters) ? openPpp(packet, counters) : ETHERTYPE_NONE;
      default:
        if (type < ETHERTYPE_MINIMUM) return openLlc(packet, counters);
        counters.notIp++;
        return ETHERTYPE_NONE;
    }
  }
}

/** Moves behind the VLAN tags at the cursor, one or more; the outermost is the VLAN of this Ethernet header. */
function openTags(packet: PacketCursor, counters: NetCounters): number {
  const data = packet.data;
  for (let tags = 0; tags < MAX_TAGS; tags++) {
    const at = packet.at;
    if (packet.end - at < TAG_BYTES) {
      counters.shortFrame++;
      return ETHERTYPE_NONE;
    }
    if (!packet.push(Layer.vlan, counters)) return ETHERTYPE_NONE;
    if (tags === 0) packet.link.vlan = readUint16(data, at) & VLAN_MASK;
    packet.at = at + TAG_BYTES;
    const type = readUint16(data, at + TAG_TYPE_OFFSET);
    if (!isVlanTag(type)) return type;
  }
  counters.tooManyTags++;
  return ETHERTYPE_NONE;
}

/** Moves behind the service tag of IEEE 802.1ah, to the customer's Ethernet header. */
function openMacInMac(packet: PacketCursor, counters: NetCounters): number {
  if (packet.remainingBytes < SERVICE_TAG_BYTES) {
    counters.shortFrame++;
    return ETHERTYPE_NONE;
  }
  if (!packet.push(Layer.macInMac, counters)) return ETHERTYPE_NONE;
  packet.identify(readInt32(packet.data, packet.at) & SERVICE_ID_MASK);
  packet.at += SERVICE_TAG_BYTES;
  return ETHERTYPE_ETHERNET;
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
