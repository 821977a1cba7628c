// The recordings that lie in a data folder, day by day, as far as retention asks for them: who was in the call, when it ended,
// what it was promised. Reads manifests as they stand and checks no signature; never writes.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type CallId, isCallId, type TimeUs } from "../../base/ids.js";
import { comparableNumber, type NumberRules } from "../../call/numbers.js";
import { registerKey } from "../../consent/register-line.js";
import type { CallLogLine, Manifest, ManifestRetention } from "../../contract/manifest.js";
import { type RecordingPaths, TOMBSTONE_SUFFIX } from "../recording-paths.js";
import { parseManifest } from "../signature.js";
import type { Promised } from "./terms.js";

/** What retention asks for of a call, recorded or not. */
export interface CallFacts {
  id: CallId;
  startedAtUs: TimeUs;
  endedAtUs: TimeUs;
  /**
   * Numbers and user parts of everybody who was there, who passed the call on before it came here or to whom it was
   * transferred, in the form in which they are compared.
   */
  people: ReadonlySet<string>;
}

export interface StoredRecording extends CallFacts, Promised {
  /** Its day's folder below `recordings`: "2026/11/21". */
  day: string;
  bytes: number;
  /** The audio went by age and the manifest was kept. */
  isBuried: boolean;
  /** The box's clock was not set when it was made: its times say nothing of its age. */
  isUndated: boolean;
}

/** Before that no box of this kind was made: a clock that says so was never set. */
const FIRST_POSSIBLE_US = Date.UTC(2025, 0, 1) * 1000;

/** Ids with a manifest in a day's folder, the oldest first; none when it is gone. */
export function recordingsOf(paths: RecordingPaths, day: string): CallId[] {
  try {
    const names = readdirSync(join(paths.recordingsFolder, day)).filter((name) => name.endsWith(".json"));
    return names
      .map((name) => name.slice(0, -".json".length))
      .filter(isCallId)
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Changes whenever a file comes into a day's folder or goes. */
export function versionOfDay(paths: RecordingPaths, day: string): string {
  const stats = statSync(join(paths.recordingsFolder, day), { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? "" : `${stats.ino} ${stats.mtimeNs}`;
}

/** Undefined when it is gone, or its manifest says nothing that can be read. Throws other file system errors. */
export function readRecording(
  paths: RecordingPaths,
  day: string,
  id: CallId,
  numbers: NumberRules,
): StoredRecording | undefined {
  const folder = join(paths.recordingsFolder, day);
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(folder, `${id}.json`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const manifest = parseManifest(bytes);
  const facts = manifest && factsOf(id, manifest, numbers);
  if (facts === undefined) return undefined;
  return {
    ...facts,
    day,
    bytes: Number(manifest!.audio?.bytes ?? 0) + bytes.length,
    isBuried: existsSync(join(folder, `${id}${TOMBSTONE_SUFFIX}`)),
    isUndated: isUndated(manifest!, facts.endedAtUs),
    retention: typeof manifest!.retention === "string" ? manifest!.retention : "",
    terms: termsIn(manifest!.retentionTerms),
  };
}

/** Of a manifest or a line of the call log; undefined when it says nothing that can be read. */
export function factsOf(
  id: CallId,
  call: Pick<Manifest | CallLogLine, "startedAt" | "endedAt" | "parties"> & { events?: unknown },
  numbers: NumberRules,
): CallFacts | undefined {
  const [startedAtUs, endedAtUs] = [Date.parse(call.startedAt) * 1000, Date.parse(call.endedAt) * 1000];
  if (!Number.isFinite(startedAtUs) || !Number.isFinite(endedAtUs) || !Array.isArray(call.parties)) return undefined;
  return { id, startedAtUs, endedAtUs, people: peopleOf(call, numbers) };
}

/** Everybody whom a manifest, a line of the call log or a call record names, whatever stands in it. */
export function peopleOf(call: { parties: unknown; events?: unknown }, numbers: NumberRules): Set<string> {
  const texts: unknown[] = [];
  for (const party of listIn(call.parties)) {
    texts.push(party["number"], userOf(party["uri"]));
    // A display name is a person's, or once more the number.
    if (typeof party["name"] === "string") texts.push(comparableNumber(party["name"], numbers));
  }
  for (const { kind, detail } of listIn(call.events)) {
    const named = typeof detail === "object" && detail !== null ? (detail as Record<string, unknown>) : {};
    if (kind === "diverted") texts.push(named["by"]);
    if (kind === "transfer") texts.push(named["to"]);
  }
  const keys = texts.map((text) => (typeof text === "string" ? registerKey(text, numbers) : ""));
  return new Set(keys.filter((key) => key !== ""));
}

function listIn(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "object" && one !== null) : [];
}

/** The user part of a SIP address, decoded as far as it can be. */
function userOf(uri: unknown): string {
  const user = typeof uri === "string" ? (/^[a-z]+:([^@;?]*)(?:@|$|;)/i.exec(uri)?.[1] ?? "") : "";
  try {
    return decodeURIComponent(user);
  } catch {
    return user;
  }
}

function isUndated({ clock }: Manifest, endedAtUs: TimeUs): boolean {
  return endedAtUs < FIRST_POSSIBLE_US || clock?.synchronized === false;
}

function termsIn(terms: ManifestRetention | undefined): ManifestRetention | undefined {
  if (typeof terms !== "object" || terms === null) return undefined;
  const isWhole = typeof terms.class === "string" && Number.isFinite(terms.minDays) && Number.isFinite(terms.maxDays);
  return isWhole ? terms : undefined;
}
