// The configuration of what proves recordings beyond this box: time stamps of an authority, and the chains' heads at a broker.
import { z } from "zod";
import { filePath, integer, section } from "./config-fields.js";
import { TIME_STAMP_HASHES } from "./time-stamp.js";

/** Host, port, path and query. A name or password would show wherever the URL does. */
const AUTHORITY_URL = /^(?:https?:\/\/(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?(?:\/[!-~]*)?)?$/;

export const integritySection = section(
  {
    anchor: z
      .enum(["off", "mqtt"])
      .default("off")
      .describe("publish the signed heads of both chains, retained, at the broker of mqtt.url"),
    checkHours: integer(
      0,
      8760,
      24,
      "time between two checks of everything that is stored, as by sidetoned verify, behind all other work; 0 = never",
      "h",
    ),
    intervalMinutes: integer(
      5,
      10_080,
      60,
      "time between two statements of the heads, if they have moved; one more is made when the service stops",
      "min",
    ),
    timestamp: section(
      {
        url: z
          .string()
          .max(512)
          .regex(AUTHORITY_URL)
          .default("")
          .describe("time stamp authority (RFC 3161), as in http://tsa.example/tsr; without password; empty = none"),
        caFile: filePath(
          "PEM file with the authority that vouches for its time stamps (and for its TLS certificate, besides those that the system trusts); empty = their signatures are not checked on this box",
        ),
        hash: z.enum(TIME_STAMP_HASHES).default("sha256").describe("hash that is stamped"),
        timeoutMs: integer(500, 60_000, 10_000, "longest time for one time stamp", "ms"),
      },
      "Time stamps of a time stamp authority",
    ),
  },
  "Proof: whether what is stored is as it was signed, and proof of that beyond this box",
);
