// Live capture on a real interface: frames, tags, fragments, the filter in the kernel, counters, an interface that goes
// down and away, and the process that ends after stop().
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { anyLinkFilter, captureFilter } from "../../device/capture/filter.js";
import type { Frame } from "../../device/capture/frame.js";
import { readInterface } from "../../device/capture/interface-state.js";
import { type LiveFault, type LiveOptions, LiveSource } from "../../device/capture/live-source.js";
import { ETHERNET_ONLY, PACKETS, TAGS, TCP_PORTS } from "../unit/capture/filter-cases.js";
import { ethernet } from "../unit/capture/packet-builder.js";
import { FAR_ADDRESS, liveTestObstacle, VethPair } from "./veth-pair.js";

const obstacle = liveTestObstacle();
if (obstacle !== undefined) console.log(`skipped: live capture tests (${obstacle})`);

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));
/** Root without the capabilities that make root special: it may not capture, and still read this checkout. */
const POWERLESS = ["setpriv", "--bounding-set", "-net_raw,-net_admin"];

interface Seen {
  bytes: Buffer;
  originalLength: number;
  capturedAtUs: number;
  linkType: number;
  interfaceIndex: number;
}

class Capture {
  readonly frames: Seen[] = [];
  readonly source: LiveSource;

  constructor(name: string, options: Partial<LiveOptions> = {}) {
    const all = {
      bufferMegabytes: 4,
      snapLengthBytes: 65535,
      timeoutMs: 10,
      promiscuous: true,
      tcpPorts: TCP_PORTS,
      ...options,
    };
    this.source = new LiveSource({ interface: name, ...all }, (frame) => this.#keep(frame), 3);
  }

  /** Frames whose bytes hold the text. */
  with(text: string): Seen[] {
    return this.frames.filter((frame) => frame.bytes.includes(text));
  }

  #keep(frame: Frame): void {
    const { data, start, capturedLength, originalLength, capturedAtUs, linkType, interfaceIndex } = frame;
    const bytes = Buffer.from(data.subarray(start, start + capturedLength));
    this.frames.push({ bytes, originalLength, capturedAtUs, linkType, interfaceIndex });
  }
}

