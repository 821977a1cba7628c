// Routes about calls in progress: a request becomes a command at the desk, its result an answer. Who gives a command is the
// token's name, never the body's to say.
import { type CallId, isCallId } from "../base/ids.js";
import { ROUTES } from "../contract/api.js";
import type { CALL_ROUTES } from "../contract/api-calls.js";
import type { ProblemCode } from "../contract/api-problems.js";
import { type CallCommand, type CommandResult, commandSchema } from "../contract/commands.js";
import type { Token } from "../store/tokens.js";
import { type ApiParts, type ApiReply, type Handlers, nameOf, type RequestOf } from "./handler.js";
import { visibleTo } from "./masking.js";
import { type Problem, problem } from "./problems.js";

const VERBS = {
  listActiveCalls: "calls",
  setConsent: "consent",
  pauseCall: "pause",
  resumeCall: "resume",
  startCall: "start",
  stopCall: "stop",
  pauseAllCalls: "pause",
  resumeAllCalls: "resume",
} as const satisfies Record<keyof typeof CALL_ROUTES, string>;
type CallOperation = keyof typeof VERBS;
type CallRequest = RequestOf<undefined, object | undefined, Token>;

export function callHandlers(parts: ApiParts): Handlers<CallOperation> {
  const handler =
    (operation: CallOperation) =>
    (request: CallRequest): Promise<ApiReply> =>
      carryOut(parts, operation, request);
  return {
    listActiveCalls: handler("listActiveCalls"),
    setConsent: handler("setConsent"),
    pauseCall: handler("pauseCall"),
    resumeCall: handler("resumeCall"),
    startCall: handler("startCall"),
    stopCall: handler("stopCall"),
    pauseAllCalls: handler("pauseAllCalls"),
    resumeAllCalls: handler("resumeAllCalls"),
  };
}

async function carryOut(parts: ApiParts, operation: CallOperation, request: CallRequest): Promise<ApiReply> {
  const { token, path, body } = request;
  const call = callOf(operation, path["id"]);
  if (call === undefined) {
    note(parts, operation, request, "call-not-found");
    return { problem: problem("call-not-found") };
  }
  const result = await submit(parts, {
    body: commandSchema.parse({
      verb: VERBS[operation],
      ...(operation !== "listActiveCalls" && { call: call === "all" ? call : { id: call } }),
      ...body,
    }),
    source: "api",
    by: nameOf(token),
  });
  note(parts, operation, request, result.ok ? "done" : result.error);
  if (!result.ok) return { problem: refusalOf(result) };
  return { answer: { calls: visibleTo(token, result.calls) } };
}

export function isCallOperation(operation: string): operation is CallOperation {
  return operation in VERBS;
}

/** `outcome` also when the token lacks the right: somebody tried. */
export function note(
  { audit, clock }: Pick<ApiParts, "audit" | "clock">,
  operation: CallOperation,
  { address, path, token }: Pick<CallRequest, "address" | "path" | "token">,
  outcome: "done" | ProblemCode,
): void {
  if (operation === "listActiveCalls") return;
  const call = callOf(operation, path["id"]);
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

async function submit({ desk, deskTimeoutMs }: ApiParts, command: CallCommand): Promise<CommandResult> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<CommandResult>((resolve) => {
    timer = setTimeout(() => {
      const message = "the engine has not answered; it may still do as told: see GET /calls/active";
      resolve({ ok: false, error: "engine-unavailable", message });
    }, deskTimeoutMs);
  });
  try {
    return await Promise.race([desk.submit(command), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Undefined when the path's id is nobody's: it never reaches the desk. */
function callOf(operation: CallOperation, id = ""): CallId | "all" | undefined {
  if (!ROUTES[operation].path.includes("{id}")) return "all";
  return isCallId(id) ? id : undefined;
}

function refusalOf({ error, message }: Extract<CommandResult, { ok: false }>): Problem {
  const refusal = problem(error, message);
  return error === "party-not-found" ? { ...refusal, fields: [{ field: "party", message }] } : refusal;
}
