// PPP (RFC 1661, HDLC-like framing RFC 1662) and PPPoE sessions (RFC 2516) that carry IP. Never follows negotiation.
import { readUint16 } from "./big-endian.js";
import type { NetCounters } from "./counters.js";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_NONE } from "./ether-type.js";
import { Layer } from "./layer.js";
import type { PacketCursor } from "./packet-cursor.js";

const PPP_IPV4 = 0x0021;
const PPP_IPV6 = 0x0057;
/** HDLC address "all stations" and control "unnumbered information" (RFC 1662 §3.1); may be compressed away. */
const PPP_ADDRESS_CONTROL = 0xff03;
const PPPOE_HEADER_BYTES = 6;
/** Version 1, type 1, code 0: session data (RFC 2516 §4, §6). */
const PPPOE_SESSION_DATA = 0x1100;

/**
 * Moves behind the PPPoE header and the PPP protocol field. PPPoE's own length is not needed: the IP length says where
 * the packet ends.
 */
export function openPppoe(packet: PacketCursor, counters: NetCounters): number {
  if (packet.remainingBytes < PPPOE_HEADER_BYTES) {
    counters.shortFrame++;
    return ETHERTYPE_NONE;
  }
  if (readUint16(packet.data, packet.at) !== PPPOE_SESSION_DATA) {
    counters.notIp++;
    return ETHERTYPE_NONE;
  }
  packet.at += PPPOE_HEADER_BYTES;
  return packet.push(Layer.pppoe, counters) ? openPpp(packet, counters) : ETHERTYPE_NONE;
}

/** Moves behind the PPP header, with or without address, control and protocol field compression (RFC 1661 §6.5, §6.6). */
export function openPpp(packet: PacketCursor, counters: NetCounters): number {
  const data = packet.data;
  let at = packet.at;
  if (packet.end - at >= 2 && readUint16(data, at) === PPP_ADDRESS_CONTROL) at += 2;
  if (packet.end - at < 2) {
    counters.shortFrame++;
    return ETHERTYPE_NONE;
  }
  // A protocol number's first byte is even and its last odd: an odd first byte is a compressed field (RFC 1661 §2).
  const isCompressed = (data[at]! & 1) === 1;
  const protocol = isCompressed ? data[at]! : readUint16(data, at);
  packet.at = at + (isCompressed ? 1 : 2);
  if (protocol === PPP_IPV4) return ETHERTYPE_IPV4;
  if (protocol === PPP_IPV6) return ETHERTYPE_IPV6;
  counters.notIp++;
  return ETHERTYPE_NONE;
}
