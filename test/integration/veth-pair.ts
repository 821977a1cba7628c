// A veth pair whose far end lives in its own network namespace: a mirror port to capture on, and a network that sends
// into it. Needs root and iproute2; names are unique per process, so that several test runs do not meet.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createRequire } from "node:module";

/** Why live tests cannot run here, or undefined. */
export function liveTestObstacle(): string | undefined {
  if (process.getuid?.() !== 0) return "not root";
  if (spawnSync("ip", ["-V"]).error !== undefined) return "ip (iproute2) is not installed";
  const name = `st-try-${process.pid}`;
  if (spawnSync("ip", ["netns", "add", name]).status !== 0) return "network namespaces are not allowed";
  execFileSync("ip", ["netns", "del", name]);
  return undefined;
}

/** Where the namespace's datagrams go: nobody answers, and the hardware address is set by hand. */
export const FAR_ADDRESS = "198.18.77.2";
const FAR_DEVICE = "far0";
const BINDING = createRequire(import.meta.url).resolve("pcap/build/Release/pcap_binding.node");
const HARDWARE_ADDRESS = "02:00:00:00:77:02";

export class VethPair {
  /** The end to capture on: up, without an address, as a mirror port is. */
  readonly near: string;
  readonly #namespace: string;
  readonly #bridge: string;

  constructor(name: string) {
    this.#bridge = `st${process.pid}${name}b`.slice(0, 15);
    this.#namespace = `st-${process.pid}-${name}`;
    this.near = `st${process.pid}${name}n`.slice(0, 15);
  }

  create(): void {
    ip("netns", "add", this.#namespace);
    this.addLink();
  }

  /** The pair itself; `removeLink` takes it away while the namespace stays. */
  addLink(): void {
    ip("link", "add", this.near, "type", "veth", "peer", "name", FAR_DEVICE, "netns", this.#namespace);
    ip("link", "set", this.near, "up");
    this.#inside("ip", "link", "set", FAR_DEVICE, "up");
    this.#inside("ip", "address", "add", "198.18.77.1/24", "dev", FAR_DEVICE);
    this.#inside("ip", "neigh", "replace", FAR_ADDRESS, "lladdr", HARDWARE_ADDRESS, "dev", FAR_DEVICE);
  }

  removeLink(): void {
    ip("link", "del", this.near);
  }

  setNear(state: "up" | "down"): void {
    ip("link", "set", this.near, state);
  }

  setFar(state: "up" | "down"): void {
    this.#inside("ip", "link", "set", FAR_DEVICE, state);
  }

  /** Runs JavaScript in the namespace; `send(address, port, payload)` there sends one UDP datagram. */
  run(script: string): void {
    const prelude = `const socket = require("node:dgram").createSocket("udp4"); socket.unref();
      const send = (address, port, payload) =>
        new Promise((resolve, reject) => socket.send(payload, port, address, (e) => (e ? reject(e) : resolve())));`;
    this.#inside(process.execPath, "-e", `${prelude} (async () => { ${script} })();`);
  }

  /** Sends the frames as they are, tags and all, out of the namespace. */
  inject(frames: readonly Buffer[]): void {
    const hex = frames.map((frame) => frame.toString("hex"));
    const script = `const { PcapSession } = require(${JSON.stringify(BINDING)});
      const session = new PcapSession();
      session.open_live("${FAR_DEVICE}", "", 1 << 20, 65535, "", () => {}, false, 10, () => {}, false);
      for (const frame of JSON.parse(require("node:fs").readFileSync(0))) session.inject(Buffer.from(frame, "hex"));`;
    const command = ["netns", "exec", this.#namespace, process.execPath, "-e", script];
    execFileSync("ip", command, { input: JSON.stringify(hex), stdio: ["pipe", "ignore", "pipe"] });
  }

  /** The same with the frames' times kept: takes as long as they lie apart. */
  replay(frames: readonly { atUs: number; frame: Buffer }[]): void {
    const timed = frames.map(({ atUs, frame }) => [(atUs - frames[0]!.atUs) / 1000, frame.toString("hex")]);
    const script = `const { PcapSession } = require(${JSON.stringify(BINDING)});
      const session = new PcapSession();
      session.open_live("${FAR_DEVICE}", "", 1 << 20, 65535, "", () => {}, false, 10, () => {}, false);
      const startMs = performance.now();
      for (const [atMs, frame] of JSON.parse(require("node:fs").readFileSync(0))) {
        while (performance.now() - startMs < atMs);
        session.inject(Buffer.from(frame, "hex"));
      }`;
    const command = ["netns", "exec", this.#namespace, process.execPath, "-e", script];
    execFileSync("ip", command, { input: JSON.stringify(timed), stdio: ["pipe", "ignore", "pipe"] });
  }

  /** The same beside whatever else goes on, without keeping a core busy: times are kept to a few milliseconds. */
  async replayLater(frames: readonly { atUs: number; frame: Buffer }[]): Promise<void> {
    const timed = frames.map(({ atUs, frame }) => [(atUs - frames[0]!.atUs) / 1000, frame.toString("hex")]);
    const script = `const { PcapSession } = require(${JSON.stringify(BINDING)});
      const session = new PcapSession();
      session.open_live("${FAR_DEVICE}", "", 1 << 20, 65535, "", () => {}, false, 10, () => {}, false);
      const frames = JSON.parse(require("node:fs").readFileSync(0));
      const startMs = performance.now();
      let next = 0;
      const timer = setInterval(() => {
        const passedMs = performance.now() - startMs;
        for (; next < frames.length && frames[next][0] <= passedMs; next++) session.inject(Buffer.from(frames[next][1], "hex"));
        if (next === frames.length) process.exit(0);
      }, 5);`;
    const command = ["netns", "exec", this.#namespace, process.execPath, "-e", script];
    const child = spawn("ip", command, { stdio: ["pipe", "ignore", "inherit"] });
    child.stdin.end(JSON.stringify(timed));
    await new Promise<void>((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`replay: exit code ${code}`))));
    });
  }

  /** Makes the near end a port of a bridge, whose own interface sees the same frames. Returns its name. */
  addBridge(): string {
    ip("link", "add", this.#bridge, "type", "bridge");
    ip("link", "set", this.near, "master", this.#bridge);
    ip("link", "set", this.#bridge, "up");
    return this.#bridge;
  }

  remove(): void {
    spawnSync("ip", ["link", "del", this.#bridge]);
    spawnSync("ip", ["link", "del", this.near]);
    spawnSync("ip", ["netns", "del", this.#namespace]);
  }

  #inside(...command: string[]): void {
    ip("netns", "exec", this.#namespace, ...command);
  }
}

function ip(...words: string[]): void {
  execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
}
