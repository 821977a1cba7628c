// Tunnels that run over UDP, told by the well-known destination port and then by a header that must be sound: a port alone
// proves nothing, because calls may use any. What begins like RTP is never taken for a tunnel.
import { readUint16 } from "./big-endian.js";
import type { NetCounters } from "./counters.js";
import type { Datagram } from "./datagram.js";
import { NOT_A_TUNNEL } from "./ether-type.js";
import { openGeneve } from "./geneve.js";
import { openGtp } from "./gtp.js";
import type { PacketCursor } from "./packet-cursor.js";
import { openTzsp } from "./tzsp.js";
import { openVxlan } from "./vxlan.js";

/** Version 2 of RTP and RTCP makes the first byte 128 to 191 (RFC 3550 §5.1, §6.4); the tunnels' first bytes are lower. */
export const MAX_TUNNEL_FIRST_BYTE = 0x7f;

const PORT_VXLAN = 4789;
const PORT_VXLAN_GPE = 4790;
/** What Linux took before VXLAN had a number, and still takes unless it is told otherwise. */
const PORT_VXLAN_LINUX = 8472;
const PORT_GENEVE = 6081;
const PORT_GTP_U = 2152;
const PORT_TZSP = 37008;
const UDP_HEADER_BYTES = 8;
/** Where the UDP length stands, seen from the payload. */
const UDP_LENGTH_OFFSET = -4;

/**
 * Moves the cursor into the tunnel that `datagram`, just read from the cursor, carries. Returns the EtherType of what
 * lies there, to be followed further; NONE when it was counted and is done with; NOT_A_TUNNEL, with nothing counted, when
 * the datagram is an ordinary one.
 */
export function openUdpTunnel(packet: PacketCursor, datagram: Datagram, counters: NetCounters): number {
  switch (packet.key[8]! & 0xffff) {
    case PORT_VXLAN:
    case PORT_VXLAN_GPE:
    case PORT_VXLAN_LINUX:
      return openVxlan(enterPayload(packet, datagram), counters);
    case PORT_GENEVE:
      return openGeneve(enterPayload(packet, datagram), counters);
    case PORT_GTP_U:
      return openGtp(enterPayload(packet, datagram), counters);
    case PORT_TZSP:
      return openTzsp(enterPayload(packet, datagram), counters);
    default:
      return NOT_A_TUNNEL;
  }
}

/** Moves the cursor to the datagram's payload, which ends where UDP says. */
function enterPayload(packet: PacketCursor, { data, start, end }: Datagram): PacketCursor {
  const wireEnd = start + readUint16(data, start + UDP_LENGTH_OFFSET) - UDP_HEADER_BYTES;
  packet.at = start;
  packet.end = end;
  if (wireEnd < packet.wireEnd) packet.wireEnd = wireEnd;
  return packet;
}
