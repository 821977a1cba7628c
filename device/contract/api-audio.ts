// The HTTP API's routes that give out a recording: its audio, as it is stored or made of it, and its manifest.
import { z } from "zod";
import type { RouteContract } from "./api-route.js";

export const AUDIO_CHANNELS = ["both", "agent", "caller", "mix"] as const;
export type AudioChannel = (typeof AUDIO_CHANNELS)[number];
export const AUDIO_FORMATS = ["wav", "mp3", "opus"] as const;
export type AudioFormat = (typeof AUDIO_FORMATS)[number];

export const audioQuerySchema = z.strictObject({
  channel: z.enum(AUDIO_CHANNELS).default("both").describe("both sides, one of them alone, or both in one channel"),
  format: z
    .enum(AUDIO_FORMATS)
    .default("wav")
    .describe(
      "wav of both channels is the file as it is stored, .wav or .wav.age; mp3 and opus (in Ogg) have no ranges",
    ),
  reason: z
    .string()
    .max(256)
    .regex(/^[^\p{Cc}]*$/u, "holds control characters")
    .default("")
    .describe("why, for the audit chain; the configuration may require it (api.accessReason)"),
});

export const audioAnswerSchema = z.string().meta({ contentMediaType: "application/octet-stream" });
export const manifestAnswerSchema = z
  .looseObject({ schema: z.literal("sidetone.recording/1") })
  .describe("the manifest as it is stored: its bytes are what is signed");

const ofAudio = [
  "recording-not-found",
  "recording-deleted",
  "encrypted",
  "channel-unknown",
  "precondition-failed",
  "range-not-satisfiable",
  "recording-damaged",
  "format-unavailable",
  "audio-busy",
  "data-unwritable",
  "unavailable",
] as const;
const AUDIO_MEDIA = ["audio/wav", "application/octet-stream", "audio/mpeg", "audio/ogg"] as const;

/** By operation. */
export const AUDIO_ROUTES = {
  listenRecording: {
    method: "GET",
    path: "/recordings/{id}/audio",
    summary: "A recording's audio, to be played",
    right: "listen",
    query: audioQuerySchema,
    answer: audioAnswerSchema,
    media: AUDIO_MEDIA,
    conditions: "ranges",
    problems: ofAudio,
  },
  downloadRecording: {
    method: "GET",
    path: "/recordings/{id}/file",
    summary: "A recording's audio, as a file",
    right: "download",
    query: audioQuerySchema,
    answer: audioAnswerSchema,
    media: AUDIO_MEDIA,
    conditions: "ranges",
    problems: ofAudio,
  },
  getManifest: {
    method: "GET",
    path: "/recordings/{id}/manifest",
    summary: "A recording's signed manifest, as it is stored",
    right: "download",
    answer: manifestAnswerSchema,
    conditions: "whole",
    problems: ["recording-not-found", "recording-deleted", "precondition-failed", "unavailable"],
  },
} as const satisfies Record<string, RouteContract>;

export const AUDIO_SCHEMAS = {
  taken: {},
  given: { Audio: audioAnswerSchema, Manifest: manifestAnswerSchema },
};
