// Home Assistant and Homie out of one model. Home Assistant itself does not run here: its announcement is held against the rules that
// its documentation states, and each template is rendered by a small reader of the few forms that are used; Homie's topics and payloads
// are held against the convention's text (5.0.0).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ALARM_CODES } from "../../../../device/contract/alarms.js";
import type { HealthStatus } from "../../../../device/contract/health.js";
import { REQUEST_VERBS, type RetainedStates } from "../../../../device/contract/mqtt.js";
import { MQTT_REQUESTS } from "../../../../device/contract/mqtt-requests.js";
import { MQTT_TOPICS } from "../../../../device/contract/mqtt-topics.js";
import { boxId } from "../../../../device/mqtt/homes/box-id.js";
import { homeAssistantConfig, homeAssistantTopic } from "../../../../device/mqtt/homes/home-assistant.js";
import { Homes, type HomesOptions } from "../../../../device/mqtt/homes/homes.js";
import { HomieTopics } from "../../../../device/mqtt/homes/homie.js";
import { HOME_ALARMS, HOME_BUTTONS, HOME_READINGS, type HomeSource } from "../../../../device/mqtt/homes/model.js";
import { evaluate, type ReadValue } from "../../../../device/mqtt/homes/reading.js";
import type { OutgoingMessage } from "../../../../device/mqtt/outbox.js";
import type { IncomingMessage } from "../../../../device/mqtt/request.js";
import { Topics } from "../../../../device/mqtt/topics.js";

const topics = new Topics("office-1");
const SOURCES: HomeSource[] = ["info", "health", "calls", "disk", "span", "self-test"];
/** As the reference shows it. */
function example<Name extends HomeSource>(name: Name): RetainedStates[Name] {
  return MQTT_TOPICS.find(({ topic }) => topic === name)!.example as RetainedStates[Name];
}
const unknown: HealthStatus = {
  ...example("health"),
  temperatureC: null,
  clock: { synchronised: "unknown", offsetMs: null },
  alarms: ["no-agents", "disk-full"],
};

type Entity = Record<string, unknown> & { p: string; unique_id: string; name: string };
interface Announcement {
  dev: { identifiers: string[]; name: string };
  o: { name: string };
  availability: { topic: string; value_template: string }[];
  cmps: Record<string, Entity>;
}
const announcement = (allow = REQUEST_VERBS as readonly (typeof REQUEST_VERBS)[number][]): Announcement =>
  JSON.parse(JSON.stringify(homeAssistantConfig({ device: "office-1", version: "0.1.0", topics, allow })));

/** Renders the forms of Jinja that are used, and no other. */
function render(text: string, json: unknown): string {
  const at = (path: string): unknown =>
    path
      .split(".")
      .slice(1)
      .reduce<unknown>((found, key) => (found as Record<string, unknown>)[key], json);
  const condition = (part: string): boolean => {
    const equal = /^(value_json[\w.]*) == ('[^']*'|true|false)$/.exec(part);
    if (equal) return at(equal[1]!) === (equal[2]!.startsWith("'") ? equal[2]!.slice(1, -1) : equal[2] === "true");
    const within = /^'([^']*)' in (value_json[\w.]*)$/.exec(part);
    if (within) return (at(within[2]!) as string[]).includes(within[1]!);
    const some = /^(value_json[\w.]*) \| length > 0$/.exec(part);
    if (some) return (at(some[1]!) as string[]).length > 0;
    throw new Error(`no form that is known: ${part}`);
  };
  const value = /^\{\{ (value_json[\w.]*) \}\}$/.exec(text);
  if (value) return at(value[1]!) === null ? "None" : String(at(value[1]!));
  const length = /^\{\{ (value_json[\w.]*) \| length \}\}$/.exec(text);
  if (length) return String((at(length[1]!) as unknown[]).length);
  const choice = /^\{\{ 'ON' if (.*) else 'OFF' \}\}$/.exec(text);
  if (choice) return choice[1]!.split(" or ").some(condition) ? "ON" : "OFF";
  throw new Error(`no form that is known: ${text}`);
}

