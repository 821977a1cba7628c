// The installation as an admin does it: on the root of this machine under a layer in memory. What the units and scripts name is there,
// systemd's own judge of units is content, the program runs as its two users with nothing but what the units give them, the capture
// port stays silent, and whatever happens to the program the recordings stay as they are.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SpanReport } from "../../device/contract/span.js";
import { DEFAULT_START_US } from "../fakes/call-options.js";
import { type BoxResult, boxObstacle, InstalledBox } from "../fakes/installed-box.js";
import { makeCall } from "../fakes/office-call.js";
import { makeFolder, PROJECT_ROOT, removeFolder } from "../fakes/program.js";
import type { TimedFrame } from "../fakes/timed-frames.js";

const folder = makeFolder();
const obstacle = boxObstacle(folder);
if (obstacle) {
  console.log(`skipped: the installation: ${obstacle}`);
  removeFolder(folder);
}

const INSTALLER = `${PROJECT_ROOT.replace(/\/$/, "")}/hardware/install.sh`;
const APP = "/usr/lib/sidetone";
const DATA = "/var/lib/sidetone";
const CONFIG = "/etc/sidetone/sidetone.yaml";
const UNITS = ["sidetone.service", "sidetone-engine.service", "sidetone-engine.socket", "sidetone-port@.service"];
const SERVICES = UNITS.filter((name) => name.endsWith(".service"));
/** What systemd-analyze calls 2.5. */
const EXPOSURE_THRESHOLD = 25;
const OWN_CONFIG = `capture:\n  interfaces: [capture0]\nagents:\n  match: [10.0.0.0/24]\n  register: required\napi:\n  port: 18385\n`;
const BINDING = createRequire(import.meta.url).resolve("pcap/build/Release/pcap_binding.node");
const CALL_MS = 2500;
/** Where the units see it, whoever's Node runs the tests. */
const NODE = "/opt/sidetone-node";

