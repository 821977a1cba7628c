// A message on `request/<verb>` read into a command, or refused with the field that is wrong. Pure; everything in a message
// is hostile until it has passed here. Never repeats a value of the payload but the transaction.
import { z } from "zod";
import { boxCommandSchema } from "../contract/box-commands.js";
import { commandSchema } from "../contract/commands.js";
import type { Config } from "../contract/config.js";
import { type MqttErrorCode, REQUEST_VERBS, type Transaction } from "../contract/mqtt.js";
import { isResponseTopic, type Topics } from "./topics.js";

export const MAX_PAYLOAD_BYTES = 16 * 1024;
const MAX_TRANSACTION_CHARACTERS = 128;
const MAX_CORRELATION_BYTES = 1024;
const MAX_CLIENT_CHARACTERS = 64;
const MAX_SHOWN_KEY_CHARACTERS = 64;

const requestSchema = z.discriminatedUnion("verb", [commandSchema, boxCommandSchema]);
export type RequestBody = z.output<typeof requestSchema>;

/** A message as it came from the broker. */
export interface IncomingMessage {
  topic: string;
  payload: Uint8Array;
  isRetained: boolean;
  /** The DUP flag: the broker may have delivered it before. */
  isDuplicate: boolean;
  /** Who sent it, where the box is the broker: the user is known, the client's id is what it says of itself. */
  publisher?: string;
  /** MQTT 5, as are the next two. */
  responseTopic?: string;
  correlationData?: Buffer;
  /** The user property `client`: what the requester says of itself. */
  client?: string;
}

/** Where a response goes and what it carries back. */
export interface ReplyAddress {
  verb: string;
  transaction?: Transaction;
  responseTopic?: string;
  correlationData?: Buffer;
}

export interface Refusal {
  code: MqttErrorCode;
  /** One line that says what is wrong and what to do. */
  message: string;
  /** "call.id"; absent when it is the payload, or the request, as a whole. */
  field?: string;
}

export type ReadRequest =
  | { reply: ReplyAddress; body: RequestBody; by: string }
  | { reply: ReplyAddress; refusal: Refusal };

/** undefined: no request, or nothing to answer (somebody clears a retained one). */
export function readRequest(
  message: IncomingMessage,
  topics: Topics,
  allow: Config["mqtt"]["allow"],
): ReadRequest | undefined {
  const verb = topics.verbOf(message.topic);
  if (verb === undefined || (message.isRetained && message.payload.length === 0)) return undefined;
  const reply: ReplyAddress = { verb };
  const refuse = (code: MqttErrorCode, text: string, field?: string): ReadRequest => ({
    reply,
    refusal: { code, message: text, ...(field !== undefined && { field }) },
  });

  const { responseTopic, correlationData } = message;
  if (responseTopic !== undefined && !isResponseTopic(responseTopic))
    return refuse("invalid", "the response topic is not one that the box may answer on", "responseTopic");
  if (responseTopic !== undefined) reply.responseTopic = responseTopic;
  if (correlationData && correlationData.length > MAX_CORRELATION_BYTES)
    return refuse("invalid", `the correlation data is longer than ${MAX_CORRELATION_BYTES} bytes`, "correlationData");
  if (correlationData) reply.correlationData = correlationData;

  if (message.payload.length > MAX_PAYLOAD_BYTES)
    return refuse("too-long", `the payload is longer than ${MAX_PAYLOAD_BYTES} bytes`);
  const payload = parseObject(message.payload);
  if (payload === undefined) return refuse("not-json", "send a JSON object in UTF-8, or nothing at all");
  const { transaction, ...fields } = payload;
  if (transaction !== undefined && !isTransaction(transaction)) {
    const text = `takes a finite number, or text of at most ${MAX_TRANSACTION_CHARACTERS} characters`;
    return refuse("invalid", `transaction ${text}`, "transaction");
  }
  if (transaction !== undefined) reply.transaction = transaction;

  if (message.isRetained) {
    const text = "the request was retained, so it was not carried out: send it without the retain flag, and clear it";
    return refuse("retained", text);
  }
  if (!(REQUEST_VERBS as readonly string[]).includes(verb))
    return refuse("unknown-verb", `there is no such request; there are: ${REQUEST_VERBS.join(", ")}`);
  if (!(allow as readonly string[]).includes(verb))
    return refuse("not-allowed", `${verb} is not in mqtt.allow; add it there if it is to be taken over MQTT`);
  if (Object.hasOwn(fields, "verb") && fields["verb"] !== verb)
    return refuse("invalid", "verb is given by the topic: leave it out of the payload", "verb");

  // A record of zod's leaves such a key out instead of refusing it.
  const odd = Object.keys(fields).find((name) => Object.hasOwn(Object(fields[name]), "__proto__"));
  if (odd !== undefined) return refuse("invalid", `${shownKey(odd)} has a key __proto__`, shownKey(odd));
  const read = requestSchema.safeParse({ ...fields, verb });
  if (!read.success) {
    const { field, text } = describeIssue(read.error.issues[0]!, fields, verb);
    return refuse("invalid", `${field} ${text}`, field);
  }
  return { reply, body: read.data, by: nameClient(message) };
}

