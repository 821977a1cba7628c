// `sidetoned mqtt`: the reference of what goes over MQTT, made of the contract, as Markdown for people or as JSON Schema for
// programs. device/contract/mqtt.md is its committed copy. Looks into no data folder.
import { z } from "zod";
import { DEFAULT_VERBS, MQTT_ERROR_CODES, MQTT_ROOT, type MqttErrorCode, REQUEST_VERBS } from "../contract/mqtt.js";
import { MQTT_REQUESTS } from "../contract/mqtt-requests.js";
import { MQTT_TOPICS } from "../contract/mqtt-topics.js";
import { readFlags, refuseArgument } from "./command-flags.js";

export interface MqttCommand {
  json: boolean;
}

export const MQTT_USAGE =
  "sidetoned mqtt [--json]: topics, requests, responses and events over MQTT, with schemas and examples";

/** `argv` is what follows `mqtt`. Throws SidetoneError usage with one line. */
export function parseMqttCommand(argv: readonly string[]): MqttCommand {
  const { values, positionals } = readFlags(argv, { json: "" }, { command: "mqtt" });
  refuseArgument(positionals[0], "mqtt");
  return { json: values.has("json") };
}

/** Ends with a newline. */
export function mqttText({ json }: MqttCommand): string {
  return json ? `${JSON.stringify(describeMqtt(), null, 2)}\n` : mqttMarkdown();
}

interface JsonSchema {
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  description?: string;
  default?: unknown;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  additionalProperties?: boolean | JsonSchema;
  propertyNames?: JsonSchema;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  maxItems?: number;
}

/** Every topic and request with JSON Schema (2020-12) of its payloads. */
export function describeMqtt(): unknown {
  return {
    root: `${MQTT_ROOT}/<device>`,
    topics: MQTT_TOPICS.map(({ payload, ...rest }) => ({ ...rest, payload: schemaOf(payload, "output") })),
    requests: REQUEST_VERBS.map((verb) => {
      const { summary, request, data, errors, example } = MQTT_REQUESTS[verb];
      return {
        verb,
        summary,
        byDefault: DEFAULT_VERBS.includes(verb),
        request: schemaOf(request, "input"),
        data: schemaOf(data, "output"),
        errors,
        example,
      };
    }),
    errors: MQTT_ERROR_CODES,
  };
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): JsonSchema {
  return z.toJSONSchema(schema, { io }) as JsonSchema;
}

function mqttMarkdown(): string {
  const parts = [
    "# MQTT reference",
    `Made of the contract by \`sidetoned mqtt\`; with \`--json\` the same as JSON Schema. All topics lie below \`${MQTT_ROOT}/<device>\`, payloads are JSON in UTF-8, QoS 1.`,
    "## What the box publishes",
    "No retained topic and no event holds anything of a caller: no number, no name, no audio.",
    ...MQTT_TOPICS.flatMap(topicParts),
    "## Requests",
    requestsHead(),
    ...REQUEST_VERBS.flatMap(requestParts),
    "## Errors",
    table(
      ["code", "meaning"],
      Object.entries(MQTT_ERROR_CODES).map(([code, meaning]) => [`\`${code}\``, meaning]),
    ),
  ];
  return `${parts.join("\n\n")}\n`;
}

function topicParts({ topic, summary, isRetained, payload, example }: (typeof MQTT_TOPICS)[number]): string[] {
  return [
    `### \`${topic}\``,
    `${sentence(summary)} ${isRetained ? "Retained." : "Never retained."}`,
    fieldTable(schemaOf(payload, "output")),
    block(example),
  ];
}

const COMMON_ERRORS: readonly MqttErrorCode[] = [
  "not-json",
  "too-long",
  "invalid",
  "unknown-verb",
  "not-allowed",
  "retained",
  "busy",
  "timeout",
  "internal",
];

function requestsHead(): string {
  const example = { transaction: "7", status: "error", error: { code: "invalid", message: "…", field: "reason" } };
  const codes = COMMON_ERRORS.map((code) => `\`${code}\``).join(", ");
  return [
    "A request goes to `request/<verb>`, not retained; its response comes on `response/<verb>` and, where an MQTT 5 request names one, on its response topic with its correlation data. `transaction` (a text of up to 128 characters or a number) may be in any request and comes back as it was.",
    `A response has \`status\` \`ok\` with \`data\`, or \`error\` with \`error.code\`, \`error.message\` (one line: what is wrong and what to do) and, where one is at fault, \`error.field\`:`,
    block(example),
    `Every request may be refused with ${codes}; further codes stand at each.`,
  ].join("\n\n");
}