describe.skipIf(obstacle !== undefined)("an installed box", { timeout: 90_000 }, () => {
  let box: InstalledBox;
  /** Of every file of the recordings, as they were when the first call was recorded. */
  let recorded: string;

  beforeAll(async () => {
    box = await InstalledBox.open(folder);
    box.shell(`cp ${process.execPath} ${NODE}
      ip link set lo up
      ip link add capture0 type veth peer name switch0
      ip link set switch0 up`);
  });
  afterAll(async () => {
    await box?.close();
    removeFolder(folder);
  });

  const install = (task: string, ...flags: string[]): BoxResult =>
    box.run([INSTALLER, task, ...(task === "uninstall" ? [] : ["--node", NODE]), ...flags]);
  const unit = (name: string): Unit => readUnit(box.read(`/etc/systemd/system/${name}`));
  const programFiles = (): string =>
    hashesOf(box, "/etc/systemd /etc/udev/rules.d /usr/local/bin") +
    box.shell(`find ${APP} -printf '%p %s %m %U\\n' | sort`);

  it("refuses what cannot be done in one line, and changes nothing", () => {
    const before = hashesOf(box, "/etc/systemd /usr/local/bin");
    const refusals: [string[], RegExp][] = [
      [["upgrade"], /^install: nothing is installed that could be upgraded: install it$/],
      [["install", "--node", NODE, "--capture", "nope7"], /^install: there is no network port nope7$/],
      [
        ["install", "--node", NODE, "--capture", "lo"],
        /^install: lo has no address of its own: name a network card's port$/,
      ],
      [["install", "--node", "/bin/nope"], /^install: \/bin\/nope is no program$/],
      [["install", "--root", "/nope"], /^install: there is no folder \/nope$/],
      [["instal"], /^install: usage: install\.sh /],
      [["uninstall", "--capture", "lo"], /^install: usage: install\.sh /],
    ];
    for (const [words, line] of refusals) {
      const { status, stdout, stderr } = box.run([INSTALLER, ...words]);
      expect(stderr.trim()).toMatch(line);
      expect([status, stdout]).toEqual([2, ""]);
    }
    expect(hashesOf(box, "/etc/systemd /usr/local/bin")).toBe(before);
    expect(box.exists(APP)).toBe(false);
    const byHand = box.run(["node", join(PROJECT_ROOT, "dist/device/engine.js")]);
    expect([byHand.status, byHand.stderr]).toEqual([
      2,
      "the engine is started by sidetoned, or by its unit's socket\n",
    ]);
  });

  it("has everything that the units and scripts name, and two users for it", () => {
    const { status, stderr } = install("install", "--capture", "switch0");
    expect(status, stderr).toBe(0);
    expect(stderr).toContain("switch0 is called capture0 from the next start of the box on");
    for (const path of [
      APP,
      CONFIG,
      `${DATA}/journal`,
      `${DATA}/registers`,
      "/etc/systemd/network/10-sidetone-capture.link",
    ])
      expect(box.exists(path), path).toBe(true);
    for (const name of UNITS)
      for (const path of pathsIn(unit(name))) expect(box.exists(path), `${name}: ${path}`).toBe(true);
    expect(box.exists(`${APP}/node_modules/pcap`)).toBe(true);
    expect(box.exists(`${APP}/node_modules/vitest`)).toBe(false);
    expect(box.read("/etc/systemd/network/10-sidetone-capture.link")).toMatch(
      /^PermanentMACAddress=([0-9a-f]{2}:){5}[0-9a-f]{2}$/m,
    );
    expect(box.shell("id -nG sidetone; id -nG sidetone-engine")).toBe("sidetone sidetone-engine\nsidetone-engine\n");
    const modes = `stat -c '%a %U %G' ${DATA} ${DATA}/journal ${DATA}/registers /etc/sidetone ${CONFIG}`;
    expect(box.shell(modes).trim().split("\n")).toEqual([
      "710 sidetone sidetone-engine",
      "2770 sidetone sidetone-engine",
      "2750 sidetone sidetone-engine",
      "770 root sidetone",
      "660 root sidetone",
    ]);
    expect(box.run(["sidetoned", "config", "check"]).stdout).toBe(`sound: ${CONFIG}\n`);
    expect(box.run(["sidetone"]).stderr).toMatch(/^sidetone: /);
  });

  it("has units that systemd finds nothing wrong with, open to little", () => {
    const paths = UNITS.map((name) => `/etc/systemd/system/${name.replace("@", "@capture0")}`);
    const verified = box.run(["systemd-analyze", "verify", "--recursive-errors=no", ...paths]);
    // What it says of other units of this machine is not ours.
    const said = (verified.stdout + verified.stderr).split("\n").filter((line) => line.includes("sidetone"));
    expect([verified.status, said]).toEqual([0, []]);
    for (const name of SERVICES) {
      const flags = ["security", "--offline=yes", `--threshold=${EXPOSURE_THRESHOLD}`, "--no-pager"];
      const judged = box.run(["systemd-analyze", ...flags, `/etc/systemd/system/${name}`]);
      expect(judged.status, judged.stdout.split("\n").at(-2)).toBe(0);
    }
    const [service, engine] = [unit("sidetone.service"), unit("sidetone-engine.service")];
    expect(service.get("CapabilityBoundingSet")).toEqual([""]);
    expect(engine.get("CapabilityBoundingSet")).toEqual(["CAP_NET_RAW"]);
    expect(service.get("RestrictAddressFamilies")!.join(" ")).not.toContain("AF_PACKET");
    expect(engine.get("RestrictAddressFamilies")!.join(" ")).not.toContain("AF_INET");
    for (const one of [service, engine]) {
      expect(one.get("LimitCORE")).toEqual(["0"]);
      expect(one.get("ProtectSystem")).toEqual(["strict"]);
      expect(one.has("MemoryDenyWriteExecute")).toBe(false);
    }
    expect(Number(service.get("WatchdogSec"))).toBeGreaterThan(0);
    expect(service.get("Type")).toEqual(["notify"]);
  });

  it("has a capture port that says nothing and hears everything", () => {
    box.shell("ip address add 192.0.2.1/24 dev capture0; ip link set capture0 up");
    const [word, ...rest] = unit("sidetone-port@.service")
      .get("ExecStart")![0]!
      .replaceAll("%I", "capture0")
      .split(" ");
    expect(box.run([word!, ...rest]).stderr).toBe("");
    // Twice, as when the service is started again.
    expect(box.run([word!, ...rest]).status).toBe(0);
    expect(box.shell("ip -o address show dev capture0")).toBe("");
    expect(box.shell("ip link show capture0")).toMatch(/<[^>]*NOARP[^>]*PROMISC/);
    const sent = (): number => Number(box.read("/sys/class/net/switch0/statistics/rx_packets"));
    const before = sent();
    // Somebody gives it an address after all, and sends whatever there is; a packet to that address comes in.
    box.shell(
      "ip address add 192.0.2.1/24 dev capture0; ip link set capture0 arp on; ip route add 198.51.100.0/24 dev capture0",
    );
    inject(box, "capture0", [Buffer.from(`ffffffffffff0200000000010806${"00".repeat(46)}`, "hex")]);
    box.run(["node", "-e", UDP_SENDER]);
    inject(box, "switch0", [arpRequest("192.0.2.1")]);
    expect(sent() - before).toBe(0);
    const rules = box.shell("nft list table netdev sidetone-capture0");
    const counted = [...rules.matchAll(/counter packets (\d+)/g)].map((match) => Number(match[1]));
    expect(counted[0]).toBeGreaterThanOrEqual(2);
    expect(counted[1]).toBeGreaterThanOrEqual(1);
    box.shell("ip address flush dev capture0");
    const down = unit("sidetone-port@.service").get("ExecStop")![0]!.replace("-", "").replaceAll("%I", "capture0");
    expect(box.run(down.split(" ")).status).toBe(0);
    expect(box.shell("nft list ruleset")).toBe("");
    expect(box.run([word!, ...rest]).status).toBe(0);
  });

  it("records as its two users, each with what its unit gives it and no more", async () => {
    box.write(CONFIG, OWN_CONFIG);
    // Without the agent's word in the register, which root enters and the engine reads, nothing would be recorded.
    expect(box.run(["sidetoned", "register", "agents", "agree", "21", "--to", "works agreement"]).status).toBe(0);
    const register = `${DATA}/registers/agents.jsonl`;
    expect(box.shell(`stat -c '%a %U %G' ${register}`)).toBe("640 sidetone sidetone-engine\n");
    const run = await startUnits(box);
    try {
      await replay(box, makeFrames(), () => "switch0");
      const [line] = await run.waitFor("a call", /call id=(\S+) file=(\S+)/);
      expect(line).toContain("recordings/");
      const [service, engine] = [statusOf(run.servicePid), statusOf(run.enginePid)];
      expect([service.user, service.capabilities]).toEqual([box.shell("id -u sidetone").trim(), NO_CAPABILITY]);
      expect([engine.user, engine.capabilities]).toEqual([box.shell("id -u sidetone-engine").trim(), CAP_NET_RAW]);
      const journal = box.shell(`find ${DATA}/journal -mindepth 1 -printf '%y %m %u %g %f\\n'`);
      expect(journal).toMatch(/^d 770 sidetone sidetone-engine /m);
      expect(box.run(["sidetoned", "doctor", "--json"]).stderr).toBe("");
      expect(journal).toMatch(/^f 640 sidetone-engine sidetone-engine engine\.json$/m);
    } finally {
      expect(await run.stop()).toBe(0);
    }
    expect(run.said()).not.toMatch(/error|EACCES|EPERM/);
    expect(box.shell(`find ${DATA}/journal -mindepth 1`)).toBe("");
    expect(box.shell(`find ${DATA}/recordings -name '*.wav' -size +20k | wc -l`).trim()).toBe("1");
    expect(box.shell(`find ${DATA} ! -user sidetone`)).toBe("");
    recorded = hashesOf(box, `${DATA}/recordings ${DATA}/keys ${DATA}/calls`);
  });

  it("hears a whole call, each packet once, through the mirror of a Linux bridge as it is described", async () => {
    box.shell(`ip link add br0 type bridge
      for n in 1 2; do ip link add lan$n type veth peer name phone$n; ip link set lan$n master br0 up; ip link set phone$n up; done
      ip link set br0 up
      ip link add mirror type veth peer name capture1`);
    box.shell(describedCommands("linux-bridge"));
    box.shell(`${APP}/hardware/capture-port.sh up capture1`);
    const doctor = box.start(["sidetoned", "doctor", "--interface", "capture1", "--for", "60", "--json"]);
    let [said, report] = ["", ""];
    doctor.stderr!.on("data", (text: Buffer) => {
      said += text.toString();
    });
    doctor.stdout!.on("data", (text: Buffer) => {
      report += text.toString();
    });
    const ended = new Promise((resolve) => doctor.once("close", resolve));
    await until("the doctor", () => said.includes("looking at"));
    await replay(box, makeFrames(), ({ from }) => (from === "callee" ? "phone1" : "phone2"));
    doctor.kill("SIGINT");
    await ended;
    const { checks } = JSON.parse(report) as SpanReport;
    // A virtual clock of no time server is not the mirror's fault.
    expect(checks.filter(({ state, id }) => state !== "pass" && id !== "clock")).toEqual([]);
    expect(checks.map(({ id }) => id)).toEqual(
      expect.arrayContaining(["sip", "media-directions", "copies", "address"]),
    );
  });

  it("is renewed over an older configuration and another user's data", () => {
    const older = `# mine\n${OWN_CONFIG}`;
    box.write(CONFIG, older);
    // As a Sidetone that ran as root has left it.
    box.shell(`chown -R root:root ${DATA}; chmod 755 ${DATA}; echo '{}' > ${APP}/leftover.json`);
    expect(install("upgrade").stderr).toMatch(/is installed/);
    expect(box.read(CONFIG)).toBe(older);
    expect(box.exists(`${APP}/leftover.json`)).toBe(false);
    expect(hashesOf(box, `${DATA}/recordings ${DATA}/keys ${DATA}/calls`)).toBe(recorded);
    expect(box.shell(`find ${DATA} ! -user sidetone; stat -c %a ${DATA}`)).toBe("710\n");
    const verified = box.run(["sidetoned", "verify"]);
    expect(verified.status, verified.stdout + verified.stderr).toBe(0);
  });

  it("stays as it was when the new program refuses its configuration, or a step fails", () => {
    const older = box.read(CONFIG);
    const before = programFiles();
    box.write(CONFIG, `${older}captur:\n  interfaces: []\n`);
    const refused = install("upgrade");
    expect([refused.status, refused.stderr.split("\n").at(-2)]).toEqual([
      2,
      "install: the new program refuses this box's configuration: nothing was changed",
    ]);
    expect(refused.stderr).toMatch(/captur: unknown key/);
    expect(programFiles()).toBe(before);

    box.write(CONFIG, older);
    box.shell(`mkdir /tmp/failing; printf '#!/bin/sh\\nexit 1\\n' > /tmp/failing/systemd-tmpfiles; chmod 755 /tmp/failing/systemd-tmpfiles
      echo older > ${APP}/marker`);
    const marked = programFiles();
    const failed = box.run([INSTALLER, "upgrade", "--node", NODE], { PATH: `/tmp/failing:${process.env["PATH"]}` });
    expect([failed.status, failed.stderr.split("\n").at(-2)]).toEqual([1, "install: that failed and is undone"]);
    expect(programFiles()).toBe(marked);
    expect(box.exists(`${APP}.old`) || box.exists(`${APP}.new`)).toBe(false);
    expect(hashesOf(box, `${DATA}/recordings ${DATA}/keys ${DATA}/calls`)).toBe(recorded);
  });

  it("is taken off again, twice, without its recordings and its configuration", () => {
    const configured = box.read(CONFIG);
    const { status, stderr } = install("uninstall");
    expect([status, stderr.trim().split("\n").length]).toEqual([0, 1]);
    expect(box.shell("find /usr /etc -name '*sidetone*' ! -path '/etc/sidetone*' -print")).toBe("");
    expect(box.read(CONFIG)).toBe(configured);
    expect(hashesOf(box, `${DATA}/recordings ${DATA}/keys ${DATA}/calls`)).toBe(recorded);
    const again = install("uninstall");
    expect([again.status, again.stderr]).toEqual([0, "install: nothing is installed\n"]);
    expect(hashesOf(box, `${DATA}/recordings ${DATA}/keys ${DATA}/calls`)).toBe(recorded);
  });
});

