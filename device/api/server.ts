// The way of a request: door (Access), query and body, handler, answer. The only importer of `fastify`, which is loaded when a server
// is built and not before: it costs a fifth of a second of a small box's start. Schemas are the contract's own (zod), so
// that what is served, what is documented and what commands mean cannot differ.
import { createRequire } from "node:module";
import { Socket } from "node:net";
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import { type ApiAuditEntry, OPERATIONS, type Operation, ROUTES } from "../contract/api.js";
import { MAX_BODY_BYTES, PROBLEM_MEDIA_TYPE } from "../contract/api-problems.js";
import { API_PREFIX, type RouteContract } from "../contract/api-route.js";
import type { BoxCommandDesk } from "../contract/box-commands.js";
import type { CommandDesk } from "../contract/commands.js";
import type { Config } from "../contract/config.js";
import type { RetentionDesk } from "../contract/retention-desk.js";
import type { NumberExports } from "../store/export/number-exports.js";
import type { RecordingStore } from "../store/recordings.js";
import type { Token } from "../store/tokens.js";
import { Access, type TokenFinder } from "./access.js";
import { AudioRoutes } from "./audio-routes.js";
import { isCallOperation, note } from "./call-routes.js";
import { EventHub } from "./event-hub.js";
import { EventRoutes } from "./event-routes.js";
import type { ApiParts, ApiReply, RequestOf } from "./handler.js";
import { answerClientError, type Listener, makeListener } from "./listener.js";
import { originOf } from "./origin.js";
import { bodyOf, invalidFields, type Problem, problem, statusOf } from "./problems.js";
import { makeHandlers } from "./routes.js";
import type { TlsMaterial } from "./tls.js";

/** The engine answers at once or not at all. */
export const DESK_TIMEOUT_MS = 10_000;
/** They take longer in the nature of them; until their answer the connection may be silent for so long. */
const LONG_OPERATIONS: readonly Operation[] = ["getCompleteness", "runSelfTest"];
const LONGEST_SILENCE_MS = 90_000;
/** A call's id has 26. */
const MAX_PARAMETER_CHARACTERS = 64;
const OWN_HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" } as const;

export interface ServerOptions {
  config: Config["api"];
  desk: CommandDesk;
  /** Absent: commands about the box are answered with `unavailable`. */
  box?: BoxCommandDesk;
  /** Absent: there is nothing stored. */
  store?: () => RecordingStore | undefined;
  /** Absent: nothing is exported. */
  exports?: () => NumberExports | undefined;
  /** Absent: nothing is deleted or held. */
  retention?: () => RetentionDesk | undefined;
  tokens: TokenFinder;
  /** See ApiParts. */
  metrics?: () => string;
  audit(entry: ApiAuditEntry): void;
  logger: Logger;
  clock: Clock;
  deskTimeoutMs?: number;
  /** Absent: plain HTTP. */
  tls?: TlsMaterial;
  /** Absent: nothing happens. */
  events?: EventHub;
  heartbeatMs?: number;
  /** See ApiParts; absent where nothing of it is shown. */
  about?: Partial<Pick<ApiParts, "device" | "version" | "tls" | "tokenStore">>;
}

export interface ApiServer {
  app: FastifyInstance;
  listener: Listener;
  counters(): Record<string, number>;
}

export function buildServer(options: ServerOptions): ApiServer {
  // Not imported: for an import Node looks for all exports first, which takes a third longer.
  const { fastify } = createRequire(import.meta.url)("fastify") as typeof import("fastify");
  const door = new Door(options);
  let listener: Listener | undefined;
  const app: FastifyInstance = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    // The routes have zod's schemas, and fastify's own compilers would be loaded (ajv) all the same.
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    routerOptions: { maxParamLength: MAX_PARAMETER_CHARACTERS, caseSensitive: true },
    serverFactory: (handler) => {
      listener = makeListener(options.config, options.deskTimeoutMs ?? DESK_TIMEOUT_MS, handler, options.tls);
      return listener.server;
    },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, listener!.counters),
    frameworkErrors: (error, _request, reply) => {
      send(reply, problemOf(error, options.logger));
    },
  });
  readJsonOnly(app);
  app.setErrorHandler((error, _request, reply) => send(reply, problemOf(error, options.logger)));
  app.setNotFoundHandler((request, reply) => send(reply, nothingThere(request)));
  // Before connections are waited for.
  app.addHook("preClose", async () => door.events.close());
  app.addHook("onClose", async () => door.audio.close());
  for (const operation of OPERATIONS) door.open(app, operation);
  return { app, listener: listener!, counters: () => ({ ...door.counters(), ...listenerCounters(listener!) }) };
}

