// Recordings as the API gives them out, compared with the bytes that lie in the data folder, and the audit chain's entries of it.
import { spawnSync } from "node:child_process";
import { readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PLAYBACK_MS } from "../../../device/api/access-trail.js";
import { type CallId, makeCallId } from "../../../device/base/ids.js";
import { problemSchema } from "../../../device/contract/api-problems.js";
import { timeOfCallId } from "../../../device/store/recording-paths.js";
import { RecordingStore } from "../../../device/store/recordings.js";
import { noise, putRecording, type StoredRecording, wavOf } from "../../fakes/stored-recording.js";
import { type FailingDisk, failingDisk, readAudit } from "../store/audit-kit.js";
import { ApiBench } from "./api-kit.js";

const hasFfmpeg = !spawnSync("ffmpeg", ["-version"]).error;
if (!hasFfmpeg) console.log("skipped: conversion: ffmpeg is not installed");

const idOf = (number: number): CallId => makeCallId(1_795_000_000_000_000, Buffer.alloc(10, number));
const ID = idOf(7);
const WAV = wavOf(noise(80_000, 2));

let bench: ApiBench;
let disk: FailingDisk;
let store: RecordingStore;
let recording: StoredRecording;
let secret: string;
let folder: string;

function open(options: ConstructorParameters<typeof ApiBench>[0] = {}): void {
  disk = failingDisk();
  bench = new ApiBench({ ...options, store: () => store });
  folder = bench.folder;
  store = RecordingStore.open(folder, { audit: { disk, gatherMs: 1 } });
  recording = putRecording(folder, ID, WAV);
  secret = bench.token("player", "listen", "download");
}
beforeEach(() => open());
afterEach(async () => {
  await bench.server.app.close();
  expect(sending()).toBe(0);
  await vi.waitFor(() => expect(openFiles().filter((file) => file.startsWith(`${folder}/recordings`))).toEqual([]));
  await close();
});

function sending(): number {
  const { "api.audio-begun": begun, "api.audio-ended": ended } = bench.server.counters();
  return begun! - ended!;
}

async function close(): Promise<void> {
  await bench.server.app.close();
  store.close();
  await bench.close();
}

function openFiles(): string[] {
  return readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)];
    } catch {
      return [];
    }
  });
}

async function get(path: string, headers: Record<string, string> = {}, method: "GET" | "HEAD" = "GET") {
  const {
    statusCode,
    headers: given,
    rawPayload,
  } = await bench.server.app.inject({
    method,
    url: `/api/v1/recordings/${path}`,
    headers: { authorization: `Bearer ${secret}`, ...headers },
  });
  const isProblem = String(given["content-type"]).startsWith("application/problem+json");
  const code = isProblem && rawPayload.length > 0 ? problemSchema.parse(JSON.parse(rawPayload.toString())).code : "";
  return { status: statusCode, headers: given, bytes: rawPayload, code };
}

/** What the chain has of listening and downloading. */
async function accesses() {
  await store.audit.flush();
  return readAudit(folder)
    .filter(({ kind }) => kind === "listen" || kind === "download")
    .map(({ kind, actor, call, detail }) => ({ kind, actor, call, ...detail }));
}

const sameBytes = (one: Buffer, other: Buffer): boolean => one.equals(other);

