// The HTTP API's routes that give out what is stored in forms for others: a recording as a vCon, everything about a number.
import { z } from "zod";
import type { RouteContract } from "./api-route.js";
import { VCON_MEDIA_TYPE, vconSchema } from "./vcon.js";

export const TAR_MEDIA_TYPE = "application/x-tar";

const oneLine = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .regex(/^[^\p{Cc}]*$/u, "holds control characters");

export const exportQuerySchema = z.strictObject({
  number: oneLine(64).describe("whose: it is found however it is written"),
  reason: oneLine(256).describe("why, for the audit chain: without the number"),
});
export const archiveSchema = z
  .string()
  .meta({ format: "binary" })
  .describe("a tar with README.txt, and with contents.json at its end, which has every file's SHA-256");

/** By operation. */
export const EXPORT_ROUTES = {
  getVcon: {
    method: "GET",
    path: "/recordings/{id}/vcon",
    summary: "A recording as a vCon (draft-ietf-vcon-vcon-core-04): its audio by URL, with its SHA-512",
    right: "download",
    answer: vconSchema,
    media: VCON_MEDIA_TYPE,
    problems: ["recording-not-found", "recording-deleted", "data-unwritable", "unavailable"],
  },
  exportNumber: {
    method: "GET",
    path: "/export",
    summary:
      "Everything that the box has about a number, one at a time: recordings, call log, registers, audit entries",
    right: "administer",
    query: exportQuerySchema,
    answer: archiveSchema,
    media: TAR_MEDIA_TYPE,
    problems: ["export-running", "data-unwritable", "unavailable"],
  },
} as const satisfies Record<string, RouteContract>;

export const EXPORT_SCHEMAS = {
  taken: {},
  given: { Vcon: vconSchema, Archive: archiveSchema },
};
