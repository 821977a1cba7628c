// Speaks to a box's HTTP API: JSON, pages of listings, streams of bytes. Everything has a limit: the size of an answer, the time
// until it begins and between its pieces, and how often something is tried again, which only what may be done twice is.
import { setMaxListeners } from "node:events";
import type { Agent } from "node:http";
import { request as httpRequest, type IncomingMessage, type RequestOptions as NodeRequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { PROBLEM_MEDIA_TYPE } from "../device/contract/api-problems.js";
import { API_PREFIX } from "../device/contract/api-route.js";
import { agentFor, bareHost, connectionError, type Trust } from "./certificates.js";
import { HostError } from "./errors.js";
import { safeText } from "./safe-text.js";

const MAX_JSON_BYTES = 16 * 1024 * 1024;
const MAX_PROBLEM_BYTES = 64 * 1024;
const MAX_ATTEMPTS = 6;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 8000;
/** A box that asks for more patience than this is given up. */
const LONGEST_ASKED_WAIT_MS = 65_000;
const ANSWER_LIMIT_MS = 60_000;
const SILENCE_LIMIT_MS = 60_000;
const USER_AGENT = "sidetone";

export interface BoxAddress {
  /** Scheme, host and port; a path before the API's where a proxy has one. */
  url: URL;
  token: string;
  trust: Trust;
}

export interface ClientTiming {
  /** Waits before another attempt, ms. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** Until an answer begins, ms. */
  answerLimitMs: number;
  /** Between two pieces of an answer, ms. */
  silenceLimitMs: number;
}

const REAL_TIMING: ClientTiming = {
  sleep: async (milliseconds, signal) => sleep(milliseconds, undefined, signal && { signal }),
  answerLimitMs: ANSWER_LIMIT_MS,
  silenceLimitMs: SILENCE_LIMIT_MS,
};

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;
export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface CallOptions {
  query?: Query;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
  /** May be sent twice; GET, HEAD, PUT and DELETE may, unless told. */
  isRepeatable?: boolean;
  /** Time until the answer begins, where a box has to work for it, ms. */
  answerLimitMs?: number;
}

export interface Page<Entry> {
  entries: Entry[];
  /** "" = there are no more. */
  next: string;
}

/** Tried again, unless it was the last time. */
class Retryable extends Error {
  readonly fault: HostError;
  readonly afterMs: number | undefined;
  /** The box did nothing for it. */
  readonly wasNotDone: boolean;

  constructor(fault: HostError, wasNotDone: boolean, afterMs?: number) {
    super(fault.message);
    this.fault = fault;
    this.wasNotDone = wasNotDone;
    this.afterMs = afterMs;
  }
}

export class BoxClient {
  readonly url: URL;
  readonly #token: string;
  readonly #isPlain: boolean;
  readonly #agent: Agent;
  readonly #timing: ClientTiming;

  constructor({ url, token, trust }: BoxAddress, timing: Partial<ClientTiming> = {}) {
    this.url = url;
    this.#token = token;
    this.#isPlain = trust.kind === "plain";
    this.#agent = agentFor(trust);
    this.#timing = { ...REAL_TIMING, ...timing };
  }

  /** The answer's JSON, undefined when it has none. `path` is below the API's prefix, its pieces encoded (see `segment`). */
  async json<Answer>(method: Method, path: string, options: CallOptions = {}): Promise<Answer> {
    const isRepeatable = options.isRepeatable ?? !["POST", "PATCH"].includes(method);
    const text = await this.#repeatedly(isRepeatable, options.signal, async () => {
      const response = await this.#send(method, path, options);
      if (!isGood(response)) throw await this.#problemOf(response);
      return this.#text(response, MAX_JSON_BYTES);
    });
    if (text === "") return undefined as Answer;
    try {
      return JSON.parse(text) as Answer;
    } catch (cause) {
      throw new HostError("bad-answer", `${this.#where} did not answer in JSON: is it a Sidetone box?`, { cause });
    }
  }

  /** GET as bytes: 200, 206, 304 and 416 are the caller's to tell apart, and the body's errors (HostError network) too. */
  async open(path: string, options: Omit<CallOptions, "body" | "isRepeatable"> = {}): Promise<IncomingMessage> {
    return this.#repeatedly(true, options.signal, async () => {
      const response = await this.#send("GET", path, options);
      if (isGood(response) || response.statusCode === 304 || response.statusCode === 416) return response;
      throw await this.#problemOf(response);
    });
  }

  /** One exchange, tried once, whatever its status; the body is the caller's to read. Throws HostError. */
  async exchange(
    method: Method,
    path: string,
    options: Omit<CallOptions, "isRepeatable"> = {},
  ): Promise<IncomingMessage> {
    try {
      return await this.#send(method, path, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw error instanceof Retryable ? error.fault : error;
    }
  }

  /** Every entry of a listing. `member`: what the listing calls its entries. */
  async *pages<Entry>(path: string, member: string, query: Query = {}, signal?: AbortSignal): AsyncGenerator<Entry> {
    for (let cursor = query["cursor"]; ; ) {
      const page = await this.page<Entry>(path, member, { ...query, cursor }, signal);
      yield* page.entries;
      if (page.next === "") return;
      if (page.next === cursor) throw new HostError("bad-answer", `${this.#where} gives the same page again and again`);
      cursor = page.next;
    }
  }

  async page<Entry>(path: string, member: string, query: Query = {}, signal?: AbortSignal): Promise<Page<Entry>> {
    const answer = await this.json<Record<string, unknown> | undefined>("GET", path, { query, signal });
    const { [member]: entries, next = "" } = answer ?? {};
    if (!Array.isArray(entries) || typeof next !== "string")
      throw new HostError(
        "bad-answer",
        `${this.#where} gave no list of ${member}: is it a Sidetone box of this version?`,
      );
    return { entries: entries as Entry[], next };
  }

  /** Closes what is kept open. */
  close(): void {
    this.#agent.destroy();
  }

  get #where(): string {
    return safeText(this.url.host, 200);
  }

  async #repeatedly<Result>(
    isRepeatable: boolean,
    signal: AbortSignal | undefined,
    attempt: () => Promise<Result>,
  ): Promise<Result> {
    for (let count = 1; ; count++) {
      signal?.throwIfAborted();
      try {
        return await attempt();
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof Retryable)) throw error;
        const waitMs = error.afterMs ?? waitBefore(count);
        if (count >= MAX_ATTEMPTS || !(isRepeatable || error.wasNotDone) || waitMs > LONGEST_ASKED_WAIT_MS)
          throw error.fault;
        await this.#timing.sleep(waitMs, signal).catch((cause: unknown) => {
          signal?.throwIfAborted();
          throw cause;
        });
      }
    }
  }

  /** Resolves when the answer begins. Throws Retryable, HostError, and the signal's reason. */
  #send(method: Method, path: string, options: CallOptions): Promise<IncomingMessage> {
    const { body, headers, signal, answerLimitMs = this.#timing.answerLimitMs } = options;
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const wanted: NodeRequestOptions = {
      agent: this.#agent,
      method,
      host: bareHost(this.url),
      ...(this.url.port !== "" && { port: Number(this.url.port) }),
      path: this.#path(path, options.query),
      headers: {
        authorization: `Bearer ${this.#token}`,
        accept: "*/*",
        "accept-encoding": "identity",
        "user-agent": USER_AGENT,
        ...(bytes && { "content-type": "application/json", "content-length": bytes.length }),
        ...headers,
      },
    };
    return new Promise((resolve, reject) => {
      const request = this.#isPlain ? httpRequest(wanted) : httpsRequest(wanted);
      const late = new HostError("network", `${this.#where} did not answer within ${answerLimitMs / 1000} s`);
      const timer = setTimeout(() => request.destroy(late), answerLimitMs);
      const abort = (): void => void request.destroy(asError(signal?.reason));
      // As many requests listen as are on their way at once.
      if (signal) setMaxListeners(0, signal);
      signal?.addEventListener("abort", abort, { once: true });
      request.once("close", () => signal?.removeEventListener("abort", abort));
      request.once("response", (response: IncomingMessage) => {
        clearTimeout(timer);
        const silence = new HostError("network", `${this.#where} fell silent in the middle of an answer`);
        response.setTimeout(this.#timing.silenceLimitMs, () => response.destroy(silence));
        resolve(response);
      });
      request.once("error", (error) => {
        clearTimeout(timer);
        if (signal?.aborted) {
          reject(asError(signal.reason));
          return;
        }
        const fault = connectionError(error, this.#where);
        reject(fault.code === "network" ? new Retryable(fault, wasNeverSent(error)) : fault);
      });
      request.end(bytes);
    });
  }

  #path(path: string, query: Query = {}): string {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
    const tail = parameters.size > 0 ? `?${parameters}` : "";
    return `${this.url.pathname.replace(/\/+$/, "")}${API_PREFIX}${path}${tail}`;
  }

  async #text(response: IncomingMessage, limit: number): Promise<string> {
    const pieces: Buffer[] = [];
    let length = 0;
    try {
      for await (const piece of response) {
        length += (piece as Buffer).length;
        if (length > limit) throw new HostError("bad-answer", `${this.#where} answers with more than ${limit} bytes`);
        pieces.push(piece as Buffer);
      }
    } catch (error) {
      const fault = connectionError(error, this.#where);
      throw fault.code === "network" ? new Retryable(fault, false) : fault;
    }
    return Buffer.concat(pieces).toString("utf8");
  }

  /** RFC 9457, in one line. Whoever answers otherwise is no box. */
  async #problemOf(response: IncomingMessage): Promise<Error> {
    const status = response.statusCode ?? 0;
    const text = await this.#text(response, MAX_PROBLEM_BYTES);
    const isProblem = response.headers["content-type"]?.startsWith(PROBLEM_MEDIA_TYPE) ?? false;
    const problem = isProblem ? readProblem(text) : undefined;
    const fault = problem
      ? new HostError(codeFor(status, problem.code), `${this.#where}: ${problem.detail} (${problem.code})`, {
          problem: problem.code,
        })
      : new HostError(
          status === 429 || status >= 502 ? "network" : "bad-answer",
          `${this.#where} answers ${status}, and not as a Sidetone box does`,
        );
    // A locked-out address stays so whatever is sent, and each further request may make it longer.
    const mayPass = (status === 429 && problem?.code !== "address-locked") || [502, 503, 504].includes(status);
    return mayPass ? new Retryable(fault, status === 429, retryAfterMs(response)) : fault;
  }
}

