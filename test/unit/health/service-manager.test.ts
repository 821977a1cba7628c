// Word to systemd, said by its own program to a socket as systemd has it.
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ServiceManager } from "../../../device/health/service-manager.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

function manager(environment: Record<string, string>, isHealthy = () => true) {
  const said: string[][] = [];
  const faults: string[] = [];
  const made = new ServiceManager({
    environment,
    processId: 42,
    isHealthy,
    onFault: (message) => faults.push(message),
    run: async (args) => {
      said.push([...args]);
      return true;
    },
  });
  return { made, said, faults };
}

describe("the service manager", () => {
  it("is told nothing where there is none", () => {
    const { made, said } = manager({ WATCHDOG_USEC: "1000" });
    made.ready();
    made.show("3 calls");
    made.stopping();
    expect(said).toEqual([]);
  });

  it("is told of each status once", () => {
    const { made, said } = manager({ NOTIFY_SOCKET: "/run/x" });
    made.ready();
    made.show("3 calls\nREADY=0");
    made.show("3 calls\nREADY=0");
    made.stopping();
    expect(said).toEqual([
      ["--pid=42", "READY=1"],
      ["--pid=42", "STATUS=3 calls READY=0"],
      ["--pid=42", "STOPPING=1"],
    ]);
  });

  it("has its watchdog fed twice in its period while the recorder works, and not otherwise", async () => {
    let isHealthy = true;
    const { made, said } = manager({ NOTIFY_SOCKET: "/run/x", WATCHDOG_USEC: "40000" }, () => isHealthy);
    expect(made.watchdogMs).toBe(40);
    made.ready();
    await pass(130);
    const fed = said.filter(([, word]) => word === "WATCHDOG=1").length;
    expect(fed).toBeGreaterThanOrEqual(2);
    isHealthy = false;
    await pass(30);
    const before = said.length;
    await pass(100);
    expect(said.length).toBe(before);
    made.stopping();
  });

  it("takes a service that begins anew for one that reloads, and its watchdog is fed meanwhile", async () => {
    let isHealthy = true;
    const { made, said } = manager({ NOTIFY_SOCKET: "/run/x", WATCHDOG_USEC: "40000" }, () => isHealthy);
    made.ready();
    made.restarting();
    isHealthy = false;
    await pass(100);
    const words = said.slice(1).map(([, ...rest]) => rest);
    expect(words[0]).toEqual(["RELOADING=1", expect.stringMatching(/^MONOTONIC_USEC=\d+$/), "STATUS=starting anew"]);
    expect(words.slice(1).length).toBeGreaterThanOrEqual(2);
    expect(new Set(words.slice(1).map(String))).toEqual(new Set(["WATCHDOG=1"]));
  });

  it.each([
    [{ WATCHDOG_USEC: "30000000" }, 30_000],
    [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "42" }, 30_000],
    [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "43" }, 0],
    [{ WATCHDOG_USEC: "soon" }, 0],
    [{}, 0],
  ] as [Record<string, string>, number][])("with %j has a watchdog of %d ms", (environment, ms) => {
    expect(manager(environment).made.watchdogMs).toBe(ms);
  });
});

const hasSystemd = spawnSync("systemd-notify", ["--version"]).error === undefined;
if (!hasSystemd) console.log("skipped: systemd-notify: systemd is not installed");

/** Node has no datagrams over UNIX sockets: a few lines of Python are systemd's end. */
const RECEIVER = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
  print(s.recv(4096).decode().replace("\\n", "|"), flush=True)`;

it.skipIf(!hasSystemd)("systemd's own program says it to the socket", async () => {
  const path = join(folder, "notify");
  const receiver = spawn("python3", ["-c", RECEIVER, path], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  receiver.stdout.on("data", (data: Buffer) => {
    text += data.toString();
  });
  const before = process.env["NOTIFY_SOCKET"];
  try {
    await until(() => text.includes("bound"));
    process.env["NOTIFY_SOCKET"] = path;
    const faults: string[] = [];
    const made = new ServiceManager({
      environment: process.env,
      processId: process.pid,
      isHealthy: () => true,
      onFault: (message) => faults.push(message),
    });
    made.ready();
    made.show("2 calls, 100 packets/s, no alarm");
    await until(() => text.includes("STATUS=") && text.includes("READY=1"));
    expect(text).toContain("STATUS=2 calls, 100 packets/s, no alarm");
    expect(faults).toEqual([]);
  } finally {
    if (before === undefined) delete process.env["NOTIFY_SOCKET"];
    else process.env["NOTIFY_SOCKET"] = before;
    receiver.kill("SIGKILL");
  }
});

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(holds: () => boolean): Promise<void> {
  for (let wait = 0; wait < 1000 && !holds(); wait++) await pass(10);
  expect(holds()).toBe(true);
}