type Handler = (request: RequestOf<unknown, unknown, Token | undefined>) => ApiReply | Promise<ApiReply>;

/** Takes requests in, and sends what the handlers say. */
class Door {
  readonly audio: AudioRoutes;
  readonly events: EventRoutes;
  readonly #access: Access;
  readonly #parts: ApiParts;
  readonly #handlers: Readonly<Record<Operation, Handler>>;
  readonly #admitted = new WeakMap<FastifyRequest, Token>();
  #requests = 0;

  constructor(options: ServerOptions) {
    const { config, tokens, clock, audit, logger, desk, box = NO_BOX, store = () => undefined } = options;
    const { exports = () => undefined, retention = () => undefined } = options;
    this.#access = new Access({
      config,
      tokens,
      clock,
      locked: (address) => {
        logger.warn("too many bad API tokens, the address is locked out", { address, seconds: config.lockOutS });
        const { badTokensPerMinute: badTokens, lockOutS: forS } = config;
        audit({ kind: "address-locked", atUs: clock.nowUs(), address, badTokens, forS });
      },
    });
    const { metrics = () => "", deskTimeoutMs = DESK_TIMEOUT_MS } = options;
    const { device = "", version = "", tls = nothing, tokenStore = nothing } = options.about ?? {};
    this.#parts = {
      config,
      desk,
      box,
      store,
      exports,
      retention,
      metrics,
      audit,
      clock,
      logger,
      deskTimeoutMs,
      ...{ device, version, tls, tokenStore },
      isGoodToken: (id) => tokens.isGoodNow?.(id) ?? true,
      events: options.events ?? new EventHub(),
    };
    this.events = new EventRoutes(this.#parts, options.heartbeatMs);
    this.audio = new AudioRoutes(this.#parts);
    // What the contract's schemas have read is of the type that the handler takes.
    this.#handlers = makeHandlers(this.#parts, this.audio, this.events) as Readonly<Record<Operation, Handler>>;
  }

  open(app: FastifyInstance, operation: Operation): void {
    const route: RouteContract = ROUTES[operation];
    const { right } = route;
    app.route({
      method: route.method,
      url: API_PREFIX + route.path.replaceAll(/\{(\w+)\}/g, ":$1"),
      onRequest: async (request, reply) => {
        this.#requests++;
        const refusal = right && this.#admit(operation, right, request);
        if (refusal) return send(reply, refusal);
        ignoreTypeOfNothing(request);
        return undefined;
      },
      handler: async (request, reply) => {
        const read = readRequest(route, request);
        if ("problem" in read) return send(reply, read.problem);
        if (operation === "streamEvents") allowSilence(request, 0);
        if (LONG_OPERATIONS.includes(operation)) allowSilence(request, LONGEST_SILENCE_MS);
        const gone = new AbortController();
        reply.raw.once("close", () => gone.abort());
        const result = await this.#handlers[operation]({
          ...{ address: addressOf(request), token: this.#admitted.get(request), path: pathOf(request), ...read },
          origin: originOf(request.raw),
          ...{ headers: request.headers, method: request.method, signal: gone.signal },
        });
        return answer(reply, route, result);
      },
    });
  }

  counters(): Record<string, number> {
    const { missing, bad, locked, limited, forbidden } = this.#access.counters;
    return {
      "api.requests": this.#requests,
      "api.token-missing": missing,
      "api.token-invalid": bad,
      "api.address-locked": locked,
      "api.rate-limited": limited,
      "api.right-missing": forbidden,
      "api.limits-forgotten": this.#access.forgotten,
      ...this.audio.counters(),
      ...this.events.counters(),
    };
  }

  /** Before the body is read. */
  #admit(
    operation: Operation,
    right: NonNullable<RouteContract["right"]>,
    request: FastifyRequest,
  ): Problem | undefined {
    const admitted = this.#access.admit(request.headers.authorization, addressOf(request), right);
    if (admitted.problem) {
      const { token } = admitted;
      if (token && isCallOperation(operation))
        note(this.#parts, operation, { address: addressOf(request), path: pathOf(request), token }, "right-missing");
      return admitted.problem;
    }
    const encoding = request.headers["content-encoding"] ?? "identity";
    if (encoding.toLowerCase() !== "identity") return problem("media-type-unsupported");
    this.#admitted.set(request, admitted.token);
    return undefined;
  }
}

function nothing(): undefined {
  return undefined;
}

const NO_BOX: BoxCommandDesk = {
  submit: async () => ({ ok: false, error: "unavailable", message: "the box cannot do this yet: try again later" }),
};

