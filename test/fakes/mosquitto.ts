// Eclipse Mosquitto as the broker, and its command-line clients as the admin. Each broker listens on one loopback port
// that was free, and is ended by its process id. It waits for what a program says, never for a time.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { contractFaults } from "./mqtt-contract.js";
import { waitUntil } from "./office-program.js";

const FOLDERS = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin"];
const find = (command: string) => FOLDERS.map((folder) => join(folder, command)).find((path) => existsSync(path));

/** Why these tests cannot run here, or undefined. */
export function mosquittoObstacle(): string | undefined {
  const missing = ["mosquitto", "mosquitto_pub", "mosquitto_rr", "mosquitto_sub", "mosquitto_passwd", "openssl"].filter(
    (command) => find(command) === undefined,
  );
  return missing.length === 0 ? undefined : `${missing.join(", ")} not installed`;
}

export interface Certificates {
  caFile: string;
  certFile: string;
  keyFile: string;
}

export interface BrokerOptions {
  port?: number;
  tls?: Certificates & { requireClient?: boolean };
  users?: Record<string, string>;
  /** Lines of an access file; without it everybody may do everything. */
  access?: string[];
  /** Speaks WebSocket on its port, and plain MQTT on this one. */
  plainPort?: number;
  /** Further lines of the configuration. */
  lines?: string[];
  /** Prepended to every command line, as in `ip netns exec NAME`. */
  launcher?: readonly string[];
}

let brokers = 0;
let subscribers = 0;

export class Mosquitto {
  readonly port: number;
  /** What it logged. */
  log = "";
  private readonly child: ChildProcess;
  private readonly ended: Promise<void>;
  private readonly launcher: readonly string[];

  private constructor(port: number, configFile: string, launcher: readonly string[]) {
    this.port = port;
    this.launcher = launcher;
    const [command, ...args] = [...launcher, find("mosquitto")!, "-c", configFile, "-v"];
    this.child = spawn(command!, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on("data", (chunk: Buffer) => {
        this.log += chunk.toString();
      });
    }
    this.ended = new Promise((resolve) => this.child.on("close", () => resolve()));
  }

  static async start(parent: string, options: BrokerOptions = {}): Promise<Mosquitto> {
    const folder = join(parent, `broker-${++brokers}`);
    mkdirSync(folder);
    for (let attempt = 0; ; attempt++) {
      const port = options.port ?? (await freePort());
      const broker = new Mosquitto(port, writeConfig(folder, port, options), options.launcher ?? []);
      try {
        await waitUntil("mosquitto to listen", () => {
          if (broker.child.exitCode !== null) throw new Error(`mosquitto ended:\n${broker.log}`);
          return /running/.test(broker.log) || undefined;
        });
        return broker;
      } catch (error) {
        // Somebody took the port in between.
        if (attempt >= 2 || !/in use/.test(broker.log)) throw error;
      }
    }
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null) this.child.kill("SIGTERM");
    await this.ended;
  }

  /** Without a word to anybody. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
  }

  /** Publishes as the admin; `args` are further ones of mosquitto_pub. */
  publish(topic: string, payload: string | Buffer, ...args: string[]): void {
    const connection = ["-h", "127.0.0.1", "-p", String(this.port), "-V", "5", "-q", "1"];
    const content = payload.length === 0 ? ["-n"] : ["-s"];
    const [command, ...rest] = [...this.launcher, find("mosquitto_pub")!, ...connection, "-t", topic, ...content];
    const run = spawnSync(command!, [...rest, ...args], {
      input: payload,
      encoding: "utf8",
      maxBuffer: 1 << 26,
    });
    if (run.status !== 0) throw new Error(`mosquitto_pub ended with ${run.status}: ${run.stderr}`);
  }

  /** Asks as an admin's script does (mosquitto_rr): MQTT 5 response topic, correlation data, and who is asking. */
  async ask<T = Record<string, unknown>>(topic: string, body: object, client = "admin"): Promise<T> {
    const connection = ["-h", "127.0.0.1", "-p", String(this.port), "-V", "5", "-q", "1", "-W", "20"];
    const who = ["-D", "publish", "user-property", "client", client];
    const answers = `answers/${process.pid}/${++subscribers}`;
    const [command, ...rest] = [...this.launcher, find("mosquitto_rr")!, ...connection, "-t", topic, "-e", answers];
    const child = spawn(command!, [...rest, ...who, "-m", JSON.stringify(body)], { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout!, child.stderr!])
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
    await new Promise((resolve) => child.on("close", resolve));
    if (child.exitCode !== 0) throw new Error(`mosquitto_rr ended with ${child.exitCode}: ${text}`);
    return JSON.parse(text) as T;
  }

  async subscribe(topic: string, ...args: string[]): Promise<Subscriber> {
    const subscriber = new Subscriber(this.port, topic, args, this.launcher);
    await waitUntil(
      "the subscription",
      () => this.log.includes(`Sending SUBACK to ${subscriber.clientId}`) || undefined,
    );
    return subscriber;
  }
}

