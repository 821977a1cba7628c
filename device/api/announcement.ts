// What a box says of itself by multicast DNS, and which questions it answers (RFC 6762, RFC 6763): records and packets as values. Opens
// no socket. Names are unique without being tried out (§8.1), for they hold the beginning of the box's key.
import type { Answer, Packet, Question } from "dns-packet";
import { ALL_SERVICES, type AnnouncedFacts, SERVICE_TYPE } from "../contract/discovery.js";

/** RFC 6762 §10. */
const HOST_TTL_S = 120;
const OTHER_TTL_S = 4500;
/** §6.7: of an answer to somebody who is not in the group. */
const LEGACY_TTL_S = 10;
/** RFC 1035 §2.3.4, bytes. */
const MAX_LABEL_BYTES = 63;

export interface Announced {
  /** The box's name. */
  device: string;
  /** Lower-case hexadecimal, of the box's key: no two boxes share it. */
  keyId: string;
  port: number;
  facts: AnnouncedFacts;
}

export class Announcement {
  readonly instance: string;
  readonly host: string;
  readonly #announced: Announced;

  constructor(announced: Announced) {
    this.#announced = announced;
    this.instance = `${labelOf(announced.device, ` [${announced.keyId}]`)}.${SERVICE_TYPE}`;
    this.host = `sidetone-${announced.keyId}.local`;
  }

  /** All of it, as it is announced and answered; `isOver`: nothing of it is true any more (§10.1). */
  packet(addresses: readonly string[], isOver = false): Packet {
    const records = this.#records(addresses).map((record) => (isOver ? { ...record, ttl: 0 } : record));
    return { type: "response", flags: AUTHORITATIVE, answers: records };
  }

  /** §6.7, for somebody who asks from another port: his question comes back, and nothing is to be kept for long. */
  legacyPacket(query: Packet, addresses: readonly string[]): Packet {
    const answers = this.#records(addresses).map((record) => ({ ...record, ttl: LEGACY_TTL_S, flush: false }));
    const questions = (query.questions ?? []).slice(0, 1);
    return { type: "response", id: query.id ?? 0, flags: AUTHORITATIVE, questions, answers };
  }

  /** Whether the box is asked for, and does not see that it is known already (§7.1). */
  isAsked({ questions = [], answers = [] }: Packet): boolean {
    const asked = questions.filter((question) => this.#isOurs(question));
    if (asked.length === 0) return false;
    const isForInstances = asked.every(({ type, name }) => type === "PTR" && equals(name, SERVICE_TYPE));
    return !(isForInstances && answers.some((answer) => this.#isKnown(answer)));
  }

  #isOurs({ name, type }: Question): boolean {
    // The types have no ANY (RFC 1035 §3.2.3), the wire has.
    const isAny = (type as string) === "ANY";
    if (equals(name, SERVICE_TYPE) || equals(name, ALL_SERVICES)) return isAny || type === "PTR";
    if (equals(name, this.instance)) return isAny || type === "SRV" || type === "TXT";
    return equals(name, this.host) && (isAny || type === "A" || type === "AAAA");
  }

  #isKnown(answer: Answer): boolean {
    if (answer.type !== "PTR" || !equals(answer.name, SERVICE_TYPE)) return false;
    return equals(answer.data, this.instance) && (answer.ttl ?? 0) >= OTHER_TTL_S / 2;
  }

  #records(addresses: readonly string[]): (Answer & { ttl: number; flush?: boolean })[] {
    const { port, facts } = this.#announced;
    const { instance, host } = this;
    const data = Object.entries(facts).map(([key, value]) => `${key}=${value}`.slice(0, 200));
    return [
      { type: "PTR", name: SERVICE_TYPE, ttl: OTHER_TTL_S, data: instance },
      { type: "PTR", name: ALL_SERVICES, ttl: OTHER_TTL_S, data: SERVICE_TYPE },
      {
        type: "SRV",
        name: instance,
        ttl: HOST_TTL_S,
        flush: true,
        data: { port, target: host, priority: 0, weight: 0 },
      },
      { type: "TXT", name: instance, ttl: OTHER_TTL_S, flush: true, data },
      ...addresses.map((address) => ({
        ...{ type: address.includes(":") ? ("AAAA" as const) : ("A" as const), name: host },
        ...{ ttl: HOST_TTL_S, flush: true, data: address },
      })),
    ];
  }
}

/** AA, RFC 6762 §18.4. */
const AUTHORITATIVE = 0x0400;

/** Names have no case (§16). */
function equals(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** A dot would make two labels of one. */
function labelOf(text: string, end: string): string {
  const characters = [...text.replaceAll(/[.\\\p{Cc}]/gu, "-")];
  while (Buffer.byteLength(characters.join("") + end) > MAX_LABEL_BYTES) characters.pop();
  return characters.join("") + end;
}
