// What a run of the pipeline recorded, sealed and published as the service does it, with everything that it reported in the
// audit chain. No program is started.
import { auditEntryOf } from "../../device/contract/audit.js";
import type { CallRecord } from "../../device/contract/call-record.js";
import { CallReader } from "../../device/journal/reader.js";
import { sealAudio } from "../../device/seal/seal.js";
import type { RecordingStore } from "../../device/store/recordings.js";
import type { RecorderRun } from "./recorder-run.js";

/** The ids of the calls that left a recording. */
export async function publishRun(
  store: RecordingStore,
  { journalFolder, records, positions, audited }: RecorderRun,
): Promise<CallRecord["id"][]> {
  for (const event of audited) store.audit.append(auditEntryOf(event));
  const published: CallRecord["id"][] = [];
  for (const [i, record] of records.entries()) {
    const position = positions[i];
    if (record.noAudio !== undefined || record.absorbedBy !== undefined || position === undefined) continue;
    const reader = CallReader.open(journalFolder, position, record.id);
    const sealed = sealAudio(reader, record, { temporaryPath: store.temporaryPathFor(record) });
    reader.close();
    if (sealed.kind !== "audio") continue;
    await store.publish(record, sealed);
    published.push(record.id);
  }
  return published;
}
