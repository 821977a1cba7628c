// The TCP header (RFC 9293 §3.1) of one segment. Options are skipped, checksums are not verified (see udp.ts).
//
//   | source port | destination port | sequence | acknowledgment | offset, flags | window | checksum | urgent | options |
import type { TimeUs } from "../base/ids.js";
import { readInt32 } from "./big-endian.js";
import type { NetCounters } from "./counters.js";
import type { LinkFacts } from "./link-facts.js";
import type { PacketCursor } from "./packet-cursor.js";

export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
const TCP_HEADER_BYTES = 20;
const SEQUENCE_OFFSET = 4;
const DATA_OFFSET_OFFSET = 12;
const FLAGS_OFFSET = 13;

/** One segment. The decoder reuses ONE object: whoever keeps bytes or the key copies them. `data[start..end)` is the payload. */
export interface TcpSegment {
  /** As in `Datagram.key`. */
  key: Int32Array;
  data: Buffer;
  start: number;
  end: number;
  /** Payload bytes on the wire; more than `end - start` when the capture cut the segment. */
  wireBytes: number;
  /** Sequence number as a signed 32-bit word: differences are taken with `| 0`. */
  sequence: number;
  /** Bits TCP_FIN, TCP_SYN, TCP_RST, … */
  flags: number;
  capturedAtUs: TimeUs;
  interfaceIndex: number;
  /** What the layers below said, valid as long as the segment. */
  link: LinkFacts;
}
export type TcpSegmentSink = (segment: TcpSegment) => void;

/** Fills `segment` from the header at the cursor; `segment.key` must be the cursor's. False when the header is unusable. */
export function openTcp(packet: PacketCursor, segment: TcpSegment, counters: NetCounters): boolean {
  const { data, at, end } = packet;
  if (end - at < TCP_HEADER_BYTES) {
    counters.badTcpHeader++;
    return false;
  }
  const headerBytes = (data[at + DATA_OFFSET_OFFSET]! >> 4) << 2;
  if (headerBytes < TCP_HEADER_BYTES || headerBytes > end - at) {
    counters.badTcpHeader++;
    return false;
  }
  packet.key[8] = readInt32(data, at);
  segment.data = data;
  segment.start = at + headerBytes;
  segment.end = end;
  segment.wireBytes = packet.wireEnd - segment.start;
  segment.sequence = readInt32(data, at + SEQUENCE_OFFSET);
  segment.flags = data[at + FLAGS_OFFSET]!;
  segment.capturedAtUs = packet.capturedAtUs;
  segment.interfaceIndex = packet.interfaceIndex;
  counters.tcp++;
  return true;
}
