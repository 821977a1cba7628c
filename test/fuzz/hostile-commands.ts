// Messages to `request/<verb>` as a broker that lets everybody in would deliver them, by seed: commands that are right, those that are
// almost right, and whatever else bytes can be.
import type { IncomingMessage } from "../../device/mqtt/request.js";
import { makeRandom, randomInteger } from "../fakes/random.js";

const HOSTILE_TEXTS = [
  "",
  "__proto__",
  "constructor",
  "../../etc/passwd",
  "' OR 1=1; DROP TABLE calls; --",
  "%",
  "\u0000",
  "\ud800",
  "•set•",
  "&a *a",
  "- x\n- y",
  "{{7*7}}",
  "x".repeat(2000),
  "+33123456789",
  "١٢٣",
];
const HOSTILE_VALUES: readonly unknown[] = [
  ...HOSTILE_TEXTS,
  null,
  true,
  -1,
  0,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER,
  [],
  {},
  [[[]]],
  { __proto__: null, a: 1 },
  Array(40).fill("a"),
];

export interface Pools {
  /** Ids of calls that there are, and of calls that there are not. */
  calls: readonly string[];
  tags: readonly string[];
  alarms: readonly string[];
  /** Settings with values that are right and wrong. */
  settings: readonly (readonly [string, unknown])[];
  agents: readonly string[];
  numbers: readonly string[];
}

export class HostileCommands {
  readonly #random: () => number;
  readonly #pools: Pools;

  constructor(seed: number, pools: Pools) {
    this.#random = makeRandom(seed);
    this.#pools = pools;
  }

