// Requests under way: limits, second deliveries, a desk that is slow or fails, and whatever a hostile client can send.
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LogFields, Logger } from "../../../device/base/logger.js";
import {
  type ActiveCall,
  type CallCommand,
  type CommandDesk,
  type CommandResult,
  commandSchema,
} from "../../../device/contract/commands.js";
import { MQTT_ERROR_CODES, REQUEST_VERBS } from "../../../device/contract/mqtt.js";
import type { OutgoingMessage } from "../../../device/mqtt/outbox.js";
import { MAX_REMEMBERED, REMEMBERED_MS } from "../../../device/mqtt/recent-answers.js";
import type { IncomingMessage } from "../../../device/mqtt/request.js";
import { ANSWER_TIMEOUT_MS, MAX_UNDER_WAY, Requests } from "../../../device/mqtt/requests.js";
import { Topics } from "../../../device/mqtt/topics.js";
import { NoBox } from "../../fakes/box-desk.js";

class Desk implements CommandDesk {
  readonly commands: CallCommand[] = [];
  readonly open: { settle(result: CommandResult): void; fail(error: Error): void }[] = [];
  isSlow = false;
  calls: ActiveCall[] = [];
  submit(command: CallCommand): Promise<CommandResult> {
    this.commands.push(command);
    if (!this.isSlow) return Promise.resolve({ ok: true, calls: this.calls });
    return new Promise((settle, fail) => this.open.push({ settle, fail }));
  }
}
const done: CommandResult = { ok: true, calls: [] };

