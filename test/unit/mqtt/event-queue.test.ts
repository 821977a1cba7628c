// The queue of events on a real disk: what outlives a process and a power cut, order, marks of what may come twice, the limit,
// a disk that refuses, damage. A process that is killed is a queue that is left as it is.
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EventQueue } from "../../../device/mqtt/event-queue.js";
import { formatEvent, formatMark, parseLine } from "../../../device/mqtt/queue-lines.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

interface Published {
  seq: number;
  n: number;
  duplicate?: true;
}

describe("EventQueue", () => {
  let root: string;
  let folder: string;
  let told: string[];
  let lost: number;
  beforeEach(() => {
    root = makeFolder();
    folder = join(root, "mqtt-queue");
    told = [];
    lost = 0;
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
    removeFolder(root);
  });

  /** Whoever had the folder before is dead. */
  function open(own: { limitBytes?: number; boot?: string } = {}) {
    vi.clearAllTimers();
    const queue = new EventQueue({
      folder,
      limitBytes: 1 << 20,
      boot: "boot-1",
      topic: (kind) => `event/${kind}`,
      onLoss: (count) => {
        lost += count;
      },
      onFault: () => told.push("fault"),
      onRecovery: () => told.push("recovery"),
      ...own,
    });
    queue.open();
    return queue;
  }
  const add = (queue: EventQueue, from: number, to: number, filling = "") => {
    for (let n = from; n <= to; n++) queue.add("call", { n, ...(filling && { filling }) });
  };
  /** Hands out so many and acknowledges the first `settled` of them. */
  function take(queue: EventQueue, most: number, settled = most): Published[] {
    const taken: Published[] = [];
    const settles: (() => void)[] = [];
    while (taken.length < most) {
      const message = queue.next();
      if (!message) break;
      const { seq, n, duplicate } = JSON.parse(message.payload) as Published;
      taken.push({ seq, n, ...(duplicate && { duplicate }) });
      settles.push(message.settled!);
    }
    for (const settle of settles.slice(0, settled)) settle();
    return taken;
  }
  const numbers = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => ({ seq: from + i, n: from + i }));
  const files = () => readdirSync(folder).sort();

  it("owes a killed process's events, in order, and marks those alone that may have been on their way", () => {
    const first = open();
    add(first, 1, 100);
    // The mark of what was sent is set ahead by a few: they may be marked, and the others may not.
    expect(take(first, 10, 4)).toEqual(numbers(1, 10));
    vi.advanceTimersByTime(1000);
    const second = open();
    add(second, 101, 102);
    const taken = take(second, 1000);
    expect(taken.map(({ seq, n }) => ({ seq, n }))).toEqual(numbers(5, 102));
    const marked = taken.filter(({ duplicate }) => duplicate).map(({ seq }) => seq);
    expect(marked.slice(0, 6)).toEqual([5, 6, 7, 8, 9, 10]);
    expect(marked.length).toBeLessThan(6 + 33);
    expect([second.waiting, second.isEmpty]).toEqual([0, true]);
  });

  it("marks exactly what was sent after an orderly end, and numbers on", async () => {
    const first = open();
    add(first, 1, 20);
    take(first, 10, 4);
    await first.close();
    const second = open({ boot: "boot-2" });
    const taken = take(second, 1000);
    expect(taken.filter(({ duplicate }) => duplicate).map(({ seq }) => seq)).toEqual([5, 6, 7, 8, 9, 10]);
    add(second, 21, 21);
    expect(take(second, 5)).toEqual(numbers(21, 21));
  });

  it("marks nothing that was added after the connection had ended", () => {
    const first = open();
    add(first, 1, 3);
    take(first, 3, 1);
    first.again();
    add(first, 4, 6);
    const marked = take(open(), 10).filter(({ duplicate }) => duplicate);
    expect(marked.map(({ seq }) => seq)).toEqual([2, 3]);
  });

  it("takes everything for sent after a power cut, and gives no number twice", () => {
    const first = open();
    add(first, 1, 10);
    const [name] = files();
    truncateSync(join(folder, name!), readFileSync(join(folder, name!)).length - 30);
    const second = open({ boot: "boot-2" });
    add(second, 11, 11);
    const taken = take(second, 100);
    expect(taken.slice(0, 9)).toEqual(numbers(1, 9).map((one) => ({ ...one, duplicate: true })));
    expect(taken[9]).toMatchObject({ n: 11 });
    expect(taken[9]!.seq).toBeGreaterThan(10);
    expect(taken[9]!.seq).toBeLessThan(2048);
    expect(second.faults.damagedLines).toBeGreaterThan(0);
  });

  it("holds far more than memory does, and gives the disk back", () => {
    const queue = open();
    add(queue, 1, 2500);
    expect(take(queue, 3000)).toEqual(numbers(1, 2500));
    vi.advanceTimersByTime(1000);
    add(queue, 2501, 2501);
    vi.advanceTimersByTime(1000);
    expect(files()).toHaveLength(1);
    expect(readFileSync(join(folder, files()[0]!)).length).toBeLessThan(64 * 1024);
  });

  it("lets the oldest go at its limit, and counts them", () => {
    const queue = open({ limitBytes: 256 * 1024 });
    add(queue, 1, 2000, "x".repeat(200));
    const bytes = files().reduce((sum, name) => sum + readFileSync(join(folder, name)).length, 0);
    expect(bytes).toBeLessThan(256 * 1024);
    expect(lost).toBeGreaterThan(500);
    expect(queue.counters.dropped).toBe(lost);
    expect(queue.waiting).toBe(2000 - lost);
    expect(take(queue, 3000)).toEqual(numbers(lost + 1, 2000));
  });

  it("lets the oldest go while they are on their way", () => {
    const queue = open({ limitBytes: 256 * 1024 });
    add(queue, 1, 20, "x".repeat(200));
    take(queue, 16, 0);
    add(queue, 21, 2000, "x".repeat(200));
    expect(lost).toBeGreaterThan(500);
    expect(take(queue, 3000)).toEqual(numbers(lost + 1, 2000));
  });

  it("goes on in memory while the disk refuses, and writes what it kept when it can", () => {
    writeFileSync(folder, "in the way");
    const queue = open();
    expect(told).toEqual(["fault"]);
    add(queue, 1, 3);
    expect(take(queue, 2)).toEqual(numbers(1, 2));
    rmSync(folder);
    vi.advanceTimersByTime(1000);
    expect(told).toEqual(["fault", "recovery"]);
    expect(take(open(), 10)).toMatchObject([{ n: 3, duplicate: true }]);
  });

  it("keeps a thousand in memory then, behind what is on the disk", () => {
    const queue = open();
    add(queue, 1, 10);
    rmSync(folder, { recursive: true });
    writeFileSync(folder, "in the way");
    add(queue, 11, 1110);
    expect([lost, queue.counters.dropped]).toEqual([100, 100]);
    expect(take(queue, 2000).at(-1)).toEqual({ seq: 1110, n: 1110 });
  });

  it("passes over damaged lines and files", () => {
    const first = open();
    add(first, 1, 5);
    const path = join(folder, files()[0]!);
    const lines = readFileSync(path, "utf8").split("\n");
    writeFileSync(path, lines.map((line) => line.replace('"n":3', '"n":4')).join("\n"));
    appendFileSync(path, "garbage\n\u0000\u0000");
    mkdirSync(join(folder, "0000000000000009.log"));
    expect(take(open(), 10).map(({ n }) => n)).toEqual([1, 2, 4, 5]);
  });

  it("gives each event once per connection and none out of order, whatever happens", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("add" as const), many: fc.integer({ min: 1, max: 700 }) }),
      fc.record({
        kind: fc.constant("take" as const),
        many: fc.integer({ min: 1, max: 700 }),
        part: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      fc.constant({ kind: "again" as const }),
      fc.constant({ kind: "kill" as const }),
      fc.constant({ kind: "second" as const }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        rmSync(folder, { recursive: true, force: true });
        let queue = open();
        let added = 0;
        const had = new Set<number>();
        let newest = 0;
        let lastOfConnection = 0;
        for (const one of steps) {
          if (one.kind === "add") {
            add(queue, added + 1, added + one.many);
            added += one.many;
          } else if (one.kind === "second") vi.advanceTimersByTime(1000);
          else if (one.kind === "take") {
            for (const { seq, n, duplicate } of take(queue, one.many, Math.floor(one.part * one.many))) {
              expect(n).toBe(seq);
              expect(seq).toBeGreaterThan(lastOfConnection);
              lastOfConnection = seq;
              // None is left out, and what comes again says so.
              if (had.has(seq)) expect(duplicate).toBe(true);
              else expect(seq).toBe(++newest);
              had.add(seq);
            }
            continue;
          } else if (one.kind === "again") queue.again();
          else queue = open();
          if (one.kind !== "add" && one.kind !== "second") lastOfConnection = 0;
        }
        queue.again();
        for (const { seq } of take(queue, Number.POSITIVE_INFINITY)) had.add(seq);
        expect(had.size).toBe(added);
        expect([queue.waiting, queue.isEmpty]).toEqual([0, true]);
      }),
      { numRuns: 40 },
    );
  });
});

describe("lines of the queue's files", () => {
  const event = { seq: 7, kind: "pause", body: '{"by":"ä\u2028","state":"paused"}' } as const;
  const mark = { done: 3, sent: 4, limit: 1024, boot: "b", isEnd: true };

  it("are read as they were written", () => {
    expect(parseLine(formatEvent(event).slice(0, -1))).toEqual({ event });
    expect(parseLine(formatMark(mark).slice(0, -1))).toEqual({ mark });
    expect(formatEvent(event)).toMatch(/^[0-9a-f]{8} \{"seq":7,"kind":"pause","event":\{.*\}\}\n$/su);
  });

  it("are nothing when anything is missing or another", () => {
    for (const line of [formatEvent(event).slice(0, -1), formatMark(mark).slice(0, -1)]) {
      for (let length = 0; length < line.length; length++) expect(parseLine(line.slice(0, length))).toBeUndefined();
      for (let at = 0; at < line.length; at++) {
        const other = `${line.slice(0, at)}${line[at] === "1" ? "2" : "1"}${line.slice(at + 1)}`;
        expect(parseLine(other)).toBeUndefined();
      }
    }
  });
});
