// A note on a recording, `<id>.notes` beside it (schema sidetone.note/1): one signed line each, members in this order. What auditors
// build on; changed only with a new schema version. It is personal data: it goes with its recording, and the audit chain has its
// hash alone, which nobody can tell the text from who has not the line, for its signature is hashed with it.
import type { CallId } from "../base/ids.js";

export const NOTE_SCHEMA = "sidetone.note/1";
export const MAX_NOTE_CHARACTERS = 2000;
/** Of one recording. */
export const MAX_NOTES = 100;
/** Text in lines: no other control characters, no half of a character, and more than blanks. */
export const NOTE_PATTERN = /^(?=[\s\S]*\S)[^\p{Cs}\u0000-\u0008\u000b-\u001f\u007f-\u009f]*$/u;

export interface Note {
  schema: typeof NOTE_SCHEMA;
  /** A ULID. */
  id: string;
  call: CallId;
  /** ISO 8601 UTC. */
  at: string;
  /** Name of the token. */
  by: string;
  text: string;
  /** As of an audit entry. */
  signature: string;
}