/** https://www.home-assistant.io/integrations/sensor/#device-class and developers' entity/sensor, as far as they are used. */
const UNITS: Record<string, string[]> = {
  data_size: ["bit", "kbit", "Mbit", "Gbit", "B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"],
  duration: ["d", "h", "min", "s", "ms", "µs"],
  temperature: ["°C", "°F", "K"],
};

describe("a box's id", () => {
  it("is safe for both, and two boxes have two", () => {
    const names = [
      "office-1",
      "Office-1",
      "office_1",
      "office 1",
      "büro",
      "",
      "a/b",
      "-",
      "x".repeat(300),
      "office-1-0a1b2c3d",
    ];
    const ids = names.map(boxId);
    for (const id of ids) expect(id).toMatch(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/);
    expect(new Set(ids).size).toBe(names.length);
    expect(boxId("office-1")).toBe("sidetone-office-1");
    expect(homeAssistantTopic("homeassistant", "Büro 2")).toMatch(/^homeassistant\/device\/[a-zA-Z0-9_-]+\/config$/);
  });
});

describe("what Home Assistant is told", () => {
  const { cmps, ...device } = announcement();
  const entities = Object.entries(cmps);

  it("is one device with an origin, and as available as the box", () => {
    expect(device).toEqual({
      dev: {
        identifiers: ["sidetone-office-1"],
        name: "Sidetone office-1",
        manufacturer: "Sidetone",
        model: "Recorder",
        sw_version: "0.1.0",
      },
      o: { name: "Sidetone", sw_version: "0.1.0" },
      availability: [{ topic: "sidetone/office-1/state", value_template: "{{ value_json.state }}" }],
      qos: 1,
    });
    // The payloads that stand for available and not are Home Assistant's own ones.
    for (const state of [{ state: "online" }, { state: "offline", clean: true }])
      expect(render(device.availability[0]!.value_template, state)).toBe(state.state);
  });

  it("has every reading, alarm and button once", () => {
    expect(entities.length).toBe(HOME_READINGS.length + ALARM_CODES.length + HOME_BUTTONS.length);
    expect(new Set(entities.map(([, { unique_id }]) => unique_id)).size).toBe(entities.length);
    expect(HOME_ALARMS.map(({ id }) => id)).toEqual(ALARM_CODES.map((code) => `alarm-${code}`));
    for (const [key, { unique_id }] of entities) expect([key, unique_id]).toEqual([key, `sidetone-office-1-${key}`]);
  });

  it.each(entities)("%s: is as the documentation has it", (_, entity) => {
    expect(["sensor", "binary_sensor", "button"]).toContain(entity.p);
    const { device_class: deviceClass, unit_of_measurement: unit, state_class: stateClass, options } = entity;
    const category = entity.p === "button" ? ["config", undefined] : ["diagnostic", undefined];
    expect(category).toContain(entity["entity_category"]);
    if (entity.p === "binary_sensor") expect(["problem", "running"]).toContain(deviceClass);
    if (entity.p === "button") {
      expect(["restart", undefined]).toContain(deviceClass);
      return;
    }
    expect(entity["state_topic"]).toMatch(/^sidetone\/office-1\/(?:info|health|calls|disk|span|self-test)$/);
    if (entity.p !== "sensor") return;
    if (deviceClass !== undefined && UNITS[deviceClass as string]) expect(UNITS[deviceClass as string]).toContain(unit);
    if (deviceClass === "enum")
      expect([(options as string[]).length > 0, unit, stateClass]).toEqual([true, undefined, undefined]);
    else expect(options).toBeUndefined();
    if (deviceClass === "timestamp") expect([unit, stateClass]).toEqual([undefined, undefined]);
    expect(["measurement", "total_increasing", undefined]).toContain(stateClass);
  });

  it.each([...HOME_READINGS, ...HOME_ALARMS].map((one) => [one.id, one] as const))(
    "%s: its template says what the model reads out",
    (id, one) => {
      const text = cmps[id]!["value_template"] as string;
      for (const state of one.source === "health" ? [example("health"), unknown] : [example(one.source)]) {
        const value = evaluate(one.reading, state);
        expect(render(text, state)).toBe(one.kind === "flag" ? (value ? "ON" : "OFF") : shown(value));
      }
    },
  );
  const shown = (value: ReadValue): string => (value === null ? "None" : String(value));

  it("sends requests that the box takes, and none that it does not", () => {
    for (const { id, verb, body } of HOME_BUTTONS) {
      expect(MQTT_REQUESTS[verb].request.safeParse(body).error).toBeUndefined();
      expect(cmps[id]).toMatchObject({ command_topic: `sidetone/office-1/request/${verb}` });
      expect(JSON.parse(cmps[id]!["payload_press"] as string)).toEqual(body);
    }
    const some = Object.values(announcement(["pause"]).cmps).filter(({ p }) => p === "button");
    // The others are taken back, as Home Assistant has it: a platform and nothing else.
    expect(some.filter(({ name }) => name !== undefined).map(({ name }) => name)).toEqual(["Pause all calls"]);
    expect(some.filter(({ name }) => name === undefined)).toEqual(HOME_BUTTONS.slice(1).map(() => ({ p: "button" })));
  });
});

