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
    { fromUs: after(-500), toUs: after(-100), evidence: "e0", packets: 20 },
    { fromUs: after(-100), toUs: after(250), evidence: "e1", packets: 17 },
    { fromUs: after(500), toUs: after(9000), evidence: "e1", packets: 400 },
    { fromUs: after(5000), toUs: after(9000), evidence: "e2", packets: 0 },
  ];
  return { record, manifest: buildManifest(record, sealAndRead(packets, record).outcome, DEVICE) };
}

test("every packet of every stream is accounted for", () => {
  const { manifest } = mixedCall();
  const [agent, caller] = manifest.parties.map((party) => party.streams[0]!.packets);
  expect(agent).toEqual({
    seen: 100,
    admitted: 100,
    recorded: 100,
    discarded: 0,
    lost: 0,
    late: 0,
    duplicate: 0,
    undecoded: 0,
  });
  expect(caller).toEqual({
    seen: 161,
    admitted: 61,
    recorded: 59,
    discarded: 90,
    lost: 3,
    late: 2,
    duplicate: 11,
    undecoded: 1,
  });
  for (const { seen, admitted, recorded, discarded, duplicate, undecoded } of [agent!, caller!]) {
    expect(recorded + discarded + duplicate + undecoded).toBe(seen);
    expect(admitted).toBeGreaterThanOrEqual(recorded + undecoded);
    expect(admitted).toBeLessThanOrEqual(recorded + undecoded + duplicate);
  }
  expect(manifest.parties.map((party) => party.recordedMs)).toEqual([2000, 1180]);
});

test("packets that sealing never saw count as undecoded", () => {
  const packets = packetsOf({ count: 50 });
  const record = callRecord(packets);
  const manifest = buildManifest(record, sealAndRead(packets.slice(10), record).outcome, DEVICE);
  expect(manifest.parties[0].streams[0]!.packets).toMatchObject({ seen: 50, recorded: 40, undecoded: 10 });
});

test("spans are clipped to the recording; events keep their time", () => {
  const { manifest } = mixedCall();
  expect(manifest.audio.durationMs).toBe(2000);
  expect(manifest.parties[1].spans).toEqual([
    // Outside, but packets came in it: no length.
    { fromMs: 0, toMs: 0, evidence: "e0", packets: 20, audio: null },
    { fromMs: 0, toMs: 250, evidence: "e1", packets: 17, audio: null },
    { fromMs: 500, toMs: 2000, evidence: "e1", packets: 400, audio: { fromSample: 4000, toSample: 13600 } },
  ]);
  expect(manifest.events).toEqual([
    { atMs: -1000, kind: "reinvite" },
    { atMs: 700, kind: "dtmf", detail: { digit: "1" } },
  ]);
});

