// A real box with a mirror port and an office network, each a link into a namespace: it is found and reached from the office, and nothing
// of it is ever sent on the mirror port, though that has an address, and a bridge upon it has one, by mistake.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FoundBox } from "../../host/discover.js";
import { HOST_PROGRAM } from "../fakes/host-program.js";
import { logLines, makeFolder, RunningProgram, removeFolder } from "../fakes/program.js";
import { liveTestObstacle } from "./veth-pair.js";

const missing = ["tcpdump", "curl"].find((program) => spawnSync(program, ["--version"]).error !== undefined);
const obstacle = liveTestObstacle() ?? (missing && `${missing} is not installed`);
if (obstacle) console.log(`skipped: announcement on a network: ${obstacle}`);

const BOX = `st-box-${process.pid}`;
const OFFICE = `st-off-${process.pid}`;
const ip = (...words: string[]): void => void execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
const inside = (namespace: string, ...command: string[]): string =>
  execFileSync("ip", ["netns", "exec", namespace, ...command], { encoding: "utf8", timeout: 20_000 });

describe.skipIf(obstacle !== undefined)("a box on a network", () => {
  let folder: string;
  let box: RunningProgram | undefined;
  beforeEach(() => {
    folder = makeFolder();
    for (const namespace of [BOX, OFFICE]) {
      ip("netns", "add", namespace);
      inside(namespace, "ip", "link", "set", "lo", "up");
    }
    for (const [near, far] of [
      ["eth0", "far0"],
      ["mirror", "far1"],
    ] as const) {
      inside(BOX, "ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", OFFICE);
      inside(BOX, "ip", "link", "set", near, "up");
      inside(OFFICE, "ip", "link", "set", far, "up");
    }
    // With snooping a bridge asks for groups of its own accord.
    inside(BOX, "ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0");
    inside(BOX, "ip", "link", "set", "mirror", "master", "br0");
    inside(BOX, "ip", "link", "set", "br0", "up");
    const addresses = [
      [BOX, "192.0.2.1", "eth0"],
      [BOX, "198.51.100.1", "mirror"],
      [BOX, "203.0.113.1", "br0"],
      [OFFICE, "192.0.2.2", "far0"],
      [OFFICE, "198.51.100.2", "far1"],
    ] as const;
    for (const [namespace, address, device] of addresses)
      inside(namespace, "ip", "address", "add", `${address}/24`, "dev", device);
  });
  afterEach(async () => {
    box?.child.kill("SIGKILL");
    await box?.ended;
    for (const namespace of [BOX, OFFICE]) spawnSync("ip", ["netns", "del", namespace]);
    removeFolder(folder);
  });

  /** With the program in the office, from either of its links. */
  function look(seconds: number): FoundBox[] {
    const lines = inside(OFFICE, process.execPath, HOST_PROGRAM, "discover", "--for", String(seconds), "--json");
    return lines
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as FoundBox);
  }

  it("is found from the office, and sends nothing on the mirror port", async () => {
    const heard: string[] = [];
    const filter = ["-i", "far1", "-nn", "-l", "udp port 5353 or igmp"];
    const ear = spawn("ip", ["netns", "exec", OFFICE, "tcpdump", ...filter], { stdio: ["ignore", "pipe", "pipe"] });
    ear.stdout.on("data", (chunk) => heard.push(String(chunk)));
    await new Promise((resolve) => ear.stderr.once("data", resolve));
    box = new RunningProgram(["--interface", "mirror", "--data", join(folder, "data"), "--agents", "21", "--json"], {
      launcher: ["ip", "netns", "exec", BOX],
      environment: { SIDETONE_API_HOST: "0.0.0.0", SIDETONE_DEVICE_ID: "office-1" },
    });
    const line = (text: string): Promise<Record<string, unknown>> =>
      box!.waitFor(text, (stderr) => logLines(stderr, text)[0] as Record<string, unknown> | undefined, 20_000);
    const { sha256 } = await line("the API's certificate");
    expect(await line("the box is announced (mDNS)")).toMatchObject({ interfaces: "eth0" });

    const found = look(1);
    expect(found).toMatchObject([
      {
        instance: expect.stringMatching(/^office-1 \[[0-9a-f]{8}\]$/),
        ...{ device: "office-1", path: "/api/v1", port: 8385, url: "https://192.0.2.1:8385", addresses: ["192.0.2.1"] },
        tls: String(sha256).replaceAll(":", "").slice(0, 16).toLowerCase(),
      },
    ]);
    expect(inside(OFFICE, "curl", "-sS", "--insecure", `${found[0]!.url}/api/v1/health`)).toBe('{"status":"ok"}');

    const secret = await box.waitFor("the first token", (stderr) => /\bst_[A-Za-z0-9_-]{43}/.exec(stderr)?.[0]);
    const ask = (path: string) =>
      JSON.parse(
        inside(OFFICE, "curl", "-sS", "-k", "-H", `Authorization: Bearer ${secret}`, `${found[0]!.url}/api/v1${path}`),
      );
    expect(ask("/info")).toMatchObject({ device: "office-1", tls: { fingerprint: sha256, isSelfSigned: true } });
    expect(ask("/box")).toMatchObject({ schema: "sidetone.health/1" });
    expect(ask("/alarms").standing).toEqual(expect.any(Array));
    expect(ask("/configuration?section=api").settings["api.host"]).toMatchObject({
      value: "0.0.0.0",
      source: "environment",
    });
    expect(ask("/audit?kind=started").entries).toMatchObject([{ kind: "started", actor: "service" }]);
    expect(ask("/tokens").tokens).toMatchObject([{ name: "first-start", isGood: true }]);

    const legacy = `const s = require("node:dgram").createSocket("udp4");
      s.on("message", (bytes, from) => { console.log(from.address, bytes.readUInt16BE(0)); process.exit(0); });
      setTimeout(() => process.exit(1), 5000);
      s.bind(0, () => { s.setMulticastInterface("192.0.2.2");
        s.send(Buffer.from("\\0M\\0\\0\\0\\x01\\0\\0\\0\\0\\0\\0\\x09_sidetone\\x04_tcp\\x05local\\0\\0\\x0c\\0\\x01", "latin1"), 5353, "224.0.0.251"); });`;
    expect(inside(OFFICE, process.execPath, "-e", legacy)).toBe("192.0.2.1 77\n");

    box.child.kill("SIGTERM");
    expect(await box.ended).toBe(0);
    expect(look(1)).toEqual([]);
    // What the office itself asks on that link is heard: it is the box that says nothing.
    const said = heard
      .join("")
      .split("\n")
      .filter((text) => text.includes("IP "));
    expect(said.some((text) => text.includes("198.51.100.2"))).toBe(true);
    expect(said.filter((text) => !text.includes("198.51.100.2"))).toEqual([]);
    ear.kill();
  });
});
