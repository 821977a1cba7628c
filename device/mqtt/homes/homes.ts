// Home Assistant and Homie as they are switched on: what of the box's states they are told and when, what they may press, and what is
// taken back when one is switched off. Publishes through lines that it is given; a press is a request like any other.
import type { Clock } from "../../base/clock.js";
import type { Logger } from "../../base/logger.js";
import { ALARMS, type AlarmCode } from "../../contract/alarms.js";
import type { Config } from "../../contract/config.js";
import type { BoxInfo } from "../../contract/health.js";
import type { RetainedStates } from "../../contract/mqtt.js";
import type { OutgoingMessage } from "../outbox.js";
import type { IncomingMessage } from "../request.js";
import type { Topics } from "../topics.js";
import { AnnouncedTopics } from "./announced.js";
import { HOME_ASSISTANT_ONLINE, homeAssistantConfig, homeAssistantTopic } from "./home-assistant.js";
import { HOMIE_PRESS, type HomieState, HomieTopics, homieDescription, homieValues } from "./homie.js";
import { HOME_READINGS, type HomeSource } from "./model.js";

const REPEAT_PAUSE_MS = 5000;

/** Where messages go out: retained states, of which the newest stands, and what is said once. */
export interface HomeLine {
  setState(topic: string, payload: string, taken?: () => void): void;
  send(message: OutgoingMessage): void;
  /** Everything retained goes out again. */
  again(): void;
}

export interface HomesOptions {
  config: Pick<Config["mqtt"], "allow" | "homeAssistant" | "homie">;
  device: string;
  topics: Topics;
  /** The box's own connection. */
  line: HomeLine;
  /** Homie's, whose last will is its own. */
  homieLine: HomeLine;
  /** Takes a request. */
  request(message: IncomingMessage): void;
  /** Grows with every start of the box. */
  descriptionVersion: number;
  clock: Clock;
  /** Where what was announced is kept; without it nothing is taken back. */
  announcedFile: string | undefined;
  logger: Logger;
}