function requestParts(verb: (typeof REQUEST_VERBS)[number]): string[] {
  const { summary, request, data, errors, example } = MQTT_REQUESTS[verb];
  const taken = DEFAULT_VERBS.includes(verb) ? "" : " Only where `mqtt.allow` names it.";
  const codes = errors.length === 0 ? [] : [`Errors: ${errors.map((code) => `\`${code}\``).join(", ")}.`];
  return [
    `### \`request/${verb}\``,
    `${sentence(summary)}${taken}`,
    fieldTable(schemaOf(request, "input"), "Takes no field."),
    block(example.request),
    "Response's `data`:",
    fieldTable(schemaOf(data, "output")),
    block({ status: "ok", data: example.data }),
    ...codes,
  ];
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}

function block(value: unknown): string {
  return `\`\`\`json\n${JSON.stringify(value, null, 1)}\n\`\`\``;
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), `|${head.map(() => "---|").join("")}`, ...rows.map(line)].join("\n");
}

function fieldTable(schema: JsonSchema, none = "Empty."): string {
  const rows = fieldRows(schema, "", true);
  return rows.length === 0 ? none : table(["field", "type", "meaning"], rows);
}

/** One row for each field, what lies within objects and lists included; a form of several is told by its constant fields. */
function fieldRows(schema: JsonSchema, path: string, isRequired: boolean): string[][] {
  const forms = (schema.anyOf ?? schema.oneOf ?? []).filter((form) => form.type !== "null");
  const hasFields = forms.some(({ properties }) => properties !== undefined);
  const own =
    path === "" ? [] : [[`\`${path}\`${isRequired ? "" : " (optional)"}`, typeText(schema), meaningOf(schema)]];
  if (hasFields) return [...own, ...mergedForms(forms, path)];
  if (schema.properties) {
    const required = new Set(schema.required);
    const within = Object.entries(schema.properties).flatMap(([name, field]) =>
      fieldRows(field, path === "" ? name : `${path}.${name}`, required.has(name)),
    );
    return [...own, ...within];
  }
  if (schema.items?.properties) return [...own, ...fieldRows({ ...schema.items }, `${path}[]`, true).slice(1)];
  const { additionalProperties: values } = schema;
  if (typeof values === "object" && values.properties && path !== "")
    return [...own, ...fieldRows(values, `${path}.<name>`, true).slice(1)];
  return own;
}

/** A field that stands in several forms is one row; its type is that of all of them. */
function mergedForms(forms: readonly JsonSchema[], path: string): string[][] {
  const rows = new Map<string, string[]>();
  for (const form of forms) {
    for (const [name, type = "", meaning = ""] of fieldRows(form, path, true).slice(path === "" ? 0 : 1)) {
      const before = rows.get(name!);
      if (before === undefined) rows.set(name!, [name!, type, meaning]);
      else if (!before[1]!.split(", ").includes(type)) before[1] = `${before[1]}, ${type}`;
    }
  }
  return [...rows.values()];
}

function typeText(schema: JsonSchema): string {
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum) return schema.enum.map(code).join(", ");
  const forms = schema.anyOf ?? schema.oneOf;
  if (forms) return [...new Set(forms.map(typeText))].join(" or ");
  if (schema.items) return `list of ${typeText(schema.items)}`;
  const type = Array.isArray(schema.type) ? schema.type.join(" or ") : (schema.type ?? "anything");
  return `${type}${boundsText(schema)}`;
}

function boundsText({ type, minimum, maximum, maxLength }: JsonSchema): string {
  if (type === "string" && maxLength !== undefined) return `, at most ${maxLength}`;
  if (type !== "integer" && type !== "number") return "";
  const least = minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? `, from ${minimum}` : "";
  return `${least}${maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? `, to ${maximum}` : ""}`;
}

function meaningOf({ description = "", default: value }: JsonSchema): string {
  const fallback = value === undefined ? "" : `default ${code(value)}`;
  return [description, fallback]
    .filter((part) => part !== "")
    .join("; ")
    .replaceAll("|", "\\|");
}

function code(value: unknown): string {
  return `\`${JSON.stringify(value).replaceAll("|", "\\|")}\``;
}
