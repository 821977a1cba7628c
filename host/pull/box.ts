// What a pull asks of a box, over whatever carries it: listing, manifest, audio, acknowledgement, deletion. Answers are values; what
// passes by itself (the box restarts, is busy, is not reached) is waited out here; what ends the run is thrown.
import type { Readable } from "node:stream";
import { z } from "zod";
import { isCallId } from "../../device/base/ids.js";
import { HostError } from "../errors.js";
import type { Patience } from "./patience.js";

export interface LinkRequest {
  method: "GET" | "PUT" | "DELETE";
  /** Below /api/v1, with the query. */
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
}

/** The body is to be read or destroyed. */
export interface LinkAnswer {
  status: number;
  /** By its name in lower case. */
  header(name: string): string | undefined;
  body: Readable;
}

/**
 * One exchange with the box, without trying anew. Rejects with HostError `network` when the box was not reached or did not
 * answer, `untrusted` when it is another one.
 */
export interface Link {
  send(request: LinkRequest, signal: AbortSignal): Promise<LinkAnswer>;
}

/** The box's no: its problem's code, and a line. */
export interface Refusal {
  status: number;
  code: string;
  detail: string;
}

export type Asked<Value> = { value: Value } | { refusal: Refusal };

export interface ListedRecording {
  id: string;
  /** Of the audio as stored. */
  bytes: number;
  tags: readonly string[];
}

export interface ListedPage {
  recordings: ListedRecording[];
  /** Behind the last of them, also when there are no more. */
  resume: string;
  hasMore: boolean;
}

/** The filters of the listing, by their names in the query. */
export type ListingFilter = Readonly<Record<string, string>>;

export const PAGE_RECORDINGS = 200;
const MAX_JSON_BYTES = 32 << 20;
const MAX_MANIFEST_BYTES = 32 << 20;
const MAX_PROBLEM_BYTES = 64 << 10;
/** A body of which nothing comes for so long. */
export const IDLE_MS = 30_000;
/** Answers that may be others in a moment. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);
/** Of what is asked of one recording and answered so each time; what limits requests (429) is waited out. */
const PASSING_TRIES = 12;
const LONGEST_RETRY_AFTER_S = 300;

const infoSchema = z.object({ device: z.string(), publicKey: z.object({ pem: z.string() }) });
const pageSchema = z.object({
  calls: z.array(
    z.object({
      id: z.string().refine(isCallId),
      tags: z.array(z.string()).default([]),
      recording: z.object({ bytes: z.number().nonnegative() }).optional(),
    }),
  ),
  next: z.string(),
  resume: z.string(),
});
const problemSchema = z.object({ code: z.string(), detail: z.string().default("") });

export class Box {
  readonly #link: Link;
  readonly #patience: Patience;
  readonly #reason: string;

  /** `reason`: why recordings are taken off the box; it enters that. */
  constructor(link: Link, patience: Patience, reason: string) {
    this.#link = link;
    this.#patience = patience;
    this.#reason = reason;
  }

  /** Its name and its public key, PEM. */
  async info(signal: AbortSignal): Promise<{ device: string; publicKey: string }> {
    const asked = await this.#ask({ method: "GET", path: "/info" }, signal, readJson(infoSchema));
    if ("value" in asked) return { device: asked.value.device, publicKey: asked.value.publicKey.pem };
    throw unexpected("/info", asked.refusal);
  }

  /** In the order in which they came to the box, behind the cursor; undefined for a cursor of an index that is no more. */
  async page(filter: ListingFilter, cursor: string, signal: AbortSignal): Promise<ListedPage | undefined> {
    const query = { ...filter, order: "arrival", limit: String(PAGE_RECORDINGS), ...(cursor !== "" && { cursor }) };
    const path = `/recordings?${new URLSearchParams(query)}`;
    const asked = await this.#ask({ method: "GET", path }, signal, readJson(pageSchema));
    if ("value" in asked) {
      const { calls, next, resume } = asked.value;
      const recordings = calls.flatMap(({ id, tags, recording }) =>
        recording === undefined ? [] : [{ id, tags, bytes: recording.bytes }],
      );
      return { recordings, hasMore: next !== "", resume: next || resume };
    }
    if (asked.refusal.status === 410) return undefined;
    throw unexpected("/recordings", asked.refusal);
  }

  /** As it was signed. */
  manifest(id: string, signal: AbortSignal): Promise<Asked<Buffer>> {
    const request = { method: "GET", path: `/recordings/${id}/manifest` } as const;
    return this.#ask(request, signal, (body) => readAll(body, MAX_MANIFEST_BYTES));
  }

  /** From a byte on, if what the box has is this (RFC 9110 §13.1.5); the whole else. The caller reads and times the body. */
  audio(id: string, from: number, sha256: string, signal: AbortSignal): Promise<Asked<LinkAnswer>> {
    const path = `/recordings/${id}/file?${new URLSearchParams({ reason: this.#reason })}`;
    const headers = from === 0 ? {} : { range: `bytes=${from}-`, "if-range": `"${sha256}"` };
    return this.#try({ method: "GET", path, headers }, signal, async (answer) => answer);
  }

