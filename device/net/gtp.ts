// GTP-U (3GPP TS 29.281 §5.1, §5.2): the user's IP packets in a mobile network. Signalling messages of the tunnel itself
// (echo, error indication, end marker) carry none.
//
//   | version (3) | PT | - | E | S | PN | message type (8) | length (16) | tunnel endpoint identifier (32) |
//   with any of E, S, PN: | sequence (16) | N-PDU (8) | next extension (8) |, then extensions: | length (8) | … | next (8) |
import { readInt32, readUint16 } from "./big-endian.js";
import type { NetCounters } from "./counters.js";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_NONE, NOT_A_TUNNEL } from "./ether-type.js";
import { Layer } from "./layer.js";
import type { PacketCursor } from "./packet-cursor.js";

const GTP_HEADER_BYTES = 8;
const LENGTH_OFFSET = 2;
const ENDPOINT_OFFSET = 4;
const OPTIONAL_BYTES = 4;
/** Version 1, protocol type GTP; the bit that is spare is not looked at. */
const VERSION_MASK = 0xf0;
const VERSION_1_GTP = 0x30;
const HAS_EXTENSION = 0x04;
const HAS_OPTIONAL = 0x07;
const MESSAGE_USER_DATA = 255;
const MAX_EXTENSIONS = 8;

/** Moves behind header and extensions. Returns IPv4 or IPv6 as the packet begins, NONE or NOT_A_TUNNEL. */
export function openGtp(packet: PacketCursor, counters: NetCounters): number {
  const { data, at } = packet;
  if (packet.remainingBytes < GTP_HEADER_BYTES) return NOT_A_TUNNEL;
  const flags = data[at]!;
  if ((flags & VERSION_MASK) !== VERSION_1_GTP || data[at + 1] !== MESSAGE_USER_DATA) return NOT_A_TUNNEL;
  if (at + GTP_HEADER_BYTES + readUint16(data, at + LENGTH_OFFSET) > packet.wireEnd) return NOT_A_TUNNEL;
  const packetAt = skipOptional(packet, flags);
  if (packetAt >= packet.end) return NOT_A_TUNNEL;
  const type = typeOf(data[packetAt]! >> 4);
  if (type === NOT_A_TUNNEL) return NOT_A_TUNNEL;
  if (!packet.enterTunnel(Layer.gtpU, readInt32(data, at + ENDPOINT_OFFSET), counters)) return ETHERTYPE_NONE;
  packet.at = packetAt;
  return type;
}

/** Where the user's packet begins; at or beyond the end when the header does not fit. */
function skipOptional({ data, at, end }: PacketCursor, flags: number): number {
  let next = at + GTP_HEADER_BYTES;
  if ((flags & HAS_OPTIONAL) === 0) return next;
  next += OPTIONAL_BYTES;
  if (next > end) return end;
  let hasExtension = (flags & HAS_EXTENSION) !== 0 && data[next - 1] !== 0;
  for (let extensions = 0; hasExtension; extensions++) {
    // Lengths count in units of 4 bytes, both ends included.
    const lengthBytes = next < end ? data[next]! << 2 : 0;
    if (lengthBytes === 0 || next + lengthBytes > end || extensions === MAX_EXTENSIONS) return end;
    next += lengthBytes;
    hasExtension = data[next - 1] !== 0;
  }
  return next;
}

function typeOf(version: number): number {
  if (version === 4) return ETHERTYPE_IPV4;
  return version === 6 ? ETHERTYPE_IPV6 : NOT_A_TUNNEL;
}
