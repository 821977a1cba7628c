// ERSPAN, Cisco's mirror port over GRE (draft-foschiano-erspan-03): type I has no header of its own, type II 8 bytes, type
// III 12 and perhaps 8 more. What the mirror knows of the frame's VLAN is kept for frames without a tag.
//
//   | version (4) | VLAN (12) | class (3) | encapsulation (2) | truncated (1) | session (10) |   then type II: index (32)
//   type III: timestamp (32) | security group (16) | P (1) | frame type (5) | hardware (6) | D (1) | Gra (2) | O (1) |
import { readUint16 } from "./big-endian.js";
import type { NetCounters } from "./counters.js";
import { ETHERTYPE_ETHERNET, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_NONE } from "./ether-type.js";
import { Layer } from "./layer.js";
import type { PacketCursor } from "./packet-cursor.js";

const VERSION_2 = 1;
const VERSION_3 = 2;
const TYPE_2_BYTES = 8;
const TYPE_3_BYTES = 12;
const PLATFORM_HEADER_BYTES = 8;
const SESSION_OFFSET = 2;
const VLAN_MASK = 0x0fff;
const TRUNCATED = 0x0400;
const SESSION_MASK = 0x03ff;
/** Type II: the tag is still in the frame, and the VLAN field is undefined. */
const ENCAPSULATION_MASK = 0x1800;
const ENCAPSULATION_IN_FRAME = 0x1800;
const FRAME_TYPE_OFFSET = 10;
const FRAME_TYPE_SHIFT = 10;
const FRAME_TYPE_MASK = 0x1f;
const FRAME_ETHERNET = 0;
const FRAME_IP = 2;
const HAS_PLATFORM_HEADER = 0x0001;
/** The mirror cut the frame and does not say how long it was: any length that the frame itself claims is believed. */
const LONGEST_FRAME_BYTES = 65535;

/** Type I: the mirrored frame follows GRE directly. Returns ETHERNET or NONE. */
export function openErspan1(packet: PacketCursor, counters: NetCounters): number {
  return packet.push(Layer.erspan1, counters) ? ETHERTYPE_ETHERNET : ETHERTYPE_NONE;
}

/** Types II and III, told apart by their version. Returns ETHERNET, for a type III that mirrors IP its EtherType, or NONE. */
export function openErspan(packet: PacketCursor, counters: NetCounters): number {
  const { data, at } = packet;
  if (packet.remainingBytes < TYPE_2_BYTES) return rejectErspan(counters);
  const vlan = readUint16(data, at) & VLAN_MASK;
  const session = readUint16(data, at + SESSION_OFFSET);
  const version = data[at]! >> 4;
  let type = ETHERTYPE_ETHERNET;
  if (version === VERSION_2) {
    if (!packet.push(Layer.erspan2, counters)) return ETHERTYPE_NONE;
    packet.at = at + TYPE_2_BYTES;
    if (vlan !== 0 && (session & ENCAPSULATION_MASK) !== ENCAPSULATION_IN_FRAME) packet.link.vlan = vlan;
  } else if (version === VERSION_3) {
    type = openType3(packet, counters);
    if (vlan !== 0) packet.link.vlan = vlan;
  } else {
    return rejectErspan(counters);
  }
  packet.identify(session & SESSION_MASK);
  if ((session & TRUNCATED) !== 0) packet.wireEnd = packet.end + LONGEST_FRAME_BYTES;
  return type;
}

function openType3(packet: PacketCursor, counters: NetCounters): number {
  const { data, at } = packet;
  if (packet.remainingBytes < TYPE_3_BYTES) return rejectErspan(counters);
  const field = readUint16(data, at + FRAME_TYPE_OFFSET);
  const headerBytes = TYPE_3_BYTES + ((field & HAS_PLATFORM_HEADER) === 0 ? 0 : PLATFORM_HEADER_BYTES);
  if (packet.remainingBytes < headerBytes) return rejectErspan(counters);
  if (!packet.push(Layer.erspan3, counters)) return ETHERTYPE_NONE;
  packet.at = at + headerBytes;
  const frameType = (field >> FRAME_TYPE_SHIFT) & FRAME_TYPE_MASK;
  if (frameType === FRAME_ETHERNET) return ETHERTYPE_ETHERNET;
  const version = packet.remainingBytes > 0 ? data[packet.at]! >> 4 : 0;
  if (frameType === FRAME_IP && version === 4) return ETHERTYPE_IPV4;
  if (frameType === FRAME_IP && version === 6) return ETHERTYPE_IPV6;
  counters.notIp++;
  return ETHERTYPE_NONE;
}

function rejectErspan(counters: NetCounters): number {
  counters.badTunnelHeader++;
  return ETHERTYPE_NONE;
}
