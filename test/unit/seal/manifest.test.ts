import { expect, test } from "vitest";
import type { CallRecord } from "../../../device/contract/call-record.js";
import { buildCallLogLine, buildManifest } from "../../../device/seal/manifest.js";
import { ANSWERED_US, callRecord, merged, packetsOf, sealAndRead } from "./sealing.js";

const DEVICE = { device: "box-1" };
const after = (ms: number) => ANSWERED_US + ms * 1000;

/** Two seconds of both legs; of the caller's some packets were refused, copied, or are no audio. */
function mixedCall(): { record: CallRecord; manifest: ReturnType<typeof buildManifest> } {
  const agent = packetsOf({ count: 100 });
  const caller = packetsOf({ side: 1, count: 60, atMs: 500 });
  const copy = { ...caller[5]!, capturedAtUs: caller[5]!.capturedAtUs + 1 };
  const event = { ...caller[9]!, data: Buffer.from(caller[9]!.data) };
  event.data[1] = 101;
  const packets = merged(agent, [...caller.filter((_, index) => index !== 9), copy, event]);
  const record = callRecord(packets);
  record.streams[1]!.packets = { seen: 161, recorded: 61, discarded: 90, lost: 3, late: 2, duplicate: 10 };
  record.streams[1]!.discardedBy = { consent: 90 };
  record.streams[1]!.payloadTypes.unshift({
    codec: { payloadType: 101, name: "TELEPHONE-EVENT", clockRate: 8000, channels: 1 },
    packets: 1,
  });
  record.evidence = [{ id: "e1", atUs: after(500), kind: "dtmf", effect: "granted", detail: { digit: "1" } }];
  record.events = [
    { atUs: after(-1000), kind: "reinvite" },
    { atUs: after(700), kind: "dtmf", detail: { digit: "1" } },
  ];
  record.warnings = [{ code: "clock", detail: {} }];
  record.parties[1].spans = [
    { fromUs: after(-500), toUs: after(-100), evidence: "e0" },
    { fromUs: after(-100), toUs: after(250), evidence: "e1" },
    { fromUs: after(500), toUs: after(9000), evidence: "e1" },
    { fromUs: after(5000), toUs: after(9000), evidence: "e2" },
  ];
  return { record, manifest: buildManifest(record, sealAndRead(packets, record).outcome, DEVICE) };
}

test("every packet of every stream is accounted for", () => {
  const { manifest } = mixedCall();
  const [agent, caller] = manifest.parties.map((party) => party.streams[0]!.packets);
  expect(agent).toEqual({ seen: 100, recorded: 100, discarded: 0, lost: 0, late: 0, duplicate: 0, undecoded: 0 });
  expect(caller).toEqual({ seen: 161, recorded: 59, discarded: 90, lost: 3, late: 2, duplicate: 11, undecoded: 1 });
  for (const { seen, recorded, discarded, duplicate, undecoded } of [agent!, caller!]) {
    expect(recorded + discarded + duplicate + undecoded).toBe(seen);
  }
  expect(manifest.parties.map((party) => party.recordedMs)).toEqual([2000, 1180]);
});

test("packets that sealing never saw count as undecoded", () => {
  const packets = packetsOf({ count: 50 });
  const record = callRecord(packets);
  const manifest = buildManifest(record, sealAndRead(packets.slice(10), record).outcome, DEVICE);
  expect(manifest.parties[0].streams[0]!.packets).toMatchObject({ seen: 50, recorded: 40, undecoded: 10 });
});

test("spans are clipped to the recording, and those outside it left out; events keep their time", () => {
  const { manifest } = mixedCall();
  expect(manifest.audio.durationMs).toBe(2000);
  expect(manifest.parties[1].spans).toEqual([
    { fromMs: 0, toMs: 250, evidence: "e1" },
    { fromMs: 500, toMs: 2000, evidence: "e1" },
  ]);
  expect(manifest.events).toEqual([
    { atMs: -1000, kind: "reinvite" },
    { atMs: 700, kind: "dtmf", detail: { digit: "1" } },
  ]);
});

