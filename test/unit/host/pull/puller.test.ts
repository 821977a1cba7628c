// A pull from beginning to end against a box in this process: what is fetched, what is not fetched twice, what each fault of the
// box, of the way and of the folder does, and what is left for the next run.
import { execFileSync, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BoxClient } from "../../../../host/client.js";
import { HostError } from "../../../../host/errors.js";
import { Arrivals } from "../../../../host/pull/arrivals.js";
import { linkOf } from "../../../../host/pull/client-link.js";
import { FakeBox, refuse, type Trick } from "../../../fakes/pulled-box.js";
import { eventsOf, faultsOf, leftovers, makeTarget, pull, pulledFiles, removeTarget } from "./pull-kit.js";

let box: FakeBox;
let folder: string;
beforeEach(async () => {
  box = new FakeBox();
  await box.start();
  folder = makeTarget();
});
afterEach(async () => {
  await box.stop();
  removeTarget(folder);
});

const requestsOf = (pattern: RegExp): string[] => box.requests.filter((request) => pattern.test(request));
/** Takes the first `times` requests that fit, unless it says false. */
function trick(pattern: RegExp, times: number, what: (...parts: Parameters<Trick>) => unknown): void {
  let left = times;
  box.tricks.push((request, response) => {
    if (left <= 0 || !pattern.test(`${request.method} ${request.url}`)) return false;
    left--;
    return what(request, response) !== false;
  });
}
const journal = (): string => join(folder, ".sidetone-pull/state.jsonl");

