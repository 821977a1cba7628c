// Audio on its way over real sockets: receivers that stop reading, go away, or are many; recordings that are deleted meanwhile;
// memory. The file is long and has no blocks on the disk.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, rmSync, truncateSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makeCallId } from "../../../device/base/ids.js";
import { wavHeader } from "../../../device/seal/wav.js";
import { RecordingStore } from "../../../device/store/recordings.js";
import { putRecording } from "../../fakes/stored-recording.js";
import { ApiBench } from "./api-kit.js";

const ID = makeCallId(1_795_000_000_000_000, Buffer.alloc(10, 7));
/** More than sockets take in at once. */
const FORMAT = { sampleRateHz: 8000, channels: 2, frames: 1500 * 8000 };
const BYTES = 44 + FORMAT.frames * 4;
const hasFfmpeg = !spawnSync("ffmpeg", ["-version"]).error;

let bench: ApiBench;
let store: RecordingStore;
let secret: string;
let path: string;
let port: number;
const sockets: Socket[] = [];
/** Who takes nothing for that long is given up. */
async function open(ms: number): Promise<void> {
  bench = new ApiBench({ config: { requestTimeoutMs: ms / 2 }, deskTimeoutMs: ms / 2, store: () => store });
  store = RecordingStore.open(bench.folder, { audit: { gatherMs: 1 } });
  ({ path } = putRecording(bench.folder, ID, wavHeader(FORMAT), { bytes: BYTES }));
  truncateSync(path, BYTES);
  secret = bench.token("player", "listen");
  port = Number(new URL(await bench.server.app.listen({ host: "127.0.0.1", port: 0 })).port);
}
beforeEach(() => open(60_000));
afterEach(close);

async function close(): Promise<void> {
  for (const socket of sockets.splice(0)) socket.destroy();
  bench.server.listener.destroyConnections();
  await bench.server.app.close();
  store.close();
  await bench.close();
}

interface Receiver {
  socket: Socket;
  received: number;
  head: string;
  closed: Promise<number>;
  /** Reads to the end; the number of bytes. */
  rest(): Promise<number>;
}

/** Asks, and reads on unless it `stopsAt` so many bytes. */
function ask(query: string, stopsAt = Number.POSITIVE_INFINITY): Receiver {
  let pauseAt = stopsAt;
  const socket = connect(port, "127.0.0.1");
  sockets.push(socket);
  const receiver: Receiver = {
    socket,
    received: 0,
    head: "",
    closed: new Promise((resolve) => socket.once("close", () => resolve(receiver.received))),
    rest: () => {
      pauseAt = Number.POSITIVE_INFINITY;
      socket.resume();
      return receiver.closed;
    },
  };
  socket.on("error", () => {});
  socket.on("data", (piece) => {
    if (receiver.received === 0) receiver.head = piece.toString("latin1").split("\r\n\r\n")[0]!;
    receiver.received += piece.length;
    if (receiver.received >= pauseAt) socket.pause();
  });
  const head = `GET /api/v1/recordings/${ID}/audio${query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret}\r\n`;
  socket.write(`${head}Connection: close\r\n\r\n`);
  return receiver;
}

const begun = (receiver: Receiver): Promise<void> =>
  vi.waitFor(() => expect(receiver.received).toBeGreaterThan(0), { timeout: 20_000 });

const counter = (name: string): number => bench.server.counters()[`api.audio-${name}`]!;

const sending = (): number => counter("begun") - counter("ended");

/** Nothing is being sent, no file is open, no program runs. */
async function atRest(): Promise<void> {
  await vi.waitFor(
    () => {
      expect(sending()).toBe(0);
      expect(readdirSync("/proc/self/fd").filter((descriptor) => placeOf(descriptor).startsWith(path))).toEqual([]);
    },
    { timeout: 20_000 },
  );
}

function placeOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return "";
  }
}

/** Programs that this process has started. */
function children(): string[] {
  const tasks = readdirSync("/proc/self/task").map((task) => readFileSync(`/proc/self/task/${task}/children`, "utf8"));
  const pids = tasks.flatMap((list) => list.split(" ").filter((pid) => pid !== ""));
  return pids.map((pid) => readFileSync(`/proc/${pid}/comm`, "utf8").trim()).filter((name) => name === "ffmpeg");
}

describe("a receiver that", () => {
  it("stops reading is given up, and holds nothing any more", async () => {
    await close();
    await open(2000);
    const receiver = ask("?channel=mix", 1);
    await begun(receiver);
    expect(sending()).toBe(1);
    await atRest();
    expect(await receiver.rest()).toBeLessThan(BYTES / 4);
  });

  it("goes away lets the file go", async () => {
    const receiver = ask("", 1);
    await begun(receiver);
    receiver.socket.destroy();
    await atRest();
    expect(bench.log.lines).toEqual([]);
  });

  it.skipIf(!hasFfmpeg)("goes away ends the conversion with it", async () => {
    const receiver = ask("?format=mp3", 1);
    await begun(receiver);
    expect(receiver.head).toMatch(/transfer-encoding: chunked/i);
    expect(children()).toEqual(["ffmpeg"]);
    receiver.socket.destroy();
    await atRest();
    await vi.waitFor(() => expect(children()).toEqual([]), { timeout: 20_000 });
    expect(bench.log.lines).toEqual([]);
  });

  it("is slow gets all of it, while others do; in memory that does not grow with it", async () => {
    await ask("?channel=agent").closed;
    const before = process.memoryUsage.rss();
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss());
    }, 20);
    const slow = ask("");
    const breaths = setInterval(() => {
      slow.socket.pause();
      setTimeout(() => slow.socket.resume(), 30);
    }, 100);
    const others = [ask("?channel=mix"), ask("")];
    const [mixed, whole] = await Promise.all(others.map(({ closed }) => closed));
    expect(await slow.closed).toBe(whole);
    clearInterval(watch);
    clearInterval(breaths);
    expect(whole).toBeGreaterThan(BYTES);
    expect(mixed).toBeGreaterThan(BYTES / 2);
    expect(others[1]!.head).toContain(`content-length: ${BYTES}`);
    expect((most - before) / 1e6).toBeLessThan(100);
    await atRest();
  });
});

it("a recording that is deleted while it is sent is cut off, and its space is given back", async () => {
  const receiver = ask("", 1);
  await begun(receiver);
  rmSync(path);
  expect(await receiver.rest()).toBeLessThan(BYTES / 2);
  await atRest();
  expect(counter("cut")).toBe(1);
  expect(bench.log.lines).toEqual([expect.stringMatching(/^info: audio was cut off: it was deleted/)]);
});
