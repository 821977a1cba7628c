// What a command leaves is carried out once and answered, whoever is killed when; what does not belong there harms nothing.

import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { SidetoneError } from "../../../device/base/errors.js";
import { type CallId, makeCallId } from "../../../device/base/ids.js";
import { SpoolDesk } from "../../../device/store/spool-desk.js";
import { MAX_REQUEST_BYTES, MAX_REQUESTS, SpoolFiles } from "../../../device/store/spool-files.js";
import { SpoolKeeper, type SpoolKeeperOptions } from "../../../device/store/spool-keeper.js";
import { type SpoolContext, type SpoolKinds, SpoolLater, spoolKind } from "../../../device/store/spool-kinds.js";
import { makeFolder, removeFolder } from "./store-kit.js";

let folder: string;
let faults: string[];
let done: { text: string; context: SpoolContext }[];
/** Called before a request counts as done. */
let before: (text: string) => void | Promise<void>;
const keepers: SpoolKeeper[] = [];
beforeEach(() => {
  folder = makeFolder();
  faults = [];
  done = [];
  before = () => {};
});
afterEach(async () => {
  for (const keeper of keepers.splice(0)) await keeper.stop();
  removeFolder(folder);
});

const note = spoolKind<{ text: string }>({
  body: z.strictObject({ text: z.string() }),
  async carryOut({ text }, context) {
    await before(text);
    done.push({ text, context });
    return { said: text };
  },
  hasHappened: ({ text }) => text === "happened",
});
const kinds: SpoolKinds = { note, brief: spoolKind({ ...note, maxAgeMs: 1000 } as typeof note) };

function makeKeeper(options: Partial<SpoolKeeperOptions> = {}): SpoolKeeper {
  const onFault = (message: string): unknown => faults.push(message);
  const keeper = new SpoolKeeper({ dataFolder: folder, kinds, onFault, pollMs: 10, retryMs: 20, ...options });
  keepers.push(keeper);
  return keeper;
}
const desk = (): SpoolDesk => new SpoolDesk(folder);
const wish = (text: string, kind = "note") => ({ kind, actor: "cli test", body: { text } });
const inUse = async (): Promise<void> => {
  throw new SidetoneError("data-in-use", "a service runs");
};
const spool = (...names: string[]): string => join(folder, "spool", ...names);
const left = (): string[] => readdirSync(spool()).filter((name) => name !== "aside");
const texts = (): string[] => done.map(({ text }) => text);

