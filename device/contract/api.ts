// The HTTP API as outsiders see it, put together: its routes by operation, and what the audit chain is told of requests. The
// server, the OpenAPI document and the tests are made from these tables. Errors are problem details (RFC 9457) with a `code`.
import type { z } from "zod";
import type { CallId, TimeUs } from "../base/ids.js";
import { AUDIO_ROUTES, AUDIO_SCHEMAS } from "./api-audio.js";
import { BOX_ROUTES, BOX_SCHEMAS } from "./api-box.js";
import { CALL_ROUTES, CALL_SCHEMAS } from "./api-calls.js";
import { EVENT_ROUTES, EVENT_SCHEMAS_OF_API } from "./api-events.js";
import { EXPORT_ROUTES, EXPORT_SCHEMAS } from "./api-export.js";
import { type ProblemCode, problemSchema } from "./api-problems.js";
import { RECORDING_ROUTES, RECORDING_SCHEMAS } from "./api-recordings.js";
import type { RouteContract } from "./api-route.js";
import { SERVICE_ROUTES, SERVICE_SCHEMAS } from "./api-service.js";
import { STORED_ROUTES, STORED_SCHEMAS } from "./api-stored.js";

/** By operation. */
export const ROUTES = {
  ...CALL_ROUTES,
  ...RECORDING_ROUTES,
  ...AUDIO_ROUTES,
  ...EXPORT_ROUTES,
  ...BOX_ROUTES,
  ...STORED_ROUTES,
  ...EVENT_ROUTES,
  ...SERVICE_ROUTES,
} as const satisfies Record<string, RouteContract>;
export type Operation = keyof typeof ROUTES;
export const OPERATIONS = Object.keys(ROUTES) as Operation[];

/** What bodies and answers are called in the document. */
export const SCHEMAS: Readonly<Record<"taken" | "given", Readonly<Record<string, z.ZodType>>>> = {
  taken: {
    ...CALL_SCHEMAS.taken,
    ...RECORDING_SCHEMAS.taken,
    ...AUDIO_SCHEMAS.taken,
    ...EXPORT_SCHEMAS.taken,
    ...BOX_SCHEMAS.taken,
    ...STORED_SCHEMAS.taken,
    ...SERVICE_SCHEMAS.taken,
  },
  given: {
    ...CALL_SCHEMAS.given,
    ...RECORDING_SCHEMAS.given,
    ...AUDIO_SCHEMAS.given,
    ...EXPORT_SCHEMAS.given,
    ...BOX_SCHEMAS.given,
    ...STORED_SCHEMAS.given,
    ...EVENT_SCHEMAS_OF_API.given,
    ...SERVICE_SCHEMAS.given,
    Problem: problemSchema,
  },
};

/** What goes into the audit chain about requests. Holds neither numbers nor secrets. */
export type ApiAuditEntry = { atUs: TimeUs; address: string } & (
  | {
      kind: "command";
      operation: Operation;
      /** "token front-desk". */
      by: string;
      tokenId: string;
      /** Absent when the path names none that could be one. */
      call?: CallId | "all";
      outcome: "done" | ProblemCode;
    }
  | { kind: "address-locked"; badTokens: number; forS: number }
);
