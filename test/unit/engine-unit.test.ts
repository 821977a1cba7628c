// The service's end of an engine that it reaches over a socket, against one that is played here: what it is told at the start, how
// it is asked to leave, what becomes of one that does not, or is not there.
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { configSchema } from "../../device/contract/config.js";
import { ENGINE_PROTOCOL } from "../../device/contract/engine-messages.js";
import type { EngineStart } from "../../device/engine-process.js";
import { EngineUnit } from "../../device/engine-unit.js";
import { makeFolder, removeFolder } from "../fakes/program.js";

const START: EngineStart = {
  config: configSchema.parse({}),
  capture: { kind: "live", interfaces: ["capture0"] },
  journalFolder: "/journal/run",
  registerFolder: "/registers",
  carried: { calls: [] },
};

describe("an engine over a socket", () => {
  let folder: string;
  let path: string;
  let server: Server | undefined;
  let engine: Socket | undefined;
  let heard: { type: string }[];
  let hasEnded: boolean;
  let gone: { clean: boolean; how: string }[];
  let messages: unknown[];

  beforeEach(() => {
    folder = makeFolder();
    path = join(folder, "socket");
    [server, engine, heard, hasEnded, gone, messages] = [undefined, undefined, [], false, [], []];
  });
  afterEach(async () => {
    vi.useRealTimers();
    engine?.destroy();
    if (server) await new Promise((resolve) => server!.close(resolve));
    removeFolder(folder);
  });

  async function connect(): Promise<EngineUnit> {
    server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server!.listen(path, resolve));
    const accepted = new Promise<Socket>((resolve) => server!.once("connection", resolve));
    const unit = open();
    engine = await accepted;
    let text = "";
    engine.on("data", (part: Buffer) => {
      text += part.toString();
      const lines = text.split("\n");
      text = lines.pop()!;
      heard.push(...lines.map((line) => JSON.parse(line) as { type: string }));
    });
    engine.on("end", () => {
      hasEnded = true;
    });
    await vi.waitFor(() => expect(heard.length).toBe(1));
    return unit;
  }

  function open(): EngineUnit {
    // This test's own: an engine of the test before may still be told that its socket is gone.
    const [said, ended] = [messages, gone];
    return new EngineUnit(path, START, {
      message: (message) => said.push(message),
      gone: (clean, how) => ended.push({ clean, how }),
    });
  }

  it("is told what to do, and what it says is handed on", async () => {
    const unit = await connect();
    expect(heard[0]).toEqual({ type: "start", protocol: ENGINE_PROTOCOL, ...START });
    expect(unit.send({ type: "room", takesNewCalls: false })).toBe(true);
    engine!.write('{"type":"notice","message":"x"}\n');
    await vi.waitFor(() => expect([heard.length, messages.length]).toEqual([2, 1]));
    expect(gone).toEqual([]);
  });

  it("that leaves when it was asked to is gone cleanly, once", async () => {
    const unit = await connect();
    unit.stop();
    await vi.waitFor(() => expect(heard.at(-1)).toEqual({ type: "stop" }));
    engine!.end();
    await vi.waitFor(() => expect(gone).toEqual([{ clean: true, how: `${path}: the connection was closed` }]));
    expect(unit.send({ type: "stop" })).toBe(false);
    unit.stop();
    unit.kill();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(gone.length).toBe(1);
  });

  it("that dies unasked is gone, and not cleanly", async () => {
    await connect();
    engine!.destroy();
    await vi.waitFor(() => expect(gone.map(({ clean }) => clean)).toEqual([false]));
  });

  it("that is not there is gone, and says where it was looked for", async () => {
    open();
    await vi.waitFor(() => expect(gone.length).toBe(1));
    expect(gone[0]).toMatchObject({ clean: false, how: expect.stringMatching(/socket: connect ENOENT/) });
  });

  it("that does not finish hears that nothing more comes, and is given up when it does not leave either", async () => {
    const unit = await connect();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    unit.stop();
    vi.advanceTimersByTime(4999);
    expect(hasEnded).toBe(false);
    vi.advanceTimersByTime(1);
    for (let turns = 0; !hasEnded && turns < 10_000; turns++) await new Promise((resolve) => setImmediate(resolve));
    expect([hasEnded, gone]).toEqual([true, []]);
    vi.advanceTimersByTime(2000);
    expect(gone).toEqual([{ clean: false, how: "the engine does not leave" }]);
  });
});