/** What a line was given. */
class Line {
  readonly states = new Map<string, string>();
  readonly taken = new Map<string, () => void>();
  readonly said: OutgoingMessage[] = [];
  repeats = 0;
  setState(topic: string, payload: string, taken?: () => void): void {
    this.states.delete(topic);
    this.states.set(topic, payload);
    if (taken) this.taken.set(topic, taken);
  }
  send(message: OutgoingMessage): void {
    this.said.push(message);
  }
  again(): void {
    this.repeats++;
  }
}

describe("homes", () => {
  let folder: string;
  let announcedFile: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "sidetone-homes-"));
    announcedFile = join(folder, "announced.json");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const [line, homieLine] = [new Line(), new Line()];
  const faults: string[] = [];
  let nowMs = 0;
  function makeHomes(
    on: { homeAssistant?: boolean; homie?: boolean },
    fresh = { line: new Line(), homieLine: new Line() },
  ) {
    const asked: IncomingMessage[] = [];
    const options: HomesOptions = {
      config: {
        allow: [...REQUEST_VERBS],
        homeAssistant: {
          enabled: on.homeAssistant ?? false,
          prefix: "homeassistant",
          birthTopic: "homeassistant/status",
        },
        homie: { enabled: on.homie ?? false, domain: "homie" },
      },
      device: "office-1",
      topics,
      ...fresh,
      request: (message) => asked.push(message),
      descriptionVersion: 7,
      clock: { nowUs: () => 0 as never, monotonicMs: () => nowMs },
      announcedFile,
      logger: { debug: () => {}, info: () => {}, warn: () => {}, error: (text: string) => faults.push(text) } as never,
    };
    const homes = new Homes(options);
    homes.start();
    return { homes, asked, ...fresh };
  }
  const tell = (homes: Homes): void => {
    for (const name of SOURCES) homes.note(name, example(name));
  };
  const message = (topic: string, payload: string, isRetained = false): IncomingMessage => ({
    topic,
    payload: Buffer.from(payload),
    isRetained,
    isDuplicate: false,
    publisher: "user desk client x",
  });

  it("say nothing where both are off, and write nothing", () => {
    const { homes, ...lines } = makeHomes({});
    tell(homes);
    homes.noteAlarm("no-agents", true);
    homes.stop();
    expect([...lines.line.states, ...lines.homieLine.states, ...homes.notes]).toEqual([]);
    expect(() => readFileSync(announcedFile)).toThrow();
    expect(homes.take(message("homeassistant/status", "online"))).toBe(false);
    expect([line.states.size, homieLine.states.size]).toEqual([0, 0]);
  });

  it("announce to Home Assistant at once, and its version when that is known; a birth has everything said again", () => {
    const { homes, line } = makeHomes({ homeAssistant: true });
    const topic = "homeassistant/device/sidetone-office-1/config";
    expect(JSON.parse(line.states.get(topic)!).dev.sw_version).toBeUndefined();
    tell(homes);
    expect(JSON.parse(line.states.get(topic)!).dev.sw_version).toBe(example("info").version);
    expect([...line.states.keys()]).toEqual([topic]);
    expect(homes.notes).toEqual(["homeassistant/status"]);
    for (const [payload, isRetained, repeats] of [
      ["offline", false, 0],
      ["online", true, 0],
      ["online", false, 1],
    ] as const) {
      expect(homes.take(message("homeassistant/status", payload, isRetained))).toBe(true);
      expect(line.repeats).toBe(repeats);
    }
    // Whoever may publish there cannot have it all said for ever.
    homes.take(message("homeassistant/status", "online"));
    expect(line.repeats).toBe(1);
    nowMs += 5000;
    homes.take(message("homeassistant/status", "online"));
    expect(line.repeats).toBe(2);
  });

  it("are a Homie device: description, values, then ready; everything as the convention has it", () => {
    const { homes, homieLine, line } = makeHomes({ homie: true });
    const base = "homie/5/sidetone-office-1";
    expect(homieLine.states.get(`${base}/$state`)).toBe("init");
    for (const name of SOURCES.slice(0, -2)) homes.note(name as "info", example(name as "info"));
    expect(homieLine.states.get(`${base}/$state`)).toBe("init");
    tell(homes);
    expect([...homieLine.states].at(-1)).toEqual([`${base}/$state`, "ready"]);
    expect(line.states.size).toBe(0);
    const description = JSON.parse(homieLine.states.get(`${base}/$description`)!);
    expect(description).toMatchObject({ homie: "5.0", version: 7, name: "Sidetone office-1" });
    const faults = homieFaults(base, description, homieLine.states);
    expect(faults).toEqual([]);
    // What is not known is not there.
    homes.note("health", unknown);
    expect(homieLine.states.get(`${base}/box/temperature`)).toBe("");
    expect(homieLine.states.get(`${base}/recorder/alarm`)).toBe("true");
    expect(homieLine.states.get(`${base}/recorder/blocked`)).toBe("true");
    // What an earlier run left standing there is emptied, though this one has never raised it.
    homes.noteAlarm("engine-lost", false);
    expect(homieLine.states.get(`${base}/$alert/engine-lost`)).toBe("");
    homes.noteAlarm("disk-full", true);
    expect(homieLine.states.get(`${base}/$alert/disk-full`)).toMatch(/\w/);
    homes.noteAlarm("disk-full", false);
    expect(homieLine.states.get(`${base}/$alert/disk-full`)).toBe("");
    expect(homes.lastWill).toEqual({ topic: `${base}/$state`, payload: "lost" });
    homes.stop();
    expect([...homieLine.states].at(-1)).toEqual([`${base}/$state`, "disconnected"]);
  });

  it("a press is a request like any other, with whoever sent it; anything else is counted and does nothing", () => {
    const { homes, asked, homieLine } = makeHomes({ homie: true });
    const set = (id: string): string => `homie/5/sidetone-office-1/commands/${id}/set`;
    expect(homes.press).toBe("homie/5/sidetone-office-1/commands/+/set");
    expect(homes.take(message(set("pause-all"), "press"))).toBe(true);
    expect(asked.map(({ topic, payload, publisher }) => [topic, String(payload), publisher])).toEqual([
      ["sidetone/office-1/request/pause", '{"call":"all","reason":"home"}', "user desk client x"],
    ]);
    expect(homieLine.said).toEqual([
      { topic: "homie/5/sidetone-office-1/commands/pause-all", payload: "press", isRetained: false },
    ]);
    for (const odd of [
      message(set("pause-all"), "Press"),
      message(set("nothing"), "press"),
      message(set("restart"), "press", true),
    ])
      expect(homes.take(odd)).toBe(true);
    expect([asked.length, homes.counters]).toEqual([1, { presses: 1, ignored: 3 }]);
    expect(homes.take(message("sidetone/office-1/request/pause", "{}"))).toBe(false);
  });

  it("take back what an earlier run announced, the device's state first, and forget it when the broker has it", async () => {
    const first = makeHomes({ homeAssistant: true, homie: true });
    tell(first.homes);
    const { all } = new HomieTopics("homie", "office-1");
    expect(all).toEqual(expect.arrayContaining([...first.homieLine.states.keys()]));
    const announced = [...first.line.states.keys(), ...all];
    // The one that stays on is left alone.
    const second = makeHomes({ homeAssistant: true });
    const gone = [...second.line.states].filter(([, payload]) => payload === "").map(([topic]) => topic);
    expect(gone[0]).toBe("homie/5/sidetone-office-1/$state");
    expect(gone.toSorted()).toEqual(announced.filter((topic) => topic.startsWith("homie/")).toSorted());
    // Not acknowledged yet: once more by the next run.
    const third = makeHomes({});
    expect(third.line.states.size).toBe(announced.length);
    for (const taken of third.line.taken.values()) taken();
    await vi.waitFor(() => expect(() => readFileSync(announcedFile)).toThrow());
    expect(makeHomes({}).line.states.size).toBe(0);
  });

  it("say that their file is damaged, and go on", () => {
    for (const text of ["{", '{"topics":["a/#"]}', '{"topics":[7]}', "null"]) {
      faults.length = 0;
      writeFileSync(announcedFile, text);
      expect(makeHomes({ homeAssistant: true }).line.states.size).toBe(1);
      expect(faults.join()).toContain("is damaged");
    }
  });
});

