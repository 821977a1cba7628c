// What the configuration was at the last start, and how it differs now, for the audit chain: settings are kept as hashes, so
// that neither secrets nor numbers stand in a second place. `audit/configuration.json`.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sha256Of } from "../base/sha256.js";
import type { AuditEntryInput } from "../contract/audit.js";
import type { Config } from "../contract/config.js";
import { makeFolders, replaceDurably } from "./durable-file.js";

const SCHEMA = "sidetone.configuration-trail/1";
/** Paths named in one entry. */
const MAX_PATHS = 100;

interface Trail {
  schema: typeof SCHEMA;
  /** By path ("consent.policy"): SHA-256 of the value. */
  settings: Record<string, string>;
}

/**
 * The entry for the audit chain when the configuration in force is another than at the last start (or there was none),
 * else undefined. `enter` is given it before the file is written: killed in between, the next start enters it again, and the
 * file never holds what the chain does not know. Throws the file system's errors.
 */
export function noteConfiguration(
  dataFolder: string,
  config: Config,
  enter: (entry: AuditEntryInput) => void = () => {},
): AuditEntryInput | undefined {
  const folder = join(dataFolder, "audit");
  const path = join(folder, "configuration.json");
  const settings = Object.fromEntries(settingsOf(config));
  const before = readTrail(path);
  const changed = [...new Set([...Object.keys(settings), ...Object.keys(before)])]
    .filter((name) => settings[name] !== before[name])
    .sort();
  if (changed.length === 0) return undefined;
  const isFirst = Object.keys(before).length === 0;
  const entry: AuditEntryInput = {
    kind: "configuration",
    actor: "service",
    detail: {
      sha256: sha256Of(JSON.stringify(settings)),
      settings: Object.keys(settings).length,
      // At the first start everything is new.
      changed: isFirst ? [] : changed.slice(0, MAX_PATHS),
      more: isFirst ? 0 : Math.max(0, changed.length - MAX_PATHS),
    },
  };
  enter(entry);
  makeFolders(folder);
  replaceDurably(path, `${JSON.stringify({ schema: SCHEMA, settings } satisfies Trail)}\n`, 0o600);
  return entry;
}

function* settingsOf(value: unknown, path = ""): Iterable<[string, string]> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    for (const [key, member] of Object.entries(value)) yield* settingsOf(member, path === "" ? key : `${path}.${key}`);
    return;
  }
  yield [path, sha256Of(JSON.stringify(value) ?? "")];
}

function readTrail(path: string): Record<string, string> {
  try {
    const trail = JSON.parse(readFileSync(path, "utf8")) as Partial<Trail>;
    return trail.schema === SCHEMA && trail.settings instanceof Object ? trail.settings : {};
  } catch {
    return {};
  }
}