/** The lines of a unit file, a key's in their order. */
type Unit = ReadonlyMap<string, readonly string[]>;

function readUnit(text: string): Unit {
  const unit = new Map<string, string[]>();
  for (const [, key, value] of text.matchAll(/^(\w+)=(.*)$/gm)) unit.set(key!, [...(unit.get(key!) ?? []), value!]);
  return unit;
}

/** Of files and folders that are to be there once it is installed. */
function pathsIn(unit: Unit): string[] {
  const keys = ["ExecStart", "ExecStop", "WorkingDirectory", "ReadWritePaths", "Documentation"];
  return keys
    .flatMap((key) => unit.get(key) ?? [])
    .flatMap((value) => value.split(" "))
    .map((word) => word.replace(/^(-|file:)/, ""))
    .filter((word) => word.startsWith("/"));
}

function hashesOf(box: InstalledBox, paths: string): string {
  const listing = box.shell(
    `find ${paths} \\( -type f -exec sha256sum {} + \\) -o \\( -type l -printf '%p %l\\n' \\) | sort`,
  );
  return createHash("sha256").update(listing).digest("hex");
}

/** What systemd would do with a unit's command: its user, groups, capabilities, umask and environment. */
function asUnit(unit: Unit): { command: string[]; environment: Record<string, string> } {
  const one = (key: string): string => unit.get(key)?.at(-1) ?? "";
  const capabilities = one("AmbientCapabilities")
    .split(" ")
    .filter(Boolean)
    .map((name) => `+${name.replace("CAP_", "").toLowerCase()}`);
  const set = ["-all", ...capabilities].join(",");
  const groups = [one("Group"), ...one("SupplementaryGroups").split(" ")].filter(Boolean).join(",");
  return {
    command: [
      "setpriv",
      `--reuid=${one("User")}`,
      `--regid=${one("Group")}`,
      `--groups=${groups}`,
      `--inh-caps=${set}`,
      `--ambient-caps=${set}`,
      `--bounding-set=${set}`,
      "--no-new-privs",
      "sh",
      "-c",
      `umask ${one("UMask")}; cd ${one("WorkingDirectory")}; ulimit -c 0; exec "$@"`,
      "sh",
      ...one("ExecStart").split(" "),
    ],
    environment: Object.fromEntries((unit.get("Environment") ?? []).map((pair) => pair.split("=") as [string, string])),
  };
}

