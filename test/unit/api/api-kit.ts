// What the tests of the API share: a desk at the edge that notes its commands, real tokens in a folder of their own, and a
// clock that is moved by hand.
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildServer, type ServerOptions } from "../../../device/api/server.js";
import type { Clock } from "../../../device/base/clock.js";
import { type CallId, makeCallId } from "../../../device/base/ids.js";
import type { Logger } from "../../../device/base/logger.js";
import { openBook } from "../../../device/console/retention-command.js";
import type { ApiAuditEntry } from "../../../device/contract/api.js";
import type { Right } from "../../../device/contract/api-route.js";
import type { ActiveCall, CallCommand, CommandDesk, CommandResult } from "../../../device/contract/commands.js";
import { type Config, configSchema } from "../../../device/contract/config.js";
import { RetentionRequests } from "../../../device/retention-requests.js";
import { wavHeader } from "../../../device/seal/wav.js";
import { SpooledRetention } from "../../../device/spooled-retention.js";
import { NumberExports } from "../../../device/store/export/number-exports.js";
import { RecordingStore } from "../../../device/store/recordings.js";
import { Disposal } from "../../../device/store/retention/disposal.js";
import { SpoolKeeper } from "../../../device/store/spool-keeper.js";
import { TokenStore } from "../../../device/store/tokens.js";
import { ExampleBox } from "../../fakes/box-desk.js";
import { type GeneratedCall, generateCalls, storeCall } from "../../fakes/indexed-calls.js";

export const CALL_ID = makeCallId(1_795_000_000_000_000, Buffer.alloc(10, 7));
export const OTHER_ID = makeCallId(1_795_000_000_000_000, Buffer.alloc(10, 8));

/** For an operation's path: the call in progress, or the stored one. */
export function idFor(path: string): CallId {
  return /^\/calls\/\{id\}\/./.test(path) ? CALL_ID : STORED_ID;
}

export function activeCall(id: CallId = CALL_ID): ActiveCall {
  return {
    id,
    sipCallIds: ["a84b4c76e66710@pbx"],
    startedAt: "2026-11-21T09:00:00.123456Z",
    answeredAt: "",
    policy: "agent-only",
    policyRule: "",
    purpose: "recording",
    isPaused: false,
    parties: [
      { role: "caller", side: "originator", number: "+4930123456", consent: "unknown", isRecorded: false },
      { role: "agent", side: "answerer", number: "21", consent: "not-required", isRecorded: true },
    ],
  };
}

export class FakeDesk implements CommandDesk {
  readonly commands: CallCommand[] = [];
  answer: (command: CallCommand) => Promise<CommandResult> = async () => ({ ok: true, calls: [activeCall()] });

  submit(command: CallCommand): Promise<CommandResult> {
    this.commands.push(command);
    return this.answer(command);
  }
}

export class HandClock implements Clock {
  ms = 1000;
  nowUs = (): number => 1_795_000_000_000_000 + this.ms * 1000;
  monotonicMs = (): number => this.ms;
}

export function apiConfig(settings: Partial<Config["api"]> = {}): Config["api"] {
  return { ...configSchema.parse({}).api, port: 0, ...settings };
}

export class LogLines implements Logger {
  readonly lines: string[] = [];
  readonly #add =
    (level: string) =>
    (message: string, fields: object = {}): void => {
      this.lines.push(`${level}: ${message} ${JSON.stringify(fields)}`);
    };
  debug = this.#add("debug");
  info = this.#add("info");
  warn = this.#add("warn");
  error = this.#add("error");
}

/** The least of what has no audio. */
function shortness({ line, manifest }: GeneratedCall): number {
  return manifest === undefined ? Number.NEGATIVE_INFINITY : -line.durationMs;
}

/** The first of them is a recording, the shortest, and has its audio: silence. */
export const STORED: readonly GeneratedCall[] = [
  ...generateCalls({ seed: 3, count: 20, firstUs: 1_790_000_000_000_000, spanUs: 3_600_000_000 }),
].sort((a, b) => shortness(b) - shortness(a));
export const STORED_ID = STORED[0]!.line.id;