/** Resolves once the condition holds; the test's own timeout is the limit. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe.skipIf(obstacle !== undefined)("live capture", () => {
  const pair = new VethPair("a");
  let captures: Capture[] = [];

  function capture(options: Partial<LiveOptions> = {}): Capture {
    const made = new Capture(pair.near, options);
    captures.push(made);
    made.source.start();
    return made;
  }

  beforeAll(() => pair.create());
  afterEach(() => {
    for (const { source } of captures) source.stop();
    captures = [];
  });
  afterAll(() => pair.remove());

  it("delivers frames with their lengths and times, and counts them", async () => {
    const sink = capture();
    const beforeUs = Date.now() * 1000;
    pair.run(`for (let i = 0; i < 50; i++) await send("${FAR_ADDRESS}", 5004, "plain " + String(i).padStart(3, "0"));`);
    await until(() => sink.with("plain ").length === 50);
    const afterUs = (Date.now() + 1) * 1000;
    for (const [i, frame] of sink.with("plain ").entries()) {
      expect(frame.bytes.toString("latin1", 42)).toBe(`plain ${String(i).padStart(3, "0")}`);
      expect(frame).toMatchObject({ originalLength: 51, linkType: 1, interfaceIndex: 3 });
      expect(frame.capturedAtUs).toBeGreaterThanOrEqual(beforeUs);
      expect(frame.capturedAtUs).toBeLessThanOrEqual(afterUs);
    }
    expect(sink.source.counters()).toEqual({
      frames: sink.frames.length,
      bytes: sink.frames.reduce((sum, frame) => sum + frame.bytes.length, 0),
      kernelDrops: 0,
      interfaceDrops: 0,
      joinedFrames: 0,
    });
    expect(sink.source.filter).toBe(captureFilter(TCP_PORTS));
    expect(sink.source.filterRefusals).toEqual([]);
    expect(sink.source.takeFault()).toBeUndefined();
  });

  it("keeps no more of a frame than the snap length", async () => {
    const sink = capture({ snapLengthBytes: 256 });
    pair.run(`await send("${FAR_ADDRESS}", 5004, "long ".repeat(200));`);
    await until(() => sink.with("long ").length === 1);
    expect(sink.with("long ")[0]?.bytes.length).toBe(256);
    expect(sink.with("long ")[0]?.originalLength).toBe(1042);
  });

  it.each(TAGS.map((tags) => ({ tags, name: tags.map((tag) => tag.toString(16)).join(" ") || "none" })))(
    "filters in the kernel, behind VLAN tags that it delivers with the frame: $name",
    async ({ tags }) => {
      const sink = capture();
      const cases = [...PACKETS, ...ETHERNET_ONLY];
      const frames = cases.map(({ type, packet }) => ethernet(type, packet, tags));
      const last = ethernet(
        0x0800,
        Buffer.from("45000026000000004011000001010101020202020001000200120000", "hex"),
        [0x8100],
      );
      pair.inject([...frames, last]);
      const seen = (frame: Buffer): boolean => sink.frames.some(({ bytes }) => bytes.equals(frame));
      await until(() => seen(last));
      const got = cases.map(({ name }, i) => `${name}: ${seen(frames[i]!)}`);
      expect(got).toEqual(cases.map(({ name, passes }) => `${name}: ${passes}`));
    },
  );

  it("passes every fragment", async () => {
    const sink = capture();
    pair.run(
      `await send("${FAR_ADDRESS}", 5004, "fragment".repeat(500)); await send("${FAR_ADDRESS}", 9, "end of fragments");`,
    );
    await until(() => sink.with("end of fragments").length === 1);
    const fragments = sink.with("fragmentfragment");
    expect(fragments).toHaveLength(3);
    const payloadBytes = fragments.reduce((sum, frame) => sum + frame.bytes.length - 34, 0);
    expect(payloadBytes).toBe(4000 + 8);
  });

  it("falls back to a simpler filter when libpcap refuses one", async () => {
    const sink = capture({ filter: "no such expression" });
    expect(sink.source.filter).toBe(anyLinkFilter(TCP_PORTS));
    expect(sink.source.filterRefusals).toHaveLength(1);
    expect(sink.source.filterRefusals[0]).toContain("filter");
    pair.run(`await send("${FAR_ADDRESS}", 5004, "simple");`);
    await until(() => sink.with("simple").length === 1);
  });

  it("captures on all interfaces at once as Linux cooked", async () => {
    const sink = new Capture("any");
    captures.push(sink);
    sink.source.start();
    expect(sink.source.filter).toBe(anyLinkFilter(TCP_PORTS));
    pair.run(`await send("${FAR_ADDRESS}", 5004, "everywhere");`);
    await until(() => sink.with("everywhere").length === 1);
    expect([113, 276]).toContain(sink.with("everywhere")[0]?.linkType);
  });

  it("delivers nothing after stop, also from within the sink, and can start again", async () => {
    const frames: number[] = [];
    const options = {
      bufferMegabytes: 4,
      snapLengthBytes: 65535,
      timeoutMs: 10,
      promiscuous: true,
      tcpPorts: TCP_PORTS,
    };
    const source = new LiveSource(
      { interface: pair.near, ...options },
      () => {
        frames.push(frames.length);
        if (frames.length === 2) source.stop();
      },
      0,
    );
    source.start();
    pair.run(`for (let i = 0; i < 20; i++) await send("${FAR_ADDRESS}", 5004, "stop me");`);
    await until(() => frames.length >= 2);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(frames).toHaveLength(2);
    expect(source.counters().frames).toBe(2);
    source.start();
    pair.run(`await send("${FAR_ADDRESS}", 5004, "again");`);
    await until(() => frames.length >= 3);
    source.stop();
    source.stop();
  });

  it("tells when the interface has no link, is down, is gone; and goes on when it is back", async () => {
    const sink = capture();
    expect(sink.source.takeFault()).toBeUndefined();
    pair.setFar("down");
    let fault: LiveFault | undefined;
    await until(() => {
      fault = sink.source.takeFault();
      return fault !== undefined;
    });
    expect(fault).toMatchObject({ code: "interface-down", message: expect.stringContaining("has no link") });
    expect(sink.source.takeFault()).toBeUndefined();
    pair.setNear("down");
    expect(sink.source.takeFault()).toMatchObject({ message: expect.stringContaining("sudo ip link set") });
    pair.setNear("up");
    pair.removeLink();
    expect(sink.source.takeFault()).toMatchObject({ message: expect.stringContaining("went away") });
    expect(sink.source.takeFault()).toBeUndefined();
    pair.addLink();
    await until(() => {
      const after = sink.source.takeFault();
      if (after !== undefined) expect(after.message).toContain("has no link");
      if (sink.with("back").length > 0) return true;
      pair.run(`await send("${FAR_ADDRESS}", 5004, "back");`);
      return false;
    });
    expect(sink.source.takeFault()).toBeUndefined();
  });

  it("opens a removed interface anew only so many times", async () => {
    const { source } = capture();
    const messages: string[] = [];
    for (let i = 0; i < 6; i++) {
      pair.removeLink();
      source.takeFault();
      pair.addLink();
      await until(() => readInterface(pair.near)?.hasLink === true);
      messages.push(source.takeFault()?.message ?? "captures");
    }
    expect(messages.slice(0, 4)).toEqual(Array(4).fill("captures"));
    expect(messages[4]).toContain("restart the recorder");
  });

  it("says how to set up an interface that is down", () => {
    pair.setNear("down");
    try {
      expect(() => capture()).toThrow(expect.objectContaining({ code: "interface-down" }));
    } finally {
      pair.setNear("up");
    }
  });
});

describe.skipIf(obstacle !== undefined)("a process that captures", () => {
  const pair = new VethPair("b");
  let folder = "";

  beforeAll(() => {
    pair.create();
    folder = buildCapture();
  });
  afterAll(() => {
    pair.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts a capture in a process of its own, stops it after `milliseconds`, and reports what was thrown. */
  function script(name: string, milliseconds: number): string {
    return `import { LiveSource } from ${JSON.stringify(join(folder, "device/capture/live-source.js"))};
      const options = { bufferMegabytes: 4, snapLengthBytes: 65535, timeoutMs: 10, promiscuous: true, tcpPorts: [5060] };
      const source = new LiveSource({ interface: ${JSON.stringify(name)}, ...options }, () => {}, 0);
      try {
        source.start();
        setTimeout(() => { source.stop(); console.log("stopped"); }, ${milliseconds});
      } catch (error) { console.log(error.code, error.message); }`;
  }

  it("ends after stop on an interface where nothing comes", async () => {
    pair.setFar("down");
    const child = spawn(process.execPath, ["--input-type=module", "-e", script(pair.near, 100)], { stdio: "pipe" });
    const output: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(Buffer.concat(output).toString()).toBe("stopped\n");
    expect(code).toBe(0);
  });

  it.each([
    [
      "may not capture",
      () => pair.near,
      /^capture-not-permitted .*run as root, or allow it once: sudo setcap cap_net_raw\+ep \//,
    ],
    ["names no interface", () => "nope0", /^interface-not-found there is no network interface "nope0"; there are: /],
  ])("as a user who %s says so", (_who, name, expected) => {
    const [launcher, ...rest] = [...POWERLESS, process.execPath, "--input-type=module", "-e", script(name(), 0)];
    const run = spawnSync(launcher!, rest, { cwd: "/", encoding: "utf8" });
    expect(run.stderr).toBe("");
    expect(run.stdout).toMatch(expected);
    expect(run.stdout.trim().split("\n")).toHaveLength(1);
  });
});

/** The capture code as JavaScript in a folder that everybody may read, for processes of their own. */
function buildCapture(): string {
  const folder = mkdtempSync(join(tmpdir(), "sidetone-live-"));
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  symlinkSync(join(REPOSITORY, "node_modules"), join(folder, "node_modules"));
  const compiler = join(REPOSITORY, "node_modules/.bin/tsc");
  const options = "--ignoreConfig --module nodenext --target es2023 --types node --skipLibCheck --rootDir .".split(" ");
  execFileSync(compiler, [...options, "--outDir", folder, "device/capture/live-source.ts"], { cwd: REPOSITORY });
  return folder;
}
