// The box as a device of the Homie 5 convention: its topics, its description and its properties' payloads, made of the same model as
// what Home Assistant sees. A button is a property that takes "press". Pure.
// Source: https://homieiot.github.io/specification/ (5.0.0)
import { ALARM_CODES } from "../../contract/alarms.js";
import type { RequestVerb } from "../../contract/mqtt.js";
import { boxId } from "./box-id.js";
import {
  HOME_ALARMS,
  HOME_BUTTONS,
  HOME_NODES,
  HOME_READINGS,
  type HomeButton,
  type HomeFlag,
  type HomeNode,
  type HomeSensor,
  type HomeSource,
} from "./model.js";
import { evaluate, type ReadValue } from "./reading.js";

const VERSION = "5";
export const HOMIE_PRESS = "press";

export type HomieState = "init" | "ready" | "disconnected" | "lost";

export class HomieTopics {
  readonly base: string;
  readonly state: string;
  readonly description: string;
  /** What is subscribed to: all that can be set. */
  readonly set: string;

  constructor(domain: string, device: string) {
    this.base = `${domain}/${VERSION}/${boxId(device)}`;
    this.state = `${this.base}/$state`;
    this.description = `${this.base}/$description`;
    this.set = `${this.base}/commands/+/set`;
  }

  property(node: HomeNode, id: string): string {
    return `${this.base}/${node}/${id}`;
  }

  alert(id: string): string {
    return `${this.base}/$alert/${id}`;
  }

  /** Everything that is ever retained there. */
  get all(): string[] {
    const values = [...HOME_READINGS, ...HOME_ALARMS].map(({ node, id }) => this.property(node, id));
    return [this.state, this.description, ...values, ...ALARM_CODES.map((code) => this.alert(code))];
  }

  /** The button that a message is meant for; undefined when it is for none. */
  button(topic: string): HomeButton | undefined {
    return HOME_BUTTONS.find(({ id }) => topic === `${this.property("commands", id)}/set`);
  }
}

/** `version` grows with every description. Verbs that the box does not take have no button. */
export function homieDescription(device: string, version: number, allow: readonly RequestVerb[]): unknown {
  const readings = [...HOME_READINGS, ...HOME_ALARMS];
  const nodes = Object.entries(HOME_NODES).map(([node, name]) => {
    const properties =
      node === "commands"
        ? HOME_BUTTONS.filter(({ verb }) => allow.includes(verb)).map((one) => [one.id, buttonProperty(one)])
        : readings.filter((one) => one.node === node).map((one) => [one.id, readProperty(one)]);
    return [node, { name, properties: Object.fromEntries(properties) as object }] as const;
  });
  return {
    homie: "5.0",
    version,
    name: `Sidetone ${device}`,
    type: "sidetone-recorder",
    nodes: Object.fromEntries(nodes.filter(([, { properties }]) => Object.keys(properties).length > 0)),
  };
}

function readProperty(one: HomeSensor | HomeFlag): object {
  if (one.kind === "flag") return { name: one.name, datatype: "boolean", format: one.labels.join(",") };
  return {
    name: one.name,
    datatype: one.type,
    ...(one.values && { format: one.values.join(",") }),
    ...(one.unit !== undefined && { unit: one.unit }),
  };
}

function buttonProperty({ name }: HomeButton): object {
  return { name, datatype: "enum", format: HOMIE_PRESS, settable: true, retained: false };
}

export interface HomieValue {
  topic: string;
  /** "" takes the value away: it is not known. */
  payload: string;
}

/** The values of every property that is read out of this state. */
export function homieValues(topics: HomieTopics, source: HomeSource, state: unknown): HomieValue[] {
  return [...HOME_READINGS, ...HOME_ALARMS]
    .filter((one) => one.source === source)
    .map((one) => ({
      topic: topics.property(one.node, one.id),
      payload: payloadOf(one, evaluate(one.reading, state)),
    }));
}

function payloadOf(one: HomeSensor | HomeFlag, value: ReadValue): string {
  if (value === null) return "";
  return one.kind === "sensor" && one.type === "integer" ? String(Math.round(Number(value))) : String(value);
}