/** A piece of a path, as it stands in a URL. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}

function isGood({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

function codeFor(status: number, code: string): "unauthorised" | "network" | "refused" {
  if (status === 401 || status === 403 || code === "address-locked") return "unauthorised";
  return status === 429 || status === 503 ? "network" : "refused";
}

interface Problem {
  code: string;
  detail: string;
}

function readProblem(text: string): Problem | undefined {
  try {
    const { code, detail, errors } = JSON.parse(text) as Record<string, unknown>;
    if (typeof code !== "string" || typeof detail !== "string") return undefined;
    const fields = Array.isArray(errors) ? errors.map(fieldText).join("; ") : "";
    return { code, detail: fields === "" ? detail : `${detail}: ${fields}` };
  } catch {
    return undefined;
  }
}

function fieldText(error: unknown): string {
  const { field, message } = (error ?? {}) as { field?: unknown; message?: unknown };
  return [field, message].filter((part) => typeof part === "string" && part !== "").join(": ");
}

/** RFC 9110 §10.2.3, in seconds; the other form, a date, is not the box's. */
function retryAfterMs({ headers }: IncomingMessage): number | undefined {
  const seconds = headers["retry-after"];
  return seconds !== undefined && /^\d{1,6}$/.test(seconds) ? Number(seconds) * 1000 : undefined;
}

/** Twice as long each time, and never the same for two clients. */
function waitBefore(count: number): number {
  const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (count - 1));
  return longest / 2 + (Math.random() * longest) / 2;
}

function wasNeverSent(error: NodeJS.ErrnoException): boolean {
  const { code } = (error.cause as NodeJS.ErrnoException | undefined) ?? error;
  return ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"].includes(
    error.code && error.code !== "network" ? error.code : (code ?? ""),
  );
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new HostError("interrupted", "interrupted");
}
