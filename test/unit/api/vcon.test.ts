import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { z } from "zod";
import { buildVcon } from "../../../device/api/vcon.js";
import type { CallRecord } from "../../../device/contract/call-record.js";
import type { Manifest } from "../../../device/contract/manifest.js";
import { type Vcon, vconSchema } from "../../../device/contract/vcon.js";
import { buildManifest } from "../../../device/seal/manifest.js";
import { ANSWERED_US, callRecord, merged, packetsOf, sealAndRead } from "../seal/sealing.js";

const after = (ms: number) => ANSWERED_US + ms * 1000;

// What draft-ietf-vcon-vcon-core-04 asks of an unsigned vCon (its vcon_json_schema.json, and §4.3.1.6 which parameters a
// dialog of each type has), written down apart from the contract: members that it does not know are allowed there.
const index = z.int().nonnegative();
const dateTime = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9]\d*)?Z$/);
const external = z.looseObject({ url: z.url(), content_hash: z.string().regex(/^sha512-[\w-]{86}$/) });
const draftRecording = external.extend({
  type: z.literal("recording"),
  start: dateTime,
  duration: z.number().nonnegative(),
  parties: z.array(z.union([index, z.array(index), z.null()])),
  originator: index.optional(),
  mediatype: z.string().regex(/^\w+\/[\w.+-]+$/),
  party_history: z.array(
    z.looseObject({
      party: index,
      time: dateTime,
      event: z.enum(["join", "drop", "hold", "unhold", "mute", "unmute", "keydown", "keyup"]),
      button: z.string().optional(),
    }),
  ),
});
const draftTransfer = z
  .looseObject({
    type: z.literal("transfer"),
    start: dateTime,
    transferee: index,
    transferor: index,
    transfer_target: index,
    original: index,
    target_dialog: index,
  })
  .refine((dialog) => !["parties", "originator", "mediatype", "url", "party_history"].some((name) => name in dialog));
const draftAttachment = z
  .looseObject({
    purpose: z.string(),
    start: dateTime,
    party: index,
    dialog: index,
    mediatype: z.string(),
    encoding: z.enum(["base64url", "json", "none"]).optional(),
  })
  .refine((attachment) => ("body" in attachment ? "encoding" in attachment : external.safeParse(attachment).success));
const draftVcon = z.looseObject({
  vcon: z.literal("0.4.0"),
  uuid: z.uuid(),
  extensions: z.array(z.string()),
  created_at: dateTime,
  parties: z.array(z.record(z.string(), z.string())),
  dialog: z.array(z.union([draftRecording, draftTransfer])),
  attachments: z.array(draftAttachment),
});

const MANIFEST_BYTES = Buffer.from("the manifest's own bytes");

/** In the contract's form and in the draft's, and every index names somebody. */
function vconOf(manifest: Manifest, baseUrl = "https://box.example:8385"): Vcon {
  const manifestSha512 = createHash("sha512").update(MANIFEST_BYTES).digest();
  const vcon = buildVcon({ manifest, manifestSha512, baseUrl });
  const text = JSON.stringify(vcon);
  expect(vconSchema.parse(JSON.parse(text))).toEqual(vcon);
  draftVcon.parse(JSON.parse(text));
  const [recording] = vcon.dialog;
  if (recording?.type !== "recording") throw new Error("the recording is not the first dialog");
  const people = vcon.parties.length - 1;
  for (const { party } of recording.party_history) expect(party).toBeLessThan(people);
  for (const place of recording.parties.flat()) expect(place ?? 0).toBeLessThan(people);
  expect(recording.parties).toHaveLength(manifest.audio.channels);
  return vcon;
}

function manifestOf(record: CallRecord, packets: ReturnType<typeof packetsOf>): Manifest {
  const sealed = sealAndRead(packets, record).outcome;
  return { ...buildManifest(record, sealed, { device: "box-1" }), previous: "", signature: "" };
}

/** An agent who calls a number; the callee agrees after half a second and is put on hold for a while. */
function consentedCall(change: (record: CallRecord) => void = () => {}): Manifest {
  const packets = merged(packetsOf({ count: 100 }), packetsOf({ side: 1, count: 50, atMs: 500 }));
  const record = callRecord(packets);
  const [agent, caller] = record.parties;
  Object.assign(agent, { role: "agent", number: "21", name: "Desk", uri: "sip:21@10.0.0.1", consent: "not-required" });
  Object.assign(caller, { role: "caller", number: "+4930123456", name: "", uri: "", consent: "granted" });
  agent.spans = [{ fromUs: after(0), toUs: after(2000), evidence: "e0", packets: 100 }];
  caller.spans = [{ fromUs: after(500), toUs: after(1500), evidence: "e1", packets: 50 }];
  caller.closedSpans = [{ fromUs: after(0), toUs: after(500), reason: "consent", packets: 25 }];
  record.evidence = [
    { id: "e0", atUs: after(0), kind: "rule", effect: "agent", detail: {} },
    { id: "e1", atUs: after(500), kind: "dtmf", effect: "granted", detail: { code: "1" } },
  ];
  const said = { party: 1, purpose: "recording", source: "dtmf", evidence: "e1", by: "pressed 1", notice: "" } as const;
  record.ledger = [{ ...said, atUs: after(500), from: "unknown", to: "granted" }];
  record.events = [
    { atUs: after(600), kind: "hold", detail: { by: 0 } },
    { atUs: after(700), kind: "resume", detail: { by: 0 } },
    { atUs: after(800), kind: "dtmf", detail: { key: "7", by: 1, how: "event" } },
    { atUs: after(900), kind: "reinvite", detail: { by: 1 } },
  ];
  change(record);
  return manifestOf(record, packets);
}

