// What the tests of proving share: a call with everything in it, sealed and published between two others, with its entries in
// the audit chain; and ways of changing what lies on the disk.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CallId, makeCallId } from "../../../device/base/ids.js";
import { auditEntryOf } from "../../../device/contract/audit.js";
import type { CallRecord } from "../../../device/contract/call-record.js";
import type { Manifest } from "../../../device/contract/manifest.js";
import type { AdmittedPacket } from "../../../device/seal/record-source.js";
import { type SealedAudio, sealAudio } from "../../../device/seal/seal.js";
import { openDeviceKey } from "../../../device/store/device-key.js";
import { proveRecording } from "../../../device/store/prove.js";
import type { Proof } from "../../../device/store/prove-check.js";
import { RecordingStore } from "../../../device/store/recordings.js";
import { signManifest } from "../../../device/store/signature.js";
import { ANSWERED_US, callRecord, merged, packetsOf, sourceOf, streamRecord } from "../seal/sealing.js";
import { publicKeyOf } from "./store-kit.js";

const after = (ms: number) => ANSWERED_US + ms * 1000;
const within = (packets: readonly AdmittedPacket[], fromMs: number, toMs: number) =>
  packets.filter(({ capturedAtUs }) => capturedAtUs >= after(fromMs) && capturedAtUs < after(toMs));

/**
 * Ten seconds. The agent is recorded but for a pause from 6 to 8 s; the caller consents at 2 s, withdraws at 4 s, consents
 * again at 5 s. `number` tells calls apart.
 */
export function fullCall(number = 0): { record: CallRecord; packets: AdmittedPacket[] } {
  const agent = packetsOf({ count: 500 });
  const caller = packetsOf({ side: 1, count: 500, atMs: 7 });
  const agentParts = [within(agent, 0, 6000), within(agent, 8000, 10_000)];
  const callerParts = [within(caller, 2000, 4000), within(caller, 5000, 6000), within(caller, 8000, 10_000)];
  const packets = merged(...agentParts, ...callerParts);
  const startedAtUs = ANSWERED_US - 3e6 + number * 60e6;
  const record = callRecord(merged(agent, caller), {
    id: makeCallId(startedAtUs, Buffer.alloc(10, number)),
    policy: "agent-only",
    endedAtUs: after(10_000),
  });
  const open = (fromMs: number, toMs: number, evidence: string, taken: readonly AdmittedPacket[]) => ({
    fromUs: after(fromMs),
    toUs: after(toMs),
    evidence,
    packets: taken.length,
  });
  record.parties[0].consent = "not-required";
  record.parties[0].spans = [open(0, 6000, "e1", agentParts[0]!), open(8000, 10_000, "e1", agentParts[1]!)];
  record.parties[0].closedSpans = [{ fromUs: after(6000), toUs: after(8000), reason: "paused", packets: 100 }];
  record.parties[1].spans = [
    open(2000, 4000, "e2", callerParts[0]!),
    open(5000, 6000, "e4", callerParts[1]!),
    open(8000, 10_000, "e4", callerParts[2]!),
  ];
  record.parties[1].closedSpans = [
    { fromUs: after(-500), toUs: after(0), reason: "early-media", packets: 20 },
    { fromUs: after(0), toUs: after(2000), reason: "consent", packets: 100 },
    { fromUs: after(4000), toUs: after(5000), reason: "consent", packets: 50 },
    { fromUs: after(6000), toUs: after(8000), reason: "paused", packets: 100 },
  ];
  record.streams = [
    streamRecord(agent, {
      packets: { seen: 503, recorded: 400, discarded: 100, lost: 0, late: 0, duplicate: 3 },
      discardedBy: { paused: 100 },
    }),
    streamRecord(caller, {
      packets: { seen: 524, recorded: 250, discarded: 274, lost: 0, late: 0, duplicate: 0 },
      discardedBy: { "early-media": 20, consent: 150, paused: 100, "other-hop": 4 },
    }),
  ];
  record.evidence = [
    { id: "e1", atUs: after(0), kind: "rule", effect: "agent", detail: { identifiedBy: "agents.match 10.0.0.0/24" } },
    { id: "e2", atUs: after(2000), kind: "dtmf", effect: "granted", detail: { keys: "1" } },
    { id: "e3", atUs: after(4000), kind: "dtmf", effect: "withdrawn", detail: { keys: "3" } },
    { id: "e4", atUs: after(5000), kind: "api", effect: "granted", detail: {} },
  ];
  const change = { party: 1, purpose: "recording", notice: "v1" };
  record.ledger = [
    {
      ...change,
      atUs: after(2000),
      from: "unknown",
      to: "granted",
      source: "dtmf",
      evidence: "e2",
      by: "caller pressed 1",
    },
    {
      ...change,
      atUs: after(4000),
      from: "granted",
      to: "withdrawn",
      source: "dtmf",
      evidence: "e3",
      by: "caller pressed 3",
    },
    { ...change, atUs: after(5000), from: "withdrawn", to: "granted", source: "api", evidence: "e4", by: "token a" },
  ];
  record.pauses = [
    { fromUs: after(6000), toUs: after(8000), source: "panel", by: "panel", reason: "card", endedBy: "request" },
  ];
  return { record, packets };
}