describe("a pull", () => {
  it("brings every recording with its manifest, once, and leaves nothing else", async () => {
    for (let i = 0; i < 20; i++) box.record({ bytes: i * 1000, isEncrypted: i % 5 === 0 });
    const ran = await pull(box, folder);
    expect(ran.totals).toMatchObject({ stored: 20, faults: 0 });
    expect(faultsOf(folder, box)).toEqual([]);
    expect(leftovers(folder)).toEqual([]);
    const again = await pull(box, folder);
    expect(again.totals).toMatchObject({ stored: 0, found: 0 });
    expect(requestsOf(/\/file/)).toHaveLength(19);
    expect(requestsOf(/\/manifest/)).toHaveLength(20);
  });

  it("goes on where it was, for what has come since only", async () => {
    for (let i = 0; i < 5; i++) box.record();
    await pull(box, folder);
    box.requests.length = 0;
    box.record();
    expect((await pull(box, folder)).totals).toMatchObject({ stored: 1 });
    expect(requestsOf(/GET \/recordings\?/)).toEqual(["GET /recordings?order=arrival&limit=200&cursor=g1.5"]);
  });

  it("goes on after it was stopped at any of its requests, with whatever template the next run has", async () => {
    for (let i = 0; i < 7; i++) box.record({ bytes: 3000 });
    for (let stopAt = 1; stopAt < 60; stopAt++) {
      const stop = new AbortController();
      let requests = 0;
      box.tricks = [
        () => {
          if (++requests === 1 + (stopAt % 9)) stop.abort(new HostError("interrupted", "interrupted"));
          return false;
        },
      ];
      const template = ["{id}", "{agent}/{id}", "{year}/{id}"][stopAt % 3]!;
      const ran = await pull(box, folder, { template, debts: ["acknowledge"], signal: stop.signal, parallel: 2 });
      if (ran.error !== undefined) expect(ran.error).toMatchObject({ code: "interrupted" });
    }
    box.tricks = [];
    await pull(box, folder, { debts: ["acknowledge"] });
    expect(faultsOf(folder, box)).toEqual([]);
    expect(leftovers(folder)).toEqual([]);
    expect(box.acknowledged.size).toBe(7);
  });

  it("ends when the box's listing does not get on", async () => {
    box.record();
    trick(/GET .*\/recordings\?/, 100, (_, response) =>
      response.end(JSON.stringify({ calls: [], next: "g1.0", resume: "g1.0" })),
    );
    expect((await pull(box, folder)).error).toMatchObject({ code: "bad-answer" });
  });

  it("passes filters on, and keeps a place for each", async () => {
    box.record();
    await pull(box, folder, { filter: { agent: "21" } });
    await pull(box, folder, { filter: { agent: "22" } });
    await pull(box, folder, { filter: { agent: "21" } });
    expect(requestsOf(/GET \/recordings\?/)).toEqual([
      "GET /recordings?agent=21&order=arrival&limit=200",
      "GET /recordings?agent=22&order=arrival&limit=200",
      "GET /recordings?agent=21&order=arrival&limit=200&cursor=g1.1",
    ]);
  });

  it("acknowledges with the hash, then deletes; what may not be deleted is said and is no fault", async () => {
    const [one, other] = [box.record(), box.record()];
    box.held.add(other.id);
    const ran = await pull(box, folder, { debts: ["acknowledge", "delete"], parallel: 1 });
    expect(ran.totals).toMatchObject({ stored: 2, acknowledged: 2, deleted: 1, kept: 1, faults: 0 });
    expect(box.acknowledged.get(one.id)).toBe(one.sha256);
    expect(box.deleted).toEqual([one.id]);
    expect(eventsOf(ran, "kept")[0]).toMatchObject({ id: other.id, problem: "on-hold" });
    expect(faultsOf(folder, box)).toEqual([]);
    // The next run with the same order asks again.
    box.held.clear();
    expect((await pull(box, folder, { debts: ["acknowledge", "delete"] })).totals).toMatchObject({
      deleted: 1,
      acknowledged: 0,
    });
    expect(requestsOf(/DELETE .*reason=test/)).toHaveLength(3);
  });

  it("owes an acknowledgement that the box cannot take yet, but none of what it has deleted", async () => {
    const [unknown, gone] = [box.record(), box.record()];
    trick(new RegExp(`${unknown.id}/ack`), 1, (_, response) => refuse(response, 404, "recording-not-found"));
    trick(new RegExp(`${gone.id}/ack`), 1, (_, response) => refuse(response, 410, "recording-deleted"));
    expect((await pull(box, folder, { debts: ["acknowledge"] })).totals).toMatchObject({ stored: 2, faults: 1 });
    expect((await pull(box, folder, { debts: ["acknowledge"] })).totals).toMatchObject({ acknowledged: 1, faults: 0 });
    expect([...box.acknowledged.keys()]).toEqual([unknown.id]);
  });

  it("deletes nothing of an earlier run whose files are no longer there", async () => {
    const recording = box.record();
    box.held.add(recording.id);
    await pull(box, folder, { debts: ["acknowledge", "delete"] });
    box.held.clear();
    rmSync(join(folder, pulledFiles(folder).find((name) => name.endsWith(".wav"))!));
    const ran = await pull(box, folder, { debts: ["acknowledge", "delete"] });
    expect(ran.totals).toMatchObject({ deleted: 0, kept: 1 });
    expect(box.deleted).toEqual([]);
  });

  it("does not delete or acknowledge what runs without that order have stored", async () => {
    box.record();
    await pull(box, folder);
    await pull(box, folder, { debts: ["acknowledge", "delete"] });
    expect(box.acknowledged.size + box.deleted.length).toBe(0);
  });
});

