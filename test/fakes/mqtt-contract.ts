// What a box publishes against the contract: whether a topic is one that it has, and a payload what the reference says of it, to
// the last field.
import { isDeepStrictEqual } from "node:util";
import { MQTT_ERROR_CODES, MQTT_ROOT, type RequestVerb } from "../../device/contract/mqtt.js";
import { MQTT_REQUESTS } from "../../device/contract/mqtt-requests.js";
import { MQTT_TOPICS } from "../../device/contract/mqtt-topics.js";

export interface Published {
  topic: string;
  payload: string;
}

/** What is not as the reference says, one line each; requests, and what others publish, are nobody's concern. */
export function contractFaults(messages: readonly Published[]): string[] {
  return messages.flatMap(({ topic, payload }) => {
    const [root, , first, second] = topic.split("/");
    if (root !== MQTT_ROOT || first === "request") return [];
    const fault = first === "response" ? responseFault(second!, payload) : topicFault(`${first}`, second, payload);
    return fault === "" ? [] : [`${topic}: ${fault}: ${payload.slice(0, 500)}`];
  });
}

function topicFault(first: string, second: string | undefined, payload: string): string {
  const name = first === "alarm" ? "alarm/<code>" : second === undefined ? first : `${first}/${second}`;
  const contract = MQTT_TOPICS.find(({ topic }) => topic === name);
  if (contract === undefined) return "no such topic";
  if (payload === "") return first === "alarm" ? "" : "empty";
  return schemaFault(contract.payload, JSON.parse(payload));
}

function responseFault(verb: string, payload: string): string {
  const { transaction: _, status, ...rest } = JSON.parse(payload) as Record<string, unknown>;
  if (status === "error") {
    const { error, ...others } = rest as { error: { code: string; message: string; field?: string } };
    const isKnown = error.code in MQTT_ERROR_CODES && error.message !== "" && Object.keys(others).length === 0;
    return isKnown ? "" : "no such error";
  }
  const contract = MQTT_REQUESTS[verb as RequestVerb];
  if (contract === undefined) return "no such verb";
  if (status !== "ok" || Object.keys(rest).join() !== "data") return "neither ok nor error";
  return schemaFault(contract.data, rest["data"]);
}

/** Also a field that the schema does not have. */
function schemaFault(schema: (typeof MQTT_TOPICS)[number]["payload"], value: unknown): string {
  const read = schema.safeParse(value);
  if (!read.success) return read.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
  return isDeepStrictEqual(read.data, value) ? "" : "has a field that is not in the reference";
}
