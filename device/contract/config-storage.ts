// The configuration of what is written: the data folder and its disk, recordings, how long they stay, journal, encryption.
import { z } from "zod";
import { digits, filePath, integer, LABEL, section } from "./config-fields.js";

/** A century: longer ages are written as no maximum. */
const MAX_DAYS = 36_500;

export const retentionClassSchema = z.strictObject({
  name: z.string().regex(LABEL).describe("what rules call it"),
  minDays: integer(0, MAX_DAYS, 0, "days from the call's end for which nothing deletes the recording", "days"),
  maxDays: integer(0, MAX_DAYS, 0, "days from the call's end after which it is deleted; 0 = never", "days"),
  keepManifest: z
    .boolean()
    .default(false)
    .describe("keep the manifest, with its numbers, when the audio goes by age; an erasure removes it all the same"),
});
export type RetentionClass = z.output<typeof retentionClassSchema>;

export const storageSections = {
  data: section(
    {
      folder: filePath("data folder; empty = /var/lib/sidetone when writable, else ./data"),
    },
    "Where recordings live",
  ),
  disk: section(
    {
      earlyDays: integer(
        0,
        3650,
        30,
        "days until the disk is full, at the measured load, at which to say so; 0 = never",
        "days",
      ),
      lateDays: integer(0, 365, 3, "the same, as an error", "days"),
      lateMegabytes: integer(0, 10_000_000, 2048, "free space at which to say so whatever the load", "MiB"),
      stopMegabytes: integer(
        1,
        10_000_000,
        256,
        "free space, besides the reserve, at which no new recordings are begun; calls in progress go on",
        "MiB",
      ),
      reserveMegabytes: integer(
        0,
        1_000_000,
        256,
        "set aside once space is short, and given up for calls in progress when the disk is full; 0 = none",
        "MiB",
      ),
      atLimit: z
        .enum(["stop", "delete-oldest"])
        .default("stop")
        .describe("when the disk is full: begin no new recordings, or delete the oldest that may be deleted"),
    },
    "Free space",
  ),
  recording: section(
    {
      earlyMedia: z
        .enum(["discard", "keep"])
        .default("discard")
        .describe("audio before the answer (announcements, ringback)"),
      digits: z
        .enum(["discard", "store"])
        .default("discard")
        .describe("keys that are pressed, as RTP events and in the manifest; never within a pause"),
    },
    "Recordings",
  ),
  retention: section(
    {
      classes: z.array(retentionClassSchema).max(64).default([]).describe("how long recordings stay, by class"),
      defaultClass: digits(
        /^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,63})?$/,
        "",
        "class of recordings whose rule names none; empty = they are kept for ever",
      ),
      lengthenOnly: z
        .boolean()
        .default(false)
        .describe("what a recording was promised when it was made, or since, can be lengthened and never shortened"),
      sweepMinutes: integer(1, 1440, 60, "time between two searches for what is due", "min"),
    },
    "How long recordings are kept",
  ),
  journal: section(
    {
      segmentMegabytes: integer(1, 1024, 64, "size at which a journal file is closed", "MiB"),
      memoryMegabytes: integer(
        1,
        1024,
        64,
        "packets in memory at most: what the disk refuses beyond it is lost, and counted",
        "MiB",
      ),
      flushMs: integer(
        50,
        1000,
        400,
        "longest time admitted audio stays in memory only, while the machine keeps up; the rest of a second is for when it does not",
        "ms",
      ),
      syncMs: integer(100, 5000, 5000, "longest time written audio may be lost to a power cut", "ms"),
    },
    "Journal",
  ),
  seal: section(
    { workers: integer(0, 64, 0, "sealing threads; 0 = one fewer than there are cores, at least one") },
    "Sealing",
  ),
  encryption: section(
    {
      recipients: z
        .array(z.string().min(1).max(256))
        .max(64)
        .default([])
        .describe(
          "age public keys (age1..., from age-keygen) to which all that is recorded is encrypted before it is written, any one of which opens it; empty = no encryption",
        ),
    },
    "Encryption at rest: this box can write and cannot read",
  ),
};