/** undefined when it is no JSON object. An empty payload is an empty object: some tools cannot send `{}` easily. */
function parseObject(payload: Uint8Array): Record<string, unknown> | undefined {
  if (payload.length === 0) return {};
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isTransaction(value: unknown): value is Transaction {
  if (typeof value === "string") return value.length <= MAX_TRANSACTION_CHARACTERS;
  return Number.isFinite(value);
}

/** Another broker tells nobody who published: this is what the requester says, and is entered as such. */
function nameClient({ client, publisher }: IncomingMessage): string {
  if (publisher !== undefined) return `mqtt ${publisher}`;
  const name = [...(client ?? "").replace(/[\p{Cc}\p{Cs}]/gu, " ").trim()].slice(0, MAX_CLIENT_CHARACTERS).join("");
  return name === "" ? "mqtt" : `mqtt client ${name}`;
}

/** The first thing that is wrong, as the field and what it takes. */
function describeIssue(
  issue: z.core.$ZodIssue,
  fields: Record<string, unknown>,
  verb: string,
  before: PropertyKey[] = [],
): { field: string; text: string } {
  const path = [...before, ...issue.path];
  const field = path.join(".");
  if (issue.code === "unrecognized_keys") {
    return { field: [...path, shownKey(issue.keys[0]!)].join("."), text: "is not a field of this request" };
  }
  if (issue.code === "invalid_key") {
    const key = shownKey(String(path.at(-1)));
    return { field: [...path.slice(0, -1), key].join("."), text: `is wrong: ${issue.issues[0]?.message}` };
  }
  if (issue.code === "invalid_union" && (field !== "action" || valueAt(fields, path) !== undefined)) {
    const meant = meantBranch(issue, fields, path);
    return meant ? describeIssue(meant, fields, verb, path) : { field, text: unionText(field, verb) };
  }
  if (valueAt(fields, path) === undefined) return { field, text: "is missing" };
  return { field, text: `is wrong: ${lowerFirst(issue.message)}` };
}

/** Of a union, the wrong value in the only branch whose keys are those given; undefined when no branch fits so far. */
function meantBranch(
  issue: z.core.$ZodIssueInvalidUnion,
  fields: Record<string, unknown>,
  path: PropertyKey[],
): z.core.$ZodIssue | undefined {
  for (const [first, ...others] of issue.errors) {
    if (first === undefined || others.length > 0) continue;
    if (first.code === "invalid_union" && first.path.length === 0) {
      const meant = meantBranch(first, fields, path);
      if (meant) return meant;
    } else if (first.path.length > 0 && valueAt(fields, [...path, ...first.path]) !== undefined) return first;
  }
  return undefined;
}

function unionText(field: string, verb: string): string {
  if (field === "action") return verb === "alarms" ? 'takes "list" or "acknowledge"' : 'takes "get" or "set"';
  if (field === "party") return 'takes "caller", or a place in the call\'s parties from 0';
  const all = verb === "pause" || verb === "resume" ? ', or "all"' : "";
  return `takes one of {"id": "…"}, {"sipCallId": "…"} and {"agent": "…"}${all}`;
}

function valueAt(value: unknown, path: PropertyKey[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<PropertyKey, unknown>)[key];
  }
  return found;
}

function shownKey(key: string): string {
  return [...key].slice(0, MAX_SHOWN_KEY_CHARACTERS).join("");
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
