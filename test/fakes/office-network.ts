// An office in network namespaces: a caller's and an agent's host on a switch that floods, and a mirror port on which
// the recorder listens. Needs root and iproute2. Everything in it is gone after `remove`.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";

export const CALLER_ADDRESS = "10.77.0.1";
export const AGENT_ADDRESS = "10.77.0.2";

export class OfficeNetwork {
  /** The recorder's interface, inside its namespace. */
  readonly mirrorInterface = "mirror0";
  private readonly prefix: string;
  private readonly children: ChildProcess[] = [];

  constructor(name: string) {
    this.prefix = `st${process.pid}${name}`;
  }

  create(): void {
    for (const host of ["caller", "agent", "switch", "recorder"]) ip("netns", "add", this.namespace(host));
    const inSwitch = (...args: string[]) => ip("-n", this.namespace("switch"), ...args);
    // A bridge that forgets at once floods every frame to every port: a mirror port without traffic control.
    inSwitch("link", "add", "br0", "type", "bridge", "ageing_time", "0");
    inSwitch("link", "set", "br0", "up");
    this.plug("caller", "eth0", CALLER_ADDRESS);
    this.plug("agent", "eth0", AGENT_ADDRESS);
    this.plug("recorder", this.mirrorInterface);
  }

  /** `ip netns exec …` before a command line. */
  launcher(host: "caller" | "agent" | "recorder"): string[] {
    return ["ip", "netns", "exec", this.namespace(host)];
  }

  /** Starts a program on a host; `remove` ends it if it still runs. */
  start(host: "caller" | "agent", command: string, args: string[], cwd: string): ChildProcess {
    const [launcher, ...rest] = [...this.launcher(host), command, ...args];
    const child = spawn(launcher!, rest, { cwd, stdio: "ignore" });
    this.children.push(child);
    return child;
  }

  remove(): void {
    for (const child of this.children) child.kill("SIGKILL");
    for (const host of ["caller", "agent", "switch", "recorder"]) {
      const name = this.namespace(host);
      const pids = execFileSync("ip", ["netns", "pids", name]).toString().split("\n").filter(Boolean);
      for (const pid of pids) process.kill(Number(pid), "SIGKILL");
      ip("netns", "del", name);
    }
  }

  private plug(host: string, device: string, address?: string): void {
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
    if (address) ip("-n", this.namespace(host), "address", "add", `${address}/24`, "dev", device);
    ip("-n", this.namespace(host), "link", "set", device, "up");
    ip("-n", this.namespace(host), "link", "set", "lo", "up");
  }

  private namespace(host: string): string {
    return `${this.prefix}-${host}`;
  }
}

function ip(...args: string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}
