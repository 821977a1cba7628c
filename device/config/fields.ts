// The settings as a list, read out of the configuration schema: what the loader checks and suggests against and what
// `config explain` prints. Adds nothing that the schema does not say, but the environment name and the flag.
import { z } from "zod";
import { configSchema } from "../contract/config.js";
import { type FieldMeta, fieldMeta } from "../contract/config-fields.js";

export type FieldKind =
  | "integer"
  | "boolean"
  | "text"
  | "choice"
  | "integer-list"
  | "text-list"
  | "choice-list"
  | "entry-list";

export interface ConfigField {
  /** "call.idleTimeoutMs"; "consent.rules[].policy" for a member of a list's entries. */
  path: string;
  /** The keys that lead to it; for a member of a list's entries only the last one counts as a key of its entry. */
  keys: readonly string[];
  kind: FieldKind;
  description: string;
  /** undefined when the field may be absent. */
  default: unknown;
  /** "" when the number has none or the field is no number. */
  unit: string;
  /** Of a number, or of each number of a list. */
  minimum?: number;
  maximum?: number;
  /** Of a text, or of each text of a list. */
  minimumLength?: number;
  maximumLength?: number;
  pattern?: string;
  maximumItems?: number;
  /** Of a choice, or of each element of a list of choices, else empty. */
  values: readonly string[];
  /** "" when it cannot be set by the environment. */
  environment: string;
  /** The flag that is shorthand for it, or "". */
  flag: string;
  isSecret: boolean;
  needsRestart: boolean;
}

export interface ConfigSection {
  path: string;
  description: string;
  fields: ConfigField[];
}

const FLAG_BY_PATH: Readonly<Record<string, string>> = {
  "data.folder": "--data",
  "capture.interfaces": "--interface",
  "consent.policy": "--policy",
  "agents.match": "--agents",
};

/** What z.toJSONSchema writes for our schema, as far as it is read here. */
interface SchemaNode {
  type?: string;
  description?: string;
  default?: unknown;
  properties?: Record<string, SchemaNode>;
  items?: SchemaNode;
  enum?: string[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  maxItems?: number;
  meta?: FieldMeta;
}

/** Every section in the schema's order, each with its own fields (a nested section stands for itself). */
export function listSections(): ConfigSection[] {
  const root = z.toJSONSchema(configSchema, {
    io: "input",
    override: ({ zodSchema, jsonSchema }) => {
      const meta = fieldMeta.get(zodSchema);
      if (meta) (jsonSchema as SchemaNode).meta = meta;
    },
  }) as SchemaNode;
  const sections: ConfigSection[] = [];
  for (const [name, node] of Object.entries(root.properties ?? {})) addSection(sections, [name], node);
  return sections;
}

/** Every setting; members of list entries only when asked for. */
export function listFields(sections: readonly ConfigSection[], withEntryMembers = false): ConfigField[] {
  const fields = sections.flatMap((section) => section.fields);
  return withEntryMembers ? fields : fields.filter((field) => !field.path.includes("[]"));
}

/** "call.idleTimeoutMs" → "SIDETONE_CALL_IDLE_TIMEOUT_MS". */
export function environmentName(path: string): string {
  const snake = path.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").replaceAll(".", "_");
  return `SIDETONE_${snake.toUpperCase()}`;
}

/** "expected …" without that word: what the field takes, with bounds and unit. */
export function expectation(field: ConfigField): string {
  const unit = field.unit === "" ? "" : ` ${field.unit}`;
  switch (field.kind) {
    case "integer":
      return `a whole number from ${field.minimum} to ${field.maximum}${unit}`;
    case "boolean":
      return "true or false";
    case "choice":
      return `one of ${field.values.join(", ")}`;
    case "text":
      return expectedText(field);
    case "integer-list":
      return `a list of at most ${field.maximumItems} whole numbers from ${field.minimum} to ${field.maximum}`;
    case "text-list":
      return `a list of at most ${field.maximumItems} texts`;
    case "choice-list":
      return `a list of at most ${field.maximumItems} of ${field.values.join(", ")}`;
    case "entry-list":
      return `a list of at most ${field.maximumItems} entries`;
  }
}

/** What a text, or each text of a list, may be. */
export function expectedText(field: ConfigField): string {
  if (field.pattern !== undefined) return `text like ${field.pattern}`;
  const { minimumLength = 0, maximumLength } = field;
  return `text of ${minimumLength} to ${maximumLength} characters`;
}

function addSection(sections: ConfigSection[], keys: string[], node: SchemaNode): void {
  const section: ConfigSection = { path: keys.join("."), description: node.description ?? "", fields: [] };
  sections.push(section);
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const childKeys = [...keys, name];
    if (child.type === "object") addSection(sections, childKeys, child);
    else addField(section.fields, childKeys, childKeys.join("."), child);
  }
}

function addField(fields: ConfigField[], keys: string[], path: string, node: SchemaNode): void {
  const field = readField(keys, path, node);
  fields.push(field);
  if (field.kind !== "entry-list") return;
  for (const [name, member] of Object.entries(node.items?.properties ?? {})) {
    addField(fields, [...keys, name], `${path}[].${name}`, member);
  }
}

function readField(keys: string[], path: string, node: SchemaNode): ConfigField {
  const kind = kindOf(path, node);
  const text = kind === "text-list" ? (node.items ?? {}) : node;
  const number = kind === "integer-list" ? (node.items ?? {}) : node;
  const hasEnvironment = kind !== "entry-list" && !path.includes("[]");
  return {
    path,
    keys,
    kind,
    description: node.description ?? "",
    default: node.default,
    unit: node.meta?.unit ?? "",
    ...(number.type === "integer" && { minimum: number.minimum!, maximum: number.maximum! }),
    ...(text.minLength !== undefined && { minimumLength: text.minLength }),
    ...(text.maxLength !== undefined && { maximumLength: text.maxLength }),
    ...(text.pattern !== undefined && { pattern: text.pattern }),
    ...(node.maxItems !== undefined && { maximumItems: node.maxItems }),
    values: node.enum ?? node.items?.enum ?? [],
    environment: hasEnvironment ? environmentName(path) : "",
    flag: FLAG_BY_PATH[path] ?? "",
    isSecret: node.meta?.secret ?? false,
    needsRestart: node.meta?.restart ?? false,
  };
}

function kindOf(path: string, node: SchemaNode): FieldKind {
  if (node.enum) return "choice";
  if (node.type === "integer" || node.type === "boolean") return node.type;
  if (node.type === "string") return "text";
  if (node.type === "array" && node.items?.type === "integer") return "integer-list";
  if (node.type === "array" && node.items?.enum) return "choice-list";
  if (node.type === "array") return node.items?.type === "object" ? "entry-list" : "text-list";
  throw new Error(`configuration field ${path} has a type without a face: ${node.type}`);
}
