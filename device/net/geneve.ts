// GENEVE (RFC 8926 §3.4). Options are skipped; control packets (the O bit) carry nothing of ours.
//
//   | version (2) | options length (6) | O | C | reserved (6) | protocol type (16) | network identifier (24) | reserved (8) |
import { readInt32, readUint16 } from "./big-endian.js";
import type { NetCounters } from "./counters.js";
import {
  ETHERTYPE_ETHERNET,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_MPLS,
  ETHERTYPE_NONE,
  NOT_A_TUNNEL,
} from "./ether-type.js";
import { Layer } from "./layer.js";
import type { PacketCursor } from "./packet-cursor.js";

const GENEVE_HEADER_BYTES = 8;
const PROTOCOL_OFFSET = 2;
const NETWORK_OFFSET = 4;
/** Options are counted in units of 4 bytes; the two bits above are the version, 0. */
const MAX_OPTION_UNITS = 0x3f;
/** All but "critical options present": control, and bits that are reserved. */
const FOREIGN_FLAGS = 0xbf;

/** Moves behind header and options. Returns the EtherType of what lies there, NONE or NOT_A_TUNNEL. */
export function openGeneve(packet: PacketCursor, counters: NetCounters): number {
  const { data, at } = packet;
  if (packet.remainingBytes < GENEVE_HEADER_BYTES) return NOT_A_TUNNEL;
  const optionUnits = data[at]!;
  if (optionUnits > MAX_OPTION_UNITS || (data[at + 1]! & FOREIGN_FLAGS) !== 0) return NOT_A_TUNNEL;
  const headerBytes = GENEVE_HEADER_BYTES + (optionUnits << 2);
  const protocol = readUint16(data, at + PROTOCOL_OFFSET);
  const network = readInt32(data, at + NETWORK_OFFSET);
  if (!isFollowed(protocol) || (network & 0xff) !== 0 || packet.remainingBytes < headerBytes) return NOT_A_TUNNEL;
  if (!packet.enterTunnel(Layer.geneve, network, counters)) return ETHERTYPE_NONE;
  packet.at = at + headerBytes;
  return protocol;
}

function isFollowed(protocol: number): boolean {
  return (
    protocol === ETHERTYPE_ETHERNET ||
    protocol === ETHERTYPE_IPV4 ||
    protocol === ETHERTYPE_IPV6 ||
    protocol === ETHERTYPE_MPLS
  );
}
