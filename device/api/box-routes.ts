// Routes about the box: a request becomes a command at the box's desk, as one over MQTT does, and its result an answer. Numbers in
// what is answered are in full for those who see them, else masked; secrets are in nothing that the desk answers.
import { createHash } from "node:crypto";
import { isoUs } from "../base/clock.js";
import type { BOX_ROUTES, InfoAnswer } from "../contract/api-box.js";
import { type BoxCommandBody, type BoxRefusal, boxCommandSchema } from "../contract/box-commands.js";
import { showBoxData } from "../contract/shown-answers.js";
import { withoutNumbers } from "../contract/shown-numbers.js";
import type { Token } from "../store/tokens.js";
import { auditHandlers } from "./audit-routes.js";
import { type ApiParts, type ApiReply, type Handlers, nameOf, type RequestOf, seesNumbers } from "./handler.js";
import { type Problem, problem } from "./problems.js";
import { tokenHandlers } from "./token-routes.js";

/** Of reports and tests; the server leaves their connections open for longer. */
const LONG_ANSWER_MS = 60_000;

type BoxRequest = RequestOf<unknown, unknown, Token>;

export function boxHandlers(parts: ApiParts): Handlers<keyof typeof BOX_ROUTES> {
  const ask = (request: BoxRequest, body: BoxCommandBody, longestMs = parts.deskTimeoutMs): Promise<ApiReply> =>
    carryOut(parts, request, body, longestMs);
  return {
    getInfo: () => info(parts),
    getBoxHealth: (request) => ask(request, { verb: "health" }),
    getSpan: (request) => ask(request, { verb: "span" }),
    getCompleteness: (request) => ask(request, { verb: "completeness", ...request.query }, LONG_ANSWER_MS),
    runSelfTest: (request) => ask(request, { verb: "self-test" }, LONG_ANSWER_MS),
    listAlarms: (request) => ask(request, { verb: "alarms" }),
    acknowledgeAlarm: (request) => {
      const body = boxCommandSchema.safeParse({ verb: "alarms", action: "acknowledge", code: request.path["code"] });
      return body.success ? ask(request, body.data) : { problem: problem("alarm-not-standing") };
    },
    getConfiguration: (request) => ask(request, { verb: "configuration", action: "get", ...request.query }),
    changeConfiguration: (request) => ask(request, { verb: "configuration", action: "set", ...request.body }),
    restartService: (request) => ask(request, { verb: "restart", ...request.body }),
    ...auditHandlers(parts),
    ...tokenHandlers(parts),
  };
}

function info({ device, version, store, tls, clock }: ApiParts): ApiReply {
  const publicKey = store()?.key.publicKey;
  if (publicKey === undefined) return { problem: problem("unavailable") };
  const der = publicKey.export({ type: "spki", format: "der" });
  const answer: InfoAnswer = {
    device,
    version,
    at: isoUs(clock.nowUs()),
    publicKey: {
      pem: publicKey.export({ type: "spki", format: "pem" }).toString(),
      sha256: createHash("sha256").update(der).digest("hex"),
    },
    tls: tls() ?? null,
  };
  return { answer };
}

async function carryOut(
  { box }: ApiParts,
  { token }: BoxRequest,
  body: BoxCommandBody,
  longestMs: number,
): Promise<ApiReply> {
  const isSeen = seesNumbers(token);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<BoxRefusal>((resolve) => {
    timer = setTimeout(() => {
      const message = "no result came in time; the command may still take effect";
      resolve({ ok: false, error: "unavailable", message });
    }, longestMs);
  });
  try {
    const result = await Promise.race([
      box.submit({ body, source: "api", by: nameOf(token), wholeNumbers: !isSeen }),
      late,
    ]);
    if (!result.ok) return { problem: refusalOf(result, isSeen) };
    return { answer: showBoxData(result, isSeen ? "full" : "masked") };
  } finally {
    clearTimeout(timer);
  }
}

/** Every code of the box's is one of the API's. */
function refusalOf({ error, message, field }: BoxRefusal, isSeen: boolean): Problem {
  // What is wrong with a request is said in the words of the request and the schema.
  const detail = isSeen || error === "invalid" ? message : withoutNumbers(message);
  return { ...problem(error, detail), ...(field !== undefined && { fields: [{ field, message: detail }] }) };
}
