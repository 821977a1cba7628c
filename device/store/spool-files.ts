// The files of the spool, `<data>/spool/`, for the owner only: requests of commands `<ULID>.json`, what a command is about
// to do itself `<ULID>.intent.json`, answers `<ULID>.done.json`. Each is there whole or not at all. What does not belong
// here goes to `spool/aside/`. Decides nothing about what requests ask for.
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { ErrorCode } from "../base/errors.js";
import { ERROR_CODES } from "../base/errors.js";
import { type CallId, isCallId } from "../base/ids.js";
import { createDurably, makeFolders, syncFolder } from "./durable-file.js";
import type { SpoolResult } from "./spool-kinds.js";

const REQUEST_SCHEMA = "sidetone.spool-request/1";
const ANSWER_SCHEMA = "sidetone.spool-answer/1";
/** As JSON, with everything around the body. */
export const MAX_REQUEST_BYTES = 64 * 1024;
export const MAX_ANSWER_BYTES = 1024 * 1024;
/** Requests that wait at most: commands refuse to add to as many. */
export const MAX_REQUESTS = 1000;
/** Foreign files that are kept aside, the newest. */
const MAX_ASIDE = 100;
const MAX_ACTOR_CHARACTERS = 256;
const FILE_MODE = 0o600;
const NAME_PATTERN = /^([0-9A-Z]{26})(\.intent|\.done)?\.json$/;
const PARTIAL_PATTERN = /\.(\d+)\.partial$/;

const requestSchema = z.strictObject({
  schema: z.literal(REQUEST_SCHEMA),
  id: z.string().refine(isCallId),
  kind: z.string().max(64),
  actor: z.string().min(1).max(MAX_ACTOR_CHARACTERS),
  atUs: z.number().int().nonnegative(),
  /** Nobody waits for an answer otherwise. */
  isAwaited: z.boolean(),
  /** Of an intent: who has to say that it was done. */
  writer: z.strictObject({ pid: z.number().int().positive(), startedAt: z.string() }).exactOptional(),
  body: z.unknown(),
});
export type SpoolRequest = Omit<z.output<typeof requestSchema>, "schema">;

const answerSchema = z.strictObject({
  schema: z.literal(ANSWER_SCHEMA),
  id: z.string().refine(isCallId),
  outcome: z.discriminatedUnion("ok", [
    z.strictObject({ ok: z.literal(true), result: z.record(z.string(), z.unknown()) }),
    z.strictObject({
      ok: z.literal(false),
      code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode]),
      message: z.string(),
    }),
  ]),
});
export type SpoolOutcome = { ok: true; result: SpoolResult } | { ok: false; code: ErrorCode; message: string };

export interface SpoolListing {
  /** In the order of asking. */
  requests: CallId[];
  intents: CallId[];
  answers: CallId[];
  /** Names of what does not belong here. */
  foreign: string[];
}

/** All methods throw file system errors. */
export class SpoolFiles {
  readonly #folder: string;

  constructor(dataFolder: string) {
    this.#folder = join(dataFolder, "spool");
  }

