// The yardstick of the bench: reads the same capture in chunks and copies every payload, and does nothing else. What the
// recorder costs is compared with it, so that results from different or busy machines can be told apart.
import { closeSync, openSync, readSync } from "node:fs";
import { PAYLOAD_AT } from "./traffic.js";

const CHUNK_BYTES = 1 << 20;
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;

export interface ReferenceRun {
  packets: number;
  wallMs: number;
  cpuUs: number;
}

/** Over a little-endian pcap file of Ethernet frames, as the bench writes it. */
export function runReference(path: string): ReferenceRun {
  const startedAtMs = performance.now();
  const startCpu = process.cpuUsage();
  const packets = copyPayloads(path);
  const cpu = process.cpuUsage(startCpu);
  return { packets, wallMs: performance.now() - startedAtMs, cpuUs: cpu.user + cpu.system };
}

function copyPayloads(path: string): number {
  const file = openSync(path, "r");
  // A record cut by the chunk's end is moved to the front and completed by the next read.
  const chunk = Buffer.allocUnsafe(2 * CHUNK_BYTES);
  const sink = Buffer.allocUnsafe(CHUNK_BYTES);
  let packets = 0;
  let sinkAt = 0;
  let at = FILE_HEADER_BYTES;
  let end = 0;
  for (let read = readSync(file, chunk, 0, CHUNK_BYTES, null); read > 0; ) {
    end += read;
    while (at + RECORD_HEADER_BYTES <= end) {
      const next = at + RECORD_HEADER_BYTES + chunk.readUInt32LE(at + 8);
      if (next > end) break;
      if (sinkAt + (next - at) > CHUNK_BYTES) sinkAt = 0;
      sinkAt += chunk.copy(sink, sinkAt, Math.min(next, at + RECORD_HEADER_BYTES + PAYLOAD_AT), next);
      packets++;
      at = next;
    }
    chunk.copyWithin(0, at, end);
    end -= at;
    at = 0;
    read = readSync(file, chunk, end, CHUNK_BYTES, null);
  }
  closeSync(file);
  return packets;
}
