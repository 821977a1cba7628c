// An office in network namespaces: its hosts on a switch that floods, and a mirror port on which the recorder listens.
// Needs root and iproute2. Everything in it is gone after `remove`.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";

export const CALLER_ADDRESS = "10.77.0.1";
export const AGENT_ADDRESS = "10.77.0.2";

/** Addresses of 10.77.0.0/16 by host name (at most 13 characters). */
export type OfficeHosts = Readonly<Record<string, readonly string[]>>;

const CALLER_AND_AGENT: OfficeHosts = { caller: [CALLER_ADDRESS], agent: [AGENT_ADDRESS] };
const DEVICE = "eth0";

export class OfficeNetwork {
  /** The recorder's interface, inside its namespace. */
  readonly mirrorInterface = "mirror0";
  private readonly prefix: string;
  private readonly hosts: OfficeHosts;
  private readonly children: ChildProcess[] = [];

  constructor(name: string, hosts: OfficeHosts = CALLER_AND_AGENT) {
    this.prefix = `st${process.pid}${name}`;
    this.hosts = hosts;
  }

  create(): void {
    for (const host of this.everyHost) ip("netns", "add", this.namespace(host));
    const inSwitch = (...args: string[]) => ip("-n", this.namespace("switch"), ...args);
    // A bridge that forgets at once floods every frame to every port: a mirror port without traffic control.
    inSwitch("link", "add", "br0", "type", "bridge", "ageing_time", "0");
    inSwitch("link", "set", "br0", "up");
    for (const [host, addresses] of Object.entries(this.hosts)) this.plug(host, DEVICE, addresses);
    this.plug("recorder", this.mirrorInterface, []);
  }

  /** `ip netns exec …` before a command line. */
  launcher(host: string): string[] {
    return ["ip", "netns", "exec", this.namespace(host)];
  }

  /** Starts a program on a host; `remove` ends it if it still runs. */
  start(host: string, command: string, args: string[], cwd: string): ChildProcess {
    const [launcher, ...rest] = [...this.launcher(host), command, ...args];
    const child = spawn(launcher!, rest, { cwd, stdio: "ignore" });
    this.children.push(child);
    return child;
  }

  remove(): void {
    for (const child of this.children) child.kill("SIGKILL");
    for (const host of this.everyHost) {
      const name = this.namespace(host);
      const pids = spawnSync("ip", ["netns", "pids", name]).stdout.toString().split("\n").filter(Boolean);
      for (const pid of pids) endProcess(Number(pid));
      // One that is not there was not made: the network could not be created whole.
      spawnSync("ip", ["netns", "del", name]);
    }
  }

  private get everyHost(): string[] {
    return [...Object.keys(this.hosts), "switch", "recorder"];
  }

  private plug(host: string, device: string, addresses: readonly string[]): void {
    const port = `p-${host}`.slice(0, 15);
    ip(
      "link",
      "add",
      device,
      "netns",
      this.namespace(host),
      "type",
      "veth",
      "peer",
      "name",
      port,
      "netns",
      this.namespace("switch"),
    );
    ip("-n", this.namespace("switch"), "link", "set", port, "master", "br0", "up");
    for (const address of addresses) {
      ip("-n", this.namespace(host), "address", "add", `${address}/16`, "dev", device);
    }
    ip("-n", this.namespace(host), "link", "set", device, "up");
    ip("-n", this.namespace(host), "link", "set", "lo", "up");
    // Phones ask the routing table for their own address.
    if (addresses.length > 0) ip("-n", this.namespace(host), "route", "add", "default", "dev", device);
  }

  private namespace(host: string): string {
    return `${this.prefix}-${host}`;
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

function ip(...args: string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}
