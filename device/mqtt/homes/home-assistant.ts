// The box as Home Assistant's MQTT device discovery announces it: one retained message from which it makes the box's entities. They
// read the box's own retained states and send its requests, so that there is nothing that could say something else. Pure.
// Source: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
import type { RequestVerb } from "../../contract/mqtt.js";
import type { Topics } from "../topics.js";
import { boxId } from "./box-id.js";
import { HOME_ALARMS, HOME_BUTTONS, HOME_READINGS, type HomeButton, type HomeFlag, type HomeSensor } from "./model.js";
import { template } from "./reading.js";

export interface HomeBox {
  device: string;
  /** Of the package; "" while it is not known. */
  version: string;
  topics: Topics;
  /** Verbs that the box takes. */
  allow: readonly RequestVerb[];
}

export const HOME_ASSISTANT_ONLINE = "online";

/** Where the announcement stands; emptied, it is taken back with all its entities. */
export function homeAssistantTopic(prefix: string, device: string): string {
  return `${prefix}/device/${boxId(device)}/config`;
}

/** The announcement's payload. */
export function homeAssistantConfig(box: HomeBox): unknown {
  const { device, version, topics, allow } = box;
  const id = boxId(device);
  const entities = [
    ...[...HOME_READINGS, ...HOME_ALARMS].map((one) => (one.kind === "sensor" ? sensor(one, box) : flag(one, box))),
    ...HOME_BUTTONS.filter(({ verb }) => allow.includes(verb)).map((one) => button(one, box)),
  ];
  const named = (software: object): object => (version === "" ? software : { ...software, sw_version: version });
  return {
    dev: named({ identifiers: [id], name: `Sidetone ${device}`, manufacturer: "Sidetone", model: "Recorder" }),
    o: named({ name: "Sidetone" }),
    availability: [{ topic: topics.state, value_template: "{{ value_json.state }}" }],
    qos: 1,
    cmps: {
      ...Object.fromEntries(entities.map(({ key, entity }) => [key, { unique_id: `${id}-${key}`, ...entity }])),
      // Nothing but its platform takes a component back: what is not allowed now may have been before.
      ...Object.fromEntries(
        HOME_BUTTONS.filter(({ verb }) => !allow.includes(verb)).map((one) => [one.id, { p: "button" }]),
      ),
    },
  };
}

interface Entity {
  key: string;
  entity: Record<string, unknown>;
}

function sensor({ id, name, source, reading, unit, values, ...rest }: HomeSensor, { topics }: HomeBox): Entity {
  return {
    key: id,
    entity: {
      p: "sensor",
      name,
      state_topic: topics.retained(source),
      value_template: template(reading),
      // A count has no unit here.
      ...(unit !== undefined && unit !== "#" && { unit_of_measurement: unit }),
      ...(rest.deviceClass !== undefined && { device_class: rest.deviceClass }),
      ...(rest.course !== undefined && { state_class: rest.course === "total" ? "total_increasing" : "measurement" }),
      ...(values && { options: values }),
      ...diagnostic(rest),
    },
  };
}

function flag({ id, name, source, reading, deviceClass, details, ...rest }: HomeFlag, { topics }: HomeBox): Entity {
  const topic = topics.retained(source);
  const shown = details !== undefined && {
    json_attributes_topic: topic,
    json_attributes_template: `{{ {'${details}': value_json.${details}} | tojson }}`,
  };
  return {
    key: id,
    entity: {
      p: "binary_sensor",
      name,
      state_topic: topic,
      value_template: template(reading),
      device_class: deviceClass,
      ...shown,
      ...diagnostic(rest),
      ...(rest.isHidden && { enabled_by_default: false }),
    },
  };
}

function button({ id, name, verb, body, deviceClass, ...rest }: HomeButton, { topics }: HomeBox): Entity {
  return {
    key: id,
    entity: {
      p: "button",
      name,
      command_topic: topics.request(verb),
      payload_press: JSON.stringify(body),
      ...(deviceClass !== undefined && { device_class: deviceClass }),
      ...(rest.isDiagnostic && { entity_category: "config" }),
    },
  };
}

function diagnostic({ isDiagnostic }: { isDiagnostic?: true }): object {
  return isDiagnostic ? { entity_category: "diagnostic" } : {};
}
