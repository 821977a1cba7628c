// Events that the broker has not acknowledged stay, whatever step of the queue is the last one: all of them when the process is
// killed, those older than a second when the power is cut. The code runs as it is, on a disk in memory that stops at every step.
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { EventQueue } from "../../../device/mqtt/event-queue.js";
import { type Death, NOTHING_LEFT, someLeft, watchDeaths } from "../../fakes/disk-deaths.js";
import { type PowerCut, SimulatedDisk } from "../../fakes/simulated-disk.js";
import type { Mount } from "../../fakes/simulated-fs.js";

const mounted = vi.hoisted(() => ({ at: undefined as Mount | undefined }));
vi.mock("node:fs", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs")>();
  const { simulatedFs } = await import("../../fakes/simulated-fs.js");
  return { ...real, ...simulatedFs(real, () => mounted.at) };
});

const DATA = "/simulated/data";
/** So long that a file holds a few only. */
const FILLING = "x".repeat(2000);

/** What has happened to the events, by sequence number. */
interface Seen {
  added: number;
  /** Added more than a second ago. */
  promised: number;
  sent: ReadonlySet<number>;
  settled: ReadonlySet<number>;
}

function mount(disk: SimulatedDisk): void {
  mounted.at = { folder: DATA, disk };
  vi.clearAllTimers();
}

function open(boot: string, told: string[] = []): EventQueue {
  const onLoss = (count: number) => told.push(`${count} lost`);
  const onFault = () => told.push("fault");
  const onRecovery = () => told.push("recovery");
  const [folder, topic] = [`${DATA}/mqtt-queue`, () => "event/call"];
  const queue = new EventQueue({
    folder,
    topic,
    boot,
    limitBytes: 256 * 1024,
    onLoss,
    onFault,
    onRecovery,
  });
  queue.open();
  return queue;
}

interface Handed {
  seq: number;
  n: number;
  isMarked: boolean;
  settle(): void;
}

function take(queue: EventQueue, most: number): Handed[] {
  const handed: Handed[] = [];
  for (let message = queue.next(); message; message = handed.length < most ? queue.next() : undefined) {
    const { seq, n, duplicate } = JSON.parse(message.payload) as { seq: number; n: number; duplicate?: true };
    handed.push({ seq, n, isMarked: duplicate === true, settle: message.settled! });
  }
  return handed;
}

async function aSecond(): Promise<void> {
  vi.advanceTimersByTime(1000);
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Five seconds of a queue whose broker comes and goes, and its orderly end. */
async function deathsOf(disk: SimulatedDisk): Promise<Death<Seen>[]> {
  let added = 0;
  let promised = 0;
  const sent = new Set<number>();
  const settled = new Set<number>();
  const look = (): Seen => ({ added, promised, sent: new Set(sent), settled: new Set(settled) });
  return watchDeaths(disk, look, async () => {
    const queue = open("boot");
    for (let second = 0; second < 5; second++) {
      for (let event = 0; event < 6; event++) {
        queue.add("call", { n: added + 1, filling: FILLING });
        added++;
      }
      // Nobody is there in the first second; the third's connection ends.
      for (const [place, { seq, settle }] of take(queue, second === 0 ? 0 : 7).entries()) {
        sent.add(seq);
        if (place % 3 === 1 && second === 2) continue;
        settle();
        settled.add(seq);
      }
      if (second === 2) queue.again();
      await aSecond();
      promised = added;
    }
    await queue.close();
  });
}

/** What is wrong when the box starts again after each of the deaths. */
function restartAfter(deaths: readonly Death<Seen>[], cutAt?: (number: number) => PowerCut): string[] {
  const wrong: string[] = [];
  for (const [number, { step, disk: left, before }] of deaths.entries()) {
    const disk = left.copy();
    mount(disk);
    if (cutAt) disk.cutPower(cutAt(number));
    disk.restart();
    const queue = open(cutAt ? "next boot" : "boot");
    const found = take(queue, 1000);
    const say = (what: string) => wrong.push(`${number} ${step}: ${what}`);
    const has = new Set(found.map(({ seq }) => seq));
    for (let seq = 1; seq <= (cutAt ? before.promised : before.added); seq++)
      if (!has.has(seq) && !before.settled.has(seq)) say(`${seq} is lost`);
    for (const [place, { seq, n, isMarked }] of found.entries()) {
      if (seq !== n) say(`${seq} is ${n}`);
      if (place > 0 && seq <= found[place - 1]!.seq) say(`${seq} is out of order`);
      if (before.sent.has(seq) && !isMarked) say(`${seq} is not marked`);
    }
    queue.add("call", { n: 0 });
    const newest = take(queue, 1).at(-1)!;
    if (newest.seq <= Math.max(before.added, ...before.sent)) say(`${newest.seq} comes twice`);
    if (!cutAt && newest.seq > before.added + 2) say(`${newest.seq} leaps from ${before.added}`);
  }
  return wrong;
}

describe("an event queue that dies, at any step", () => {
  let deaths: Death<Seen>[];
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    return () => vi.useRealTimers();
  });
  beforeAll(async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const disk = new SimulatedDisk();
    mount(disk);
    deaths = await deathsOf(disk);
  });

  test("killed before it or half-way through it", () => {
    expect(deaths.length).toBeGreaterThan(100);
    expect(restartAfter(deaths)).toEqual([]);
  });

  test("by a power cut that leaves nothing but what was synced", () => {
    expect(restartAfter(deaths, () => NOTHING_LEFT)).toEqual([]);
  });

  test.each([0, 1, 2, 3])("by a power cut that leaves some of what was not (%i)", (seed) => {
    expect(restartAfter(deaths, (step) => someLeft(step, seed))).toEqual([]);
  });

  test("by a power cut after the disk has refused a sync, once", async () => {
    const disk = new SimulatedDisk();
    mount(disk);
    const told: string[] = [];
    const queue = open("boot", told);
    for (const n of [1, 2]) queue.add("call", { n });
    disk.plan(0, { kind: "refused", code: "EIO" });
    await aSecond();
    expect(told).toEqual(["fault"]);
    await aSecond();
    expect(told).toEqual(["fault", "recovery"]);
    mount(disk);
    disk.cutPower(NOTHING_LEFT);
    expect(take(open("next boot"), 10).map(({ n }) => n)).toEqual([1, 2]);
  });

  test("nothing, when the disk refuses writes for some time", async () => {
    const disk = new SimulatedDisk();
    mount(disk);
    const told: string[] = [];
    const queue = open("boot", told);
    queue.add("call", { n: 1 });
    await aSecond();
    disk.plan(0, { kind: "refused", code: "ENOSPC" });
    queue.add("call", { n: 2 });
    queue.add("call", { n: 3 });
    expect(told).toEqual(["fault"]);
    await aSecond();
    expect(told).toEqual(["fault", "recovery"]);
    mount(disk);
    expect(take(open("boot"), 10).map(({ n }) => n)).toEqual([1, 2, 3]);
  });
});
