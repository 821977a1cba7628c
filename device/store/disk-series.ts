// The forecast's measurement over a restart, `disk.json`, for the owner only. Ages, not times: the clock may be another then. A file
// that cannot be read is none, and of another disk neither: it is measured anew.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type DiskSeries, MAX_POINTS } from "./disk-forecast.js";
import { replaceDurably } from "./durable-file.js";

const SCHEMA = "sidetone.disk/1";
export const DISK_SERIES_FILE = "disk.json";
/** No file of ours is longer. */
const MAX_BYTES = 256 * 1024;

const bytes = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const fileSchema = z.strictObject({
  schema: z.literal(SCHEMA),
  totalBytes: bytes,
  /** Oldest first, each with its age when the last was taken. */
  points: z
    .array(z.strictObject({ ageMs: z.number().min(0), freeBytes: z.number().refine(Number.isFinite) }))
    .max(MAX_POINTS),
});

export function readDiskSeries(dataFolder: string): DiskSeries | undefined {
  try {
    const text = readFileSync(join(dataFolder, DISK_SERIES_FILE), "utf8");
    if (text.length > MAX_BYTES) return undefined;
    const { totalBytes, points } = fileSchema.parse(JSON.parse(text));
    const isInOrder = points.every(({ ageMs }, i) => i === 0 || ageMs < points[i - 1]!.ageMs);
    return isInOrder ? { totalBytes, points } : undefined;
  } catch {
    return undefined;
  }
}

/** Durable when it returns. Throws the file system's errors. */
export function writeDiskSeries(dataFolder: string, { totalBytes, points }: DiskSeries): void {
  const text = `${JSON.stringify({ schema: SCHEMA, totalBytes, points })}\n`;
  replaceDurably(join(dataFolder, DISK_SERIES_FILE), text, 0o600);
}