  acknowledge(id: string, sha256: string, signal: AbortSignal): Promise<Asked<void>> {
    const request = { method: "PUT", path: `/recordings/${id}/acknowledgement`, body: { sha256 } } as const;
    return this.#ask(request, signal, drain);
  }

  delete(id: string, signal: AbortSignal): Promise<Asked<void>> {
    const path = `/recordings/${id}?${new URLSearchParams({ reason: this.#reason })}`;
    return this.#ask({ method: "DELETE", path }, signal, drain);
  }

  /** Tries anew what fails in passing, for as long as patience lasts. */
  #ask<Value>(
    request: LinkRequest,
    signal: AbortSignal,
    read: (body: Readable) => Promise<Value>,
  ): Promise<Asked<Value>> {
    return this.#try(request, signal, async ({ body }) => {
      const value = await whileItComes(body, read);
      this.#patience.answered();
      return value;
    });
  }

  async #try<Value>(
    request: LinkRequest,
    signal: AbortSignal,
    take: (answer: LinkAnswer) => Promise<Value>,
  ): Promise<Asked<Value>> {
    let refusals = 0;
    for (let attempt = 1; ; attempt++) {
      let leastMs = 0;
      let fault: HostError;
      try {
        signal.throwIfAborted();
        const answer = await this.#link.send(request, signal);
        if (answer.status >= 200 && answer.status < 300) return { value: await take(answer) };
        const refusal = await refusalOf(answer);
        if (!PASSING.has(refusal.status)) {
          this.#patience.answered();
          if (refusal.status === 401 || refusal.status === 403)
            throw new HostError("unauthorised", `${where(request)}: ${refusal.detail}`, { problem: refusal.code });
          return { refusal };
        }
        const isOfOne = request.path.startsWith("/recordings/");
        if (isOfOne && refusal.status !== 429 && ++refusals >= PASSING_TRIES) return { refusal };
        leastMs = retryAfterMs(answer);
        fault = new HostError("network", `the box is busy: ${refusal.detail}`, { problem: refusal.code });
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error)) throw error;
        fault = error;
      }
      await this.#patience.pause(attempt, fault, leastMs, signal);
    }
  }
}

function where({ method, path }: LinkRequest): string {
  return `${method} ${path.replace(/\?.*$/, "")}`;
}

/** Waiting may help. */
export function isPassing(error: unknown): error is HostError {
  return error instanceof HostError && error.code === "network";
}

/** Gives a body to whoever reads it; one that does not come, or breaks off, is HostError `network`. */
async function whileItComes<Value>(body: Readable, read: (body: Readable) => Promise<Value>): Promise<Value> {
  try {
    return await read(body);
  } catch (cause) {
    body.destroy();
    if (cause instanceof HostError) throw cause;
    throw new HostError("network", `the box's answer broke off (${(cause as Error).message})`, { cause });
  }
}

/** Pieces of a body; throws HostError `network` when it breaks off or nothing comes for IDLE_MS. */
export async function* piecesOf(body: Readable): AsyncGenerator<Buffer, void> {
  const late = (): void => {
    body.destroy(new Error("nothing came any more"));
  };
  let timer = setTimeout(late, IDLE_MS);
  try {
    for await (const piece of body) {
      clearTimeout(timer);
      yield piece as Buffer;
      timer = setTimeout(late, IDLE_MS);
    }
  } catch (cause) {
    throw new HostError("network", `the box's answer broke off (${(cause as Error).message})`, { cause });
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
}

async function readAll(body: Readable, most: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of piecesOf(body)) {
    bytes += piece.length;
    if (bytes > most) throw new HostError("bad-answer", `the box's answer is longer than ${most} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function drain(body: Readable): Promise<void> {
  await readAll(body, MAX_JSON_BYTES);
}

function readJson<Value>(schema: z.ZodType<Value>): (body: Readable) => Promise<Value> {
  return async (body) => {
    const bytes = await readAll(body, MAX_JSON_BYTES);
    try {
      return schema.parse(JSON.parse(bytes.toString("utf8")));
    } catch (cause) {
      throw new HostError("bad-answer", "the box's answer is not what this version of sidetone understands", { cause });
    }
  };
}

async function refusalOf({ status, body }: LinkAnswer): Promise<Refusal> {
  try {
    const text = (await readAll(body, MAX_PROBLEM_BYTES)).toString("utf8");
    const { code, detail } = problemSchema.parse(JSON.parse(text));
    return { status, code, detail: detail || code };
  } catch {
    return { status, code: `http-${status}`, detail: `the box answers ${status}` };
  }
}

function retryAfterMs(answer: LinkAnswer): number {
  const seconds = Number(answer.header("retry-after"));
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, LONGEST_RETRY_AFTER_S) * 1000 : 0;
}

function unexpected(path: string, { status, code, detail }: Refusal): HostError {
  return new HostError("refused", `GET ${path}: ${detail} (${status})`, { problem: code });
}
