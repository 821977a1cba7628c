// What a route of the HTTP API is: its path, who may use it, what it takes and gives. The tables of routes (api-*.ts) are made of
// these; the server, the OpenAPI document and the tests are made from the tables.
import { z } from "zod";
import { type CallId, isCallId } from "../base/ids.js";
import type { ProblemCode } from "./api-problems.js";

export const API_PREFIX = "/api/v1";

/** What a token may do. None includes another. */
export const RIGHTS = ["see", "listen", "download", "delete", "command", "configure", "administer"] as const;
export type Right = (typeof RIGHTS)[number];

export interface RouteContract {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below API_PREFIX; names of parameters in braces. */
  path: string;
  summary: string;
  /** Absent: no token is needed. */
  right?: Right;
  /** Of the path, by name; those that are not listed are ids of calls. */
  parameters?: Readonly<Record<string, z.ZodType>>;
  /** Of strings, as a URL has them (queryInteger, queryFlag). Absent: the query is not looked at. */
  query?: z.ZodObject;
  /** Absent: the request's body is not looked at. */
  body?: z.ZodType;
  /** Of a streamed answer: what one is, for the document. */
  answer: z.ZodType;
  /** Of the answer; absent: JSON. */
  media?: string | readonly string[];
  /** Its answer has an ETag and is given on conditions (RFC 9110 §13); "ranges": in part too (§14). */
  conditions?: "whole" | "ranges";
  /** Codes of its own, beside those that access, query and reading the body have. */
  problems: readonly ProblemCode[];
}

/** What is shown as text, and nothing else. */
export const isoTime = z.string().max(64).describe("ISO 8601 in UTC");

export const callIdSchema = z
  .string()
  .regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
  .refine((text): text is CallId => isCallId(text))
  .describe("names the call, and later its recording");

/** A whole number in a query. */
export function queryInteger(least: number, most: number) {
  return z
    .string()
    .regex(/^-?\d{1,15}$/, "is no whole number")
    .transform(Number)
    .pipe(z.int().min(least).max(most));
}

/** true or false in a query. */
export function queryFlag() {
  return z
    .enum(["true", "false"])
    .transform((text) => text === "true")
    .pipe(z.boolean());
}
