// The MQTT reference: made of the contract and nothing else, complete, the same as the committed copy, and its examples are what its
// schemas, as an independent validator (ajv) reads them, take.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { describeMqtt, mqttText, parseMqttCommand } from "../../../device/console/mqtt-command.js";
import { MQTT_ERROR_CODES, REQUEST_VERBS } from "../../../device/contract/mqtt.js";
import { MQTT_TOPICS } from "../../../device/contract/mqtt-topics.js";

const committedPath = fileURLToPath(new URL("../../../device/contract/mqtt.md", import.meta.url));
const throughFastify = createRequire(createRequire(import.meta.url).resolve("fastify"));
const Ajv = createRequire(throughFastify.resolve("@fastify/ajv-compiler"))("ajv/dist/2020").default;
const ajv = new Ajv({ strict: false });

interface Described {
  topics: { topic: string; payload: object; example: unknown }[];
  requests: {
    verb: string;
    request: object;
    data: object;
    example: { request: Record<string, unknown>; data: unknown };
  }[];
}
const described = JSON.parse(mqttText({ json: true })) as Described;

/** What an independent reader of the schema has against it, "" when nothing. */
function faults(schema: object, value: unknown): string {
  const { $schema: _, ...rest } = schema as { $schema?: string };
  const check = ajv.compile(rest);
  return check(value) ? "" : JSON.stringify(check.errors);
}

describe("the MQTT reference", () => {
  it("is the committed one; UPDATE_MQTT=1 writes it anew", () => {
    const text = mqttText({ json: false });
    if (process.env["UPDATE_MQTT"]) writeFileSync(committedPath, text);
    expect(readFileSync(committedPath, "utf8")).toBe(text);
  });

  it("has every topic, verb and error code, each once", () => {
    const lines = mqttText({ json: false }).split("\n");
    const times = (line: string): number => lines.filter((one) => one === line).length;
    for (const { topic } of MQTT_TOPICS) expect(times(`### \`${topic}\``), topic).toBe(1);
    for (const verb of REQUEST_VERBS) expect(times(`### \`request/${verb}\``), verb).toBe(1);
    for (const code of Object.keys(MQTT_ERROR_CODES)) expect(lines.join("\n")).toContain(`| \`${code}\` | `);
    expect(describeMqtt()).toMatchObject({ root: "sidetone/<device>" });
  });

  it.each(described.topics.map((one) => [one.topic, one] as const))("%s: its example is as it says", (_, one) => {
    expect(faults(one.payload, one.example)).toBe("");
    const contract = MQTT_TOPICS.find(({ topic }) => topic === one.topic)!;
    expect(contract.payload.parse(one.example)).toEqual(one.example);
  });

  it.each(described.requests.map((one) => [one.verb, one] as const))("request/%s: so are its examples", (_, one) => {
    const { transaction: _transaction, ...request } = one.example.request;
    expect(faults(one.request, request)).toBe("");
    expect(faults(one.data, one.example.data)).toBe("");
  });

  it("says a field's type, bounds, default and meaning", () => {
    const text = mqttText({ json: false });
    expect(text).toContain("| `limit` (optional) | integer, from 1, to 100 | default `50` |");
    expect(text).toContain("| `temperatureC` | number or null | the hottest sensor; null where there is none |");
    expect(text).toContain("| `seq` | integer, from 1 | one more for each event of the box");
    expect(text).toMatch(/\| `call\.agent`[^|]* \| string, at most 64 \|/);
  });

  it("refuses what it does not know", () => {
    expect(parseMqttCommand(["--json"])).toEqual({ json: true });
    expect(() => parseMqttCommand(["now"])).toThrow("now: unexpected argument after mqtt");
    expect(() => parseMqttCommand(["--jsn"])).toThrow("--jsn: unknown flag of mqtt");
  });
});