function setUp(numbers: "full" | "masked" | "none" = "masked") {
  const desk = new Desk();
  const sent: OutgoingMessage[] = [];
  const errors: string[] = [];
  const quiet = () => {};
  const error = (message: string, fields?: LogFields) => errors.push(message + JSON.stringify(fields));
  const logger: Logger = { debug: quiet, info: quiet, warn: quiet, error };
  let nowMs = 0;
  const requests = new Requests({
    config: { allow: [...REQUEST_VERBS], numbers },
    topics: new Topics("box"),
    desk,
    box: new NoBox(),
    clock: { nowUs: () => nowMs * 1000, monotonicMs: () => nowMs },
    logger,
    send: (message) => sent.push(message),
  });
  const take = (verb: string, payload: unknown, more: Partial<IncomingMessage> = {}) =>
    requests.take({
      topic: `sidetone/box/request/${verb}`,
      payload: Buffer.from(JSON.stringify(payload)),
      isRetained: false,
      isDuplicate: false,
      ...more,
    });
  const answers = () => sent.map(({ payload }) => JSON.parse(payload));
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { desk, sent, errors, requests, take, answers, pass };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("Requests", () => {
  it("answers once when the response topic is the usual one, else on both", async () => {
    const { sent, take } = setUp();
    take("calls", {}, { responseTopic: "sidetone/box/response/calls" });
    take("calls", {}, { responseTopic: "me", correlationData: Buffer.from("7") });
    await settled();
    expect(sent.map(({ topic, correlationData }) => [topic, correlationData?.toString()])).toEqual([
      ["sidetone/box/response/calls", undefined],
      ["sidetone/box/response/calls", "7"],
      ["me", "7"],
    ]);
    expect(sent.every(({ isRetained }) => !isRetained)).toBe(true);
  });

  it("has at most 64 under way; beyond it the answer is busy, and places come free again", async () => {
    const { desk, requests, take, answers } = setUp();
    desk.isSlow = true;
    for (let i = 0; i < MAX_UNDER_WAY + 100; i++) take("pause", { call: "all", transaction: i });
    expect(desk.commands).toHaveLength(MAX_UNDER_WAY);
    await settled();
    expect(answers().map(({ error, transaction }) => [error.code, transaction])).toEqual(
      Array.from({ length: 100 }, (_, i) => ["busy", MAX_UNDER_WAY + i]),
    );
    expect(requests.counters.busy).toBe(100);
    desk.open[0]!.settle(done);
    await settled();
    take("pause", { call: "all", transaction: "again" });
    take("pause", { call: "all", transaction: "too much" });
    expect(desk.commands).toHaveLength(MAX_UNDER_WAY + 1);
    for (const { settle } of desk.open) settle(done);
    await requests.idle();
    expect(answers().filter(({ status }) => status === "ok")).toHaveLength(MAX_UNDER_WAY + 1);
  });

  it("submits in the order of coming", async () => {
    const { desk, take } = setUp();
    for (const verb of ["pause", "resume", "pause"]) take(verb, { call: "all" });
    expect(desk.commands.map(({ body }) => body.verb)).toEqual(["pause", "resume", "pause"]);
  });

  describe("a second delivery", () => {
    const request = { call: "all", transaction: 5 };
    it("gets the same answer and is not carried out, also while the first is under way", async () => {
      const { desk, requests, take, answers } = setUp();
      desk.isSlow = true;
      take("pause", request);
      take("pause", request, { isDuplicate: true });
      desk.open[0]!.settle({ ok: false, error: "call-not-found", message: "none" });
      await settled();
      take("pause", request, { isDuplicate: true });
      await settled();
      expect(desk.commands).toHaveLength(1);
      expect(answers()).toEqual(Array(3).fill(answers()[0]));
      expect(answers()[0]).toMatchObject({ error: { code: "call-not-found" }, transaction: 5 });
      expect(requests.counters.duplicates).toBe(2);
    });

    it.each<[string, string, unknown, Partial<IncomingMessage>]>([
      ["is one only with the flag", "pause", request, { isDuplicate: false }],
      ["is not another request with the same transaction", "pause", { ...request, reason: "x" }, {}],
      ["is not another verb", "resume", request, {}],
      ["is not another client's", "pause", request, { client: "b" }],
      ["is not another's by its correlation data", "pause", request, { correlationData: Buffer.from("b") }],
      ["is not another's by its response topic", "pause", request, { responseTopic: "b" }],
    ])("%s", async (_what, verb, payload, more) => {
      const { desk, take } = setUp();
      take("pause", request);
      take(verb, payload, { isDuplicate: true, ...more });
      expect(desk.commands).toHaveLength(2);
    });

    it("is carried out without a transaction, and when it only asks", async () => {
      const { desk, take } = setUp();
      for (const isDuplicate of [false, true]) take("pause", { call: "all" }, { isDuplicate });
      for (const isDuplicate of [false, true]) take("calls", { transaction: 1 }, { isDuplicate });
      expect(desk.commands).toHaveLength(4);
    });

    it("is known for a minute", async () => {
      const { desk, take, pass } = setUp();
      take("pause", request);
      pass(REMEMBERED_MS - 1);
      take("pause", request, { isDuplicate: true });
      expect(desk.commands).toHaveLength(1);
      pass(1);
      take("pause", request, { isDuplicate: true });
      expect(desk.commands).toHaveLength(2);
    });

    it("is remembered of the newest only", async () => {
      const { desk, take } = setUp();
      for (let i = 0; i <= MAX_REMEMBERED; i++) {
        take("pause", { call: "all", transaction: i });
        await settled();
      }
      const before = desk.commands.length;
      for (const transaction of [1, MAX_REMEMBERED]) take("pause", { call: "all", transaction }, { isDuplicate: true });
      expect(desk.commands).toHaveLength(before);
      await settled();
      take("pause", { call: "all", transaction: 0 }, { isDuplicate: true });
      expect(desk.commands).toHaveLength(before + 1);
    });
  });

  describe("a desk that", () => {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it("is too slow: the requester hears of it once, and the place stays taken", async () => {
      const { desk, requests, take, answers } = setUp();
      desk.isSlow = true;
      for (let i = 0; i < MAX_UNDER_WAY; i++) take("pause", { call: "all" });
      vi.advanceTimersByTime(ANSWER_TIMEOUT_MS);
      await settled();
      expect(answers().map(({ error }) => error.code)).toEqual(Array(MAX_UNDER_WAY).fill("timeout"));
      take("pause", { call: "all" });
      expect(answers().at(-1).error.code).toBe("busy");
      for (const { settle } of desk.open) settle(done);
      await requests.idle();
      expect(answers()).toHaveLength(MAX_UNDER_WAY + 1);
      expect(requests.counters.timeouts).toBe(MAX_UNDER_WAY);
    });

    it("fails: the requester hears of it, and the log", async () => {
      const { desk, errors, take, answers } = setUp();
      desk.isSlow = true;
      take("pause", { call: "all", transaction: "t" });
      desk.open[0]!.fail(new Error("broken"));
      await settled();
      expect(answers()).toMatchObject([{ error: { code: "internal" }, transaction: "t" }]);
      expect(errors).toEqual([expect.stringContaining("broken")]);
    });
  });

  it("lists as many calls as one message holds, and says how many are left out", async () => {
    const { desk, sent, take } = setUp();
    const call = { id: "x", sipCallIds: ["y".repeat(500)], parties: [], secret: "inside" } as unknown as ActiveCall;
    desk.calls = Array(20_000).fill(call);
    take("calls", {});
    await settled();
    const { data } = JSON.parse(sent[0]!.payload);
    expect(sent[0]!.payload.length).toBeLessThan(66_000);
    expect(data.calls.length).toBeGreaterThan(90);
    expect(data.calls.length + data.omitted).toBe(20_000);
    expect(sent[0]!.payload).not.toContain("inside");
  });

  it.each([
    ["full", "03012345678", "of 03012345678"],
    ["masked", "•••678", "of •••"],
    ["none", undefined, "of •••"],
  ] as const)("shows numbers as configured: %s", async (numbers, shown, message) => {
    const { desk, take, answers } = setUp(numbers);
    const party = { role: "caller", side: "originator", number: "03012345678", consent: "unknown", isRecorded: false };
    desk.calls = [{ id: "x", sipCallIds: [], parties: [party] } as unknown as ActiveCall];
    take("calls", {});
    await settled();
    expect(answers()[0].data.calls[0].parties[0].number).toBe(shown);
    desk.isSlow = true;
    take("calls", {});
    desk.open[0]!.settle({ ok: false, error: "call-not-found", message: "of 03012345678" });
    await settled();
    expect(answers()[1].error.message).toBe(message);
  });
});

describe("hostile messages", () => {
  const key = fc.constantFrom(
    "call",
    "verb",
    "reason",
    "transaction",
    "effect",
    "party",
    "__proto__",
    "constructor",
    "id",
  );
  const text = fc.oneof(
    fc.constantFrom("all", "pause", "granted", "caller", "01J00000000000000000000000"),
    fc.string(),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      text,
      fc.double(),
      fc.constantFrom(null, true, 0, 1e308),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.array(fc.tuple(key, tie("value")), { maxLength: 5 }).map((entries) => {
        const object = {};
        for (const [name, member] of entries)
          Object.defineProperty(object, name, { value: member, enumerable: true, configurable: true });
        return object;
      }),
    ),
  }));
  const payload = fc.oneof(
    value.map((content) => Buffer.from(JSON.stringify(content))),
    value.map((content) => Buffer.from(JSON.stringify(content)).subarray(1)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.nat(20_000).map((depth) => Buffer.from(`{"call":${"[".repeat(depth)}${"]".repeat(depth)}}`)),
    fc.nat(20_000).map((length) => Buffer.from(`{"call":"all","reason":"${"x".repeat(length)}"}`)),
  );
  const hostile: fc.Arbitrary<IncomingMessage> = fc
    .record(
      {
        verb: fc.oneof(fc.constantFrom(...REQUEST_VERBS), fc.string({ unit: "binary" })),
        payload,
        isRetained: fc.boolean(),
        isDuplicate: fc.boolean(),
        responseTopic: fc.oneof(fc.constantFrom("a/b", "sidetone/box/state", "#"), fc.string({ unit: "binary" })),
        correlationData: fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
        client: fc.string({ unit: "binary", maxLength: 300 }),
      },
      { requiredKeys: ["verb", "payload", "isRetained", "isDuplicate"] },
    )
    .map(({ verb, ...rest }) => ({ topic: `sidetone/box/request/${verb}`, ...rest }));

  it("never throw, never reach the desk unless they are commands, and get one bounded answer each", async () => {
    const untouched = Object.getOwnPropertyNames(Object.prototype);
    await fc.assert(
      fc.asyncProperty(fc.array(hostile, { maxLength: 20 }), async (messages) => {
        const { desk, sent, requests } = setUp();
        for (const message of messages) requests.take(message);
        await requests.idle();
        await settled();
        for (const { body, by, source } of desk.commands) {
          expect(commandSchema.safeParse(body).success).toBe(true);
          expect(source).toBe("mqtt");
          expect(by).toMatch(/^mqtt( client .{1,128})?$/su);
        }
        const expected = messages.filter(({ isRetained, payload }) => !isRetained || payload.length > 0).length;
        expect(sent.filter(({ topic }) => topic.startsWith("sidetone/box/response/"))).toHaveLength(expected);
        for (const { topic, payload } of sent) {
          expect(topic).not.toMatch(/[+#\0]|\/state$/);
          expect(payload.length).toBeLessThan(2000);
          const { status, error } = JSON.parse(payload);
          if (status === "error") expect(Object.hasOwn(MQTT_ERROR_CODES, error.code)).toBe(true);
          else expect(status).toBe("ok");
        }
        // What reached the desk is what a reader of the same bytes finds, and was not retained.
        const plain = messages
          .filter(({ isRetained }) => !isRetained)
          .map(({ payload }) => Buffer.from(payload).toString());
        for (const { body } of desk.commands) {
          const given = plain.some((content) => {
            const { transaction: _, verb: __, ...rest } = content === "" ? {} : JSON.parse(safe(content));
            return Object.entries(rest).every(([name, member]) =>
              same((body as Record<string, unknown>)[name], member),
            );
          });
          expect(given).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(untouched);
    expect(({} as Record<string, unknown>)["call"]).toBeUndefined();
  });

  const safe = (content: string) => {
    try {
      return typeof JSON.parse(content) === "object" && JSON.parse(content) !== null ? content : '{"none":1}';
    } catch {
      return '{"none":1}';
    }
  };
  /** What is too deep to be written is no command's field. */
  const same = (one: unknown, other: unknown) => {
    try {
      return JSON.stringify(one) === JSON.stringify(other);
    } catch {
      return false;
    }
  };
});
