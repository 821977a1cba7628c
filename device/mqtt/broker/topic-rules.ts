// What clients of the box's own broker may publish and read. Below `sidetone/` and on every topic that the box keeps a
// retained message on, the box alone publishes; a client with the right to command sends requests. Pure.
import type { BrokerRights } from "../../contract/config-broker.js";
import { MQTT_ROOT } from "../../contract/mqtt.js";

const MAX_TOPIC_CHARACTERS = 256;
/** Topics with retained messages of the box: alarms, states, what a home is told about it. */
const MAX_OWN_TOPICS = 4096;

/** `request`: the box takes it. `relayed`: nothing of the box's; those who subscribe to it get it, and it is not kept. */
export type PublishVerdict = "request" | "relayed" | "no-right" | "refused";

export class TopicRules {
  private readonly requests: readonly string[];
  private readonly own = new Set<string>();

  /** `requests`: filters of what the box takes as a command. */
  constructor(requests: readonly string[]) {
    this.requests = requests;
  }

  /** The box publishes on it, retained. */
  noteOwn(topic: string): void {
    if (this.own.size < MAX_OWN_TOPICS) this.own.add(topic);
  }

  judge(topic: string, rights: BrokerRights): PublishVerdict {
    if (topic.length > MAX_TOPIC_CHARACTERS || topic.startsWith("$")) return "refused";
    if (this.isRequest(topic)) return rights === "command" ? "request" : "no-right";
    const [root] = topic.split("/", 1);
    return root === MQTT_ROOT || this.own.has(topic) ? "refused" : "relayed";
  }

  maySubscribe(filter: string): boolean {
    return filter.length <= MAX_TOPIC_CHARACTERS && !filter.startsWith("$");
  }

  /** What a client asks the box is nobody else's to read. */
  isRequest(topic: string): boolean {
    return matchesAny(this.requests, topic);
  }
}

export function matchesAny(filters: readonly string[], topic: string): boolean {
  return filters.some((filter) => matches(filter, topic));
}

/** MQTT 3.1.1 §4.7.1: `+` is one level, `#` at the end is all further ones and the level above. */
export function matches(filter: string, topic: string): boolean {
  const wanted = filter.split("/");
  const levels = topic.split("/");
  for (const [place, level] of wanted.entries()) {
    if (level === "#") return true;
    if (place >= levels.length || (level !== "+" && level !== levels[place])) return false;
  }
  return wanted.length === levels.length;
}
