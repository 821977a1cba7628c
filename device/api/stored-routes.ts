// Routes about what is done with a recording once it is stored: each asks the part that owns it, and says in the API's codes what that
// refuses. Who does something is the token's name, never the body's to say.

import { SidetoneError } from "../base/errors.js";
import { type CallId, isCallId } from "../base/ids.js";
import type { STORED_ROUTES } from "../contract/api-stored.js";
import type { AuditEntryInput } from "../contract/audit.js";
import { momentAfter, momentOf } from "../contract/box-commands.js";
import type { Note } from "../contract/note.js";
import { maskNumber } from "../contract/number-mask.js";
import type { HoldCover, ListedHold, RetentionDesk, RetentionOutcome } from "../contract/retention-desk.js";
import { DigestMismatch } from "../store/index/acknowledgement-desk.js";
import { MarkRefused } from "../store/index/call-marks.js";
import { NoteRefused } from "../store/notes.js";
import type { RecordingStore } from "../store/recordings.js";
import type { Token } from "../store/tokens.js";
import { type ApiParts, type ApiReply, type Handlers, nameOf, type RequestOf, seesNumbers } from "./handler.js";
import { invalidField, type Problem, problem } from "./problems.js";

type StoredRequest = RequestOf<unknown, unknown, Token>;

/** What a recording's routes work with. */
interface Subject {
  store: RecordingStore;
  call: CallId;
  by: string;
  /** Makes an entry of the audit chain durable, in the token's name. */
  enter(entry: Omit<AuditEntryInput, "actor">): Promise<void>;
}

export function storedHandlers(parts: ApiParts): Handlers<keyof typeof STORED_ROUTES> {
  const about = (request: StoredRequest, act: (subject: Subject) => unknown): Promise<ApiReply> =>
    withRecording(parts, request, act);
  return {
    tagRecording: (request) =>
      about(request, async ({ store, call, enter }) => {
        if (store.tags === undefined) throw noIndex();
        return { tags: await store.tags.change({ call, ...request.body }, enter) };
      }),
    listNotes: (request) => about(request, ({ store, call }) => ({ notes: store.notes.list(call).map(shownNote) })),
    addNote: (request) =>
      about(request, async ({ store, call, by, enter }) =>
        shownNote(await store.notes.add(call, { by, text: request.body.text }, enter)),
      ),
    removeNote: (request) =>
      about(request, async ({ store, call, enter }) => {
        const left = await store.notes.remove(call, request.path["note"] ?? "", enter);
        return { left: left.length };
      }),
    acknowledgeRecording: (request) =>
      about(request, async ({ store, call, by, enter }) => {
        if (store.acknowledgements === undefined) throw noIndex();
        return { acknowledgements: await store.acknowledgements.give({ call, by, ...request.body }, enter) };
      }),
    unacknowledgeRecording: (request) =>
      about(request, async ({ store, call, by, enter }) => {
        if (store.acknowledgements === undefined) throw noIndex();
        return { acknowledgements: await store.acknowledgements.withdraw({ call, by }, enter) };
      }),
    deleteRecording: ({ token, path, query }) =>
      withRetention(parts, async (desk) => {
        const id = path["id"] ?? "";
        if (!isCallId(id)) return { problem: problem("recording-not-found") };
        return replyOf(await desk.deleteRecording(id, query, nameOf(token)));
      }),
    listHolds: ({ token }) =>
      withRetention(parts, (desk) => ({ answer: { holds: desk.holds().map((hold) => shownHold(hold, token)) } })),
    addHold: ({ token, body }) =>
      withRetention(parts, async (desk) =>
        replyOf(await desk.addHold(coverOf(body.covers), body.reason, nameOf(token)), true),
      ),
    liftHold: ({ token, path, query }) =>
      withRetention(parts, async (desk) => {
        const id = path["hold"] ?? "";
        if (!isCallId(id)) return { problem: problem("hold-not-found") };
        return replyOf(await desk.liftHold(id, query.reason, nameOf(token)));
      }),
  };
}

async function withRecording(
  { store: open, logger }: ApiParts,
  { token, path }: StoredRequest,
  act: (subject: Subject) => unknown,
): Promise<ApiReply> {
  const store = open();
  if (store === undefined) return { problem: problem("unavailable") };
  const call = path["id"] ?? "";
  if (!isCallId(call)) return { problem: problem("recording-not-found") };
  const enter: Subject["enter"] = (entry) => store.audit.enterDurably({ ...entry, actor: nameOf(token) });
  try {
    return { answer: await act({ store, call, by: token.name, enter }) };
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal.code === "data-unwritable") logger.warn("a request could not be stored", { message: String(error) });
    return { problem: refusal };
  }
}

/** Rethrows what is a fault of ours. */
function refusalOf(error: unknown): Problem {
  if (error instanceof MarkRefused || error instanceof NoteRefused) return problem(error.reason, error.message);
  if (error instanceof DigestMismatch) return problem("digest-mismatch", error.message);
  const isStorage =
    (error instanceof SidetoneError && error.code === "data-unwritable") ||
    typeof (error as NodeJS.ErrnoException | null)?.syscall === "string";
  if (!isStorage) throw error;
  return problem("data-unwritable", "the data folder takes no writes: see the box's alarms");
}

async function withRetention(
  { retention, logger }: ApiParts,
  act: (desk: RetentionDesk) => ApiReply | Promise<ApiReply>,
): Promise<ApiReply> {
  const desk = retention();
  if (desk === undefined) return { problem: problem("unavailable") };
  try {
    return await act(desk);
  } catch (error) {
    if (!(error instanceof SidetoneError)) throw error;
    logger.warn("holds cannot be read", { message: error.message });
    return { problem: problem("data-unwritable", "the holds cannot be read: see the box's log") };
  }
}

/** `isMade`: the answer names the hold. */
function replyOf(outcome: RetentionOutcome, isMade = false): ApiReply {
  if (outcome.ok) {
    const { state, id } = outcome;
    return { answer: { state, ...(isMade && { hold: id }) } };
  }
  const { error, field, message } = outcome;
  if (error === "invalid") return { problem: invalidField(field ?? "", message) };
  return { problem: problem(error, message) };
}

function coverOf(covers: HoldCover): HoldCover {
  if (!("from" in covers)) return covers;
  const isDay = momentAfter(covers.to) > momentOf(covers.to);
  const to = isDay ? momentAfter(covers.to) - 1 : momentOf(covers.to);
  return { from: new Date(momentOf(covers.from)).toISOString(), to: new Date(to).toISOString() };
}

function shownNote({ id, at, by, text }: Note): Pick<Note, "id" | "at" | "by" | "text"> {
  return { id, at, by, text };
}

function shownHold({ covers, ...hold }: ListedHold, token: Token): ListedHold {
  const isMasked = "number" in covers && !seesNumbers(token);
  return { ...hold, covers: isMasked ? { number: maskNumber(covers.number) } : covers };
}

function noIndex(): MarkRefused {
  return new MarkRefused("index-unusable", "the index of calls cannot be used at the moment");
}
