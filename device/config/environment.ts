// Settings from the environment: SIDETONE_CALL_IDLE_TIMEOUT_MS=60000. Turns text into the field's kind and leaves what
// it cannot turn as text, which the schema then refuses with the bounds.

import { nearest, suggestion } from "../base/nearest.js";
import { HOST_ENVIRONMENT } from "../contract/host-environment.js";
import { type ConfigField, environmentName } from "./fields.js";
import { type ProblemList, showKey } from "./problems.js";

export type Environment = Readonly<Record<string, string | undefined>>;
const PREFIX = "SIDETONE_";
const HOST_NAMES: ReadonlySet<string> = new Set(Object.values(HOST_ENVIRONMENT));

/** Field path → value for every SIDETONE_ name that is a setting's; the others are problems. */
export function readEnvironment(
  environment: Environment,
  fields: readonly ConfigField[],
  problems: ProblemList,
): Map<string, unknown> {
  const known = new Map(fields.filter((field) => field.environment !== "").map((field) => [field.environment, field]));
  const fileOnly = new Map(
    fields.filter((field) => field.environment === "").map((field) => [environmentName(field.path), field]),
  );
  const values = new Map<string, unknown>();
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || text === undefined || HOST_NAMES.has(name)) continue;
    const field = known.get(name);
    if (field) {
      values.set(field.path, readText(text, field));
      continue;
    }
    problems.add(
      () => ({ label: showKey(name), line: 0 }),
      () => {
        const field = fileOnly.get(name);
        if (field) return `${field.path} can be set in the configuration file only`;
        return `no setting has this environment name${suggestion(nameNear(name, known.keys()))}`;
      },
    );
  }
  return values;
}

/** A comma-separated list as its parts, without empty ones and outer white space. */
export function splitList(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** The prefix that all names share says nothing about nearness. */
function nameNear(name: string, known: Iterable<string>): string | undefined {
  const endings = [...known].map((other) => other.slice(PREFIX.length));
  const ending = nearest(name.slice(PREFIX.length), endings);
  return ending === undefined ? undefined : PREFIX + ending;
}

function readText(text: string, field: ConfigField): unknown {
  if (field.kind === "integer") return readInteger(text);
  if (field.kind === "integer-list") return splitList(text).map(readInteger);
  if (field.kind === "boolean") return readBoolean(text.trim().toLowerCase()) ?? text;
  if (field.kind === "text-list" || field.kind === "choice-list") return splitList(text);
  return field.kind === "choice" ? text.trim() : text;
}

function readInteger(text: string): unknown {
  return /^[+-]?\d+$/.test(text.trim()) ? Number(text) : text;
}

function readBoolean(text: string): boolean | undefined {
  if (text === "true" || text === "1") return true;
  return text === "false" || text === "0" ? false : undefined;
}
