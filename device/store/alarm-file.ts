// The alarms over a restart, `alarms.json`, for the owner only. A file that cannot be read is none: every condition is looked at
// anew, so nothing but the past is lost with it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import {
  ALARM_CODES,
  ALARM_SEVERITIES,
  type AlarmCode,
  type PastAlarm,
  type StandingAlarm,
} from "../contract/alarms.js";
import { replaceDurably } from "./durable-file.js";

const SCHEMA = "sidetone.alarms/1";
export const ALARM_FILE = "alarms.json";
/** No file of ours is longer. */
const MAX_BYTES = 1024 * 1024;

const facts = {
  code: z.enum(ALARM_CODES as [AlarmCode, ...AlarmCode[]]),
  severity: z.enum(ALARM_SEVERITIES),
  since: z.string(),
  count: z.number(),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
};
const acknowledged = z.object({ at: z.string(), by: z.string() }).exactOptional();
const standing = z.object({ ...facts, title: z.string(), remedy: z.string(), acknowledged });
const past = z.object({ ...facts, clearedAt: z.string(), clearedBy: z.enum(["condition", "restart"]) });
const fileSchema = z.object({
  schema: z.literal(SCHEMA),
  standing: z.array(z.unknown()),
  past: z.array(z.unknown()),
});

export interface KeptAlarms {
  standing: StandingAlarm[];
  past: PastAlarm[];
}

/** Entries of another version, whose codes are not known here, are left out. */
export function readAlarms(dataFolder: string): KeptAlarms {
  try {
    const text = readFileSync(join(dataFolder, ALARM_FILE), "utf8");
    if (text.length > MAX_BYTES) return { standing: [], past: [] };
    const file = fileSchema.parse(JSON.parse(text));
    return {
      standing: file.standing.flatMap((entry) => standing.safeParse(entry).data ?? []),
      past: file.past.flatMap((entry) => past.safeParse(entry).data ?? []),
    };
  } catch {
    return { standing: [], past: [] };
  }
}

/** Durable when it returns. Throws the file system's errors. */
export function writeAlarms(dataFolder: string, alarms: KeptAlarms): void {
  replaceDurably(join(dataFolder, ALARM_FILE), `${JSON.stringify({ schema: SCHEMA, ...alarms })}\n`, 0o600);
}