/** A store over these calls, with its index; nothing of it is sealed or signed. */
export function storeOf(folder: string, calls: readonly GeneratedCall[]): RecordingStore {
  for (const call of calls) storeCall(folder, call);
  putSilence(folder, calls[0]!);
  const store = RecordingStore.open(folder, {
    index: { numbers: configSchema.parse({}).numbers, onFault: fail, onRecovery: () => {}, onNotice: () => {} },
  });
  for (const { line } of calls) store.index!.write(line);
  return store;
}

function putSilence(folder: string, { line, manifest }: GeneratedCall): void {
  if (manifest === undefined) return;
  const { audio } = manifest;
  const path = join(folder, line.file);
  writeFileSync(path, wavHeader({ sampleRateHz: 8000, channels: 2, frames: (audio.bytes - 44) / 4 }));
  truncateSync(path, audio.bytes);
}

export function exportsOf(store: RecordingStore, clock: Clock): NumberExports {
  const config = configSchema.parse({});
  const open = () => openBook(store.paths.dataFolder, config, clock);
  return new NumberExports({ store, config, device: "box", clock, openBook: open });
}

/** Deletions and holds through the spool, which this process carries out. */
export function retentionOf(
  store: RecordingStore,
  clock: Clock,
  logger: Logger,
  retention: object = {},
): SpooledRetention {
  const config = configSchema.parse({ retention, numbers: { countryCode: "49" } });
  const disposal = new Disposal({ store, config, device: "box", logger, clock });
  const { paths } = store;
  const kinds = new RetentionRequests({ store, disposal, config, clock }).kinds();
  const keeper = new SpoolKeeper({ dataFolder: paths.dataFolder, kinds, onFault: (text) => logger.warn(text), clock });
  return new SpooledRetention({ paths, disposal, drain: () => keeper.drain(), logger, clock });
}

function fail(message: string): never {
  throw new Error(message);
}

/** A server that is spoken to without a network, and what lies around it. */
export class ApiBench {
  readonly folder = mkdtempSync(join(tmpdir(), "sidetone-test-"));
  readonly desk = new FakeDesk();
  readonly box = new ExampleBox();
  readonly clock = new HandClock();
  readonly log = new LogLines();
  readonly audited: ApiAuditEntry[] = [];
  readonly tokens = new TokenStore({ dataFolder: this.folder, clock: this.clock });
  readonly store: RecordingStore | undefined;
  readonly exports: NumberExports | undefined;
  readonly retention: SpooledRetention | undefined;
  readonly server;

  /** `stored`: calls of which there is a store. */
  constructor(
    options: Partial<Omit<ServerOptions, "config">> & {
      config?: Partial<Config["api"]>;
      stored?: readonly GeneratedCall[];
      /** Settings of `retention`. */
      classes?: object;
    } = {},
  ) {
    this.store = options.stored && storeOf(this.folder, options.stored);
    this.exports = this.store && exportsOf(this.store, this.clock);
    this.retention = this.store && retentionOf(this.store, this.clock, this.log, options.classes);
    this.server = buildServer({
      desk: this.desk,
      box: this.box,
      about: { device: "office-1", version: "0.0.0", tokenStore: () => this.tokens },
      tokens: this.tokens,
      audit: (entry) => this.audited.push(entry),
      logger: this.log,
      clock: this.clock,
      store: () => this.store,
      exports: () => this.exports,
      retention: () => this.retention,
      ...options,
      config: apiConfig(options.config),
    });
  }

  token(name: string, ...rights: Right[]): string {
    return this.tokens.create({ name, rights }).secret;
  }

  async ask(method: string, path: string, secret?: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await this.server.app.inject({
      method: method as "GET",
      url: path,
      headers: {
        ...(secret !== undefined && { authorization: `Bearer ${secret}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { payload: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const isJson = String(response.headers["content-type"]).includes("json") && response.body !== "";
    return {
      status: response.statusCode,
      headers: response.headers,
      text: response.body,
      body: isJson ? JSON.parse(response.body) : null,
    };
  }

  async close(): Promise<void> {
    await this.server.app.close();
    this.store?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
