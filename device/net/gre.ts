// GRE (RFC 2784, RFC 2890) and the enhanced GRE of PPTP (RFC 2637 §4.1). Checksums are not verified and the order of
// sequence numbers is not kept: what is inside has its own.
//
//   |C|R|K|S|s| recursion | A | flags | version | protocol type | [checksum, offset] | [key] | [sequence] | [acknowledgment] |
import { readInt32, readUint16 } from "./big-endian.js";
import type { NetCounters } from "./counters.js";
import { openErspan, openErspan1 } from "./erspan.js";
import { ETHERTYPE_MINIMUM, ETHERTYPE_NONE, ETHERTYPE_PPP } from "./ether-type.js";
import { Layer } from "./layer.js";
import type { PacketCursor } from "./packet-cursor.js";

const GRE_HEADER_BYTES = 4;
const FIELD_BYTES = 4;
const HAS_CHECKSUM = 0x8000;
/** Source routes of RFC 1701, which nobody sends any more. */
const HAS_ROUTING = 0x4000;
const HAS_KEY = 0x2000;
const HAS_SEQUENCE = 0x1000;
const HAS_ACKNOWLEDGMENT = 0x0080;
const VERSION_MASK = 0x0007;
const PPTP_VERSION = 1;
/** The lower half of PPTP's key is the call, the upper half the length of this packet. */
const PPTP_CALL_MASK = 0xffff;
/** ERSPAN types I and II, and III (draft-foschiano-erspan). */
const PROTOCOL_ERSPAN = 0x88be;
const PROTOCOL_ERSPAN_3 = 0x22eb;

/** Moves behind the GRE header and ERSPAN's. Returns the EtherType of what lies there, to be followed further, or NONE. */
export function openGre(packet: PacketCursor, counters: NetCounters): number {
  const { data, at } = packet;
  if (packet.end - at < GRE_HEADER_BYTES) return rejectGre(counters);
  const flags = readUint16(data, at);
  const protocol = readUint16(data, at + 2);
  const isPptp = (flags & VERSION_MASK) === PPTP_VERSION;
  if (!isPptp && (flags & (VERSION_MASK | HAS_ROUTING)) !== 0) return rejectGre(counters);
  if (isPptp && (protocol !== ETHERTYPE_PPP || (flags & HAS_KEY) === 0)) return rejectGre(counters);
  const keyOffset = GRE_HEADER_BYTES + bytesFor(flags, HAS_CHECKSUM);
  const sequenceOffset = keyOffset + bytesFor(flags, HAS_KEY);
  const headerBytes =
    sequenceOffset + bytesFor(flags, HAS_SEQUENCE) + (isPptp ? bytesFor(flags, HAS_ACKNOWLEDGMENT) : 0);
  if (packet.end - at < headerBytes) return rejectGre(counters);
  const key = (flags & HAS_KEY) === 0 ? 0 : readInt32(data, at + keyOffset);
  packet.at = at + headerBytes;
  if (!packet.enterTunnel(Layer.gre, isPptp ? key & PPTP_CALL_MASK : key, counters)) return ETHERTYPE_NONE;
  const hasSequence = (flags & HAS_SEQUENCE) !== 0;
  if (protocol === PROTOCOL_ERSPAN && !hasSequence) return openErspan1(packet, counters);
  if (protocol === PROTOCOL_ERSPAN || protocol === PROTOCOL_ERSPAN_3) return openErspan(packet, counters);
  // Without a sequence number PPTP only acknowledges; protocol 0 is a router's keepalive.
  if ((isPptp && !hasSequence) || protocol < ETHERTYPE_MINIMUM) {
    counters.notIp++;
    return ETHERTYPE_NONE;
  }
  return protocol;
}

function bytesFor(flags: number, flag: number): number {
  return (flags & flag) === 0 ? 0 : FIELD_BYTES;
}

function rejectGre(counters: NetCounters): number {
  counters.badTunnelHeader++;
  return ETHERTYPE_NONE;
}