/** Seals, enters every change of the ledger and every pause in the audit chain, publishes. `change`: what sealing found, made different. */
export async function publishCall(
  store: RecordingStore,
  { record, packets }: { record: CallRecord; packets: readonly AdmittedPacket[] },
  change: (sealed: SealedAudio) => void = () => {},
): Promise<CallId> {
  const { id } = record;
  for (const { party, atUs, purpose, from, to, source, by, notice } of record.ledger) {
    const { side, role } = record.parties[party]!;
    store.audit.append(
      auditEntryOf({ kind: "consent", call: id, side, role, atUs, purpose, from, to, source, by, notice }),
    );
  }
  for (const { fromUs, source, by, reason } of record.pauses)
    store.audit.append(auditEntryOf({ kind: "paused", call: id, atUs: fromUs, source, by, reason }));
  await store.audit.flush();
  const sealed = sealAudio(sourceOf(packets), record, { temporaryPath: store.temporaryPathFor(record) });
  if (sealed.kind !== "audio") throw new Error(`no audio: ${sealed.reason}`);
  change(sealed);
  await store.publish(record, sealed);
  return id;
}

/** Three such calls; the id of the one in the middle. */
export async function makeRecordings(folder: string): Promise<CallId> {
  const store = RecordingStore.open(folder, { device: "box", gatherMs: 0 });
  const ids: CallId[] = [];
  for (const number of [0, 1, 2]) ids.push(await publishCall(store, fullCall(number)));
  store.close();
  return ids[1]!;
}

/** Publishes one call alone, as `change` makes it; its id. */
export async function makeRecording(
  folder: string,
  change: (call: ReturnType<typeof fullCall>) => void,
  changeSealed?: (sealed: SealedAudio) => void,
): Promise<CallId> {
  const store = RecordingStore.open(folder, { device: "box", gatherMs: 0 });
  const call = fullCall();
  change(call);
  const id = await publishCall(store, call, changeSealed);
  store.close();
  return id;
}

export function prove(folder: string, id: CallId): Proof {
  return proveRecording(folder, id, publicKeyOf(folder))!;
}

/** What fails, as "name subject". */
export function failuresOf(folder: string, id: CallId): string[] {
  return prove(folder, id)
    .checks.filter(({ passed }) => !passed)
    .map(({ name, subject }) => `${name} ${subject}`.trim());
}

/** Their faults in one text. */
export function faultsOf(folder: string, id: CallId): string {
  return prove(folder, id)
    .checks.flatMap(({ faults }) => faults)
    .join("\n");
}

export const pathOf = (folder: string, id: CallId, kind: "wav" | "json") =>
  join(folder, `recordings/2026/11/21/${id}.${kind}`);

/** Changes the manifest as somebody without the key can, or with it. */
export function changeManifest(
  folder: string,
  id: CallId,
  change: (manifest: Manifest) => void,
  isSigned = false,
): void {
  const path = pathOf(folder, id, "json");
  const manifest = JSON.parse(readFileSync(path, "utf8")) as Manifest;
  change(manifest);
  const { signature: _, previous, ...unsigned } = manifest;
  const bytes = isSigned
    ? signManifest(unsigned, previous, openDeviceKey(folder).privateKey).bytes
    : Buffer.from(`${JSON.stringify(manifest)}\n`);
  writeFileSync(path, bytes);
}

/** Sets one sample. */
export function changeSample(folder: string, id: CallId, channel: 0 | 1, frame: number, value: number): void {
  const path = pathOf(folder, id, "wav");
  const bytes = readFileSync(path);
  bytes.writeInt16LE(value, 44 + (frame * 2 + channel) * 2);
  writeFileSync(path, bytes);
}
