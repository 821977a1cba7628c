// A call as a person describes it on the command line, for `sidetoned policy test`: the words of --call as a value.
// Refuses what is unknown or contradicts itself in one line. Reads no configuration.
import { systemClock } from "../base/clock.js";
import type { TimeUs } from "../base/ids.js";
import { nearest, suggestion } from "../base/nearest.js";
import { type CallDirection, DIRECTIONS } from "../consent/call-direction.js";
import { type FlagValues, given, oneOf, printable, refuseArgument, refuseOtherFlags, usage } from "./command-flags.js";

export interface CallDescription {
  /** Who sent the INVITE and who is called: user parts; undefined = not said. */
  from: string | undefined;
  to: string | undefined;
  /** Which number is the agent's. */
  agent: string | undefined;
  direction: CallDirection | undefined;
  /** Addresses or numbers of the outside line that the call goes over. */
  trunks: readonly string[];
  /** When the call began. */
  atUs: TimeUs;
  /** Of the first INVITE: lower-case name → values. */
  headers: ReadonlyMap<string, readonly string[]>;
}

export interface PolicyCommand {
  kind: "test-policy";
  call: CallDescription;
  configFile?: string;
  json: boolean;
}

const KEYS = ["from", "to", "agent", "direction", "trunk", "at", "header"] as const;
type Key = (typeof KEYS)[number];

/** Flags that go with the command: --policy and --agents change what it answers. */
const FLAGS = ["call", "json", "config", "policy", "agents"];
const COMMAND = "policy test";
const EXAMPLE = '--call "from=0301234567,to=21,agent=21"';
const TIME_EXAMPLE = "2026-11-27T10:00:00+01:00";
const MAX_TEXT_CHARACTERS = 256;
const MAX_REPEATS = 64;

/**
 * `sidetoned policy test --call "..." [--call "..."] [--json] [--config FILE]`. `positionals` from
 * "policy" on. Throws SidetoneError usage with one line.
 */
export function parsePolicyCommand(
  values: FlagValues,
  positionals: readonly string[],
  nowUs: TimeUs = systemClock.nowUs(),
): PolicyCommand {
  const [, verb, extra] = positionals;
  if (verb !== "test") throw usage(`policy ${printable(verb ?? "")}: the command is ${COMMAND}`);
  refuseArgument(extra, `${COMMAND}; quote ${EXAMPLE}`);
  refuseOtherFlags(values, FLAGS, COMMAND);
  const texts = values.get("call") ?? [];
  if (texts.length === 0) throw usage(`${COMMAND} needs a call: ${EXAMPLE}`);
  return {
    kind: "test-policy",
    call: parseCall(texts, nowUs),
    ...given(values, { configFile: "config" }),
    json: values.has("json"),
  };
}

/** The call out of one or several --call texts; without at= it begins at `nowUs`. Throws SidetoneError usage. */
export function parseCall(texts: readonly string[], nowUs: TimeUs): CallDescription {
  const said = new Map<Key, string[]>(KEYS.map((key) => [key, []]));
  for (const { key, value } of texts.flatMap(splitCall)) {
    const values = said.get(key)!;
    const limit = key === "header" || key === "trunk" ? MAX_REPEATS : 1;
    if (values.length >= limit)
      throw usage(limit === 1 ? `--call: ${key}= is given twice` : `--call: too many ${key}=`);
    values.push(value);
  }
  const only = (key: Key): string | undefined => said.get(key)![0];
  const [from, to, agent] = (["from", "to", "agent"] as const).map((key) => readUser(key, only(key)));
  const at = only("at");
  const call: CallDescription = {
    from,
    to,
    agent,
    direction: readDirection(only("direction")),
    trunks: said.get("trunk")!.map((value) => readText("trunk", value)),
    atUs: at === undefined ? nowUs : readTime(at),
    headers: readHeaders(said.get("header")!),
  };
  refuseContradictions(call);
  return call;
}

/** A comma that no name= follows belongs to the value before it, as in a header's. */
function splitCall(text: string): { key: Key; value: string }[] {
  const pieces: string[] = [];
  for (const piece of text.split(",")) {
    if (pieces.length === 0 || /^\s*[\w-]+\s*=/.test(piece)) pieces.push(piece);
    else pieces.push(`${pieces.pop()!},${piece}`);
  }
  return pieces.filter((piece) => piece.trim() !== "").map(readPiece);
}

function readPiece(piece: string): { key: Key; value: string } {
  const equals = piece.indexOf("=");
  const name = piece.slice(0, equals < 0 ? piece.length : equals).trim();
  const key = KEYS.find((known) => known === name.toLowerCase());
  if (!key || equals < 0) {
    const near = key ?? nearest(name, KEYS);
    const all = `--call takes ${KEYS.map((known) => `${known}=`).join(", ")}`;
    throw usage(`--call ${printable(piece.trim())}: ${all}${suggestion(near && `${near}=`)}`);
  }
  const value = piece.slice(equals + 1).trim();
  if (value === "") throw usage(`--call ${key}=: needs a value; leave out what is not known`);
  return { key, value };
}

function readText(key: Key, value: string): string {
  if (value.length > MAX_TEXT_CHARACTERS)
    throw usage(`--call ${key}=: found ${value.length} characters, at most ${MAX_TEXT_CHARACTERS} are compared`);
  if (value.includes(","))
    throw usage(`--call ${key}=${printable(value)}: one value only, and a name= behind each comma`);
  return value;
}

function readUser(key: Key, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const user = /^(?:sips?:|tel:)?([^@]*)(?:@.*)?$/i.exec(readText(key, value))?.[1] ?? value;
  if (user !== value)
    throw usage(`--call ${key}=${printable(value)}: write it without scheme and host${user && `: ${printable(user)}`}`);
  return user;
}

function readDirection(value: string | undefined): CallDirection | undefined {
  if (value === undefined) return undefined;
  const known = DIRECTIONS.find((direction) => direction === value.toLowerCase());
  return known ?? oneOf("--call direction=", value, DIRECTIONS);
}

function readTime(value: string): TimeUs {
  const match = /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:[0-5]\d)$/i.exec(
    value,
  );
  const atMs = match ? Date.parse(value.toUpperCase()) : Number.NaN;
  // Date.parse takes 30 February for 2 March.
  const isDate = match && !Number.isNaN(atMs) && new Date(`${match[1]}T00:00:00Z`).toISOString().startsWith(match[1]!);
  if (!isDate)
    throw usage(`--call at=${printable(value)}: write it with the offset from UTC, as in at=${TIME_EXAMPLE}`);
  return atMs * 1000;
}

function readHeaders(texts: readonly string[]): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  for (const text of texts) {
    const [, name, value] = /^([A-Za-z0-9-]{1,64})\s*:(.*)$/.exec(text) ?? [];
    if (name === undefined)
      throw usage(`--call header=${printable(text)}: write name and value, as in header=X-Queue: sales`);
    const key = name.toLowerCase();
    headers.set(key, [...(headers.get(key) ?? []), value!.trim()]);
  }
  return headers;
}

function refuseContradictions({ from, to, agent, direction }: CallDescription): void {
  if (agent === undefined || from === to) return;
  if (agent === from && direction === "inbound")
    throw usage("--call: the agent is from, so the call is not inbound: say direction=outbound, or agent= as to is");
  if (agent === to && direction === "outbound")
    throw usage("--call: the agent is to, so the call is not outbound: say direction=inbound, or agent= as from is");
}