test("a recording's vCon says who was there, where the audio is and that it is unaltered", () => {
  const manifest = consentedCall();
  const vcon = vconOf(manifest);
  expect(vcon).toMatchObject({ vcon: "0.4.0", extensions: ["CC", "lawful_basis"] });
  expect(vcon.parties).toEqual([
    { tel: "21", sip: "sip:21@10.0.0.1", name: "Desk", validation: "none", role: "agent" },
    { tel: "tel:+4930123456", role: "customer" },
    { name: "box-1", validation: "none", type: "bot" },
  ]);
  expect(vcon.dialog).toHaveLength(1);
  expect(vcon.dialog[0]).toMatchObject({
    type: "recording",
    start: "2026-11-21T09:00:00.123456Z",
    duration: 2,
    parties: [0, 1],
    mediatype: "audio/x-wav",
    filename: `${manifest.id}.wav`,
    url: `https://box.example:8385/api/v1/recordings/${manifest.id}/file`,
    content_hash: `sha512-${Buffer.from(manifest.audio.sha512, "hex").toString("base64url")}`,
  });
  expect(vcon.dialog[0]).not.toHaveProperty("originator");
  expect(vcon.attachments.at(-1)).toMatchObject({
    party: 2,
    filename: `${manifest.id}.json`,
    url: `https://box.example:8385/api/v1/recordings/${manifest.id}/manifest`,
    content_hash: `sha512-${createHash("sha512").update(MANIFEST_BYTES).digest("base64url")}`,
  });
});

test("its uuid is of version 8, has the call's time, and is the same each time", () => {
  const manifest = consentedCall();
  const { uuid } = vconOf(manifest);
  expect(vconOf(manifest, "http://elsewhere").uuid).toBe(uuid);
  expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const sha1 = createHash("sha1").update(`${manifest.id}.box-1`).digest();
  const custom = BigInt(`0x${uuid.slice(19).replace("-", "")}`) & ((1n << 62n) - 1n);
  expect(custom).toBe(sha1.readBigUInt64BE(0) >> 2n);
  expect(vconOf({ ...manifest, device: "box-2" }).uuid.slice(0, 18)).toBe(uuid.slice(0, 18));
  expect(vconOf({ ...manifest, device: "box-2" }).uuid).not.toBe(uuid);
});

test("whoever came, went, was put on hold or pressed a key is in the history, in the order of time", () => {
  const [recording] = vconOf(consentedCall()).dialog;
  if (recording?.type !== "recording") throw new Error("no recording");
  const at = (ms: number) => `2026-11-21T09:00:${(0.123456 + ms / 1000).toFixed(6).padStart(9, "0")}Z`;
  const happened = recording.party_history.map(({ party, event, time, button }) => [party, event, time, button]);
  expect(happened.filter(([, event]) => event !== "join" && event !== "drop")).toEqual([
    [1, "hold", at(600), undefined],
    [1, "unhold", at(700), undefined],
    [1, "keydown", at(800), "7"],
  ]);
  expect(happened.slice(0, 2).map(([party, event]) => [party, event])).toEqual([
    [0, "join"],
    [1, "join"],
  ]);
  expect(happened.slice(-2).map(([party, event]) => [party, event])).toEqual([
    [0, "drop"],
    [1, "drop"],
  ]);
});

test("consent stands as an attachment of whom it is, with its evidence and what was withheld", () => {
  const { attachments } = vconOf(consentedCall());
  expect(attachments).toHaveLength(2);
  expect(attachments[0]).toMatchObject({
    type: "lawful_basis",
    purpose: "lawful_basis",
    party: 1,
    start: "2026-11-21T09:00:00.623456Z",
    body: {
      lawful_basis: "consent",
      expiration: null,
      purpose_grants: [{ purpose: "recording", granted: true, granted_at: "2026-11-21T09:00:00.623456Z" }],
      proof_mechanisms: [
        {
          proof_type: "external_system",
          proof_data: { system: "box-1", evidence: "e1", kind: "dtmf", effect: "granted", detail: { code: "1" } },
        },
      ],
      metadata: {
        consent: "granted",
        policy: "both-parties",
        spans: [{ fromMs: 500, toMs: 1500, evidence: "e1" }],
        withheld: [{ fromMs: 0, toMs: 500, reason: "consent" }],
        erased: [],
      },
    },
  });
});