  /** Makes the folder, which is the data folder's owner's, unless it is there. */
  make(): void {
    if (statSync(this.#folder, { throwIfNoEntry: false })) return;
    makeFolders(this.#folder);
    chmodSync(this.#folder, 0o700);
    giveToOwnerOf(dirname(this.#folder), this.#folder);
    syncFolder(dirname(this.#folder));
  }

  /** What is there; nothing when there is no folder. */
  list(): SpoolListing {
    const listing: SpoolListing = { requests: [], intents: [], answers: [], foreign: [] };
    for (const name of this.#names()) {
      const [, id = "", state] = NAME_PATTERN.exec(name) ?? [];
      if (name === "aside" || PARTIAL_PATTERN.test(name)) continue;
      if (!isCallId(id)) listing.foreign.push(name);
      else if (state === ".intent") listing.intents.push(id);
      else if (state === ".done") listing.answers.push(id);
      else listing.requests.push(id);
    }
    return listing;
  }

  /** Removes what processes that are gone were writing. */
  removeLeftovers(): void {
    for (const name of this.#names()) {
      const pid = PARTIAL_PATTERN.exec(name)?.[1];
      if (pid !== undefined && !isRunning(Number(pid))) rmSync(join(this.#folder, name), { force: true });
    }
  }

  /** Durable when it returns. Throws RangeError for what is too long. */
  writeRequest(request: SpoolRequest): void {
    const text = `${JSON.stringify({ schema: REQUEST_SCHEMA, ...request })}\n`;
    if (Buffer.byteLength(text) > MAX_REQUEST_BYTES) throw new RangeError("too long a request for the spool");
    this.#write(this.#requestPath(request), text);
  }

  /** An intent becomes a request: what it says was done. */
  confirm(request: SpoolRequest): void {
    renameSync(this.#requestPath(request), this.#path(request.id, ""));
    syncFolder(this.#folder);
  }

  /** The request or intent; undefined when it is gone, a text that says what is wrong when it is none. */
  readRequest(id: CallId, state: "" | ".intent"): SpoolRequest | string | undefined {
    const value = readJson(this.#path(id, state), MAX_REQUEST_BYTES);
    if (value === undefined || typeof value === "string") return value;
    const parsed = requestSchema.safeParse(value.json);
    if (!parsed.success) return "is no request";
    const { schema: _, ...request } = parsed.data;
    if (request.id !== id) return "has the name of another request";
    if (state === ".intent" && request.writer === undefined) return "is the intent of nobody";
    return request;
  }

  removeRequest(id: CallId, state: "" | ".intent"): void {
    rmSync(this.#path(id, state), { force: true });
    syncFolder(this.#folder);
  }

  writeAnswer(id: CallId, outcome: SpoolOutcome): void {
    const text = `${JSON.stringify({ schema: ANSWER_SCHEMA, id, outcome })}\n`;
    if (Buffer.byteLength(text) > MAX_ANSWER_BYTES) throw new RangeError("too long an answer for the spool");
    this.#write(this.#path(id, ".done"), text);
  }

  /** The answer, if it is there. */
  readAnswer(id: CallId): SpoolOutcome | undefined {
    const value = readJson(this.#path(id, ".done"), MAX_ANSWER_BYTES);
    if (value === undefined || typeof value === "string") return undefined;
    return answerSchema.safeParse(value.json).data?.outcome;
  }

  /** Time of its writing; undefined when it is gone. */
  answeredAtMs(id: CallId): number | undefined {
    return statSync(this.#path(id, ".done"), { throwIfNoEntry: false })?.mtimeMs;
  }

  removeAnswer(id: CallId): void {
    rmSync(this.#path(id, ".done"), { force: true });
  }

  /** Out of the way, for a person to look at. */
  setAside(name: string): void {
    const folder = join(this.#folder, "aside");
    makeFolders(folder);
    const kept = readdirSync(folder).sort();
    for (const old of kept.slice(0, Math.max(0, kept.length - MAX_ASIDE + 1)))
      rmSync(join(folder, old), { force: true, recursive: true });
    renameSync(join(this.#folder, name), join(folder, `${String(Date.now()).padStart(14, "0")}-${name}`.slice(0, 255)));
  }

  /** Name of a request's file, for messages. */
  nameOf(id: CallId, state: "" | ".intent"): string {
    return `${id}${state}.json`;
  }

  #names(): string[] {
    try {
      return readdirSync(this.#folder).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  #path(id: CallId, state: "" | ".intent" | ".done"): string {
    return join(this.#folder, `${id}${state}.json`);
  }

  #requestPath({ id, writer }: SpoolRequest): string {
    return this.#path(id, writer ? ".intent" : "");
  }

  #write(path: string, text: string): void {
    // Under another name until it has its owner: the service may look at any moment.
    createDurably(path, text, FILE_MODE, (temporary) => giveToOwnerOf(this.#folder, temporary));
  }
}

/** Undefined when it is gone; a text that says what is wrong with it. Never waits, whatever kind of file it is. */
function readJson(path: string, maxBytes: number): { json: unknown } | string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  if (!stats.isFile()) return "is no regular file";
  if (stats.size > maxBytes) return `is longer than ${maxBytes} bytes`;
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    if (code === "EACCES") return "may not be read";
    throw error;
  }
  try {
    const buffer = Buffer.alloc(Math.min(fstatSync(descriptor).size, maxBytes));
    const length = readSync(descriptor, buffer, 0, buffer.length, 0);
    return { json: JSON.parse(buffer.toString("utf8", 0, length)) };
  } catch (error) {
    if (error instanceof SyntaxError) return "is not JSON";
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** What root makes in another's folder is that other's: the service may run as somebody else. */
function giveToOwnerOf(folder: string, path: string): void {
  const { uid, gid } = statSync(folder);
  if (process.getuid?.() === 0 && uid !== 0) chownSync(path, uid, gid);
}