describe("what is there already", () => {
  it("stays under its name when the template changes", async () => {
    box.record();
    await pull(box, folder);
    box.record({ agent: "22" });
    await pull(box, folder, { template: "{agent}/{id}" });
    expect(pulledFiles(folder).map((name) => name.split("/")[0])).toEqual(["2026", "2026", "22", "22"]);
    expect(faultsOf(folder, box)).toEqual([]);
  });

  it("is not fetched again when somebody has taken it away, unless that is asked for", async () => {
    box.record();
    box.record();
    await pull(box, folder);
    const taken = pulledFiles(folder).find((name) => name.endsWith(".wav"))!;
    rmSync(join(folder, taken));
    expect((await pull(box, folder)).totals).toMatchObject({ stored: 0 });
    const ran = await pull(box, folder, { recheck: true });
    expect(ran.totals).toMatchObject({ stored: 1, found: 1 });
    expect(faultsOf(folder, box)).toEqual([]);
  });

  it("is put aside when it was altered, and fetched again", async () => {
    box.record();
    await pull(box, folder);
    const [manifest, audio] = pulledFiles(folder).map((name) => join(folder, name));
    writeFileSync(audio!, "mine");
    writeFileSync(manifest!, "mine too");
    const ran = await pull(box, folder, { recheck: true });
    expect(faultsOf(folder, box)).toEqual([]);
    expect(eventsOf(ran, "aside")).toHaveLength(2);
    const aside = leftovers(folder).map((name) => readFileSync(join(folder, name), "utf8"));
    expect(aside.sort()).toEqual(["mine", "mine too"]);
  });

  it("is taken over, where it lies, when the journal is lost, torn or damaged, or the listing begins anew", async () => {
    for (let i = 0; i < 8; i++) box.record({ tags: ["a"] });
    await pull(box, folder, { template: "{tag}/{id}" });
    const spoil: (() => void)[] = [
      () => rmSync(join(folder, ".sidetone-pull"), { recursive: true }),
      () => rmSync(journal()),
      () => writeFileSync(journal(), readFileSync(journal()).subarray(0, -9)),
      () => writeFileSync(journal(), readFileSync(journal(), "utf8").replace('"state":"stored"', '"state":"stores"')),
      () => writeFileSync(journal(), "\0".repeat(5000)),
      () => {
        box.generation = "g2";
      },
    ];
    for (const [i, step] of spoil.entries()) {
      step();
      const ran = await pull(box, folder);
      expect([i, ran.error, ran.totals?.stored]).toEqual([i, undefined, 0]);
      expect([i, faultsOf(folder, box), leftovers(folder)]).toEqual([i, [], []]);
    }
    expect(requestsOf(/\/file/)).toHaveLength(8);
    expect(pulledFiles(folder).every((name) => name.startsWith("a/"))).toBe(true);
  });

  it("keeps the name under which its audio came, when a run ended between audio and manifest", async () => {
    const { id } = box.record();
    const inTheWay = join(folder, `2026/11/28/${id}.json`);
    mkdirSync(inTheWay, { recursive: true });
    expect((await pull(box, folder)).totals).toMatchObject({ stored: 0, faults: 1 });
    expect(pulledFiles(folder)).toEqual([`2026/11/28/${id}.wav`]);
    rmSync(inTheWay, { recursive: true });
    expect((await pull(box, folder, { template: "{id}" })).totals).toMatchObject({ found: 1, faults: 0 });
    expect(faultsOf(folder, box)).toEqual([]);
    expect(requestsOf(/\/file/)).toHaveLength(1);
  });

  it("is taken over when the journal has forgotten it and the listing begins anew", async () => {
    for (let i = 0; i < 8; i++) box.record();
    await pull(box, folder);
    const lines = readFileSync(journal(), "utf8").split("\n");
    writeFileSync(journal(), lines.filter((line) => !line.includes('"kind":"recording"')).join("\n"));
    box.generation = "g2";
    expect((await pull(box, folder, { template: "{id}" })).totals).toMatchObject({ stored: 0, found: 8 });
    expect(faultsOf(folder, box)).toEqual([]);
  });

  it("leaves nothing of what was on its way and is not wanted any more", async () => {
    const { id } = box.record();
    await pull(box, folder);
    for (const name of [id, `${id}.json`]) writeFileSync(join(folder, ".sidetone-pull/partial", name), "x");
    await pull(box, folder);
    expect(leftovers(folder)).toEqual([]);
  });

  it("begins again when the box's index was made anew, and brings only what is new", async () => {
    for (let i = 0; i < 4; i++) box.record();
    await pull(box, folder);
    box.generation = "g2";
    box.record();
    const ran = await pull(box, folder);
    expect(eventsOf(ran, "stale")).toHaveLength(1);
    expect(ran.totals).toMatchObject({ stored: 1, found: 0 });
    expect(faultsOf(folder, box)).toEqual([]);
  });
});

