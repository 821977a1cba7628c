// The way of a request: door (Access), body, route, answer. The only importer of `fastify`, which is loaded when a server
// is built and not before: it costs a fifth of a second of a small box's start. Schemas are the contract's own (zod), so
// that what is served, what is documented and what commands mean cannot differ.
import { createRequire } from "node:module";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import {
  API_PREFIX,
  type ApiAuditEntry,
  MAX_BODY_BYTES,
  OPERATIONS,
  type Operation,
  PROBLEM_MEDIA_TYPE,
  ROUTES,
  type RouteContract,
} from "../contract/api.js";
import type { CommandDesk } from "../contract/commands.js";
import type { Config } from "../contract/config.js";
import type { Token } from "../store/tokens.js";
import { Access, type TokenFinder } from "./access.js";
import { answerClientError, type Listener, makeListener } from "./listener.js";
import { bodyOf, type Problem, problem, statusOf } from "./problems.js";
import { DESK_TIMEOUT_MS, isCommand, type RouteRequest, Routes } from "./routes.js";
import type { TlsMaterial } from "./tls.js";

/** A call's id has 26. */
const MAX_PARAMETER_CHARACTERS = 64;
const OWN_HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" } as const;

export interface ServerOptions {
  config: Config["api"];
  desk: CommandDesk;
  tokens: TokenFinder;
  /** See Routes. */
  metrics?: () => string;
  audit(entry: ApiAuditEntry): void;
  logger: Logger;
  clock: Clock;
  deskTimeoutMs?: number;
  /** Absent: plain HTTP. */
  tls?: TlsMaterial;
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
  for (const operation of OPERATIONS) door.open(app, operation);
  return { app, listener: listener!, counters: () => ({ ...door.counters(), ...listenerCounters(listener!) }) };
}

/** Takes requests in, and sends what the routes say. */
class Door {
  readonly #access: Access;
  readonly #routes: Routes;
  readonly #admitted = new WeakMap<FastifyRequest, Token>();
  #requests = 0;

  constructor({ config, tokens, clock, audit, logger, desk, metrics = () => "", deskTimeoutMs }: ServerOptions) {
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
    this.#routes = new Routes({ desk, clock, audit, metrics, ...(deskTimeoutMs !== undefined && { deskTimeoutMs }) });
  }

  open(app: FastifyInstance, operation: Operation): void {
    const route: RouteContract = ROUTES[operation];
    const { right } = route;
    app.route({
      method: route.method,
      url: API_PREFIX + route.path.replace("{id}", ":id"),
      onRequest: async (request, reply) => {
        this.#requests++;
        const refusal = right && this.#admit(operation, right, request);
        if (refusal) return send(reply, refusal);
        return undefined;
      },
      handler: async (request, reply) => {
        const result = isCommand(operation)
          ? await this.#routes.answer(operation, routeRequest(request), this.#admitted.get(request)!)
          : this.#routes.read(operation);
        if ("problem" in result) return send(reply, result.problem);
        const answer = route.answer.parse(result.answer);
        reply.headers(OWN_HEADERS).type(route.media ?? "application/json; charset=utf-8");
        return reply.send(route.media === undefined ? JSON.stringify(answer) : answer);
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
      if (admitted.token) this.#routes.noteForbidden(operation, routeRequest(request), admitted.token);
      return admitted.problem;
    }
    const encoding = request.headers["content-encoding"] ?? "identity";
    if (encoding.toLowerCase() !== "identity") return problem("media-type-unsupported");
    this.#admitted.set(request, admitted.token);
    return undefined;
  }
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

/** RFC 9110 §15.5.6: 405 names the methods that the path has. */
function nothingThere(request: FastifyRequest): Problem {
  const path = request.url.replace(/[?#].*$/s, "");
  const methods = new Set<string>();
  for (const operation of OPERATIONS) {
    const route = ROUTES[operation];
    const [before, after] = `${API_PREFIX}${route.path}`.split("{id}");
    const isThere =
      after === undefined
        ? path === before
        : path.startsWith(before!) && path.endsWith(after) && /^[^/]+$/.test(path.slice(before!.length, -after.length));
    if (!isThere) continue;
    methods.add(route.method);
    if (route.method === "GET") methods.add("HEAD");
  }
  if (methods.size === 0) return problem("not-found");
  return problem("method-not-allowed", undefined, { allow: [...methods].join(", ") });
}

function routeRequest(request: FastifyRequest): RouteRequest {
  const { id } = request.params as { id?: string };
  return { address: addressOf(request), id: id ?? "", body: request.body };
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
