// The UDP header (RFC 768): fills the datagram that is handed on. Checksums are not verified, because frames mirrored on
// their way out of a host carry whatever stood there before its network card computed them.
//
//   | source port | destination port | length | checksum |
import { readInt32, readUint16 } from "./big-endian.js";
import type { NetCounters } from "./counters.js";
import type { Datagram } from "./datagram.js";
import type { PacketCursor } from "./packet-cursor.js";

const UDP_HEADER_BYTES = 8;
const LENGTH_OFFSET = 4;

/**
 * Fills `datagram` from the header at the cursor; `datagram.key` must be the cursor's. False when there is no usable
 * header, which has then been counted: a length of 0 (jumbogram, RFC 2675 §4) says nothing that can be trusted. A datagram
 * that is filled is for the caller to count, because it may turn out to be a tunnel.
 */
export function openUdp(packet: PacketCursor, datagram: Datagram, counters: NetCounters): boolean {
  const { data, at, end } = packet;
  if (end - at < UDP_HEADER_BYTES) {
    counters.badUdpLength++;
    return false;
  }
  const lengthBytes = readUint16(data, at + LENGTH_OFFSET);
  if (lengthBytes < UDP_HEADER_BYTES) {
    counters.badUdpLength++;
    return false;
  }
  const datagramEnd = at + lengthBytes;
  if (datagramEnd > packet.wireEnd) counters.badUdpLength++;
  const isTruncated = datagramEnd > end;
  packet.key[8] = readInt32(data, at);
  datagram.data = data;
  datagram.start = at + UDP_HEADER_BYTES;
  datagram.end = isTruncated ? end : datagramEnd;
  datagram.truncated = isTruncated;
  datagram.capturedAtUs = packet.capturedAtUs;
  datagram.interfaceIndex = packet.interfaceIndex;
  return true;
}