export interface Received {
  isRetained: boolean;
  topic: string;
  correlationData: string;
  payload: string;
}

/** mosquitto_sub, and what it has received. */
export class Subscriber {
  readonly clientId = `admin-${process.pid}-${++subscribers}`;
  readonly received: Received[] = [];
  /** The beginning of a line. */
  private rest = "";
  private readonly child: ChildProcess;

  constructor(port: number, topic: string, args: string[], launcher: readonly string[] = []) {
    const connection = ["-h", "127.0.0.1", "-p", String(port), "-V", "5", "-q", "1", "-i", this.clientId];
    const [command, ...rest] = [...launcher, find("mosquitto_sub")!, ...connection, "-t", topic];
    this.child = spawn(command!, [...rest, "-F", "%r\t%t\t%D\t%p", ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (this.rest + chunk).split("\n");
      this.rest = lines.pop()!;
      this.received.push(...lines.map(readLine));
    });
  }

  on(topic: string): Received[] {
    return this.received.filter((message) => message.topic === topic);
  }

  /** The parsed payload of message `place` (from 0) on a topic, once it is there. */
  async next<T = Record<string, unknown>>(topic: string, place = 0): Promise<T> {
    const found = await waitUntil(`message ${place} on ${topic}`, () => this.on(topic)[place]).catch(
      (error: unknown) => {
        const seen = this.received.map((message) => `${message.topic} ${message.payload}`);
        throw new Error([(error as Error).message, ...seen].join("\n"));
      },
    );
    return JSON.parse(found.payload) as T;
  }

  /** Throws when a box has published something that is not as the reference says. */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once("close", resolve));
    if (this.child.exitCode === null && this.child.kill("SIGTERM")) await ended;
    const faults = contractFaults(this.received);
    if (faults.length > 0) throw new Error(`not as the MQTT reference says:\n${faults.slice(0, 10).join("\n")}`);
  }
}

/** As the option -F has it written. */
function readLine(line: string): Received {
  const [retain, topic = "", correlationData = "", ...payload] = line.split("\t");
  return { isRetained: retain === "1", topic, correlationData, payload: payload.join("\t") };
}

/** An authority of its own and a certificate for this machine's loopback name and address. */
export function makeCertificates(parent: string, name: string): Certificates {
  const folder = join(parent, name);
  mkdirSync(folder);
  const file = (ending: string) => join(folder, ending);
  const openssl = (...args: string[]) => execFileSync(find("openssl")!, args, { stdio: ["ignore", "ignore", "pipe"] });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  writeFileSync(file("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  const authority = ["-keyout", file("ca.key"), "-out", file("ca.pem"), "-subj", `/CN=authority ${name}`];
  openssl("req", "-x509", ...key, ...authority, "-days", "2");
  openssl("req", ...key, "-keyout", file("own.key"), "-out", file("own.csr"), "-subj", `/CN=${name}`);
  const signed = ["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial", "-days", "2"];
  openssl("x509", "-req", "-in", file("own.csr"), ...signed, "-extfile", file("names"), "-out", file("own.pem"));
  return { caFile: file("ca.pem"), certFile: file("own.pem"), keyFile: file("own.key") };
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

function writeConfig(folder: string, port: number, options: BrokerOptions): string {
  const { tls, users, access, lines = [] } = options;
  const config = ["user root", "persistence false", "log_dest stderr", ...lines];
  if (users) {
    const file = join(folder, "users");
    writeFileSync(file, "");
    for (const [user, password] of Object.entries(users))
      execFileSync(find("mosquitto_passwd")!, ["-b", file, user, password], { stdio: "ignore" });
    config.push(`password_file ${file}`);
  }
  if (access) {
    const file = join(folder, "access");
    writeFileSync(file, `${access.join("\n")}\n`, { mode: 0o700 });
    config.push(`acl_file ${file}`);
  }
  // A broker with nothing but WebSocket does not start.
  if (options.plainPort !== undefined) config.push(`listener ${options.plainPort} 127.0.0.1`);
  config.push(`listener ${port} 127.0.0.1`, `allow_anonymous ${users === undefined}`);
  if (options.plainPort !== undefined) config.push("protocol websockets");
  if (tls) {
    config.push(`cafile ${tls.caFile}`, `certfile ${tls.certFile}`, `keyfile ${tls.keyFile}`);
    config.push(`require_certificate ${tls.requireClient === true}`);
  }
  const path = join(folder, "mosquitto.conf");
  writeFileSync(path, `${config.join("\n")}\n`);
  return path;
}
