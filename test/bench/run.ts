// The bench: how much CPU, memory and disk the recorder takes for a capture of many calls at once. Prints one JSON
// object (schema sidetone.bench/1). Its generator's work is not part of any figure.
import { closeSync, existsSync, fsyncSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { generateIdentity } from "../../device/age/keys.js";
import { measureIndex } from "./index-run.js";
import { type RecorderRun, runRecorder } from "./recorder-run.js";
import { type ReferenceRun, runReference } from "./reference.js";
import { runSeal } from "./seal-run.js";
import { type StageSplit, splitStages } from "./stages.js";
import { type BenchTraffic, writeTraffic } from "./traffic.js";

const RECORDER_SCRIPT = fileURLToPath(new URL("../../device/main.js", import.meta.url));
const SEAL_PROGRAM = fileURLToPath(new URL("./seal-program.js", import.meta.url));
const USAGE =
  "usage: npm run bench [-- --calls 200 --seconds 60 --runs 3 --indexed 300000 --hours 0 --folder DIR --out FILE]";
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const MAX_CALLS = 65_536;
const MAX_SECONDS = 86_400;
const MAX_RUNS = 100;
const MAX_INDEXED = 3_000_000;
/** As long as a recording may be. */
const MAX_HOURS = 24;

interface BenchOptions {
  calls: number;
  seconds: number;
  runs: number;
  /** Calls in the index that is measured. */
  indexed: number;
  /** Length of one call of which only the sealing is measured; 0 = none. */
  hours: number;
  /** Where the capture and the recordings go; both are removed. */
  folder: string;
  /** Also written here. */
  out: string;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === "string") {
    console.error(`${options}\n${USAGE}`);
    return EXIT_USAGE;
  }
  if (!existsSync(RECORDER_SCRIPT)) {
    console.error(`${RECORDER_SCRIPT} does not exist: build first`);
    return EXIT_FAILED;
  }
  const folder = mkdtempSync(join(options.folder, "sidetone-bench-"));
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", removeFolder);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(EXIT_FAILED));
  const result = { ...(await measure(folder, options)), longCalls: await measureLongCalls(folder, options.hours) };
  const text = `${JSON.stringify(result, null, 2)}\n`;
  process.stdout.write(text);
  if (options.out !== "") writeFileSync(options.out, text);
  return result.runs.some((run) => run.faults.length > 0) ? EXIT_FAILED : 0;
}

async function measure(folder: string, options: BenchOptions) {
  const capture = join(folder, "capture.pcap");
  const dataFolder = join(folder, "data");
  const traffic = writeTraffic(capture, options.calls, options.seconds);
  // The generator's pages must not be on their way to the disk while the recorder is measured.
  syncFile(capture);
  const args = ["--read", capture, "--data", dataFolder, "--policy", "both-parties", "--json"];
  const packets = traffic.rtpPackets + traffic.sipFrames;
  const runs: RecorderRun[] = [];
  const references: ReferenceRun[] = [];
  for (let i = 0; i < options.runs; i++) {
    references.push(runReference(capture));
    const expectedRecordings = traffic.calls;
    const run = await runRecorder({ script: RECORDER_SCRIPT, args, dataFolder, packets, expectedRecordings });
    runs.push(run);
    console.error(
      `run ${i + 1} of ${options.runs}: ${run.faults.join("; ") || `${run.cpuUsPerPacket.toFixed(2)} µs of CPU per packet`}`,
    );
  }
  const least = Math.min(...runs.map((run) => run.cpuUsPerPacket));
  const stages = splitStages(RECORDER_SCRIPT, args, folder, least);
  rmSync(dataFolder, { recursive: true, force: true });
  return {
    ...benchResult(traffic, packets, args, runs, references, stages),
    /** Listing queries over a year of calls, ms; rebuild rate. */
    index: measureIndex(folder, options.indexed),
  };
}

/** One call of hours, in clear and encrypted. Its journal is made by the writer, without a network. */
async function measureLongCalls(folder: string, hours: number) {
  const rows = [];
  for (const recipients of hours > 0 ? [[], [generateIdentity().recipient.text]] : []) {
    const { sealed, path, ...figures } = await runSeal({
      program: SEAL_PROGRAM,
      folder,
      seconds: hours * 3600,
      recipients,
    });
    rmSync(path);
    const audioBytes = sealed.kind === "audio" ? sealed.bytes : 0;
    rows.push({ hours, isEncrypted: recipients.length > 0, ...figures, audioBytes });
  }
  return rows;
}

function syncFile(path: string): void {
  const descriptor = openSync(path, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function benchResult(
  traffic: BenchTraffic,
  packets: number,
  args: readonly string[],
  runs: RecorderRun[],
  references: readonly ReferenceRun[],
  stages: StageSplit,
) {
  const cpuUsPerPacket = spread(runs.map((run) => run.cpuUsPerPacket));
  const referenceUsPerPacket = spread(references.map((run) => run.cpuUs / run.packets));
  return {
    schema: "sidetone.bench/1",
    date: new Date().toISOString(),
    machine: machine(),
    command: `device/main.js ${args.join(" ")}`,
    traffic: { ...traffic, packets },
    cpuUsPerPacket,
    /** Engine and sealing threads, as the recorder itself counts them. */
    engineAndSealUsPerPacket: spread(runs.map(({ cpuUsPerPacketBy: by }) => (by["engine"] ?? 0) + (by["seal"] ?? 0))),
    stages,
    wallMs: spread(runs.map((run) => run.wallMs)),
    packetsPerSecond: spread(runs.map((run) => (packets * 1000) / run.wallMs)),
    peakRssBytes: spread(runs.map((run) => run.peakRssBytes)),
    writtenBytes: spread(runs.map((run) => run.writtenBytes)),
    /** Reading the file in chunks and copying every payload, in this process. */
    reference: { cpuUsPerPacket: referenceUsPerPacket, wallMs: spread(references.map((run) => run.wallMs)) },
    /** The recorder's least by the reference's least: what can be compared between machines. */
    ratioToReference: cpuUsPerPacket.min / referenceUsPerPacket.min,
    runs,
  };
}

function machine() {
  const processors = cpus();
  return {
    cpu: processors[0]?.model ?? "",
    cores: processors.length,
    memoryBytes: totalmem(),
    platform: process.platform,
    arch: process.arch,
    node: process.version,
  };
}

function spread(values: readonly number[]): { min: number; median: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { min: sorted[0]!, median, max: sorted.at(-1)! };
}

/** The options, or what is wrong with them. */
function readOptions(): BenchOptions | string {
  try {
    const { values } = parseArgs({
      options: {
        calls: { type: "string", default: "200" },
        seconds: { type: "string", default: "60" },
        runs: { type: "string", default: "3" },
        indexed: { type: "string", default: "300000" },
        hours: { type: "string", default: "0" },
        folder: { type: "string", default: tmpdir() },
        out: { type: "string", default: "" },
      },
    });
    return {
      calls: whole("calls", values.calls, MAX_CALLS),
      seconds: whole("seconds", values.seconds, MAX_SECONDS),
      runs: whole("runs", values.runs, MAX_RUNS),
      indexed: whole("indexed", values.indexed, MAX_INDEXED),
      hours: values.hours === "0" ? 0 : whole("hours", values.hours, MAX_HOURS),
      folder: values.folder,
      out: values.out,
    };
  } catch (error) {
    return (error as Error).message;
  }
}

function whole(name: string, text: string, maximum: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > maximum) throw new RangeError(`--${name} is 1 to ${maximum}`);
  return value;
}

process.exitCode = await main();
