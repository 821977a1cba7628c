// A recording's vCon out of its manifest: who was there, what each channel holds, who came, went, was put on hold or passed on,
// and the consent that opened or shut each span. Pure, and the same each time; what was withheld is said, never its words.
import { createHash } from "node:crypto";
import { isoUs } from "../base/clock.js";
import { callIdToBytes } from "../base/ids.js";
import { API_PREFIX } from "../contract/api-route.js";
import type { CallSide, Manifest, ManifestParty } from "../contract/manifest.js";
import {
  VCON_EXTENSIONS,
  VCON_SYNTAX,
  type Vcon,
  type VconConsent,
  type VconParty,
  type VconPartyEvent,
  type VconTransfer,
} from "../contract/vcon.js";

/** Of the draft's list (§4.3.8); an age file has no registered type. */
const WAV_TYPE = "audio/x-wav";
const AGE_TYPE = "application/octet-stream";
/** The recording is the only dialog with audio, and stands first. */
const RECORDING = 0;

export interface VconSource {
  manifest: Manifest;
  /** Its SHA-512, of the file's bytes. */
  manifestSha512: Buffer;
  /** Where the box is reached, without the API's prefix: "https://box.example:8385". */
  baseUrl: string;
}

export function buildVcon({ manifest, manifestSha512, baseUrl }: VconSource): Vcon {
  const { id, audio, parties, device } = manifest;
  const url = `${baseUrl}${API_PREFIX}/recordings/${id}`;
  const start = dateAfter(audio.startsAt, 0);
  const channels = channelsOf(manifest);
  const first = [channels[0]].flat()[0];
  const originator = parties.findIndex(({ side }) => side === "originator");
  return {
    vcon: VCON_SYNTAX,
    uuid: uuidOf(manifest),
    extensions: [...VCON_EXTENSIONS],
    created_at: dateAfter(manifest.endedAt, 0),
    parties: [...parties.map(partyOf), { name: device, validation: "none", type: "bot" }],
    dialog: [
      {
        type: "recording",
        start,
        duration: audio.durationMs / 1000,
        parties: channels,
        ...(originator >= 0 && originator !== first && { originator }),
        mediatype: audio.encryption === undefined ? WAV_TYPE : AGE_TYPE,
        filename: audio.file,
        url: `${url}/file`,
        content_hash: hashText(Buffer.from(audio.sha512, "hex")),
        party_history: historyOf(manifest),
        application: "sip",
      },
      ...transfersOf(manifest),
    ],
    attachments: [
      ...consentsOf(manifest),
      {
        purpose: "recording manifest (sidetone.recording/1), signed by the box",
        start,
        party: parties.length,
        dialog: RECORDING,
        mediatype: "application/json",
        filename: `${id}.json`,
        url: `${url}/manifest`,
        content_hash: hashText(manifestSha512),
      },
    ],
  };
}

/**
 * RFC 9562 §5.8 as the draft has it (§4.1.2): the time of version 7, then the first 62 bits of the SHA-1 of a name below the
 * box's own, here the call's, so that a call has one and the same wherever it is asked for.
 */