describe("the file as it is stored", () => {
  it("comes whole, with its tag, digest, length and a name of its own", async () => {
    const listen = await get(`${ID}/audio`);
    expect(listen.status).toBe(200);
    expect(sameBytes(listen.bytes, recording.bytes)).toBe(true);
    expect(listen.headers).toMatchObject({
      etag: `"${recording.sha256}"`,
      "repr-digest": `sha-256=:${Buffer.from(recording.sha256, "hex").toString("base64")}:`,
      "accept-ranges": "bytes",
      "content-type": "audio/wav",
      "content-length": String(recording.bytes.length),
      "content-disposition": `inline; filename="${ID}.wav"`,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    });
    const file = await get(`${ID}/file?channel=both&format=wav`);
    expect(sameBytes(file.bytes, recording.bytes)).toBe(true);
    expect(file.headers).toEqual({
      ...listen.headers,
      date: expect.anything(),
      "content-disposition": `attachment; filename="${ID}.wav"`,
    });
  });

  it("to a HEAD: the same headers and nothing else, for ranges too", async () => {
    for (const path of [`${ID}/audio`, `${ID}/file?channel=agent`, `${ID}/manifest`]) {
      const whole = await get(path);
      const head = await get(path, { range: "bytes=0-9" }, "HEAD");
      expect({ ...head.headers, date: "" }).toEqual({ ...whole.headers, date: "" });
      expect([head.status, head.bytes.length]).toEqual([200, 0]);
    }
    expect((await accesses()).length).toBe(2);
  });

  it("any range of it and of what is made of it is that piece; each has its entry or is counted", async () => {
    const paths = ["audio", "file", "audio?channel=agent", "audio?channel=caller", "file?channel=mix"];
    const wholes = new Map<string, Buffer>();
    for (const path of paths) wholes.set(path, (await get(`${ID}/${path}`)).bytes);
    let pieces = 0;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), fc.nat(350_000), fc.nat(350_000), async (path, from, length) => {
        const whole = wholes.get(path)!;
        const { status, headers, bytes } = await get(`${ID}/${path}`, { range: `bytes=${from}-${from + length}` });
        const to = Math.min(whole.length, from + length + 1);
        if (from >= whole.length) {
          expect([status, headers["content-range"]]).toEqual([416, `bytes */${whole.length}`]);
          return;
        }
        pieces++;
        expect([status, headers["content-range"]]).toEqual([206, `bytes ${from}-${to - 1}/${whole.length}`]);
        expect(headers["content-length"]).toBe(String(to - from));
        expect(sameBytes(bytes, whole.subarray(from, to))).toBe(true);
      }),
      { numRuns: 60 },
    );
    const entries = await accesses();
    const { "api.audio-ranges-folded": folded, "api.audio-given": given } = bench.server.counters();
    expect(entries.length + folded!).toBe(pieces + paths.length);
    expect(given).toBe(pieces + paths.length);
  });

  it("several ranges are answered with the whole", async () => {
    const { status, bytes } = await get(`${ID}/audio`, { range: "bytes=0-1,5-6" });
    expect(status).toBe(200);
    expect(sameBytes(bytes, recording.bytes)).toBe(true);
  });

  it("conditions are met or not, and what is not sent is not entered", async () => {
    const etag = `"${recording.sha256}"`;
    for (const method of ["GET", "HEAD"] as const) {
      const same = await get(`${ID}/audio`, { "if-none-match": `"x", ${etag}` }, method);
      expect([same.status, same.headers["etag"], same.headers["content-length"], same.bytes.length]).toEqual([
        304,
        etag,
        undefined,
        0,
      ]);
    }
    expect((await get(`${ID}/audio`, { "if-match": '"x"' })).code).toBe("precondition-failed");
    expect((await get(`${ID}/audio`, { range: "bytes=99999999-" })).code).toBe("range-not-satisfiable");
    expect((await get(`${idOf(1)}/audio`)).code).toBe("recording-not-found");
    expect((await get(`${ID}/audio?channel=left`)).code).toBe("invalid");
    expect(await accesses()).toEqual([]);
    const other = await get(`${ID}/audio`, { "if-none-match": '"x"', "if-range": '"x"', range: "bytes=0-1" });
    expect([other.status, other.bytes.length]).toEqual([200, recording.bytes.length]);
    const part = await get(`${ID}/audio`, { "if-range": etag, "if-match": "*", range: "bytes=-4" });
    expect([part.status, part.bytes.length]).toEqual([206, 4]);
  });
});