describe("the way to the box", () => {
  it("is taken up where it broke off", async () => {
    const recording = box.record({ bytes: 300_000 });
    const froms: string[] = [];
    trick(/\/file/, 3, (request, response) => {
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      froms.push(String(request.headers["if-range"] ?? ""));
      const { audio, sha256 } = recording;
      response.writeHead(from ? 206 : 200, {
        "content-length": audio.length - from,
        etag: `"${sha256}"`,
        ...(from && { "content-range": `bytes ${from}-${audio.length - 1}/${audio.length}` }),
      });
      response.write(audio.subarray(from, from + 60_000), () => setTimeout(() => response.destroy(), 5));
      return true;
    });
    expect((await pull(box, folder)).totals).toMatchObject({ stored: 1, bytes: 300_000 });
    expect(faultsOf(folder, box)).toEqual([]);
    expect(froms).toEqual(["", `"${recording.sha256}"`, `"${recording.sha256}"`]);
  });

  it("may alter bytes: they are fetched again; a box that always sends others is a fault of that recording only", async () => {
    const [bad, good] = [box.record({ bytes: 5000 }), box.record({ bytes: 5000 })];
    const flip = (times: number, id: string): void =>
      trick(new RegExp(`${id}/file`), times, (_, response) => {
        const altered = Buffer.from(box.recordings.find((each) => each.id === id)!.audio);
        altered[4999]! ^= 1;
        response.end(altered);
        return true;
      });
    flip(1, good.id);
    flip(100, bad.id);
    const ran = await pull(box, folder);
    expect(ran.totals).toMatchObject({ stored: 1, faults: 1 });
    expect(eventsOf(ran, "fault")).toMatchObject([{ id: bad.id, fault: "audio" }]);
    expect(requestsOf(new RegExp(`${bad.id}/file`))).toHaveLength(3);
    expect(pulledFiles(folder).every((name) => name.includes(good.id))).toBe(true);
    expect(leftovers(folder)).toEqual([]);
    // It stays on the list.
    box.tricks = [];
    expect((await pull(box, folder)).totals).toMatchObject({ stored: 1, faults: 0 });
    expect(faultsOf(folder, box)).toEqual([]);
  });

  it.each([
    ["longer", (audio: Buffer) => Buffer.concat([audio, Buffer.from("x")])],
    ["shorter", (audio: Buffer) => audio.subarray(0, -1)],
    ["empty", () => Buffer.alloc(0)],
  ])("may bring %s audio than was signed, which is not kept", async (_, alter) => {
    const { audio } = box.record();
    trick(/\/file/, 100, (_request, response) => {
      response.end(alter(audio));
      return true;
    });
    const ran = await pull(box, folder);
    expect(ran.totals).toMatchObject({ stored: 0, faults: 1 });
    expect(pulledFiles(folder)).toEqual([]);
    box.tricks = [];
    await pull(box, folder);
    expect(faultsOf(folder, box)).toEqual([]);
  });

  it("may alter a manifest on the way: it is fetched again; one that stays wrong is reported", async () => {
    const [good, bad, other] = [box.record(), box.record(), box.record({ signedId: "01J0000000ABCDEFGHJKMNPQRS" })];
    const alter = (id: string, times: number): void =>
      trick(new RegExp(`${id}/manifest`), times, (_, response) => {
        const { manifest } = box.recordings.find((each) => each.id === id)!;
        response.end(manifest.toString().replace("agent-only", "both-parties"));
        return true;
      });
    alter(good.id, 1);
    alter(bad.id, 100);
    const ran = await pull(box, folder);
    expect(ran.totals).toMatchObject({ stored: 1, faults: 2 });
    expect(new Set(eventsOf(ran, "fault").map(({ id, fault }) => `${id} ${fault}`))).toEqual(
      new Set([`${bad.id} manifest`, `${other.id} manifest`]),
    );
  });

  it("waits for a box that restarts, is busy, or limits requests", async () => {
    for (let i = 0; i < 6; i++) box.record();
    trick(/\/recordings\?/, 1, (_, response) => refuse(response, 503, "engine-unavailable"));
    trick(/\/manifest/, 2, (_, response) => refuse(response, 429, "rate-limited", { "retry-after": "1" }));
    trick(/\/file/, 2, (request) => request.destroy());
    let isDown = false;
    trick(/\/file/, 1, (request) => {
      isDown = true;
      request.destroy();
      void box.stop().then(() => setTimeout(() => void box.start(), 100));
      return true;
    });
    const ran = await pull(box, folder, { parallel: 2 });
    expect(isDown).toBe(true);
    expect(ran.totals).toMatchObject({ stored: 6, faults: 0 });
    expect(faultsOf(folder, box)).toEqual([]);
    expect(eventsOf(ran, "outage").length).toBeGreaterThan(0);
    expect(eventsOf(ran, "back").length).toBe(eventsOf(ran, "outage").length);
  });

  it("ends with one line when the box stays away for longer than was said", async () => {
    box.record();
    await box.stop();
    const ran = await pull(box, folder, { patienceMs: 50 });
    expect(ran.error).toMatchObject({ code: "network" });
  });

  it("passes over what the box has deleted meanwhile", async () => {
    box.record();
    const gone = box.record();
    trick(new RegExp(`${gone.id}/file`), 1, (_, response) => refuse(response, 410, "recording-deleted"));
    const ran = await pull(box, folder);
    expect(ran.totals).toMatchObject({ stored: 1, gone: 1, faults: 0 });
    expect(pulledFiles(folder)).toHaveLength(2);
    expect(leftovers(folder)).toEqual([]);
  });

  it.each([
    [403, "right-missing", "unauthorised"],
    [401, "token-invalid", "unauthorised"],
  ])("ends at once at %i", async (status, problem, code) => {
    for (let i = 0; i < 9; i++) box.record();
    trick(/\/file/, 100, (_, response) => refuse(response, status, problem));
    expect((await pull(box, folder)).error).toMatchObject({ code, problem });
  });
});

