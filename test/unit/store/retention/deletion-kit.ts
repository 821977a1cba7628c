// What the tests of retention share: recordings with their lines in the call log, orders to delete them, and what is left.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CallId } from "../../../../device/base/ids.js";
import type { AuditEntry } from "../../../../device/contract/audit.js";
import type { CallRecord } from "../../../../device/contract/call-record.js";
import { buildCallLogLine } from "../../../../device/seal/manifest.js";
import type { RecordingStore } from "../../../../device/store/recordings.js";
import type { DeletionOrder } from "../../../../device/store/retention/deletion.js";
import type { DeletionGrounds } from "../../../../device/store/retention/tombstone.js";
import { readAudit } from "../audit-kit.js";
import { callOf, filesBelow, publish } from "../store-kit.js";

export const CALLER = "+49301234567";
export const CONTENT = "what the caller said in call";

/** The `number`th call of the kit, with a caller's number. */
export function callFrom(number: number, caller = CALLER, rest: Partial<CallRecord> = {}): CallRecord {
  const record = { ...callOf(number), ...rest };
  record.parties[1].number = caller;
  record.parties[1].uri = `sip:${caller}@203.0.113.9`;
  record.sipCallIds = [`${number}-of-${caller}@203.0.113.9`];
  return record;
}

/** Publishes and logs it, as the keeper does. */
export async function keep(store: RecordingStore, record: CallRecord): Promise<CallId> {
  const published = await publish(store, record, `${CONTENT} ${record.id}`);
  store.recordCall(buildCallLogLine(record, published));
  return record.id;
}

export const NO_TERMS = { class: "", minDays: 0, maxDays: 0, isForEver: true };

export function orderFor({ id, startedAtUs }: CallRecord, grounds: Partial<DeletionGrounds> = {}): DeletionOrder {
  return {
    id,
    day: new Date(startedAtUs / 1000).toISOString().slice(0, 10).replaceAll("-", "/"),
    grounds: {
      reason: "request",
      by: "cli root",
      text: "asked for in a letter",
      terms: NO_TERMS,
      overridesMinimum: false,
      keepsManifest: false,
      device: "box",
      atUs: Date.UTC(2026, 11, 24) * 1000,
      ...grounds,
    },
  };
}

/** Kinds of the entries about a call, in order. */
export function entriesOf(folder: string, id: CallId): AuditEntry["kind"][] {
  return readAudit(folder)
    .filter(({ call }) => call === id)
    .map(({ kind }) => kind);
}

/** Files in the data folder that hold one of the texts. */
export function filesWith(folder: string, ...texts: string[]): string[] {
  return filesBelow(folder).filter((name) => {
    const bytes = readFileSync(join(folder, name));
    return texts.some((text) => bytes.includes(text));
  });
}

export const filesOf = (folder: string, id: CallId): string[] =>
  filesBelow(join(folder, "recordings"))
    .filter((name) => name.includes(id))
    .map((name) => name.slice(name.indexOf(id) + id.length));

export const isDeleting = (folder: string): boolean => existsSync(join(folder, "retention", "deleting.json"));