const NO_CAPABILITY = "0000000000000000";
const CAP_NET_RAW = "0000000000002000";

/** Of a process, by the kernel: its user's number and the capabilities that it may ever have. */
function statusOf(pid: number): { user: string; capabilities: string } {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string): string => new RegExp(`^${name}:\\t(\\w+)`, "m").exec(text)![1]!;
  expect([field("CapPrm"), field("CapEff")]).toEqual([field("CapBnd"), field("CapBnd")]);
  return { user: field("Uid"), capabilities: field("CapBnd") };
}

interface RunningUnits {
  /** Every program on the way to them is replaced by the next one. */
  servicePid: number;
  enginePid: number;
  waitFor(what: string, pattern: RegExp): Promise<RegExpExecArray>;
  said(): string;
  /** Its exit code. */
  stop(): Promise<number | null>;
}

/** The service and, as systemd's socket would, the engine that it asks for. */
async function startUnits(box: InstalledBox): Promise<RunningUnits> {
  const read = (name: string): Unit => readUnit(box.read(`/etc/systemd/system/${name}`));
  const socket = read("sidetone-engine.socket");
  const path = socket.get("ListenStream")![0]!;
  const engine = asUnit(read("sidetone-engine.service"));
  box.shell(`mkdir -p $(dirname ${path})`);
  const passed = Object.entries({ PATH: process.env["PATH"]!, ...engine.environment }).flatMap(([name, value]) => [
    "-E",
    `${name}=${value}`,
  ]);
  const activated = box.start(["systemd-socket-activate", "-l", path, ...passed, ...engine.command]);
  await until("the engine's socket", () => box.exists(path));
  box.shell(
    `chown ${socket.get("SocketUser")}:${socket.get("SocketGroup")} ${path}; chmod ${socket.get("SocketMode")} ${path}`,
  );
  const service = asUnit(read("sidetone.service"));
  const child = box.start(service.command, service.environment);
  let said = "";
  child.stderr!.on("data", (text: Buffer) => {
    said += text.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const waitFor = async (what: string, pattern: RegExp): Promise<RegExpExecArray> => {
    await until(
      `${what}; it said:\n`,
      () => pattern.test(said) || child.exitCode !== null,
      () => said,
    );
    const found = pattern.exec(said);
    if (found === null) throw new Error(`it ended without ${what}:\n${said}`);
    return found;
  };
  await waitFor("capturing", /capturing interfaces=capture0/);
  return {
    servicePid: child.pid!,
    enginePid: activated.pid!,
    waitFor,
    said: () => said,
    stop: () => {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

async function until(what: string, isSo: () => boolean, why: () => string = () => ""): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}${why()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function makeFrames(): TimedFrame[] {
  const ends = { callee: { address: "10.0.0.7" }, caller: { address: "198.51.100.20" } };
  return makeCall({
    durationMs: CALL_MS,
    ringMs: 200,
    callId: "box@office.example",
    startUs: DEFAULT_START_US,
    ...ends,
  });
}

const UDP_SENDER = `const socket = require("node:dgram").createSocket("udp4");
  socket.send("hello", 5060, "198.51.100.7", () => socket.close());`;

/** Out of a port of the box, without waiting. */
function inject(box: InstalledBox, port: string, frames: readonly Buffer[]): void {
  const script = `const { PcapSession } = require(${JSON.stringify(BINDING)});
    const session = new PcapSession();
    session.open_live("${port}", "", 1 << 20, 65535, "", () => {}, false, 10, () => {}, false);
    for (const frame of ${JSON.stringify(frames.map((one) => one.toString("hex")))}) session.inject(Buffer.from(frame, "hex"));`;
  box.run(["node", "-e", script]);
}

/** The same in real time, each out of its own port. */
async function replay(
  box: InstalledBox,
  frames: readonly TimedFrame[],
  portOf: (one: TimedFrame) => string,
): Promise<void> {
  const timed = frames.map((one) => [(one.atUs - frames[0]!.atUs) / 1000, one.frame.toString("hex"), portOf(one)]);
  box.write("/tmp/frames.json", JSON.stringify(timed));
  const script = `const { PcapSession } = require(${JSON.stringify(BINDING)});
    const frames = JSON.parse(require("node:fs").readFileSync("/tmp/frames.json"));
    const sessions = new Map();
    for (const port of new Set(frames.map(([, , port]) => port))) {
      sessions.set(port, new PcapSession());
      sessions.get(port).open_live(port, "", 1 << 20, 65535, "", () => {}, false, 10, () => {}, false);
    }
    const startMs = performance.now();
    let next = 0;
    setInterval(() => {
      for (; next < frames.length && frames[next][0] <= performance.now() - startMs; next++)
        sessions.get(frames[next][2]).inject(Buffer.from(frames[next][1], "hex"));
      if (next === frames.length) process.exit(0);
    }, 5);`;
  const child = box.start(["node", "-e", script]);
  await new Promise<void>((resolve, reject) => {
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`replay: exit code ${code}`))));
  });
}

/** The block of hardware/SWITCHES.md that is marked so. */
function describedCommands(mark: string): string {
  const text = readFileSync(join(PROJECT_ROOT, "hardware/SWITCHES.md"), "utf8");
  return new RegExp(`<!-- test: ${mark} -->\n\`\`\`sh\n([^\`]+)`).exec(text)![1]!;
}

/** Who has that address? */
function arpRequest(address: string): Buffer {
  const target = address
    .split(".")
    .map((part) => Number(part).toString(16).padStart(2, "0"))
    .join("");
  return Buffer.from(`ffffffffffff02000000000208060001080006040001020000000002c0000202000000000000${target}`, "hex");
}
