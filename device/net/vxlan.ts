// VXLAN (RFC 7348 §5) and its Generic Protocol Extension (draft-ietf-nvo3-vxlan-gpe §3): one header, told apart by a flag.
//
//   | flags: - - ver(2) I P B O | reserved (16) | next protocol (8), with P | network identifier (24) | reserved (8) |
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

const VXLAN_HEADER_BYTES = 8;
const NEXT_PROTOCOL_OFFSET = 3;
const NETWORK_OFFSET = 4;
const FLAGS_VXLAN = 0x08;
const FLAGS_GPE = 0x0c;
/** GPE: the frame was copied to several receivers; changes nothing here. */
const FLAG_COPIED = 0x02;
const NEXT_IPV4 = 1;
const NEXT_IPV6 = 2;
const NEXT_ETHERNET = 3;
const NEXT_MPLS = 5;

/** Moves behind the header. Returns the EtherType of what lies there, NONE or NOT_A_TUNNEL. */
export function openVxlan(packet: PacketCursor, counters: NetCounters): number {
  const { data, at } = packet;
  if (packet.remainingBytes < VXLAN_HEADER_BYTES) return NOT_A_TUNNEL;
  const flags = data[at]!;
  const isGpe = (flags & ~FLAG_COPIED) === FLAGS_GPE;
  if (!isGpe && flags !== FLAGS_VXLAN) return NOT_A_TUNNEL;
  const network = readInt32(data, at + NETWORK_OFFSET);
  if (readUint16(data, at + 1) !== 0 || (network & 0xff) !== 0) return NOT_A_TUNNEL;
  const next = data[at + NEXT_PROTOCOL_OFFSET]!;
  const type = isGpe ? typeOf(next) : next === 0 ? ETHERTYPE_ETHERNET : NOT_A_TUNNEL;
  if (type === NOT_A_TUNNEL) return NOT_A_TUNNEL;
  if (!packet.enterTunnel(isGpe ? Layer.vxlanGpe : Layer.vxlan, network, counters)) return ETHERTYPE_NONE;
  packet.at = at + VXLAN_HEADER_BYTES;
  return type;
}

function typeOf(nextProtocol: number): number {
  switch (nextProtocol) {
    case NEXT_IPV4:
      return ETHERTYPE_IPV4;
    case NEXT_IPV6:
      return ETHERTYPE_IPV6;
    case NEXT_ETHERNET:
      return ETHERTYPE_ETHERNET;
    case NEXT_MPLS:
      return ETHERTYPE_MPLS;
    default:
      return NOT_A_TUNNEL;
  }
}
