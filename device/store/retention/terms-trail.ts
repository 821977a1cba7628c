// Which retention classes were in force from when on: `retention/terms.jsonl`, one signed line for every change, so that it
// is known what a recording was promised meanwhile. Lines are added and never taken out.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { isoUs } from "../../base/clock.js";
import { SidetoneError } from "../../base/errors.js";
import type { TimeUs } from "../../base/ids.js";
import { sha256Of } from "../../base/sha256.js";
import type { AuditEntryInput } from "../../contract/audit.js";
import type { DeviceKey } from "../device-key.js";
import { makeFolders, replaceDurably } from "../durable-file.js";
import type { RecordingPaths } from "../recording-paths.js";
import { isSignedLine, parseLine, signLine } from "../signed-line.js";
import { type PastTable, type RetentionConfig, TermsTable } from "./terms.js";

const TERMS_SCHEMA = "sidetone.retention-terms/1";

const lineSchema = z.object({
  schema: z.literal(TERMS_SCHEMA),
  at: z.string().refine((text) => Number.isFinite(Date.parse(text))),
  lengthenOnly: z.boolean(),
  defaultClass: z.string(),
  classes: z.array(z.object({ name: z.string(), minDays: z.number(), maxDays: z.number() })),
});

export interface TermsTrail {
  /** The oldest first, the one in force last. */
  past: PastTable[];
  /** For the audit chain, when the classes are others than before; not at the first start without any. */
  entry: AuditEntryInput | undefined;
}

/**
 * Enters the classes in force, durably, unless they are the same as before. Throws SidetoneError `data-unwritable` when the
 * trail was changed or cannot be read: then what was promised is not known, and nothing may be deleted by age.
 */
export function noteTerms(paths: RecordingPaths, key: DeviceKey, config: RetentionConfig, nowUs: TimeUs): TermsTrail {
  const path = join(paths.retentionFolder, "terms.jsonl");
  const before = readTrail(path, key);
  const { lengthenOnly, defaultClass } = config;
  const classes = config.classes.map(({ name, minDays, maxDays }) => ({ name, minDays, maxDays }));
  const table: PastTable = { fromUs: nowUs, lengthenOnly, defaultClass, classes };
  const last = before.past.at(-1) ?? { lengthenOnly: false, defaultClass: "", classes: [] };
  if (textOf(last) === textOf(table)) return { past: before.past, entry: undefined };
  const line = signLine(
    { schema: TERMS_SCHEMA, at: isoUs(nowUs), lengthenOnly, defaultClass, classes },
    key.privateKey,
  );
  makeFolders(paths.retentionFolder);
  replaceDurably(path, `${before.text}${line.toString("utf8")}\n`, 0o600);
  return {
    past: [...before.past, table],
    entry: {
      kind: "retention",
      actor: "service",
      detail: { lengthenOnly, defaultClass, classes, line: sha256Of(line) },
    },
  };
}

/**
 * For a command, which enters nothing: what the service had in force last binds as well, in case the command was given
 * another configuration. Throws as `noteTerms`.
 */
export function commandTable(
  paths: RecordingPaths,
  key: Pick<DeviceKey, "publicKey">,
  config: RetentionConfig,
): TermsTable {
  const { past } = readTrail(join(paths.retentionFolder, "terms.jsonl"), key);
  const last = past.at(-1);
  return new TermsTable(config, last ? [...past.slice(0, -1), { ...last, lengthenOnly: true }] : []);
}

function readTrail(path: string, { publicKey }: Pick<DeviceKey, "publicKey">): { text: string; past: PastTable[] } {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { text: "", past: [] };
    throw error;
  }
  const past = text
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const bytes = Buffer.from(line, "utf8");
      const parsed = lineSchema.safeParse(isSignedLine(bytes, publicKey) ? parseLine(bytes) : undefined);
      if (!parsed.success) throw new SidetoneError("data-unwritable", `${path} is not what this box has signed`);
      const { at, lengthenOnly, defaultClass, classes } = parsed.data;
      return { fromUs: Date.parse(at) * 1000, lengthenOnly, defaultClass, classes };
    });
  return { text, past };
}

function textOf({ lengthenOnly, defaultClass, classes }: Omit<PastTable, "fromUs">): string {
  return JSON.stringify({ lengthenOnly, defaultClass, classes });
}
