// A recording as a vCon, for `GET /recordings/{id}/vcon`: the unsigned form of draft-ietf-vcon-vcon-core-04 (syntax 0.4.0) with
// the extensions CC (draft-ietf-vcon-cc-extension: a party's role) and lawful_basis (draft-howe-vcon-lawful-basis, which
// replaces draft-howe-vcon-consent). Strict: of the draft's members, those that a recording of this box can have.
import { z } from "zod";
import { CONSENT_STATES, POLICIES } from "./call-record.js";

/** §4.1.1 */
export const VCON_SYNTAX = "0.4.0";
/** §5.4, of the unsigned form too. */
export const VCON_MEDIA_TYPE = "application/vcon";
export const VCON_EXTENSIONS = ["CC", "lawful_basis"] as const;

/** RFC 3339. */
const date = z.iso.datetime();
const partyIndex = z.int().nonnegative().describe("place in parties, from 0");
const dialogIndex = z.int().nonnegative().describe("place in dialog, from 0");
/** §2.2: the algorithm, a hyphen, the digest in base64url without padding (RFC 7515 §2). */
const contentHash = z.string().regex(/^sha512-[A-Za-z0-9_-]{86}$/);
const externalFile = { url: z.url(), content_hash: contentHash };

const partySchema = z.strictObject({
  tel: z.string().optional().describe("tel: URL of a number with its country code, else the number as it is dialled"),
  sip: z.string().optional(),
  name: z.string().optional(),
  validation: z.literal("none").optional().describe("nobody has checked the name: it is what the signalling said"),
  role: z.enum(["agent", "customer"]).optional().describe("CC extension; absent where the box does not know"),
  type: z.literal("bot").optional().describe("the recorder itself, which contributes the attachments"),
});

const partyEventSchema = z.strictObject({
  party: partyIndex,
  time: date,
  event: z.enum(["join", "drop", "hold", "unhold", "keydown"]),
  button: z.string().optional().describe("the key, with keydown"),
});

const recordingSchema = z.strictObject({
  type: z.literal("recording"),
  start: date,
  duration: z.number().nonnegative().describe("seconds"),
  parties: z
    .array(z.union([partyIndex, z.array(partyIndex).min(2), z.null()]))
    .describe("one entry a channel; null: nobody is on it, the channel is silence"),
  originator: partyIndex.optional().describe("absent where the first of parties is it"),
  mediatype: z.string(),
  filename: z.string(),
  ...externalFile,
  party_history: z.array(partyEventSchema),
  application: z.string(),
});

const transferSchema = z.strictObject({
  type: z.literal("transfer"),
  start: date,
  transferee: partyIndex,
  transferor: partyIndex,
  transfer_target: partyIndex,
  original: dialogIndex.describe("the recording: it holds the call before and after"),
  target_dialog: dialogIndex,
});

const spanSchema = z.strictObject({ fromMs: z.number(), toMs: z.number(), evidence: z.string() });

/** `metadata` and `proof_data` are the draft's places for what an implementation adds. */
const lawfulBasisSchema = z.strictObject({
  lawful_basis: z.literal("consent"),
  expiration: z.null(),
  purpose_grants: z
    .array(
      z.strictObject({
        purpose: z.string(),
        granted: z.boolean().describe("false: refused, withdrawn, or never said"),
        granted_at: date,
      }),
    )
    .min(1)
    .describe("every change of the party's consent, in the order of coming: the last one counts"),
  proof_mechanisms: z.array(
    z.strictObject({
      proof_type: z.literal("external_system"),
      timestamp: date,
      proof_data: z.strictObject({
        system: z.string().describe("the box's name"),
        evidence: z.string(),
        kind: z.string(),
        effect: z.string(),
        detail: z.record(z.string(), z.unknown()),
      }),
    }),
  ),
  metadata: z.strictObject({
    consent: z.enum(CONSENT_STATES),
    policy: z.enum(POLICIES),
    spans: z.array(spanSchema).describe("what was recorded of the party, in ms of the recording, and why"),
    withheld: z.array(z.strictObject({ fromMs: z.number(), toMs: z.number(), reason: z.string() })),
    erased: z.array(spanSchema).describe("what was taken out of the recording after a withdrawal"),
  }),
});

const consentAttachmentSchema = z.strictObject({
  type: z.literal("lawful_basis").describe("the extension's own name for it"),
  purpose: z.literal("lawful_basis").describe("vCon core's"),
  start: date,
  party: partyIndex.describe("whose consent it is"),
  dialog: dialogIndex,
  mediatype: z.literal("application/json"),
  encoding: z.literal("json"),
  body: lawfulBasisSchema,
});

const manifestAttachmentSchema = z.strictObject({
  purpose: z.literal("recording manifest (sidetone.recording/1), signed by the box"),
  start: date,
  party: partyIndex.describe("the recorder"),
  dialog: dialogIndex,
  mediatype: z.literal("application/json"),
  filename: z.string(),
  ...externalFile,
});

export const vconSchema = z.strictObject({
  vcon: z.literal(VCON_SYNTAX),
  uuid: z.uuid().describe("version 8, made of the call's id and the box's name: the same each time"),
  extensions: z.array(z.enum(VCON_EXTENSIONS)),
  created_at: date,
  parties: z.array(partySchema),
  dialog: z.array(z.union([recordingSchema, transferSchema])),
  attachments: z.array(z.union([consentAttachmentSchema, manifestAttachmentSchema])),
});
export type Vcon = z.output<typeof vconSchema>;
export type VconParty = z.output<typeof partySchema>;
export type VconPartyEvent = z.output<typeof partyEventSchema>;
export type VconTransfer = z.output<typeof transferSchema>;
export type VconConsent = z.output<typeof consentAttachmentSchema>;
