// An office whose recorder takes consent from everywhere: phones across a proxy, the HTTP API, an MQTT broker and the
// registers, each asked with the programs that people use. The broker and curl run where the recorder does.
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { AuditEntry } from "../../device/contract/audit.js";
import { type Audio, readWav } from "./audio.js";
import { startProxy } from "./kamailio.js";
import { Mosquitto, type Subscriber } from "./mosquitto.js";
import { type OfficeHosts, OfficeNetwork } from "./office-network.js";
import {
  filesBelow,
  logLines,
  makeFolder,
  type ProgramResult,
  RunningProgram,
  readRecordings,
  removeFolder,
  runProgram,
  type StoredRecording,
} from "./program.js";

const RECORDER_TIMEOUT_MS = 230_000;
const COMMAND_TIMEOUT_MS = 60_000;
const DEVICE = "box";
const API_PORT = 8385;

const run = promisify(execFile);

export interface ApiAnswer {
  status: number;
  body: unknown;
}

export type ConsentRecording = StoredRecording & Audio;

export class ConsentOffice {
  readonly network: OfficeNetwork;
  readonly folder = makeFolder();
  readonly data = join(this.folder, "data");
  /** Everything that the broker is told. */
  subscriber!: Subscriber;
  private readonly configFile = join(this.folder, "sidetone.yaml");
  private broker!: Mosquitto;
  private recorder: RunningProgram | undefined;

  constructor(name: string, hosts: OfficeHosts) {
    this.network = new OfficeNetwork(name, hosts);
    mkdirSync(this.data);
  }

  /** The network, the proxy and the broker. `config` is the recorder's, but for where it listens. */
  async open(config: Record<string, unknown>): Promise<void> {
    this.network.create();
    const proxy = startProxy(this.network, this.folder);
    this.broker = await Mosquitto.start(this.folder, { launcher: this.launcher });
    this.subscriber = await this.broker.subscribe("#");
    const own = {
      device: { id: DEVICE },
      capture: { interfaces: [this.network.mirrorInterface] },
      api: { port: API_PORT },
      mqtt: { url: `mqtt://127.0.0.1:${this.broker.port}` },
    };
    // JSON is YAML.
    writeFileSync(this.configFile, JSON.stringify({ ...own, ...config }));
    await proxy;
  }

  async startRecorder(): Promise<void> {
    const args = ["--config", this.configFile, "--data", this.data, "--json"];
    const recorder = new RunningProgram(args, { launcher: this.launcher, timeoutMs: RECORDER_TIMEOUT_MS });
    this.recorder = recorder;
    for (const message of ["capturing", "the API listens"]) {
      await recorder.waitFor(message, (stderr) => (logLines(stderr, message).length > 0 ? true : undefined));
    }
    await this.subscriber.next(this.topic("state"));
  }

  /** A command beside the service, as in `sidetoned token list`. Throws with what it said when it did not succeed. */
  async sidetoned(...args: string[]): Promise<ProgramResult> {
    const common = ["--data", this.data, "--config", this.configFile];
    const result = await runProgram([...args, ...common], { timeoutMs: COMMAND_TIMEOUT_MS });
    if (result.exitCode !== 0)
      throw new Error(`sidetoned ${args.join(" ")} ended with ${result.exitCode}:\n${result.stdout}${result.stderr}`);
    return result;
  }

  /** curl asks the API; with a body it posts. */
  async ask(path: string, secret: string, body?: object): Promise<ApiAnswer> {
    const json = ["-H", "Content-Type: application/json", "--data-binary", JSON.stringify(body)];
    const curl = ["curl", "-sS", "-m", "20", "-w", "\n%{http_code}", "-H", `Authorization: Bearer ${secret}`];
    const [command, ...args] = [...this.launcher, ...curl, ...(body === undefined ? [] : json)];
    const { stdout } = await run(command!, [...args, `http://127.0.0.1:${API_PORT}/api/v1${path}`]);
    const end = stdout.lastIndexOf("\n");
    return { status: Number(stdout.slice(end + 1)), body: JSON.parse(stdout.slice(0, end)) };
  }

  /** mosquitto_pub gives a command; `args` are further ones of it. */
  request(verb: string, body: object, ...args: string[]): void {
    this.broker.publish(this.topic(`request/${verb}`), JSON.stringify(body), ...args);
  }

  /** Below the box's own. */
  topic(name: string): string {
    return `sidetone/${DEVICE}/${name}`;
  }

  /** Waits until as many calls are sealed, then ends the recorder. */
  async close(calls: number): Promise<void> {
    const { recorder } = this;
    if (!recorder) throw new Error("the recorder was never started");
    await recorder.waitFor(`${calls} calls`, (stderr) => (logLines(stderr, "call").length >= calls ? true : undefined));
    const code = await recorder.stop();
    if (code !== 0) throw new Error(`the recorder ended with ${code}:\n${recorder.stderr}`);
  }

  /** What the recorder has said so far. */
  get log(): string {
    return this.recorder?.stderr ?? "";
  }

  recordings(): ConsentRecording[] {
    return readRecordings(this.data).map((stored) => ({ ...stored, ...readWav(stored.wavPath) }));
  }

  /** The audit chain's entries so far in their order. */
  auditEntries(): AuditEntry[] {
    const folder = join(this.data, "audit");
    return filesBelow(folder)
      .filter((name) => name.endsWith(".jsonl"))
      .flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1))
      .map((line) => JSON.parse(line) as AuditEntry);
  }

  async remove(): Promise<void> {
    this.recorder?.child.kill("SIGKILL");
    await this.subscriber?.stop();
    await this.broker?.stop();
    this.network.remove();
    removeFolder(this.folder);
  }

  private get launcher(): string[] {
    return this.network.launcher("recorder");
  }
}
