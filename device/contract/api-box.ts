// The HTTP API's routes about the box: how it is, its alarms and settings, its audit chain, its tokens.
import { z } from "zod";
import { ALARM_CODES, type AlarmCode } from "./alarms.js";
import type { ProblemCode } from "./api-problems.js";
import { callIdSchema, isoTime, queryInteger, RIGHTS, type RouteContract } from "./api-route.js";
import { AUDIT_KINDS, AUDIT_SCHEMA, type AuditKind } from "./audit.js";
import {
  alarmsAnswerSchema,
  completenessAnswerSchema,
  getConfigurationAnswerSchema,
  healthAnswerSchema,
  restartAnswerSchema,
  selfTestAnswerSchema,
  setConfigurationAnswerSchema,
  spanAnswerSchema,
} from "./box-answers.js";
import {
  completenessCommandSchema,
  getConfigurationSchema,
  momentOf,
  restartCommandSchema,
  setConfigurationSchema,
} from "./box-commands.js";

/** Entries of the audit chain in one answer. */
export const MAX_AUDITED = 1000;
export const DEFAULT_AUDITED = 100;
export const MAX_TOKEN_DAYS = 3650;
/** As it stands in evidence: "token front-desk". */
export const TOKEN_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const infoAnswerSchema = z.object({
  device: z.string().describe("the box's name"),
  version: z.string(),
  at: isoTime.describe("the box's time"),
  publicKey: z
    .object({
      pem: z.string().describe("Ed25519, SubjectPublicKeyInfo in PEM"),
      sha256: z.string().describe("of the SubjectPublicKeyInfo (DER), lower-case hex"),
    })
    .describe("what manifests and the audit chain are signed with"),
  tls: z
    .object({
      fingerprint: z.string().describe("SHA-256 of the certificate, AB:CD:…"),
      publicKeyPin: z.string().describe("SHA-256 of its public key (SubjectPublicKeyInfo), base64"),
      validTo: isoTime,
      isSelfSigned: z.boolean().describe("the box has made it itself"),
    })
    .nullable()
    .describe("the certificate that is shown to whoever connects; null without TLS"),
});
export type InfoAnswer = z.output<typeof infoAnswerSchema>;

const time = z
  .string()
  .max(32)
  .refine((text) => Number.isFinite(momentOf(text)), "a time is 2026-11-21 or 2026-11-21T09:00:00Z (UTC)");

const auditQuery = z.strictObject({
  order: z.enum(["newest", "oldest"]).default("newest").describe("which come first"),
  kind: z.enum(Object.keys(AUDIT_KINDS) as [AuditKind, ...AuditKind[]]).optional(),
  call: callIdSchema.optional(),
  from: time.optional().describe("entered at or after it"),
  to: time.optional().describe("entered before it; a day is meant to its end"),
  limit: queryInteger(1, MAX_AUDITED).default(DEFAULT_AUDITED),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional()
    .describe("`next` of the page before, or any entry's seq: begins behind it"),
});
export const auditAnswerSchema = z.object({
  entries: z
    .array(z.looseObject({ schema: z.literal(AUDIT_SCHEMA), seq: z.int() }))
    .describe("as they were signed, byte by byte"),
  next: z
    .string()
    .describe("`cursor` for the next page, which may hold none where a filter finds little; empty = there are no more"),
  damaged: z.int().describe("lines passed by that are no entries: sidetoned audit verify says more"),
});

const rights = z.array(z.enum(RIGHTS)).min(1).max(RIGHTS.length);
export const tokenSchema = z.object({
  id: z.string(),
  name: z.string(),
  rights: z.array(z.enum(RIGHTS)),
  createdAt: isoTime,
  expiresAt: isoTime.exactOptional().describe("absent: it does not expire"),
  revokedAt: isoTime.exactOptional(),
  isGood: z.boolean().describe("neither revoked nor expired"),
});
export const tokensAnswerSchema = z.object({ tokens: z.array(tokenSchema).describe("in the order of making") });
export const createTokenBodySchema = z.strictObject({
  name: z.string().regex(TOKEN_NAME_PATTERN).describe("as it stands in evidence and audit chain"),
  rights: rights.describe("of the asking token's only"),
  days: z.int().min(1).max(MAX_TOKEN_DAYS).optional().describe("it is good for; without it as long as the asking one"),
});
export const createdTokenSchema = z.object({
  token: tokenSchema,
  secret: z.string().describe("shown this once"),
});

const alarmCode = z.enum(ALARM_CODES as [AlarmCode, ...AlarmCode[]]);
const changeBody = setConfigurationSchema.omit({ verb: true, action: true });
const restartBody = restartCommandSchema.omit({ verb: true });
/** Of every command about the box. */
const OF_BOX = ["unavailable", "data-unwritable"] as const satisfies readonly ProblemCode[];