  next(): IncomingMessage {
    const [verb, body] = this.#command();
    const payload = this.#payload(body);
    return {
      topic: `sidetone/box/request/${this.#chance(0.03) ? this.#pick([...HOSTILE_TEXTS, "reboot", "a/b"]) : verb}`,
      payload,
      isRetained: this.#chance(0.03),
      isDuplicate: this.#chance(0.1),
      ...(this.#chance(0.1) && { responseTopic: this.#pick(["me/answers", "sidetone/box/state", "#", "a\u0000"]) }),
      ...(this.#chance(0.1) && { correlationData: Buffer.alloc(this.#below(1500), 7) }),
      ...(this.#chance(0.3) && { client: this.#pick([...HOSTILE_TEXTS, "node-red-7"]) }),
    };
  }

  chance(share: number): boolean {
    return this.#chance(share);
  }

  pick<Value>(values: readonly Value[]): Value {
    return this.#pick(values);
  }

  #command(): [string, Record<string, unknown>] {
    const make = this.#pick([
      () => this.#call(),
      () => this.#call(),
      () => this.#tag(),
      () => this.#tag(),
      () => this.#recordings(),
      () => this.#recordings(),
      () => this.#asks(),
      () => this.#alarms(),
      () => (this.#chance(0.5) ? this.#configuration() : this.#asks()),
      () => this.#restart(),
    ]);
    return make();
  }

  #call(): [string, Record<string, unknown>] {
    const verb = this.#pick(["consent", "pause", "resume", "start", "stop", "calls"]);
    const call = this.#pick<unknown>([
      "all",
      { id: this.#pick(this.#pools.calls) },
      { agent: "21" },
      { sipCallId: "a" },
    ]);
    return [verb, verb === "calls" ? {} : { call, reason: "r", ...(verb === "consent" && { effect: "granted" }) }];
  }

  #tag(): [string, Record<string, unknown>] {
    // More are put on than taken off: calls come to have as many as they may.
    const some = (most: number): string[] =>
      Array.from({ length: this.#below(most) }, () => this.#pick(this.#pools.tags));
    return ["tag", { call: { id: this.#pick(this.#pools.calls) }, add: some(8), remove: some(3) }];
  }

  #recordings(): [string, Record<string, unknown>] {
    const { agents, numbers, tags } = this.#pools;
    const all: [string, unknown][] = [
      ["from", this.#pick(["2026-11-01", "2026-11-02T10:00:00Z", "2026-02-31", "yesterday"])],
      ["to", this.#pick(["2026-11-02", "2026-11-03", "1970-01-01"])],
      ["agent", this.#pick(agents)],
      ["number", this.#pick([...numbers, "4567", "%"])],
      ["consent", this.#pick(["granted", "refused", "maybe"])],
      ["policy", this.#pick(["agent-only", "none"])],
      ["minDurationMs", this.#pick([0, 60_000, -1])],
      ["maxDurationMs", this.#pick([1000, 9_000_000])],
      ["tag", this.#pick(tags)],
      ["outcome", this.#pick(["any", "recorded", "not-answered"])],
      ["cursor", this.#pick(["", "MTc2MTk1NTIwMDAwMDAwMC4x", "zzz"])],
    ];
    const limit = this.#chance(0.9) ? { limit: this.#pick([1, 5, 10, 101]) } : {};
    return ["recordings", { ...Object.fromEntries(all.filter(() => this.#chance(0.25))), ...limit }];
  }

  #asks(): [string, Record<string, unknown>] {
    const verb = this.#pick(["health", "span", "self-test", "completeness"]);
    if (verb !== "completeness") return [verb, {}];
    return [verb, this.#pick([{}, { from: "2026-11-01", to: "2026-11-02", by: "hour" }, { from: "1990-01-01" }])];
  }

  #alarms(): [string, Record<string, unknown>] {
    if (this.#chance(0.4)) return ["alarms", this.#pick([{}, { action: "list" }])];
    return ["alarms", { action: "acknowledge", code: this.#pick(this.#pools.alarms) }];
  }

  #configuration(): [string, Record<string, unknown>] {
    if (this.#chance(0.2))
      return ["configuration", { action: "get", section: this.#pick(["mqtt", "call", "consent", "nothing"]) }];
    const count = this.#chance(0.7) ? 1 : 2 + this.#below(2);
    const values = Object.fromEntries(Array.from({ length: count }, () => this.#pick(this.#pools.settings)));
    return ["configuration", { action: "set", values, dryRun: this.#chance(0.2) }];
  }

  #restart(): [string, Record<string, unknown>] {
    return ["restart", { when: this.#pick(["idle", "now", "idle", "never"]), reason: "r" }];
  }

  /** Two of three as they are; the others with something wrong, up to no JSON at all. */
  #payload(body: Record<string, unknown>): Buffer {
    const whole = { ...body, ...(this.#chance(0.5) && { transaction: this.#below(50) }) };
    if (this.#chance(0.66)) return Buffer.from(JSON.stringify(whole));
    const text = JSON.stringify(this.#spoil(whole));
    const spoiled: (() => Buffer)[] = [
      () => Buffer.from(text),
      () => Buffer.from(text),
      () => Buffer.from(text),
      () => Buffer.from(text.replace(/\{"/, '{"__proto__":{"call":"all"},"')),
      ...Array.from(
        { length: Object.hasOwn(body, "values") ? 5 : 1 },
        () => () => Buffer.from(JSON.stringify(whole).replaceAll(':{"', ':{"__proto__":{"polluted":1},"')),
      ),
      () => Buffer.from(text).subarray(0, this.#below(text.length + 1)),
      () => Buffer.from(`{"values":{"consent.rules":${"[".repeat(7000)}${"]".repeat(7000)}},"action":"set"}`),
      () => Buffer.from(`{"reason":"${"x".repeat(this.#below(20_000))}"}`),
      () => Buffer.from(Array.from({ length: this.#below(100) }, () => this.#below(256))),
    ];
    return this.#pick(spoiled)();
  }

  #spoil(body: Record<string, unknown>): Record<string, unknown> {
    const keys = Object.keys(body);
    const key =
      this.#chance(0.7) && keys.length > 0 ? this.#pick(keys) : this.#pick(["verb", "id", "x", "__proto__", "by"]);
    const inner = body[key];
    const value =
      this.#chance(0.4) && typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? {
            ...inner,
            [this.#pick(["id", "x", "call.tailMs", "mqtt.allow", "constructor"])]: this.#pick(HOSTILE_VALUES),
          }
        : this.#pick(HOSTILE_VALUES);
    return { ...body, [key]: value };
  }

  #pick<Value>(values: readonly Value[]): Value {
    return values[this.#below(values.length)]!;
  }

  #below(limit: number): number {
    return randomInteger(this.#random, limit);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }
}