export class Homes {
  /** Presses of what is no button, and what is no press. */
  readonly counters = { presses: 0, ignored: 0 };
  private readonly options: HomesOptions;
  private readonly homie: HomieTopics;
  private readonly announced: AnnouncedTopics | undefined;
  /** Homie's sources whose values have come: it is ready when all have. */
  private readonly awaited = new Set<HomeSource>(HOME_READINGS.map(({ source }) => source));
  private homieState: HomieState = "init";
  private version = "";
  private repeatedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: HomesOptions) {
    this.options = options;
    const { config, device, announcedFile, logger } = options;
    this.homie = new HomieTopics(config.homie.domain, device);
    this.announced =
      announcedFile === undefined ? undefined : new AnnouncedTopics(announcedFile, (m) => logger.error(m));
  }

  /** Beside requests, what the box's own connection is to be told of. */
  get notes(): string[] {
    const { homeAssistant } = this.options.config;
    return homeAssistant.enabled ? [homeAssistant.birthTopic] : [];
  }

  /** Filter of Homie's presses. */
  get press(): string {
    return this.homie.set;
  }

  /** Of Homie's connection. */
  get lastWill(): { topic: string; payload: HomieState } {
    return { topic: this.homie.state, payload: "lost" };
  }

  start(): void {
    const { config, device, homieLine, descriptionVersion } = this.options;
    this.takeBack();
    if (config.homeAssistant.enabled) this.announceToHomeAssistant();
    if (!config.homie.enabled) return;
    const description = homieDescription(device, descriptionVersion, config.allow);
    this.announce(this.homie.all);
    homieLine.setState(this.homie.description, JSON.stringify(description));
    this.setHomieState("init");
  }

  note<Name extends keyof RetainedStates>(name: Name, state: RetainedStates[Name]): void {
    const { config, homieLine } = this.options;
    if (name === "info" && config.homeAssistant.enabled) {
      this.version = (state as BoxInfo).version;
      this.announceToHomeAssistant();
    }
    if (!config.homie.enabled || name === "anchor") return;
    const values = homieValues(this.homie, name as HomeSource, state);
    for (const { topic, payload } of values) homieLine.setState(topic, payload);
    this.awaited.delete(name as HomeSource);
    if (this.awaited.size === 0 && this.homieState === "init") this.setHomieState("ready");
  }

  noteAlarm(code: AlarmCode, isStanding: boolean): void {
    if (!this.options.config.homie.enabled) return;
    this.options.homieLine.setState(this.homie.alert(code), isStanding ? ALARMS[code].title : "");
  }

  /** Whether the message was for a home. */
  take(message: IncomingMessage): boolean {
    const { config } = this.options;
    const { topic, payload } = message;
    if (config.homeAssistant.enabled && topic === config.homeAssistant.birthTopic) {
      // A broker repeats a retained birth at each connect, when everything goes out anyway.
      if (!message.isRetained && textOf(payload) === HOME_ASSISTANT_ONLINE) this.repeat();
      return true;
    }
    if (!config.homie.enabled || !topic.startsWith(`${this.homie.base}/`)) return false;
    this.carryOut(message);
    return true;
  }

  /** On purpose; before the connection ends. */
  stop(): void {
    if (this.options.config.homie.enabled) this.setHomieState("disconnected");
  }

  /** Anybody who may publish there has everything said again: not more often than it is of use. */
  private repeat(): void {
    const nowMs = this.options.clock.monotonicMs();
    if (nowMs - this.repeatedAtMs < REPEAT_PAUSE_MS) return;
    this.repeatedAtMs = nowMs;
    this.options.line.again();
  }

  /** A retained press would be repeated at each connect. */
  private carryOut(message: IncomingMessage): void {
    const { config, topics, homieLine, request } = this.options;
    const button = this.homie.button(message.topic);
    const isThere = button !== undefined && config.allow.includes(button.verb);
    if (!isThere || message.isRetained || textOf(message.payload) !== HOMIE_PRESS) {
      this.counters.ignored++;
      return;
    }
    this.counters.presses++;
    const { responseTopic: _, correlationData: __, ...rest } = message;
    request({ ...rest, topic: topics.request(button.verb), payload: Buffer.from(JSON.stringify(button.body)) });
    // The convention closes the loop with the value itself.
    homieLine.send({ topic: this.homie.property("commands", button.id), payload: HOMIE_PRESS, isRetained: false });
  }

  private announceToHomeAssistant(): void {
    const { config, device, topics, line } = this.options;
    const topic = homeAssistantTopic(config.homeAssistant.prefix, device);
    this.announce([topic]);
    const { version } = this;
    line.setState(topic, JSON.stringify(homeAssistantConfig({ device, version, topics, allow: config.allow })));
  }

  private setHomieState(state: HomieState): void {
    this.homieState = state;
    this.options.homieLine.setState(this.homie.state, state);
  }

  private announce(topics: readonly string[]): void {
    this.announced?.note(topics);
  }

  /** What an earlier run announced and this one does not: the device's state first, as Homie has it. */
  private takeBack(): void {
    const { config, device, line } = this.options;
    const stays = (topic: string): boolean =>
      (config.homie.enabled && topic.startsWith(`${this.homie.base}/`)) ||
      (config.homeAssistant.enabled && topic === homeAssistantTopic(config.homeAssistant.prefix, device));
    const gone = this.announced?.topics.filter((topic) => !stays(topic)) ?? [];
    const first = gone.filter((topic) => topic.endsWith("/$state"));
    for (const topic of new Set([...first, ...gone])) line.setState(topic, "", () => this.announced?.forget(topic));
  }
}

function textOf(payload: Uint8Array): string {
  return Buffer.from(payload).toString("utf8");
}