test("the manifest's members are the contract's, in its order", () => {
  const { manifest } = mixedCall();
  expect(Object.keys(manifest).join(" ")).toBe(
    "schema id device sipCallIds startedAt answeredAt endedAt endReason policy policyRule audio parties evidence events warnings",
  );
  expect(Object.keys(manifest.audio).join(" ")).toBe("file bytes sha256 sampleRateHz channels durationMs startsAt");
  expect(Object.keys(manifest.parties[0]).join(" ")).toBe(
    "role side channel uri number name identifiedBy joinedBy fromMs toMs consent spans recordedMs streams",
  );
  expect(Object.keys(manifest.parties[0].streams[0]!).join(" ")).toBe(
    "ssrc codec clockRate source destination firstAt lastAt packets discardedBy jitterMs mos",
  );
  expect(manifest.device).toBe("box-1");
  expect(manifest.answeredAt).toBe("2026-11-21T09:00:00.123456Z");
  expect(manifest.audio.startsAt).toBe(manifest.answeredAt);
  expect(manifest.audio.file).toBe(`${manifest.id}.wav`);
  expect(manifest.parties[1].streams[0]).toMatchObject({ codec: "PCMA", clockRate: 8000 });
  expect(manifest.warnings).toEqual([{ code: "clock", detail: {} }]);
});

test("the party on channel 0 comes first: the agent, on whichever side", () => {
  const packets = merged(packetsOf({ count: 5 }), packetsOf({ side: 1, count: 5 }));
  const record = callRecord(packets);
  [record.parties[0].role, record.parties[1].role] = ["caller", "agent"];
  const { parties } = buildManifest(record, sealAndRead(packets, record).outcome, DEVICE);
  expect(parties.map(({ role, channel, number }) => [role, channel, number])).toEqual([
    ["agent", 0, "1"],
    ["caller", 1, "0"],
  ]);
  const line = buildCallLogLine(record, undefined);
  expect(line.parties.map(({ role }) => role)).toEqual(["agent", "caller"]);
});

test("who came later stands behind the first two, with its own times, streams and audio", () => {
  const first = packetsOf({ side: 0, count: 50 });
  const second = packetsOf({ side: 0, count: 50, atMs: 1000, stream: 7 });
  const packets = merged(first, second, packetsOf({ side: 1, count: 100 }));
  const record = callRecord(packets);
  record.parties[0].toUs = after(1000);
  record.parties.push({
    ...record.parties[0],
    number: "22",
    joinedBy: "transfer",
    fromUs: after(1000),
    toUs: after(2000),
  });
  record.streams.find(({ index }) => index === 7)!.party = 2;
  const { parties } = buildManifest(record, sealAndRead(packets, record).outcome, DEVICE);
  expect(parties.map((party) => [party.number, party.channel, party.fromMs, party.toMs, party.recordedMs])).toEqual([
    ["0", 0, 0, 1000, 1000],
    ["1", 1, 0, 1980, 2000],
    ["22", 0, 1000, 2000, 1000],
  ]);
  expect(buildCallLogLine(record, undefined).parties.map(({ number }) => number)).toEqual(["0", "1", "22"]);
});

test("the call log's line of a recording", () => {
  const { record, manifest } = mixedCall();
  const stored = { manifest: { ...manifest, previous: "", signature: "" }, file: "recordings/2026/11/21/x.wav" };
  const line = buildCallLogLine(record, stored);
  expect(line).toMatchObject({
    schema: "sidetone.call-log/1",
    id: record.id,
    noAudio: "",
    file: stored.file,
    durationMs: 2000,
    rejectStatus: 0,
    warnings: ["clock"],
  });
  expect(line.parties[1]).toMatchObject({
    role: "caller",
    recordedMs: 1180,
    packets: { seen: 161, recorded: 59, discarded: 90, lost: 3 },
    codecs: ["TELEPHONE-EVENT", "PCMA"],
  });
});

test("the call log's line of a call without audio", () => {
  const { answeredAtUs, ...rest } = callRecord([], {
    noAudio: "not-answered",
    rejectStatus: 486,
    endReason: "rejected",
  });
  expect(answeredAtUs).toBe(ANSWERED_US);
  expect(buildCallLogLine(rest as CallRecord, undefined)).toMatchObject({
    noAudio: "not-answered",
    answeredAt: "",
    rejectStatus: 486,
    file: "",
    durationMs: 0,
  });
});
