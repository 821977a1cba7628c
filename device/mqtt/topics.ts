// The topic names of one box, `sidetone/<device>/…`, and which topics a response may go to. Names from outside (the
// device's, a requester's) are made harmless or refused here; MQTT 5 §4.7 says what a topic name may hold.
import type { AlarmCode } from "../contract/alarms.js";
import { MQTT_ROOT, type MqttEventKind, type RequestVerb, type RetainedStates } from "../contract/mqtt.js";

const MAX_LEVEL_CHARACTERS = 64;
const MAX_RESPONSE_TOPIC_CHARACTERS = 512;
/** Control characters, surrogates, unassigned code points and non-characters, wildcards, the level separator. */
const UNSAFE_IN_LEVEL = /[\p{Cc}\p{Cs}\p{Cn}+#/]/gu;
const UNSAFE_IN_TOPIC = /[\p{Cc}\p{Cs}\p{Cn}+#]/u;
/** Only such a verb is repeated in the name of a response topic. */
const VERB = /^[A-Za-z0-9_-]{1,32}$/;
const NO_VERB = "unknown";

export class Topics {
  readonly base: string;
  readonly state: string;
  /** What is subscribed to. */
  readonly requests: string;

  constructor(device: string) {
    this.base = `${MQTT_ROOT}/${safeLevel(device)}`;
    this.state = `${this.base}/state`;
    this.requests = `${this.base}/request/+`;
  }

  retained(name: keyof RetainedStates): string {
    return `${this.base}/${name}`;
  }

  alarm(code: AlarmCode): string {
    return `${this.base}/alarm/${code}`;
  }

  event(kind: MqttEventKind): string {
    return `${this.base}/event/${kind}`;
  }

  request(verb: RequestVerb): string {
    return `${this.base}/request/${verb}`;
  }

  response(verb: string): string {
    return `${this.base}/response/${VERB.test(verb) ? verb : NO_VERB}`;
  }

  /** The last level of a request's topic, as it is; undefined for any other topic. */
  verbOf(topic: string): string | undefined {
    const prefix = this.requests.slice(0, -1);
    return topic.startsWith(prefix) ? topic.slice(prefix.length) : undefined;
  }
}

/**
 * Whether a response may go to a topic that the requester names (MQTT 5 §3.3.2.3.5). The box publishes there with its own
 * rights, so never below `sidetone/` but to responses: a requester must not set states, raise events or send commands
 * through it. Everything else is the broker's access control to say.
 */
export function isResponseTopic(topic: string): boolean {
  if (topic === "" || topic.length > MAX_RESPONSE_TOPIC_CHARACTERS || UNSAFE_IN_TOPIC.test(topic)) return false;
  if (topic.startsWith("$")) return false;
  const [root, , third] = topic.split("/");
  return root !== MQTT_ROOT || third === "response";
}

/** A name as one level of a topic; never empty, at most 64 characters. */
export function safeLevel(name: string): string {
  const safe = [...name.replace(UNSAFE_IN_LEVEL, "_").trim()].slice(0, MAX_LEVEL_CHARACTERS).join("");
  return safe === "" ? "box" : safe;
}