describe("a channel", () => {
  it("is the agent's wherever it is, under a name and a tag of its own", async () => {
    const turned = putRecording(folder, idOf(8), recording.bytes, { roles: ["caller", "agent"] });
    const agent = await get(`${ID}/file?channel=agent`);
    expect(sameBytes(agent.bytes, (await get(`${idOf(8)}/file?channel=caller`)).bytes)).toBe(true);
    expect(sameBytes(agent.bytes, (await get(`${idOf(8)}/file?channel=agent`)).bytes)).toBe(false);
    expect(agent.headers).toMatchObject({
      etag: `"${turned.sha256}-agent"`,
      "content-type": "audio/wav",
      "content-length": String(44 + 80_000 * 2),
      "content-disposition": `attachment; filename="${ID}-agent.wav"`,
    });
    expect(agent.headers["repr-digest"]).toBeUndefined();
    const again = await get(`${ID}/file?channel=agent`, { "if-none-match": agent.headers["etag"] as string });
    expect(again.status).toBe(304);
    expect((await get(`${ID}/file?channel=mix`, { "if-none-match": agent.headers["etag"] as string })).status).toBe(
      200,
    );
  });

  it("of nobody, or of two, is refused; the mix is there", async () => {
    putRecording(folder, idOf(8), recording.bytes, { roles: ["originator", "answerer"] });
    putRecording(folder, idOf(9), recording.bytes, { roles: ["agent", "agent"] });
    putRecording(folder, idOf(10), wavOf(noise(100, 1)));
    for (const number of [8, 9, 10]) {
      const answers = [];
      for (const channel of ["agent", "caller", "mix", "both"])
        answers.push(await get(`${idOf(number)}/audio?channel=${channel}`));
      expect(answers.map(({ status, code }) => code || status)).toEqual([
        "channel-unknown",
        "channel-unknown",
        200,
        200,
      ]);
    }
  });
});

describe("what cannot be given", () => {
  it("an encrypted recording comes as it is stored only", async () => {
    const bytes = Buffer.from("age-encryption.org/v1\n-> X25519 ...");
    putRecording(folder, idOf(8), bytes, { isEncrypted: true });
    const stored = await get(`${idOf(8)}/file`, { range: "bytes=0-2" });
    expect([stored.status, stored.bytes.toString()]).toEqual([206, "age"]);
    expect(stored.headers).toMatchObject({
      "content-type": "application/octet-stream",
      "content-disposition": `attachment; filename="${idOf(8)}.wav.age"`,
    });
    for (const query of ["channel=agent", "channel=mix", "format=mp3", "format=opus&channel=caller"])
      expect((await get(`${idOf(8)}/file?${query}`)).code).toBe("encrypted");
  });

  it("a file that is not what its manifest says", async () => {
    putRecording(folder, idOf(8), recording.bytes, { bytes: 5 });
    putRecording(folder, idOf(9), Buffer.from("no WAV"));
    expect((await get(`${idOf(8)}/file`)).code).toBe("recording-damaged");
    expect((await get(`${idOf(9)}/file?channel=mix`)).code).toBe("recording-damaged");
    // Whoever looks into what is wrong gets it as it is.
    expect((await get(`${idOf(9)}/file`)).bytes.toString()).toBe("no WAV");
  });

  it("what is not there, deleted, or no id", async () => {
    const { path } = putRecording(folder, idOf(8), recording.bytes);
    writeFileSync(store.paths.tombstone(idOf(8), timeOfCallId(idOf(8))), "{}\n");
    putRecording(folder, idOf(9), recording.bytes);
    rmSync(path.replace(idOf(8), idOf(9)));
    for (const route of ["audio", "file", "manifest", "vcon"])
      expect(await get(`${idOf(8)}/${route}`), route).toMatchObject({ status: 410, code: "recording-deleted" });
    for (const id of [idOf(1), idOf(9), "..%2f..%2fdevice", "x".repeat(60), `${ID.toLowerCase()}`]) {
      for (const route of ["audio", "file"]) expect((await get(`${id}/${route}`)).code, id).toBe("recording-not-found");
    }
    expect((await get(`${idOf(1)}/manifest`)).code).toBe("recording-not-found");
  });

  it("what is deleted meanwhile is cut off, if not found already", async () => {
    const { sync } = disk;
    disk.sync = async (descriptor) => {
      rmSync(recording.path);
      return sync.call(disk, descriptor);
    };
    const answer = await get(`${ID}/audio`).then(
      ({ status }) => status,
      (error: Error) => error.message,
    );
    disk.sync = sync;
    expect(answer).toBeOneOf([404, "response destroyed before completion"]);
    expect(bench.log.lines).toEqual([`info: audio was cut off: it was deleted {"call":"${ID}"}`]);
    expect(bench.server.counters()["api.audio-cut"]).toBe(1);
  });
});

