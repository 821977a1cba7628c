// What the routes do: a request that has passed the door becomes a command at the desk, its result an answer. Who gives a
// command is the token's name, never the body's to say. Knows nothing of HTTP.
import type { Clock } from "../base/clock.js";
import { type CallId, isCallId } from "../base/ids.js";
import { type ApiAuditEntry, type Operation, type ProblemCode, ROUTES, type RouteContract } from "../contract/api.js";
import { type CallCommand, type CommandDesk, type CommandResult, commandSchema } from "../contract/commands.js";
import type { Token } from "../store/tokens.js";
import { visibleTo } from "./masking.js";
import { describeApi, type OpenApiDocument } from "./openapi.js";
import { invalidFields, type Problem, problem } from "./problems.js";

/** The engine answers at once or not at all. */
export const DESK_TIMEOUT_MS = 10_000;

const VERBS = {
  listActiveCalls: "calls",
  setConsent: "consent",
  pauseCall: "pause",
  resumeCall: "resume",
  startCall: "start",
  stopCall: "stop",
  pauseAllCalls: "pause",
  resumeAllCalls: "resume",
} as const satisfies Partial<Record<Operation, string>>;
type CommandOperation = keyof typeof VERBS;
type ReadOperation = Exclude<Operation, CommandOperation>;

export interface RouteRequest {
  address: string;
  /** Of the path, as it came; "" where the path has none. */
  id: string;
  /** Undefined when there was none. */
  body: unknown;
}

export type RouteResult = { answer: unknown } | { problem: Problem };

export interface RoutesOptions {
  desk: CommandDesk;
  clock: Clock;
  /** The figures of the moment, in the format that the route says. */
  metrics(): string;
  audit(entry: ApiAuditEntry): void;
  deskTimeoutMs?: number;
}

export class Routes {
  readonly #options: RoutesOptions;
  #document: OpenApiDocument | undefined;

  constructor(options: RoutesOptions) {
    this.#options = options;
  }

  /** Of a route that only says how things are. */
  read(operation: ReadOperation): RouteResult {
    switch (operation) {
      case "getHealth":
        return { answer: { status: "ok" } };
      case "getMetrics":
        return { answer: this.#options.metrics() };
      case "getDocument":
        this.#document ??= describeApi();
        return { answer: this.#document };
    }
  }

  async answer(operation: CommandOperation, request: RouteRequest, token: Token): Promise<RouteResult> {
    const route: RouteContract = ROUTES[operation];
    // A body that has only optional fields may be left out.
    const parsed = route.body?.safeParse(request.body === undefined ? {} : request.body);
    if (parsed?.success === false) return { problem: invalidFields(parsed.error) };
    const call = callOf(operation, request.id);
    if (call === undefined) {
      this.#note(operation, request, token, "call-not-found");
      return { problem: problem("call-not-found") };
    }
    const result = await this.#submit({
      body: commandSchema.parse({
        verb: VERBS[operation],
        ...(operation !== "listActiveCalls" && { call: call === "all" ? call : { id: call } }),
        ...(parsed?.data as object | undefined),
      }),
      source: "api",
      by: nameOf(token),
    });
    this.#note(operation, request, token, result.ok ? "done" : result.error);
    if (!result.ok) return { problem: refusalOf(result) };
    return { answer: { calls: visibleTo(token, result.calls) } };
  }

  /** A token that lacks the right asked for this. */
  noteForbidden(operation: Operation, request: RouteRequest, token: Token): void {
    if (isCommand(operation)) this.#note(operation, request, token, "right-missing");
  }

  #note(operation: CommandOperation, { address, id }: RouteRequest, token: Token, outcome: "done" | ProblemCode): void {
    if (operation === "listActiveCalls") return;
    const { audit, clock } = this.#options;
    const call = callOf(operation, id);
    audit({
      kind: "command",
      atUs: clock.nowUs(),
      address,
      operation,
      by: nameOf(token),
      tokenId: token.id,
      ...(call && { call }),
      outcome,
    });
  }

  async #submit(command: CallCommand): Promise<CommandResult> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<CommandResult>((resolve) => {
      timer = setTimeout(() => {
        const message = "the engine has not answered; it may still do as told: see GET /calls/active";
        resolve({ ok: false, error: "engine-unavailable", message });
      }, this.#options.deskTimeoutMs ?? DESK_TIMEOUT_MS);
    });
    try {
      return await Promise.race([this.#options.desk.submit(command), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

export function isCommand(operation: Operation): operation is CommandOperation {
  return operation in VERBS;
}

function nameOf(token: Token): string {
  return `token ${token.name}`;
}

/** Undefined when the path's id is nobody's: it never reaches the desk. */
function callOf(operation: CommandOperation, id: string): CallId | "all" | undefined {
  if (!ROUTES[operation].path.includes("{id}")) return "all";
  return isCallId(id) ? id : undefined;
}

function refusalOf({ error, message }: Extract<CommandResult, { ok: false }>): Problem {
  const refusal = problem(error, message);
  return error === "party-not-found" ? { ...refusal, fields: [{ field: "party", message }] } : refusal;
}
