// The HTTP API's routes about what is done with a recording once it is stored: tags, notes, acknowledgements, deletion, holds.
import { z } from "zod";
import type { ProblemCode } from "./api-problems.js";
import { callIdSchema, isoTime, queryFlag, type RouteContract } from "./api-route.js";
import { momentOf } from "./box-commands.js";
import { MAX_TAGS, TAG_PATTERN } from "./listing.js";
import { MAX_NOTE_CHARACTERS, MAX_NOTES, NOTE_PATTERN } from "./note.js";

const ulid = z.string().regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
const byToken = z.string().describe("name of the token");
const tags = z.array(z.string().regex(TAG_PATTERN, "is no tag")).max(MAX_TAGS);
const reason = z
  .string()
  .max(256)
  .regex(/^(?=.*\S)[^\p{Cc}]*$/u, "is blank, or holds control characters")
  .describe("stands in the audit chain for ever: without names and numbers");
const time = z
  .string()
  .max(32)
  .refine((text) => Number.isFinite(momentOf(text)), "a time is 2026-11-21 or 2026-11-21T09:00:00Z (UTC)");

export const tagsBodySchema = z
  .strictObject({ add: tags.default([]), remove: tags.default([]) })
  .describe("neither: which it has");
export const tagsAnswerSchema = z.object({ tags: z.array(z.string()).describe("all, in alphabetical order") });

export const noteBodySchema = z.strictObject({
  text: z
    .string()
    .min(1)
    .max(MAX_NOTE_CHARACTERS)
    .regex(NOTE_PATTERN, "is blank, or holds control characters other than tab and newline"),
});
export const noteSchema = z.object({ id: ulid, at: isoTime, by: byToken, text: z.string() });
export const notesAnswerSchema = z.object({
  notes: z.array(noteSchema).describe(`at most ${MAX_NOTES}, the oldest first`),
});

export const acknowledgementBodySchema = z.strictObject({
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "is no SHA-256 in lower-case hex")
    .describe("of the file that you have, as it is stored on the box"),
});
export const acknowledgementsAnswerSchema = z.object({
  acknowledgements: z.array(z.object({ by: byToken, at: isoTime })).describe("all, in the order of the names"),
});

const deletionQuerySchema = z.strictObject({
  reason,
  overridesMinimum: queryFlag().default(false).describe("deletes it before its minimum age; never what is on hold"),
});
export const outcomeAnswerSchema = z.object({
  state: z
    .enum(["done", "accepted"])
    .describe("accepted: the disk is slow or refuses; it is carried out as soon as it can be, whatever happens"),
});

const holdCoverSchema = z
  .union([
    z.strictObject({ call: callIdSchema }),
    z.strictObject({
      number: z
        .string()
        .min(1)
        .max(64)
        .regex(/^[^\p{Cc}]*$/u, "holds control characters"),
    }),
    z.strictObject({ from: time, to: time }),
  ])
  .describe("a call, everything with a number, or every call of a time; a day is meant to its end");
export const holdBodySchema = z.strictObject({ covers: holdCoverSchema, reason });
export const holdSchema = z.object({
  id: ulid,
  at: isoTime,
  by: z.string().describe("as in the audit chain"),
  reason: z.string(),
  covers: z.union([
    z.strictObject({ call: z.string() }),
    z.strictObject({
      number: z.string().describe("in full with the right listen, download or administer, else its end only"),
    }),
    z.strictObject({ from: isoTime, to: isoTime }),
  ]),
});
export const holdsAnswerSchema = z.object({ holds: z.array(holdSchema) });
export const holdMadeAnswerSchema = outcomeAnswerSchema.extend({ hold: ulid });

const ofOneCall = ["recording-not-found", "recording-deleted", "unavailable"] as const satisfies readonly ProblemCode[];
const marking = [...ofOneCall, "index-unusable", "data-unwritable"] as const;
const keeping = ["data-unwritable", "unavailable"] as const;

/** By operation. */
export const STORED_ROUTES = {
  tagRecording: {
    method: "POST",
    path: "/recordings/{id}/tags",
    summary: "Put tags on a finished call, or take them off",
    right: "command",
    body: tagsBodySchema,
    answer: tagsAnswerSchema,
    problems: [...marking, "too-many-tags"],
  },
  listNotes: {
    method: "GET",
    path: "/recordings/{id}/notes",
    summary: "Notes on a recording",
    right: "listen",
    answer: notesAnswerSchema,
    problems: ofOneCall,
  },
  addNote: {
    method: "POST",
    path: "/recordings/{id}/notes",
    summary: "Write a note on a recording; it goes with it",
    right: "command",
    body: noteBodySchema,
    answer: noteSchema,
    problems: [...ofOneCall, "too-many-notes", "data-unwritable"],
  },
  removeNote: {
    method: "DELETE",
    path: "/recordings/{id}/notes/{note}",
    summary: "Take a note away",
    right: "command",
    parameters: { note: ulid.describe("names the note") },
    answer: z.object({ left: z.int().describe("notes that the recording still has") }),
    problems: [...ofOneCall, "note-not-found", "data-unwritable"],
  },
  acknowledgeRecording: {
    method: "PUT",
    path: "/recordings/{id}/acknowledgement",
    summary: "Say that you have a recording whole; once for each token",
    right: "download",
    body: acknowledgementBodySchema,
    answer: acknowledgementsAnswerSchema,
    problems: [...marking, "digest-mismatch"],
  },
  unacknowledgeRecording: {
    method: "DELETE",
    path: "/recordings/{id}/acknowledgement",
    summary: "Say that you have a recording no longer",
    right: "download",
    answer: acknowledgementsAnswerSchema,
    problems: marking,
  },
  deleteRecording: {
    method: "DELETE",
    path: "/recordings/{id}",
    summary: "Delete a recording; a certificate stays",
    right: "delete",
    query: deletionQuerySchema,
    answer: outcomeAnswerSchema,
    problems: [...ofOneCall, "on-hold", "minimum-retention", "data-unwritable"],
  },
  listHolds: {
    method: "GET",
    path: "/holds",
    summary: "Legal holds: what is not deleted, whatever its age and whoever asks",
    right: "delete",
    answer: holdsAnswerSchema,
    problems: keeping,
  },
  addHold: {
    method: "POST",
    path: "/holds",
    summary: "Make a legal hold",
    right: "delete",
    body: holdBodySchema,
    answer: holdMadeAnswerSchema,
    problems: [...keeping, "too-many-holds"],
  },
  liftHold: {
    method: "DELETE",
    path: "/holds/{hold}",
    summary: "Lift a legal hold",
    right: "delete",
    parameters: { hold: ulid.describe("names the hold") },
    query: z.strictObject({ reason }),
    answer: outcomeAnswerSchema,
    problems: [...keeping, "hold-not-found"],
  },
} as const satisfies Record<string, RouteContract>;

export const STORED_SCHEMAS = {
  taken: {
    TagChange: tagsBodySchema,
    NoteText: noteBodySchema,
    Acknowledgement: acknowledgementBodySchema,
    HoldWanted: holdBodySchema,
  },
  given: {
    Tags: tagsAnswerSchema,
    Note: noteSchema,
    Notes: notesAnswerSchema,
    NotesLeft: STORED_ROUTES.removeNote.answer,
    Acknowledgements: acknowledgementsAnswerSchema,
    Outcome: outcomeAnswerSchema,
    Hold: holdSchema,
    Holds: holdsAnswerSchema,
    HoldMade: holdMadeAnswerSchema,
  },
};