/** By operation. */
export const BOX_ROUTES = {
  getInfo: {
    method: "GET",
    path: "/info",
    summary: "Which box this is: name, version, public key, certificate",
    right: "see",
    answer: infoAnswerSchema,
    problems: ["unavailable"],
  },
  getBoxHealth: {
    method: "GET",
    path: "/box",
    summary: "How the box is now",
    right: "see",
    answer: healthAnswerSchema,
    problems: ["unavailable"],
  },
  getSpan: {
    method: "GET",
    path: "/span",
    summary: "What the doctor finds about the mirror port now",
    right: "see",
    answer: spanAnswerSchema,
    problems: ["unavailable"],
  },
  getCompleteness: {
    method: "GET",
    path: "/completeness",
    summary: "Calls seen against recordings made; may take a minute",
    right: "see",
    query: completenessCommandSchema.omit({ verb: true }),
    answer: completenessAnswerSchema,
    problems: [...OF_BOX, "already-running"],
  },
  runSelfTest: {
    method: "POST",
    path: "/self-test",
    summary: "Make a self-test, or wait for the one that is made",
    right: "command",
    answer: selfTestAnswerSchema,
    problems: ["unavailable"],
  },
  listAlarms: {
    method: "GET",
    path: "/alarms",
    summary: "Alarms that stand, and the last ones that stood",
    right: "see",
    answer: alarmsAnswerSchema,
    problems: ["unavailable"],
  },
  acknowledgeAlarm: {
    method: "POST",
    path: "/alarms/{code}/acknowledgement",
    summary: "Somebody has seen it; it stands on until its cause is gone",
    right: "command",
    parameters: { code: alarmCode },
    answer: alarmsAnswerSchema,
    problems: ["unavailable", "alarm-not-standing"],
  },
  getConfiguration: {
    method: "GET",
    path: "/configuration",
    summary: "Settings in force, and where each comes from; no secrets",
    right: "configure",
    query: getConfigurationSchema.omit({ verb: true, action: true }),
    answer: getConfigurationAnswerSchema,
    problems: [...OF_BOX, "configuration-unused", "configuration-invalid"],
  },
  changeConfiguration: {
    method: "PATCH",
    path: "/configuration",
    summary: "Change settings in the file; they take effect at the next restart",
    right: "configure",
    body: changeBody,
    answer: setConfigurationAnswerSchema,
    problems: [...OF_BOX, "not-settable", "configuration-unused", "configuration-unwritable", "configuration-invalid"],
  },
  restartService: {
    method: "POST",
    path: "/restart",
    summary: "Begin the service anew, with the configuration read afresh",
    right: "administer",
    body: restartBody,
    answer: restartAnswerSchema,
    problems: [...OF_BOX, "already-running", "configuration-unused", "configuration-invalid"],
  },
  listAudit: {
    method: "GET",
    path: "/audit",
    summary: "The audit chain, a page at a time",
    right: "administer",
    query: auditQuery,
    answer: auditAnswerSchema,
    problems: ["unavailable"],
  },
  listTokens: {
    method: "GET",
    path: "/tokens",
    summary: "Tokens, revoked and expired ones too; never their secrets",
    right: "administer",
    answer: tokensAnswerSchema,
    problems: ["data-unwritable"],
  },
  createToken: {
    method: "POST",
    path: "/tokens",
    summary: "Make a token, with rights that the asking one has",
    right: "administer",
    body: createTokenBodySchema,
    answer: createdTokenSchema,
    problems: ["data-unwritable", "right-not-yours", "token-exists", "too-many-tokens"],
  },
  revokeToken: {
    method: "DELETE",
    path: "/tokens/{token}",
    summary: "Revoke a token; never the last good one with the right administer",
    right: "administer",
    parameters: { token: z.string().regex(/^[0-9a-f]{12}$/) },
    answer: tokenSchema,
    problems: ["data-unwritable", "token-not-found", "last-administrator"],
  },
} as const satisfies Record<string, RouteContract>;

export const BOX_SCHEMAS = {
  taken: { ConfigurationChange: changeBody, Restart: restartBody, NewToken: createTokenBodySchema },
  given: {
    Info: infoAnswerSchema,
    BoxHealth: healthAnswerSchema,
    Span: spanAnswerSchema,
    Completeness: completenessAnswerSchema,
    SelfTest: selfTestAnswerSchema,
    Alarms: alarmsAnswerSchema,
    Configuration: getConfigurationAnswerSchema,
    ConfigurationChanged: setConfigurationAnswerSchema,
    RestartAsked: restartAnswerSchema,
    AuditEntries: auditAnswerSchema,
    Token: tokenSchema,
    Tokens: tokensAnswerSchema,
    CreatedToken: createdTokenSchema,
  },
};