test("a party that refused, or never said, has no channel, and its attachment grants nothing", () => {
  for (const consent of ["refused", "unknown"] as const) {
    const manifest = consentedCall(({ parties, ledger, evidence }) => {
      Object.assign(parties[1], { consent, spans: [] });
      if (consent === "refused") Object.assign(ledger[0]!, { to: consent });
      else ledger.length = 0;
      evidence.splice(1, consent === "unknown" ? 1 : 0);
    });
    const { dialog, attachments, parties } = vconOf(manifest);
    expect(dialog[0]).toMatchObject({ parties: [0, null] });
    expect(parties).toHaveLength(3);
    const [attachment] = attachments;
    if (attachment === undefined || !("body" in attachment)) throw new Error("no consent");
    expect(attachment.body.purpose_grants.map(({ granted }) => granted)).toEqual([false]);
    expect(attachment.body.metadata).toMatchObject({ consent, spans: [] });
  }
});

test("a withdrawal follows the grant that it ends, and says what was erased", () => {
  const { attachments } = vconOf(
    consentedCall(({ parties, ledger, evidence }) => {
      parties[1].consent = "withdrawn";
      parties[1].erased = [{ fromUs: after(500), toUs: after(1200), packets: 35, evidence: "e2" }];
      evidence.push({ id: "e2", atUs: after(1200), kind: "api", effect: "withdrawn", detail: {} });
      ledger.push({ ...ledger[0]!, atUs: after(1200), from: "granted", to: "withdrawn", evidence: "e2" });
    }),
  );
  const [attachment] = attachments;
  if (attachment === undefined || !("body" in attachment)) throw new Error("no consent");
  expect(attachment.body.purpose_grants.map(({ granted }) => granted)).toEqual([true, false]);
  expect(attachment.body.proof_mechanisms.map(({ proof_data }) => proof_data.evidence)).toEqual(["e1", "e2"]);
  expect(attachment.body.metadata.erased).toEqual([{ fromMs: 500, toMs: 1200, evidence: "e2" }]);
});

test("the first channel is the agent's; where the other side called, the originator is named", () => {
  const { dialog, parties } = vconOf(
    consentedCall(({ parties }) => {
      [parties[0].role, parties[1].role] = ["caller", "agent"];
    }),
  );
  expect(parties.map(({ role }) => role)).toEqual(["agent", "customer", undefined]);
  expect(dialog[0]).toMatchObject({ parties: [0, 1], originator: 1 });
});

test("somebody who came by a transfer shares the channel of whom it replaced, and the transfer is a dialog", () => {
  const { dialog } = vconOf(
    consentedCall(({ parties }) => {
      parties[1].toUs = after(1000);
      parties.push({ ...parties[1], number: "22", joinedBy: "transfer", fromUs: after(1000), toUs: after(2000) });
    }),
  );
  expect(dialog[0]).toMatchObject({ parties: [0, [1, 2]] });
  expect(dialog[1]).toEqual({
    type: "transfer",
    start: "2026-11-21T09:00:01.123456Z",
    transferee: 0,
    transferor: 1,
    transfer_target: 2,
    original: 0,
    target_dialog: 0,
  });
});

test("an encrypted recording's hash is of the age file, which the vCon names as what it is", () => {
  const plain = consentedCall();
  const encryption = { format: "age" as const, recipients: ["0123456789abcdef"], plainBytes: 9, plainSha256: "ab" };
  const file = `${plain.id}.wav.age`;
  const { dialog } = vconOf({ ...plain, audio: { ...plain.audio, file, encryption } });
  expect(dialog[0]).toMatchObject({ mediatype: "application/octet-stream", filename: file });
});

test("a recording of one channel names all who are heard on it", () => {
  const stereo = consentedCall();
  const { dialog } = vconOf({ ...stereo, audio: { ...stereo.audio, channels: 1 } });
  expect(dialog[0]).toMatchObject({ parties: [[0, 1]] });
});

test("names and addresses are text, whatever is in them; what is no number is no tel", () => {
  const hostile = `<script>alert(1)</script>\u001b]0;x\u0007=cmd|' /C calc'!A0\u202e../../\u0000\ud800`;
  const { parties } = vconOf(
    consentedCall(({ parties }) => {
      Object.assign(parties[1], { name: hostile, number: hostile, uri: `sip:${hostile}@x` });
    }),
  );
  expect(parties[1]).toEqual({ sip: `sip:${hostile}@x`, name: hostile, validation: "none", role: "customer" });
});