function uuidOf({ id, device }: Manifest): string {
  const bytes = Buffer.alloc(16);
  callIdToBytes(id).copy(bytes, 0, 0, 8);
  bytes[6] = 0x80 | (bytes[6]! & 0x0f);
  const sha1 = createHash("sha1").update(`${id}.${device}`, "utf8").digest();
  bytes.writeBigUInt64BE((2n << 62n) | (sha1.readBigUInt64BE(0) >> 2n), 8);
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function partyOf({ number, uri, name, role }: ManifestParty): VconParty {
  return {
    ...(/^\+?[0-9*#]+$/.test(number) && { tel: number.startsWith("+") ? `tel:${number}` : number }),
    ...(uri !== "" && { sip: uri }),
    ...(name !== "" && { name, validation: "none" as const }),
    ...(role === "agent" && { role: "agent" as const }),
    ...(role === "caller" && { role: "customer" as const }),
  };
}

/** Who is heard on each channel, or could be; null where nothing of anybody was let through. */
function channelsOf({ audio, parties }: Manifest): (number | number[] | null)[] {
  const onChannel = (channel: number | undefined): number | number[] | null => {
    const places = [...parties.keys()].filter((place) => {
      const party = parties[place]!;
      return (channel === undefined || party.channel === channel) && party.spans.some(({ packets }) => packets > 0);
    });
    return places.length > 1 ? places : (places[0] ?? null);
  };
  return audio.channels === 1 ? [onChannel(undefined)] : [onChannel(0), onChannel(1)];
}

function historyOf({ parties, events, audio }: Manifest): VconPartyEvent[] {
  const history: { atMs: number; entry: Omit<VconPartyEvent, "time"> }[] = [];
  for (const [party, { fromMs, toMs }] of parties.entries()) {
    history.push({ atMs: fromMs, entry: { party, event: "join" } });
    history.push({ atMs: toMs, entry: { party, event: "drop" } });
  }
  for (const { atMs, kind, detail } of events) {
    const by = detail?.["by"];
    if (by !== 0 && by !== 1) continue;
    const party = presentOn(parties, sideOf(kind === "dtmf" ? by : 1 - by), atMs);
    const key = detail?.["key"];
    if (kind === "hold") history.push({ atMs, entry: { party, event: "hold" } });
    else if (kind === "resume") history.push({ atMs, entry: { party, event: "unhold" } });
    else if (kind === "dtmf" && typeof key === "string")
      history.push({ atMs, entry: { party, event: "keydown", button: key } });
  }
  history.sort((one, other) => one.atMs - other.atMs);
  return history.map(({ atMs, entry }) => ({ ...entry, time: dateAfter(audio.startsAt, atMs) }));
}

/** Place of the last that had come to a side by then. */
function presentOn(parties: Manifest["parties"], side: CallSide, atMs: number): number {
  const onSide = [...parties.keys()].filter((place) => parties[place]!.side === side);
  return onSide.findLast((place) => parties[place]!.fromMs <= atMs) ?? onSide[0] ?? 0;
}

/** Whoever came in another's place: it was passed on by whom it replaced. One recording holds the call before and after. */
function transfersOf({ parties, audio }: Manifest): VconTransfer[] {
  const transfers: VconTransfer[] = [];
  for (const [place, { joinedBy, side, fromMs }] of parties.entries()) {
    if (joinedBy !== "transfer" && joinedBy !== "replaces") continue;
    const earlier = [...parties.keys()].slice(0, place);
    const transferor = earlier.findLast((other) => parties[other]!.side === side);
    const transferee = earlier.findLast((other) => parties[other]!.side !== side);
    if (transferor === undefined || transferee === undefined) continue;
    const start = dateAfter(audio.startsAt, fromMs);
    const roles = { transferee, transferor, transfer_target: place };
    transfers.push({ type: "transfer", start, ...roles, original: RECORDING, target_dialog: RECORDING });
  }
  return transfers;
}

/** Of everybody whose consent counted; what else may have been a basis is not the box's to say. */
function consentsOf(manifest: Manifest): VconConsent[] {
  return [...manifest.parties.keys()]
    .filter((party) => manifest.parties[party]!.consent !== "not-required")
    .map((party) => consentOf(manifest, party));
}

function consentOf(manifest: Manifest, party: number): VconConsent {
  const { startedAt, device, policy, ledger, evidence } = manifest;
  const { consent, spans, closedSpans, erased = [] } = manifest.parties[party]!;
  const purpose = manifest.purpose || "recording";
  const changes = ledger.filter((change) => change.party === party && change.to !== "not-required");
  const grants = changes.map(({ at, to, purpose }) => ({
    purpose,
    granted: to === "granted",
    granted_at: dateAfter(at, 0),
  }));
  const named = new Set([...changes, ...spans, ...erased].map((part) => part.evidence));
  return {
    type: "lawful_basis",
    purpose: "lawful_basis",
    start: dateAfter(changes.at(-1)?.at ?? startedAt, 0),
    party,
    dialog: RECORDING,
    mediatype: "application/json",
    encoding: "json",
    body: {
      lawful_basis: "consent",
      expiration: null,
      purpose_grants: grants.length > 0 ? grants : [{ purpose, granted: false, granted_at: dateAfter(startedAt, 0) }],
      proof_mechanisms: evidence
        .filter(({ id }) => named.has(id))
        .map(({ id, at, kind, effect, detail }) => ({
          proof_type: "external_system",
          timestamp: dateAfter(at, 0),
          proof_data: { system: device, evidence: id, kind, effect, detail },
        })),
      metadata: {
        consent,
        policy,
        spans: spans.map(({ fromMs, toMs, evidence }) => ({ fromMs, toMs, evidence })),
        withheld: closedSpans.map(({ fromMs, toMs, reason }) => ({ fromMs, toMs, reason })),
        erased: erased.map(({ fromMs, toMs, evidence }) => ({ fromMs, toMs, evidence })),
      },
    },
  };
}

function sideOf(side: number): CallSide {
  return side === 0 ? "originator" : "answerer";
}

function hashText(sha512: Buffer): string {
  return `sha512-${sha512.toString("base64url")}`;
}

/** RFC 8620 §1.4: no fraction where it is nought. `at` has microseconds, which Date.parse does not read. */
function dateAfter(at: string, ms: number): string {
  const us = Date.parse(at) * 1000 + Number(at.slice(23, 26).replace("Z", ""));
  return isoUs(us + ms * 1000).replace(".000000Z", "Z");
}
