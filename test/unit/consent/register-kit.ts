// What the registers' tests share: a folder, the rules of a place in Berlin, and entries with little written.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import type { AgentEntry, ConsentEntry, RegisterFormat } from "../../../device/consent/register-line.js";
import { AGENTS_REGISTER, CONSENT_REGISTER, formatLine } from "../../../device/consent/register-line.js";
import { configSchema } from "../../../device/contract/config.js";

export const BERLIN = { ...configSchema.parse({}).numbers, countryCode: "49", areaCode: "30" };
export const LIMITS = { maxEntries: 1000 };
export const CALLER = "+49891234567";

/** A folder for each test of the file, as `.path`. */
export function registerFolder(): { path: string } {
  const folder = { path: "" };
  beforeEach(() => {
    folder.path = mkdtempSync(join(tmpdir(), "sidetone-register-"));
  });
  afterEach(() => {
    rmSync(folder.path, { recursive: true, force: true });
  });
  return folder;
}

/** 2026-MM-DD at its beginning, µs. */
export function at(day: string, time = "00:00"): number {
  return Date.parse(`2026-${day}T${time}:00Z`) * 1000;
}

export function grant(fields: Partial<ConsentEntry> = {}): ConsentEntry {
  return {
    number: CALLER,
    purpose: "recording",
    effect: "granted",
    validFrom: "2026-02-01",
    source: "web",
    ...fields,
  };
}

export function refusal(fields: Partial<ConsentEntry> = {}): ConsentEntry {
  return grant({ effect: "refused", source: "letter", ...fields });
}

export function writeLines<Entry extends object>(
  folder: string,
  format: RegisterFormat<Entry>,
  entries: readonly (Entry | string)[],
): void {
  const lines = entries.map((entry) => (typeof entry === "string" ? entry : formatLine(format, entry)));
  writeFileSync(join(folder, format.fileName), lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
}

export function writeConsent(folder: string, ...entries: (ConsentEntry | string)[]): void {
  writeLines(folder, CONSENT_REGISTER, entries);
}

export function writeAgents(folder: string, ...entries: (AgentEntry | string)[]): void {
  writeLines(folder, AGENTS_REGISTER, entries);
}
