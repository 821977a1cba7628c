// TZSP, the TaZmen Sniffer Protocol, in which MikroTik routers send what they mirror: a fixed header and a list of tagged
// fields, then the frame. There is no standard; this is Network Chemistry's application note 001.
//
//   | version (8) | type (8) | encapsulated protocol (16) | tags: number (8), length (8), data; 0 = padding, 1 = end |
import { readUint16 } from "./big-endian.js";
import type { NetCounters } from "./counters.js";
import { ETHERTYPE_ETHERNET, ETHERTYPE_NONE, NOT_A_TUNNEL } from "./ether-type.js";
import { Layer } from "./layer.js";
import type { PacketCursor } from "./packet-cursor.js";

const TZSP_HEADER_BYTES = 4;
const PROTOCOL_OFFSET = 2;
const VERSION = 1;
/** 0 = a packet that was received, 1 = one to be sent; higher types are configuration and keepalives. */
const MAX_PACKET_TYPE = 1;
const PROTOCOL_ETHERNET = 1;
const TAG_PADDING = 0;
const TAG_END = 1;
/** A dozen kinds exist, and padding may stand between them. */
const MAX_TAGS = 64;

/** Moves behind header and tags. Returns ETHERNET, NONE or NOT_A_TUNNEL. */
export function openTzsp(packet: PacketCursor, counters: NetCounters): number {
  const { data, at } = packet;
  if (packet.remainingBytes < TZSP_HEADER_BYTES) return NOT_A_TUNNEL;
  if (data[at] !== VERSION || data[at + 1]! > MAX_PACKET_TYPE) return NOT_A_TUNNEL;
  if (readUint16(data, at + PROTOCOL_OFFSET) !== PROTOCOL_ETHERNET) return NOT_A_TUNNEL;
  const frameAt = skipTags(data, at + TZSP_HEADER_BYTES, packet.end);
  if (frameAt < 0) return NOT_A_TUNNEL;
  if (!packet.enterTunnel(Layer.tzsp, 0, counters)) return ETHERTYPE_NONE;
  packet.at = frameAt;
  return ETHERTYPE_ETHERNET;
}

/** Where the list of tags from `start` ends, or -1 when it has no end before `end`. */
function skipTags(data: Buffer, start: number, end: number): number {
  let at = start;
  for (let tags = 0; tags < MAX_TAGS && at < end; tags++) {
    const tag = data[at]!;
    at++;
    if (tag === TAG_END) return at;
    if (tag === TAG_PADDING) continue;
    if (at >= end) return -1;
    at += 1 + data[at]!;
  }
  return -1;
}