describe("another box", () => {
  it("is not pulled from when its key is not the pinned one", async () => {
    box.record();
    const ran = await pull(box, folder, { key: generateKeyPairSync("ed25519").publicKey });
    expect(ran.error).toMatchObject({ code: "untrusted", exitCode: 7 });
    expect(requestsOf(/\/(file|manifest)/)).toEqual([]);
  });

  it("does not come into a folder that has recordings of the first", async () => {
    box.record();
    await pull(box, folder);
    box.key = generateKeyPairSync("ed25519");
    expect((await pull(box, folder)).error).toMatchObject({ code: "untrusted" });
  });

  it("stops everything when it takes the first one's place in the middle of a run", async () => {
    const pinned = box.publicKey;
    const later = generateKeyPairSync("ed25519");
    for (let i = 0; i < 3; i++) box.record();
    for (let i = 0; i < 30; i++) box.record({ key: later.privateKey });
    trick(/\/manifest/, 1, () => {
      box.key = later;
      return false;
    });
    const ran = await pull(box, folder, { key: pinned, parallel: 1 });
    expect(ran.error).toMatchObject({ code: "untrusted" });
    expect(pulledFiles(folder)).toHaveLength(6);
  });
});

describe("the folder", () => {
  it("takes one pull at a time", async () => {
    for (let i = 0; i < 6; i++) box.record();
    const [one, other] = await Promise.allSettled([pull(box, folder), pull(box, folder)]);
    expect([one.status, other.status].sort()).toEqual(["fulfilled", "rejected"]);
    expect(faultsOf(folder, box)).toEqual([]);
  });

  it("is not left by a symbolic link, and what stands in the way is a fault of that recording only", async () => {
    const outside = makeTarget();
    box.record({ agent: "21" });
    box.record({ agent: "22" });
    box.record({ agent: "23" });
    symlinkSync(outside, join(folder, "21"));
    writeFileSync(join(folder, "22"), "a file");
    const ran = await pull(box, folder, { template: "{agent}/{id}" });
    expect(ran.totals).toMatchObject({ stored: 1, faults: 2 });
    expect(eventsOf(ran, "fault").map(({ fault }) => fault)).toEqual(["place", "place"]);
    expect(pulledFiles(outside)).toEqual([]);
    removeTarget(outside);
  });

  it("has no file replaced through a link at a recording's place", async () => {
    const outside = makeTarget();
    const victim = join(outside, "victim");
    writeFileSync(victim, "precious");
    const { id } = box.record();
    mkdirSync(join(folder, "2026/11/28"), { recursive: true });
    symlinkSync(victim, join(folder, `2026/11/28/${id}.wav`));
    await pull(box, folder);
    expect(readFileSync(victim, "utf8")).toBe("precious");
    expect(faultsOf(folder, box)).toEqual([]);
    removeTarget(outside);
  });

  it("ends the run when it takes nothing more, and the next one goes on", async () => {
    for (let i = 0; i < 5; i++) box.record();
    trick(/\/file/, 1, () => {
      // What root is refused as well.
      rmSync(join(folder, ".sidetone-pull/partial"), { recursive: true });
      return false;
    });
    const ran = await pull(box, folder, { parallel: 1 });
    expect(ran.error).toMatchObject({ code: "file-unwritable", exitCode: 4 });
    expect((await pull(box, folder)).totals).toMatchObject({ faults: 0 });
    expect(faultsOf(folder, box)).toEqual([]);
    expect(leftovers(folder)).toEqual([]);
  });
});

