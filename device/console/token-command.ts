// `sidetoned token create | list | revoke`: what was asked for, as a value, and its carrying out. Standard output has the
// secret alone, so that a script can take it; the words around it go to standard error.
import { splitList } from "../config/environment.js";
import { MAX_TOKEN_DAYS, TOKEN_NAME_PATTERN } from "../contract/api-box.js";
import { RIGHTS, type Right } from "../contract/api-route.js";
import type { Token, TokenStore } from "../store/tokens.js";
import {
  COMMON_FLAGS,
  type CommonFlags,
  commonFlags,
  type FlagValues,
  given,
  oneOf,
  printable,
  readFlags,
  refuseArgument,
  unknownVerb,
  usage,
} from "./command-flags.js";
import { formatTable, plainCell, plainLine } from "./table.js";

export type TokenCommand = CommonFlags &
  (
    | { verb: "create"; name: string; rights: Right[]; days?: number; reason?: string }
    | { verb: "list" }
    | { verb: "revoke"; id: string; reason?: string }
  );

export interface TokenCommandOutput {
  /** Both take one line without its newline. */
  out(line: string): void;
  note(line: string): void;
}

export const TOKEN_USAGE = `sidetoned token create NAME --rights LIST [--days N] [--reason TEXT]
sidetoned token list
sidetoned token revoke ID [--reason TEXT]
Rights: ${RIGHTS.join(", ")}; --data, --config and --json as elsewhere.`;

const CREATE_FLAGS = { rights: "LIST", days: "N" };
const REASON_FLAG = { reason: "TEXT" };
const MAX_REASON_CHARACTERS = 256;
const VERBS = ["create", "list", "revoke"] as const;

/** `argv` is what follows `token`. Throws SidetoneError usage with one line. */
export function parseTokenCommand(argv: readonly string[]): TokenCommand {
  const { values, positionals } = readFlags(
    argv,
    { ...COMMON_FLAGS, ...CREATE_FLAGS, ...REASON_FLAG },
    { command: "token" },
  );
  const [verb = "", argument, extra] = positionals;
  refuseArgument(verb === "list" ? argument : extra, `token ${printable(verb)}`);
  const common = commonFlags(values);
  if (verb !== "create")
    for (const name of Object.keys(CREATE_FLAGS))
      if (values.has(name)) throw usage(`--${name} goes with token create only`);
  switch (verb) {
    case "create":
      return { ...common, verb, name: readName(argument), ...readGrant(values), ...readReason(values) };
    case "list":
      if (values.has("reason")) throw usage("--reason goes with token create and token revoke");
      return { ...common, verb };
    case "revoke":
      if (argument === undefined) throw usage("token revoke needs the token's id: sidetoned token list shows it");
      return { ...common, verb, id: argument, ...readReason(values) };
    default:
      throw unknownVerb("token", verb, VERBS);
  }
}

/** Throws SidetoneError: usage, data-unwritable or data-in-use. */
export function runTokenCommand(command: TokenCommand, store: TokenStore, output: TokenCommandOutput): void {
  switch (command.verb) {
    case "create":
      create(command, store, output);
      break;
    case "list":
      list(command.json, store, output);
      break;
    case "revoke": {
      const token = store.revoke(command.id, command.reason);
      if (command.json) output.out(JSON.stringify(token));
      else output.note(`token ${token.name} (${token.id}) is revoked; a running service notices within a second`);
      break;
    }
  }
}

function create(
  { name, rights, days, reason, json }: Extract<TokenCommand, { verb: "create" }>,
  store: TokenStore,
  output: TokenCommandOutput,
): void {
  const { token, secret } = store.create({ name, rights, ...(days !== undefined && { days }) }, reason);
  if (json) {
    output.out(JSON.stringify({ ...token, secret }));
    return;
  }
  const until = token.expiresAt === undefined ? "does not expire" : `expires ${day(token.expiresAt)}`;
  output.note(`token ${token.name} (${token.id}) may ${token.rights.join(", ")} and ${until}; it is shown this once:`);
  output.out(secret);
}

function list(json: boolean, store: TokenStore, output: TokenCommandOutput): void {
  const tokens = store.list();
  if (json) {
    output.out(JSON.stringify({ tokens }));
    return;
  }
  const columns = ["id", "name", "created", "state", "rights"].map((title) => ({ title, align: "left" as const }));
  const rows = tokens.map((token) => [
    token.id,
    plainCell(token.name, 64),
    day(token.createdAt),
    stateOf(token, store),
    token.rights.join(","),
  ]);
  for (const line of formatTable(columns, rows)) output.out(line);
}

function stateOf(token: Token, store: TokenStore): string {
  if (token.revokedAt !== undefined) return `revoked ${day(token.revokedAt)}`;
  if (token.expiresAt === undefined) return "good";
  return store.isGood(token) ? `good until ${day(token.expiresAt)}` : `expired ${day(token.expiresAt)}`;
}

function day(iso: string): string {
  return iso.slice(0, 10);
}

function readReason(values: FlagValues): { reason?: string } {
  const { reason } = given(values, { reason: "reason" });
  if (reason === undefined) return {};
  if (reason.length > MAX_REASON_CHARACTERS) throw usage(`--reason is longer than ${MAX_REASON_CHARACTERS} characters`);
  return { reason: plainLine(reason) };
}

function readName(argument: string | undefined): string {
  if (argument === undefined) throw usage("token create needs a name: sidetoned token create NAME --rights LIST");
  if (TOKEN_NAME_PATTERN.test(argument)) return argument;
  throw usage(`${printable(argument)}: a token's name has up to 64 letters, digits, dots, hyphens and underscores`);
}

function readGrant(values: FlagValues): { rights: Right[]; days?: number } {
  const { rights: wanted = "", days: text } = given(values, { rights: "rights", days: "days" });
  const listed = splitList(wanted);
  if (listed.length === 0) throw usage(`--rights needs a value: one or more of ${RIGHTS.join(",")}`);
  const rights = listed.map((right) => oneOf("--rights ", right, RIGHTS));
  if (text === undefined) return { rights };
  const days = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (days < 1 || days > MAX_TOKEN_DAYS)
    throw usage(`--days ${printable(text)}: not a whole number from 1 to ${MAX_TOKEN_DAYS}`);
  return { rights, days };
}