describe("the manifest", () => {
  it("comes as it lies there, with its own tag and digest, and is not audio to be entered", async () => {
    const { status, headers, bytes } = await get(`${ID}/manifest`);
    expect(status).toBe(200);
    expect(sameBytes(bytes, recording.manifest)).toBe(true);
    expect(headers).toMatchObject({
      "content-type": "application/json; charset=utf-8",
      "content-length": String(bytes.length),
      "content-disposition": `attachment; filename="${ID}.json"`,
    });
    for (const method of ["GET", "HEAD"] as const) {
      const again = await get(`${ID}/manifest`, { "if-none-match": headers["etag"] as string }, method);
      expect([again.status, again.bytes.length]).toEqual([304, 0]);
    }
    expect((await get(`${ID}/manifest`, { "if-match": '"x"' })).code).toBe("precondition-failed");
    expect(await accesses()).toEqual([]);
  });
});

describe("who listens and downloads", () => {
  const by = { actor: "token player", call: ID, tokenId: expect.any(String), address: "127.0.0.1" };

  it("is entered with what, why and from where, each time", async () => {
    await get(`${ID}/audio?reason=complaint%20of%20Monday`);
    await get(`${ID}/audio?reason=complaint%20of%20Monday`);
    await get(`${ID}/file?channel=agent`, { range: "bytes=10-19" });
    expect(await accesses()).toEqual([
      { ...by, kind: "listen", channel: "both", format: "wav", range: "", reason: "complaint of Monday" },
      { ...by, kind: "listen", channel: "both", format: "wav", range: "", reason: "complaint of Monday" },
      { ...by, kind: "download", channel: "agent", format: "wav", range: `10-19/${44 + 160_000}`, reason: "" },
    ]);
  });

  it("pieces of one playback within a minute are one entry, and one more with their number", async () => {
    const piece = (from: number, query = "") => get(`${ID}/audio${query}`, { range: `bytes=${from}-${from + 9}` });
    for (const from of [0, 100, 200]) expect((await piece(from)).status).toBe(206);
    await piece(0, "?reason=another");
    expect((await accesses()).map(({ range, reason }: Record<string, unknown>) => [range, reason])).toEqual([
      [`0-9/${recording.bytes.length}`, ""],
      [`0-9/${recording.bytes.length}`, "another"],
    ]);
    bench.clock.ms += PLAYBACK_MS;
    await piece(300);
    const entries = (await accesses()) as Record<string, unknown>[];
    expect(entries.slice(2).map(({ range, further, bytes }) => [range, further, bytes])).toEqual([
      ["", 2, 20],
      [`300-309/${recording.bytes.length}`, undefined, undefined],
    ]);
    await piece(400);
    await bench.server.app.close();
    expect(((await accesses()) as Record<string, unknown>[]).slice(4).map(({ further }) => further)).toEqual([1]);
  });

  it("whoever cannot be entered gets nothing, and pieces are tried again", async () => {
    disk.fails = "sync";
    for (const headers of [{}, { range: "bytes=0-9" }, { range: "bytes=0-9" }]) {
      const { status, code, bytes } = await get(`${ID}/audio`, headers as Record<string, string>);
      expect([status, code]).toEqual([503, "data-unwritable"]);
      expect(bytes.length).toBeLessThan(400);
    }
    disk.fails = "";
    expect((await get(`${ID}/audio`, { range: "bytes=0-9" })).status).toBe(206);
  });

  it("nothing leaves before its entry is durable, and there are only so many at once", async () => {
    await close();
    open({ config: { maxAudioStreams: 2 } });
    let release = () => {};
    const { sync } = disk;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    disk.sync = async (descriptor) => {
      await held;
      return sync.call(disk, descriptor);
    };
    let isAnswered = false;
    const waiting = [get(`${ID}/audio`), get(`${ID}/file?channel=mix`)].map(async (answer) => {
      const { status } = await answer;
      isAnswered = true;
      return status;
    });
    while (sending() < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    const third = await get(`${ID}/audio`);
    expect([third.code, third.headers["retry-after"]]).toEqual(["audio-busy", "5"]);
    expect((await get(`${ID}/audio`, {}, "HEAD")).status).toBe(200);
    expect(isAnswered).toBe(false);
    release();
    expect(await Promise.all(waiting)).toEqual([200, 200]);
    expect((await get(`${ID}/audio`)).status).toBe(200);
    expect(bench.server.counters()["api.audio-busy"]).toBe(1);
  });

  it("has to say why where that is configured", async () => {
    await close();
    open({ config: { accessReason: "required" } });
    for (const query of ["", "?reason=", "?reason=%20%20"]) {
      const { status, bytes } = await get(`${ID}/audio${query}`);
      expect([status, JSON.parse(bytes.toString()).errors[0].field]).toEqual([422, "reason"]);
    }
    expect((await get(`${ID}/audio?reason=quality`)).status).toBe(200);
    expect((await accesses()).length).toBe(1);
  });

  it.each(["%0a", "%1b[31m", "x".repeat(257)])("a reason is one short line: %s", async (reason) => {
    expect((await get(`${ID}/audio?reason=${reason}`)).code).toBe("invalid");
  });
});

describe("MP3 and Opus", () => {
  it.skipIf(!hasFfmpeg)("come without length and ranges, with a weak tag and a name", async () => {
    for (const [format, media] of [
      ["mp3", "audio/mpeg"],
      ["opus", "audio/ogg; codecs=opus"],
    ] as const) {
      const { status, headers, bytes } = await get(`${ID}/audio?format=${format}&channel=caller`, {
        range: "bytes=0-9",
      });
      expect(status).toBe(200);
      expect(headers).toMatchObject({
        "content-type": media,
        "accept-ranges": "none",
        etag: `W/"${recording.sha256}-caller-${format}"`,
        "content-disposition": `inline; filename="${ID}-caller.${format}"`,
      });
      expect(headers["content-length"]).toBeUndefined();
      expect(bytes.subarray(0, 4).toString("latin1")).toMatch(format === "opus" ? /^OggS/ : /^\xff/);
      const head = await get(`${ID}/audio?format=${format}&channel=caller`, {}, "HEAD");
      expect([head.status, head.headers["content-length"], head.headers["etag"]]).toEqual([
        200,
        undefined,
        headers["etag"],
      ]);
      const again = await get(`${ID}/audio?format=${format}&channel=caller`, {
        "if-none-match": headers["etag"] as string,
      });
      expect(again.status).toBe(304);
    }
    expect((await accesses()).map(({ format }: Record<string, unknown>) => format)).toEqual(["mp3", "opus"]);
  });

  it("without ffmpeg are refused in one line, and nothing is entered", async () => {
    const { PATH } = process.env;
    process.env["PATH"] = folder;
    try {
      expect(await get(`${ID}/audio?format=mp3`)).toMatchObject({ status: 501, code: "format-unavailable" });
    } finally {
      process.env["PATH"] = PATH;
    }
    expect(bench.server.counters()["api.audio-format-unavailable"]).toBe(1);
    expect(bench.log.lines).toEqual([expect.stringMatching(/^warn: audio cannot be encoded: is ffmpeg installed\?/)]);
    expect(await accesses()).toEqual([]);
  });

  it("are made for so many at once", async () => {
    await close();
    open({ config: { maxConversions: 0 } });
    expect((await get(`${ID}/audio?format=mp3`)).code).toBe("audio-busy");
    expect((await get(`${ID}/audio`)).status).toBe(200);
  });
});

it("nothing can be had while the data folder is not open", async () => {
  const closed = new ApiBench({ store: () => undefined });
  const token = closed.token("player", "listen", "download");
  for (const route of ["audio", "file", "manifest"])
    expect((await closed.ask("GET", `/api/v1/recordings/${ID}/${route}`, token)).body.code).toBe("unavailable");
  await closed.close();
});