/** 0: for ever. Until the next request of the connection. A request that a test puts in has no connection. */
function allowSilence({ raw }: FastifyRequest, forMs: number): void {
  if (raw.socket instanceof Socket) raw.socket.setTimeout(forMs);
}

/** Query and body as the route's schemas have them. */
function readRequest(
  { query, body }: RouteContract,
  request: FastifyRequest,
): { query: unknown; body: unknown } | { problem: Problem } {
  const readQuery = query?.safeParse(request.query);
  if (readQuery?.success === false) return { problem: invalidFields(readQuery.error) };
  // A body that has only optional fields may be left out.
  const readBody = body?.safeParse(request.body === undefined ? {} : request.body);
  if (readBody?.success === false) return { problem: invalidFields(readBody.error) };
  return { query: readQuery?.data, body: readBody?.data };
}

function answer(reply: FastifyReply, route: RouteContract, result: ApiReply): FastifyReply {
  if ("problem" in result) return send(reply, result.problem);
  if ("raw" in result) {
    const { raw, status, headers } = result;
    // Of nothing fastify would say, to a HEAD, that it has no bytes; of a stream it says nothing.
    const nothing = reply.request.method === "HEAD" ? Readable.from([]) : undefined;
    return reply
      .code(status)
      .headers({ ...OWN_HEADERS, ...headers })
      .send(raw ?? nothing);
  }
  const { status = 200, headers = {} } = result;
  const checked = route.answer.parse(result.answer);
  const media = typeof route.media === "string" ? route.media : "application/json; charset=utf-8";
  return reply
    .code(status)
    .headers({ ...OWN_HEADERS, ...headers })
    .type(media)
    .send(route.media === undefined ? JSON.stringify(checked) : checked);
}

/** Of a body that is not there the type says nothing, though many clients send one (curl -d "", axios). */
function ignoreTypeOfNothing({ headers }: FastifyRequest): void {
  if (headers["content-length"] === "0" && headers["transfer-encoding"] === undefined) delete headers["content-type"];
}

/** RFC 8259: UTF-8, and what is not is refused instead of being mended. */
function readJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, bytes, done) => {
    if (bytes.length === 0) {
      done(null, undefined);
      return;
    }
    try {
      done(null, JSON.parse(decoder.decode(bytes as Buffer)));
    } catch {
      // What JSON.parse says of it would quote it.
      done(new Refusal(problem("malformed", "the body is not JSON in UTF-8")));
    }
  });
}

function noCompiler(): never {
  throw new Error("the API has no schemas that fastify compiles");
}

class Refusal extends Error {
  readonly problem: Problem;
  constructor(refusal: Problem) {
    super(refusal.detail);
    this.problem = refusal;
  }
}

function problemOf(error: unknown, logger: Logger): Problem {
  if (error instanceof Refusal) return error.problem;
  const status = (error as { statusCode?: number }).statusCode ?? 500;
  if (status === 413) return problem("body-too-large");
  if (status === 414) return problem("uri-too-long");
  if (status === 415) return problem("media-type-unsupported");
  if (status >= 400 && status < 500) return problem("malformed");
  logger.error("the API failed to answer a request", {
    reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
  return problem("internal");
}

/** Of the whole path. */
const PATTERNS = Object.fromEntries(
  OPERATIONS.map((operation) => [
    operation,
    new RegExp(`^${(API_PREFIX + ROUTES[operation].path).replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`),
  ]),
) as Record<Operation, RegExp>;

/** RFC 9110 §15.5.6: 405 names the methods that the path has. */
function nothingThere(request: FastifyRequest): Problem {
  const path = request.url.replace(/[?#].*$/s, "");
  const methods = new Set<string>();
  for (const operation of OPERATIONS) {
    const route = ROUTES[operation];
    if (!PATTERNS[operation].test(path)) continue;
    methods.add(route.method);
    if (route.method === "GET") methods.add("HEAD");
  }
  if (methods.size === 0) return problem("not-found");
  return problem("method-not-allowed", undefined, { allow: [...methods].join(", ") });
}

function pathOf(request: FastifyRequest): Record<string, string> {
  return request.params as Record<string, string>;
}

/** "" when the other end has gone already, which the type does not tell. */
function addressOf(request: FastifyRequest): string {
  return request.socket.remoteAddress ?? "";
}

function send(reply: FastifyReply, refusal: Problem): FastifyReply {
  return reply
    .code(statusOf(refusal))
    .headers({ ...OWN_HEADERS, ...refusal.headers })
    .type(PROBLEM_MEDIA_TYPE)
    .send(JSON.stringify(bodyOf(refusal)));
}

function listenerCounters({ counters }: Listener): Record<string, number> {
  return { "api.connections-dropped": counters.dropped, "api.client-errors": counters.clientErrors };
}