describe("asking a running service", () => {
  it("gives the answer and leaves nothing", async () => {
    makeKeeper().start();
    const asked = await desk().ask(wish("hello"), { carryOutHere: inUse, waitMs: 5000 });
    expect(asked).toEqual({ state: "done", result: { said: "hello" } });
    expect(done[0]?.context).toMatchObject({ actor: "cli test", mayBeRepeat: false });
    expect(left()).toEqual([]);
    expect(statSync(spool()).mode & 0o777).toBe(0o700);
  });

  it("gives the refusal as the error it was", async () => {
    before = () => {
      throw new SidetoneError("usage", "there is no such thing");
    };
    makeKeeper().start();
    await expect(desk().ask(wish("x"), { carryOutHere: inUse, waitMs: 5000 })).rejects.toMatchObject({
      code: "usage",
      message: "there is no such thing",
    });
    expect(left()).toEqual([]);
  });

  it("says that it is accepted when it takes longer, and carries it out all the same", async () => {
    const asked = await desk().ask(wish("later"), { carryOutHere: inUse, waitMs: 60 });
    expect(asked).toMatchObject({ state: "accepted" });
    await makeKeeper().drain();
    expect(texts()).toEqual(["later"]);
    expect(left()).toEqual([`${(asked as { id: CallId }).id}.done.json`]);
  });

  it("carries out in the order of asking, and what waits while one is carried out as well", async () => {
    for (const text of ["1", "2", "3"]) {
      desk().leave(wish(text));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    before = (text) => {
      if (text === "2") desk().leave(wish("4"));
    };
    const keeper = makeKeeper();
    await keeper.drain();
    expect(keeper.isIdle).toBe(false);
    await keeper.drain();
    expect(texts()).toEqual(["1", "2", "3", "4"]);
    expect(keeper.isIdle).toBe(true);
    expect(left()).toEqual([]);
  });
});

describe("without a service", () => {
  it("does the work itself, after what was left before", async () => {
    desk().leave(wish("earlier"));
    await new Promise((resolve) => setTimeout(resolve, 2));
    const carryOutHere = (): Promise<void> => makeKeeper().drain();
    expect(await desk().ask(wish("now"), { carryOutHere, waitMs: 5000 })).toMatchObject({ result: { said: "now" } });
    expect(texts()).toEqual(["earlier", "now"]);
    expect(left()).toEqual([]);
  });

  it("does it when the service goes away while it waits", async () => {
    let isRunning = true;
    setTimeout(() => {
      isRunning = false;
    }, 50);
    const carryOutHere = (): Promise<void> => (isRunning ? inUse() : makeKeeper().drain());
    expect(await desk().ask(wish("now"), { carryOutHere, waitMs: 5000 })).toMatchObject({ state: "done" });
  });

  it("takes the request back when the data folder cannot be used", async () => {
    const carryOutHere = async (): Promise<void> => {
      throw new SidetoneError("data-unwritable", "the disk is full");
    };
    await expect(desk().ask(wish("now"), { carryOutHere, waitMs: 5000 })).rejects.toMatchObject({
      message: "the disk is full",
    });
    expect(left()).toEqual([]);
  });

  it("refuses a data folder that is not there, and a full spool", () => {
    expect(() => new SpoolDesk(join(folder, "typo")).leave(wish("x"))).toThrow(/does not exist/);
    mkdirSync(spool());
    for (let count = 0; count < MAX_REQUESTS; count++) writeFileSync(spool(`${makeCallId(count * 1000)}.json`), "");
    expect(() => desk().leave(wish("x"))).toThrow(expect.objectContaining({ code: "data-unwritable" }));
  });
});

describe("killed in between", () => {
  it("repeats what may have been done, and says so to whoever does it", async () => {
    before = () => {
      throw new SpoolLater("killed");
    };
    desk().leave(wish("once"));
    await makeKeeper().drain();
    before = () => {};
    await makeKeeper().drain();
    expect(done.map(({ text, context }) => [text, context.mayBeRepeat])).toEqual([["once", true]]);
    expect(left()).toEqual([]);
  });

  it("does not repeat what was answered", async () => {
    const asked = await desk().ask(wish("once"), { carryOutHere: inUse, waitMs: 0 });
    const { id } = asked as { id: CallId };
    new SpoolFiles(folder).writeAnswer(id, { ok: true, result: { said: "once" } });
    await makeKeeper().drain();
    expect(done).toEqual([]);
    expect(left()).toEqual([`${id}.done.json`]);
  });

  it("keeps what cannot be done yet and all behind it, says so once, and tries again", async () => {
    let tries = 0;
    before = (text) => {
      if (text === "first" && ++tries < 3) throw new SpoolLater("the disk is full");
    };
    desk().leave(wish("first"));
    await new Promise((resolve) => setTimeout(resolve, 2));
    desk().leave(wish("second"));
    makeKeeper().start();
    await expect.poll(texts, { timeout: 5000 }).toEqual(["first", "second"]);
    expect(tries).toBe(3);
    expect(faults).toEqual(["what was asked for in the spool cannot be carried out yet: the disk is full"]);
  });

  it("tells whoever is at it that the service stops, and keeps the request", async () => {
    let hasBegun = false;
    const slow = spoolKind({
      body: z.unknown(),
      async carryOut(_, { signal }) {
        hasBegun = true;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        throw new SpoolLater("stopping");
      },
    });
    desk().leave(wish("x", "slow"));
    const keeper = makeKeeper({ kinds: { slow } });
    keeper.start();
    await expect.poll(() => hasBegun).toBe(true);
    await keeper.stop();
    expect(left()).toHaveLength(1);
    expect(faults).toEqual([]);
  });

  it("removes what a killed command was writing", async () => {
    const gone = spawnSync("true").pid;
    mkdirSync(spool());
    const partials = [gone, process.pid].map((pid) => `${makeCallId(1e6)}.json.${pid}.partial`);
    for (const name of partials) writeFileSync(spool(name), "{");
    await makeKeeper().drain();
    expect(left()).toEqual([partials[1]]);
  });
});

describe("intents", () => {
  /** As a command leaves it that is killed. */
  function orphan(text: string, atUs = Date.now() * 1000): void {
    const files = new SpoolFiles(folder);
    files.make();
    const writer = { pid: spawnSync("true").pid, startedAt: "a boot 1" };
    files.writeRequest({
      id: makeCallId(atUs),
      kind: "note",
      actor: "cli test",
      atUs,
      isAwaited: false,
      writer,
      body: { text },
    });
  }

  it("are carried out when they are confirmed, and not before", async () => {
    const intent = desk().intend(wish("x"));
    const keeper = makeKeeper();
    await keeper.drain();
    expect(done).toEqual([]);
    expect(keeper.isIdle).toBe(false);
    intent.confirm();
    await keeper.drain();
    expect(texts()).toEqual(["x"]);
    expect(left()).toEqual([]);
  });

  it("leave nothing when they are withdrawn", () => {
    desk().intend(wish("x")).withdraw();
    expect(left()).toEqual([]);
  });

  it("of a killed command are carried out if it was done, else dropped", async () => {
    orphan("happened");
    orphan("did not");
    const keeper = makeKeeper();
    await keeper.drain();
    expect(texts()).toEqual(["happened"]);
    expect(keeper.counters.dropped).toBe(1);
    expect(left()).toEqual([]);
  });

  it("of a command that hangs are settled after a minute, and its confirmation is too late for harm", async () => {
    const clock = { nowUs: () => (Date.now() - 120_000) * 1000, monotonicMs: () => performance.now() };
    const intent = new SpoolDesk(folder, clock).intend(wish("happened"));
    await makeKeeper().drain();
    expect(texts()).toEqual(["happened"]);
    intent.confirm();
    expect(left()).toEqual([]);
  });
});

describe("what does not belong there", () => {
  it("is put aside and said once, and everything else goes on", async () => {
    mkdirSync(spool());
    const good = desk().leave(wish("good"));
    const name = (atMs: number): string => `${makeCallId(atMs * 1000)}.json`;
    writeFileSync(spool(name(1)), "not json");
    writeFileSync(spool(name(2)), JSON.stringify({ schema: "another/1" }));
    writeFileSync(spool(name(3)), readFileSync(spool(`${good}.json`)));
    writeFileSync(spool(name(4)), Buffer.alloc(MAX_REQUEST_BYTES + 1, 32));
    symlinkSync("/etc/hostname", spool(name(5)));
    spawnSync("mkfifo", [spool(name(6))]);
    mkdirSync(spool(name(7)));
    writeFileSync(spool("notes.txt"), "x");
    mkdirSync(spool("folder"));
    writeFileSync(spool(`${makeCallId(8000)}.intent.json`), readFileSync(spool(`${good}.json`)));
    const keeper = makeKeeper();
    await keeper.drain();
    await keeper.drain();
    expect(texts()).toEqual(["good"]);
    expect(left()).toEqual([]);
    expect(readdirSync(spool("aside"))).toHaveLength(10);
    expect(keeper.counters.setAside).toBe(10);
    expect(new Set(faults).size).toBe(faults.length);
  });

  it.each([
    ["a kind that is not known", "other", { text: "x" }],
    ["a name of every object", "constructor", { text: "x" }],
    ["a body of another form", "note", { text: 1 }],
  ])("%s is refused", async (_, kind, body) => {
    makeKeeper().start();
    const asking = desk().ask({ kind, actor: "cli test", body }, { carryOutHere: inUse, waitMs: 5000 });
    await expect(asking).rejects.toMatchObject({ code: "usage" });
    desk().leave({ kind, actor: "cli test", body });
    await expect.poll(() => left().length, { timeout: 5000 }).toBe(0);
    expect(readdirSync(spool("aside"))).toHaveLength(1);
  });

  it("and what was asked too long ago for its kind is not carried out", async () => {
    const clock = { nowUs: () => (Date.now() - 5000) * 1000, monotonicMs: () => performance.now() };
    new SpoolDesk(folder, clock).leave(wish("old", "brief"));
    desk().leave(wish("new", "brief"));
    await makeKeeper().drain();
    expect(texts()).toEqual(["new"]);
  });

  it("an answer that nobody takes goes after a day", async () => {
    const files = new SpoolFiles(folder);
    files.make();
    const [old, fresh] = [makeCallId(1e6), makeCallId(2e6)];
    for (const id of [old, fresh]) files.writeAnswer(id, { ok: true, result: {} });
    utimesSync(spool(`${old}.done.json`), 1, 1);
    await makeKeeper().drain();
    expect(left()).toEqual([`${fresh}.done.json`]);
  });

  it("a handler's own fault is answered and does not end anything", async () => {
    before = (text) => {
      if (text === "bad") throw new TypeError("no such thing");
    };
    makeKeeper().start();
    const asking = desk().ask(wish("bad"), { carryOutHere: inUse, waitMs: 5000 });
    await expect(asking).rejects.toMatchObject({ code: "internal" });
    expect(await desk().ask(wish("good"), { carryOutHere: inUse, waitMs: 5000 })).toMatchObject({ state: "done" });
  });

  it("a spool that cannot be read is said, and read again later", async () => {
    writeFileSync(spool(), "a file");
    makeKeeper().start();
    await expect.poll(() => faults.length).toBe(1);
    rmSync(spool());
    desk().leave(wish("x"));
    await expect.poll(texts, { timeout: 5000 }).toEqual(["x"]);
  });
});