/** Why nothing can be mounted here, or undefined. */
function mountObstacle(): string | undefined {
  const probe = makeTarget();
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", probe]);
  if (mounted.status === 0) execFileSync("umount", ["--lazy", probe]);
  removeTarget(probe);
  return mounted.status === 0 ? undefined : "nothing can be mounted";
}
const noMount = mountObstacle();
if (noMount) console.log(`skipped: a pull to a full disk: ${noMount}`);

describe.skipIf(noMount !== undefined)("a disk that is full", () => {
  afterEach(() => execFileSync("umount", ["--lazy", folder]));

  it.each([4, 8, 12, 16, 20, 24, 28])(
    "ends the run with what came before it whole, and the next goes on (%i KiB)",
    async (extraKiB) => {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${200 + extraKiB}k`, "tmpfs", folder]);
      for (let i = 0; i < 8; i++) box.record({ bytes: 50_000 });
      const ran = await pull(box, folder, { debts: ["acknowledge", "delete"] });
      expect(ran.error).toMatchObject({ code: "file-unwritable", exitCode: 4 });
      // What the box no longer has is here.
      for (const id of box.deleted) {
        const { audio } = box.recordings.find((recording) => recording.id === id)!;
        const found = pulledFiles(folder).find((name) => name.endsWith(`${id}.wav`))!;
        expect(readFileSync(join(folder, found)).equals(audio)).toBe(true);
      }
      execFileSync("mount", ["-o", "remount,size=8m", folder]);
      expect((await pull(box, folder, { debts: ["acknowledge", "delete"] })).totals).toMatchObject({ faults: 0 });
      expect(faultsOf(folder, box)).toEqual([]);
      expect(leftovers(folder)).toEqual([]);
      expect(box.deleted).toHaveLength(8);
    },
  );
});

describe("following", () => {
  async function restartAndRecord(): Promise<void> {
    await box.stop();
    await box.start();
    box.record();
  }

  async function follow(hasEvents: boolean, intervalMs: number): Promise<number> {
    box.hasEvents = hasEvents;
    const stop = new AbortController();
    const client = new BoxClient({ url: box.url, token: "secret", trust: { kind: "plain" } });
    const arrivals = new Arrivals({ link: linkOf(client), intervalMs });
    const listening = arrivals.listen(stop.signal);
    let seen = 0;
    for (let i = 0; i < 3; i++) box.record();
    const running = pull(box, folder, {
      arrivals,
      signal: stop.signal,
      patienceMs: Number.POSITIVE_INFINITY,
      tell: ({ event }) => {
        if (event === "stored") seen++;
        if (event === "caught-up" && seen === 3) void restartAndRecord();
        if (event === "caught-up" && seen === 4) stop.abort(new HostError("interrupted", "interrupted"));
      },
    });
    const ran = await running;
    await listening;
    client.close();
    expect(ran.error).toMatchObject({ code: "interrupted" });
    expect(faultsOf(folder, box)).toEqual([]);
    expect(leftovers(folder)).toEqual([]);
    return requestsOf(/GET \/recordings\?/).length;
  }

  it("waits for the box's events, through its restarts", async () => {
    await follow(true, 60_000);
  });

  it("asks now and then where there are none", async () => {
    expect(await follow(false, 50)).toBeGreaterThan(1);
  });
});