interface Property {
  name?: string;
  datatype: string;
  format?: string;
  unit?: string;
  settable?: boolean;
  retained?: boolean;
}
interface Description {
  nodes: Record<string, { name: string; properties: Record<string, Property> }>;
}

const ID = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/** What the convention has against what was published, one line each. */
function homieFaults(base: string, { nodes }: Description, states: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  const described = new Map<string, Property>();
  for (const [node, { properties }] of Object.entries(nodes))
    for (const [id, property] of Object.entries(properties)) {
      if (!ID.test(node) || !ID.test(id)) found.push(`${node}/${id}: no id`);
      if (property.datatype === "enum" && !property.format) found.push(`${node}/${id}: an enum without format`);
      if (property.datatype === "boolean" && property.format?.split(",").length !== 2)
        found.push(`${node}/${id}: format`);
      described.set(`${base}/${node}/${id}`, property);
      const isThere = states.has(`${base}/${node}/${id}`);
      if (isThere === (property.retained === false))
        found.push(`${node}/${id}: ${isThere ? "is retained" : "has no value"}`);
    }
  for (const [topic, payload] of states) {
    if (topic.startsWith(`${base}/$`)) continue;
    const property = described.get(topic);
    if (property === undefined) found.push(`${topic}: not described`);
    else if (payload !== "" && !isPayload(property, payload))
      found.push(`${topic}: ${payload} is no ${property.datatype}`);
  }
  return found;
}

function isPayload({ datatype, format }: Property, payload: string): boolean {
  if (datatype === "integer") return /^-?\d+$/.test(payload);
  if (datatype === "float") return /^-?\d+(?:\.\d+)?(?:[eE]-?\d+)?$/.test(payload);
  if (datatype === "boolean") return payload === "true" || payload === "false";
  if (datatype === "enum") return format!.split(",").includes(payload);
  if (datatype === "datetime") return !Number.isNaN(Date.parse(payload));
  return datatype === "string";
}
