// Bad input as a user meets it: one clear line that says what is wrong and what to do, the documented exit code, and
// nothing half-written.
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CaptureFile } from "../fakes/capture-file.js";
import { makeCall } from "../fakes/office-call.js";
import {
  filesBelow,
  makeFolder,
  type ProgramOptions,
  readRecordings,
  removeFolder,
  runProgram,
} from "../fakes/program.js";

const NOBODY = 65_534;
/** Root without the capabilities that make root special: permissions count, packets may not be captured. */
const POWERLESS = ["setpriv", "--bounding-set", "-net_raw,-net_admin,-dac_override,-dac_read_search"];
let folder: string;
let data: string;
beforeEach(() => {
  folder = makeFolder();
  data = join(folder, "data");
});
afterEach(() => removeFolder(folder));

const file = (name: string, content: Buffer | string) => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const capture = () => new CaptureFile().addAll(makeCall()).bytes();

/** Runs and checks what holds for every refusal; returns the one line on stderr. */
async function refuse(args: string[], exitCode: number, options: ProgramOptions = {}): Promise<string> {
  const result = await runProgram([...args, "--data", data], { cwd: folder, ...options });
  const lines = result.stderr.split("\n").filter((line) => line !== "");
  expect(lines.length, result.stderr).toBe(1);
  expect(result.exitCode).toBe(exitCode);
  expect(filesBelow(join(data, "journal"))).toEqual([]);
  expect(filesBelow(join(data, "recordings"))).toEqual([]);
  return lines[0]!;
}

describe("captures that cannot be read (exit 3)", () => {
  it.each([
    ["missing.pcap", undefined, /missing\.pcap: .*(no such file|does not exist)/i],
    ["empty.pcap", "", /empty\.pcap: .*(empty|no bytes)/i],
    ["notes.txt", "this is not a capture, it is a text of some length\n", /notes\.txt: not a capture file/],
    ["packed.pcap", Buffer.from("1f8b0800000000000003", "hex"), /gzip.*(unpack|gunzip)/],
  ])("%s", async (name, content, line) => {
    if (content !== undefined) file(name, content);
    expect(await refuse(["--read", join(folder, name)], 3)).toMatch(line);
  });

  it("a folder", async () => {
    mkdirSync(join(folder, "captures"));
    expect(await refuse(["--read", join(folder, "captures")], 3)).toMatch(/captures: .*(folder|directory)/);
  });

  it("that this user may not read", async ({ skip }) => {
    if (process.getuid?.() !== 0) {
      console.log("skipped: only root can try it without its privileges");
      skip();
    }
    const path = file("secret.pcap", capture());
    chmodSync(path, 0o600);
    chownSync(path, NOBODY, NOBODY);
    expect(await refuse(["--read", path], 3, { launcher: POWERLESS })).toMatch(
      /secret\.pcap: .*(permission|allowed|may)/i,
    );
  });

  it("a file cut in the middle of a packet: what came before is recorded, and the cut is said", async () => {
    const whole = capture();
    const path = file("cut.pcap", whole.subarray(0, whole.length - 3000));
    const result = await runProgram(["--read", path, "--data", data, "--agents", "10.0.0.0/24"]);
    expect(result.exitCode).toBe(3);
    expect(result.stderr.split("\n").filter(Boolean)).toEqual([
      expect.stringMatching(/cut\.pcap: .*(cut|ends).*used/i),
    ]);
    const [recording] = readRecordings(data);
    expect(recording!.manifest.endReason).toBe("capture-ended");
    expect(filesBelow(join(data, "journal"))).toEqual([]);
    expect(filesBelow(data).filter((name) => name.includes("partial"))).toEqual([]);
  });

  it("one bad file among good ones does not cost the good ones", async () => {
    const good = file("good.pcap", capture());
    const bad = file("bad.pcap", "nothing");
    const result = await runProgram(["--read", bad, "--read", good, "--data", data, "--agents", "21"]);
    expect(result.exitCode).toBe(3);
    expect(readRecordings(data).length).toBe(1);
  });
});

describe("interfaces (exit 3)", () => {
  it("that do not exist", async () => {
    expect(await refuse(["--interface", "no-such-if0"], 3)).toMatch(/no-such-if0.*(ip link|interface)/i);
  });

  it("that this user may not capture on", async ({ skip }) => {
    if (process.getuid?.() !== 0) {
      console.log("skipped: only root can try it without its privileges");
      skip();
    }
    const line = await refuse(["--interface", "lo"], 3, { launcher: POWERLESS });
    expect(line).toMatch(/permi|allowed/i);
    expect(line).toMatch(/root|setcap|CAP_NET_RAW/i);
  });
});

describe("data folders (exit 4)", () => {
  it("that cannot be written", async ({ skip }) => {
    if (process.getuid?.() !== 0) {
      console.log("skipped: only root can try it without its privileges");
      skip();
    }
    mkdirSync(data, { mode: 0o755 });
    chownSync(data, NOBODY, NOBODY);
    const path = file("good.pcap", capture());
    const result = await runProgram(["--read", path, "--data", data], { launcher: POWERLESS });
    expect(result.exitCode).toBe(4);
    expect(result.stderr.split("\n").filter(Boolean)).toEqual([expect.stringMatching(/data folder.*permission/i)]);
    expect(filesBelow(data)).toEqual([]);
  });

  it("that are a file", async () => {
    data = file("data", "in the way");
    const path = file("good.pcap", capture());
    const result = await runProgram(["--read", path, "--data", data]);
    expect(result.exitCode).toBe(4);
    expect(result.stderr.split("\n").filter(Boolean).length).toBe(1);
  });
});

describe("usage and configuration (exit 2)", () => {
  it.each([
    [["--raed", "x.pcap"], /--raed.*--read/],
    [["--read"], /--read needs a value/],
    [["--policy", "both"], /both.*(agent-only|both-parties)/],
    [["--read", "x.pcap", "--interface", "eth0"], /--read and --interface/],
  ])("%s", async (args, line) => {
    expect(await refuse(args, 2)).toMatch(line);
  });

  it("a configuration with a typo", async () => {
    const config = file("sidetone.yaml", "consent:\n  polcy: agent-only\n");
    const line = await refuse(["--config", config, "--read", file("good.pcap", capture())], 2);
    expect(line).toMatch(/sidetone\.yaml:2.*consent\.polcy.*did you mean consent\.policy/);
  });

  it("a configuration that is no YAML, or not there", async () => {
    expect(await refuse(["--config", file("broken.yaml", "a: [1,\n")], 2)).toMatch(/broken\.yaml/);
    expect(await refuse(["--config", join(folder, "none.yaml")], 2)).toMatch(/none\.yaml/);
  });

  it("config explain lists every setting", async () => {
    const result = await runProgram(["config", "explain"]);
    expect(result.exitCode).toBe(0);
    for (const setting of ["consent.policy", "agents.match", "call.tailMs", "journal.syncMs"])
      expect(result.stdout).toContain(setting);
  });
});
