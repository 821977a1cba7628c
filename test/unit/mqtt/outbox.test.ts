// The outbox: newest state only, order kept, limits with the oldest going first, few messages on their way, and those again
// after a new connect.
import { describe, expect, it } from "vitest";
import { EventQueue } from "../../../device/mqtt/event-queue.js";
import { MAX_ON_THE_WAY, MAX_RESPONSES, Outbox, type OutgoingMessage } from "../../../device/mqtt/outbox.js";
import { MAX_IN_MEMORY } from "../../../device/mqtt/queue-store.js";

/** A broker that acknowledges when it is told to. */
class Broker {
  readonly taken: OutgoingMessage[] = [];
  private readonly open: ((isTaken: boolean) => void)[] = [];
  publish = (message: OutgoingMessage, done: (isTaken: boolean) => void) => {
    this.taken.push(message);
    this.open.push(done);
  };
  get unacknowledged() {
    return this.open.length;
  }
  acknowledge(isTaken = true): void {
    this.open.shift()!(isTaken);
  }
  acknowledgeAll(): void {
    while (this.open.length > 0) this.acknowledge();
  }
  get payloads() {
    return this.taken.map(({ payload }) => payload);
  }
}
const response = (payload: string): OutgoingMessage => ({ topic: "r", payload, isRetained: false });

/** With events in memory. */
function makeOutbox(broker: Broker) {
  const quiet = () => {};
  const events = new EventQueue({
    folder: undefined,
    limitBytes: 0,
    topic: (kind) => kind,
    onLoss: quiet,
    onFault: quiet,
    onRecovery: quiet,
  });
  const outbox = new Outbox(broker.publish, events);
  const addEvent = (n: number) => {
    events.add("call", { n });
    outbox.wake();
  };
  return { outbox, events, addEvent };
}

describe("Outbox", () => {
  it("publishes of each state the newest, retained, and all of them after each connect", () => {
    const broker = new Broker();
    const { outbox } = makeOutbox(broker);
    outbox.setState("a", "1");
    outbox.setState("b", "1");
    outbox.setState("a", "2");
    expect(broker.taken).toEqual([]);
    outbox.open();
    expect(broker.taken).toEqual([
      { topic: "b", payload: "1", isRetained: true },
      { topic: "a", payload: "2", isRetained: true },
    ]);
    outbox.setState("a", "2");
    outbox.setState("b", "3");
    expect(broker.payloads).toEqual(["1", "2", "3"]);
    outbox.shut();
    outbox.setState("b", "4");
    outbox.open();
    expect(broker.payloads).toEqual(["1", "2", "3", "2", "4"]);
    outbox.again();
    expect(broker.payloads.slice(5)).toEqual(["2", "4"]);
    outbox.moveLast("a");
    outbox.moveLast("nobody");
    outbox.shut();
    outbox.open();
    expect(broker.payloads.slice(7)).toEqual(["4", "2"]);
  });

  it("says of a state that the broker has it, when it has, and not of one that it refused or that another replaced", () => {
    const broker = new Broker();
    const { outbox } = makeOutbox(broker);
    const taken: string[] = [];
    const set = (payload: string): void => outbox.setState("a", payload, () => taken.push(payload));
    set("1");
    set("2");
    outbox.open();
    broker.acknowledge(false);
    expect(taken).toEqual([]);
    outbox.open();
    broker.acknowledge();
    expect([broker.payloads, taken]).toEqual([["2", "2"], ["2"]]);
  });

  it("keeps the newest events and responses while the broker is away, and counts the others", () => {
    const broker = new Broker();
    const { outbox, events, addEvent } = makeOutbox(broker);
    for (let i = 0; i < MAX_IN_MEMORY + 5; i++) addEvent(i);
    for (let i = 0; i < MAX_RESPONSES + 7; i++) outbox.addResponse(response(`r${i}`));
    expect([events.counters.dropped, outbox.counters]).toEqual([5, { responsesDropped: 7, published: 0 }]);
    outbox.open();
    broker.acknowledgeAll();
    const expected = [
      ...Array.from({ length: MAX_IN_MEMORY }, (_, i) => `{"seq":${i + 6},"n":${i + 5}}`),
      ...Array.from({ length: MAX_RESPONSES }, (_, i) => `r${i + 7}`),
    ];
    expect(broker.payloads).toEqual(expected);
    expect(outbox.counters.published).toBe(expected.length);
  });

  it("holds back when the broker does not acknowledge, also below its own limit", () => {
    for (const [told, limit] of [
      [undefined, MAX_ON_THE_WAY],
      [3, 3],
      [65535, MAX_ON_THE_WAY],
    ] as const) {
      const broker = new Broker();
      const { outbox, addEvent } = makeOutbox(broker);
      outbox.open(told);
      for (let i = 0; i < 40; i++) addEvent(i);
      expect(broker.unacknowledged).toBe(limit);
      broker.acknowledge();
      expect(broker.taken).toHaveLength(limit + 1);
      expect(broker.unacknowledged).toBe(limit);
    }
  });

  it("lets a state and an event pass a flood of responses", () => {
    const broker = new Broker();
    const { outbox, addEvent } = makeOutbox(broker);
    outbox.open(1);
    for (let i = 0; i < 100; i++) outbox.addResponse(response(`r${i}`));
    addEvent(7);
    outbox.setState("s", "state");
    for (let i = 0; i < 3; i++) broker.acknowledge();
    expect(broker.payloads).toEqual(["r0", "state", '{"seq":1,"n":7}', "r1"]);
  });

  it("sends again what was on its way when the connection ended, in order, before what came later", () => {
    const broker = new Broker();
    const { outbox, events, addEvent } = makeOutbox(broker);
    outbox.open();
    for (const n of [1, 2, 3]) addEvent(n);
    for (const name of ["a", "b"]) outbox.addResponse(response(name));
    outbox.setState("s", "state");
    broker.acknowledge();
    outbox.shut();
    addEvent(4);
    outbox.addResponse(response("c"));
    // Said of the earlier connection's messages: the broker did not say it.
    broker.acknowledge();
    broker.taken.length = 0;
    outbox.open();
    expect(broker.payloads).toEqual([
      "state",
      '{"seq":2,"duplicate":true,"n":2}',
      '{"seq":3,"duplicate":true,"n":3}',
      '{"seq":4,"n":4}',
      "a",
      "b",
      "c",
    ]);
    expect([events.waiting, events.counters]).toEqual([3, { dropped: 0, duplicates: 2 }]);
    broker.acknowledgeAll();
    expect([events.waiting, events.isEmpty]).toEqual([0, true]);
  });

  it("is idle when the last message is acknowledged", async () => {
    const broker = new Broker();
    const { outbox, addEvent } = makeOutbox(broker);
    await outbox.idle();
    outbox.open();
    addEvent(1);
    let isIdle = false;
    const idle = outbox.idle().then(() => {
      isIdle = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isIdle).toBe(false);
    broker.acknowledge();
    await idle;
  });
});
