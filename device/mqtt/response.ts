// Responses as JSON text: bounded, numbers as mqtt.numbers says, the transaction as it came.
import type { BoxResult } from "../contract/box-commands.js";
import type { ActiveCall, CommandResult } from "../contract/commands.js";
import type { MqttResponse, ShownCall } from "../contract/mqtt.js";
import { showBoxData } from "../contract/shown-answers.js";
import { type NumberDisplay, showNumber, withoutNumbers } from "../contract/shown-numbers.js";
import type { Refusal, ReplyAddress } from "./request.js";

/** Of all calls in one response together; brokers commonly take twice as much. */
const MAX_CALLS_BYTES = 64 * 1024;

export function respond(reply: ReplyAddress, result: CommandResult, display: NumberDisplay): string {
  if (result.ok) return write(reply, { status: "ok", data: listCalls(result.calls, display) });
  const message = display === "full" ? result.message : withoutNumbers(result.message);
  return write(reply, { status: "error", error: { code: result.error, message } });
}

export function respondOfBox(reply: ReplyAddress, result: BoxResult, display: NumberDisplay): string {
  if (result.ok) return write(reply, { status: "ok", data: showBoxData(result, display) });
  const { error: code, message, field } = result;
  // What is wrong with a request is said in the words of the request and the schema.
  const isOwn = display === "full" || code === "invalid";
  return refuse(reply, {
    code,
    message: isOwn ? message : withoutNumbers(message),
    ...(field !== undefined && { field }),
  });
}

export function refuse(reply: ReplyAddress, { code, message, field }: Refusal): string {
  return write(reply, { status: "error", error: { code, message, ...(field !== undefined && { field }) } });
}

function write({ transaction }: ReplyAddress, response: MqttResponse): string {
  return JSON.stringify({ ...response, ...(transaction !== undefined && { transaction }) });
}

function listCalls(calls: readonly ActiveCall[], display: NumberDisplay): { calls: ShownCall[]; omitted: number } {
  const shown: ShownCall[] = [];
  let bytes = 0;
  for (const call of calls) {
    const entry = showCall(call, display);
    bytes += Buffer.byteLength(JSON.stringify(entry));
    if (bytes > MAX_CALLS_BYTES) break;
    shown.push(entry);
  }
  return { calls: shown, omitted: calls.length - shown.length };
}

/** Named one by one: what is added to ActiveCall stays inside until somebody decides otherwise. */
function showCall(call: ActiveCall, display: NumberDisplay): ShownCall {
  const { id, sipCallIds, startedAt, answeredAt, policy, policyRule, purpose, isPaused } = call;
  const parties = call.parties.map(({ role, side, number, consent, isRecorded }) => {
    const shown = showNumber(number, display);
    return { role, side, ...(shown !== undefined && { number: shown }), consent, isRecorded };
  });
  return { id, sipCallIds, startedAt, answeredAt, policy, policyRule, purpose, isPaused, parties };
}