test("the manifest's members are the contract's, in its order", () => {
  const { manifest } = mixedCall();
  expect(Object.keys(manifest).join(" ")).toBe(
    "schema id device sipCallIds startedAt answeredAt endedAt endReason policy policyRule purpose retention audio parties evidence ledger pauses events warnings",
  );
  expect(Object.keys(manifest.audio).join(" ")).toBe(
    "file bytes sha256 sha512 sampleRateHz channels durationMs startsAt",
  );
  expect(Object.keys(manifest.parties[0]).join(" ")).toBe(
    "role side channel uri number name identifiedBy joinedBy fromMs toMs consent spans closedSpans recordedMs streams",
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

test("the audit chain's head stands last, where there is a chain", () => {
  const { record } = mixedCall();
  const packets = packetsOf({ count: 5 });
  const { outcome } = sealAndRead(packets, record);
  const manifest = buildManifest(record, outcome, { ...DEVICE, audit: { seq: 7, sha256: "ab" } });
  expect(Object.keys(manifest).at(-1)).toBe("audit");
  expect(manifest.audit).toEqual({ seq: 7, sha256: "ab" });
});

test("closed spans keep their counts, whether they lie outside the recording or have no length", () => {
  const packets = packetsOf({ count: 100 });
  const record = callRecord(packets);
  record.parties[1].closedSpans = [
    { fromUs: after(-2000), toUs: after(0), reason: "early-media", packets: 40 },
    { fromUs: after(0), toUs: after(700), reason: "consent", packets: 35 },
    { fromUs: after(800), toUs: after(800), reason: "digits", packets: 1 },
    { fromUs: after(2000), toUs: after(2400), reason: "ended", packets: 20 },
    { fromUs: after(3000), toUs: after(3400), reason: "ended", packets: 0 },
  ];
  record.parties[1].erased = [{ fromUs: after(100), toUs: after(700), packets: 9, evidence: "e3" }];
  const [agent, caller] = buildManifest(record, sealAndRead(packets, record).outcome, DEVICE).parties;
  expect(caller.closedSpans).toEqual([
    { fromMs: 0, toMs: 0, reason: "early-media", packets: 40 },
    { fromMs: 0, toMs: 700, reason: "consent", packets: 35 },
    { fromMs: 800, toMs: 800, reason: "digits", packets: 1 },
    { fromMs: 2000, toMs: 2000, reason: "ended", packets: 20 },
  ]);
  expect(caller.erased).toEqual([{ fromMs: 100, toMs: 700, packets: 9, evidence: "e3" }]);
  expect([agent.closedSpans, "erased" in agent]).toEqual([[], false]);
});

test("purpose, retention, ledger, pauses and echo are the record's, parties by their place in the manifest", () => {
  const packets = merged(packetsOf({ count: 100 }), packetsOf({ side: 1, count: 100 }));
  const record = callRecord(packets, { purpose: "training", retention: "short" });
  // The agent answers, so that the places change.
  [record.parties[0].role, record.parties[1].role] = ["caller", "agent"];
  const change = { purpose: "training", evidence: "e1", by: "caller pressed 1", notice: "v3" };
  record.ledger = [
    { atUs: after(-500), party: 0, from: "unknown", to: "granted", source: "dtmf", ...change },
    { atUs: after(500), party: 0, from: "granted", to: "withdrawn", source: "api", ...change, by: "token a" },
    { atUs: after(600), party: 1, from: "unknown", to: "refused", source: "recordpref", ...change, by: "answerer" },
  ];
  record.pauses = [
    { fromUs: after(-300), toUs: after(300), source: "panel", by: "panel", reason: "card", endedBy: "time" },
    { fromUs: after(1500), source: "mqtt", by: "client c", reason: "" },
  ];
  record.echo = { windows: 9, found: 1, correlation: 0.4, delayMs: 120, levelDb: -30 };
  const manifest = buildManifest(record, sealAndRead(packets, record).outcome, DEVICE);
  expect([manifest.purpose, manifest.retention]).toEqual(["training", "short"]);
  expect(manifest.ledger.map(({ at, party, from, to, source, by }) => [at, party, from, to, source, by])).toEqual([
    ["2026-11-21T08:59:59.623456Z", 1, "unknown", "granted", "dtmf", "caller pressed 1"],
    ["2026-11-21T09:00:00.623456Z", 1, "granted", "withdrawn", "api", "token a"],
    ["2026-11-21T09:00:00.723456Z", 0, "unknown", "refused", "recordpref", "answerer"],
  ]);
  expect(manifest.ledger[0]).toMatchObject({ purpose: "training", evidence: "e1", notice: "v3" });
  expect(manifest.pauses).toEqual([
    { fromMs: 0, toMs: 300, source: "panel", by: "panel", reason: "card", endedBy: "time" },
    { fromMs: 1500, toMs: 1980, source: "mqtt", by: "client c", reason: "", endedBy: "call" },
  ]);
  expect(manifest.echo).toEqual(record.echo);
  expect(JSON.stringify(manifest)).not.toContain('Us"');
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
