// What the tests of the API share: a desk at the edge that notes its commands, real tokens in a folder of their own, and a
// clock that is moved by hand.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildServer, type ServerOptions } from "../../../device/api/server.js";
import type { Clock } from "../../../device/base/clock.js";
import { type CallId, makeCallId } from "../../../device/base/ids.js";
import type { Logger } from "../../../device/base/logger.js";
import type { ApiAuditEntry, Right } from "../../../device/contract/api.js";
import type { ActiveCall, CallCommand, CommandDesk, CommandResult } from "../../../device/contract/commands.js";
import { type Config, configSchema } from "../../../device/contract/config.js";
import { TokenStore } from "../../../device/store/tokens.js";

export const CALL_ID = makeCallId(1_795_000_000_000_000, Buffer.alloc(10, 7));
export const OTHER_ID = makeCallId(1_795_000_000_000_000, Buffer.alloc(10, 8));

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

/** A server that is spoken to without a network, and what lies around it. */
export class ApiBench {
  readonly folder = mkdtempSync(join(tmpdir(), "sidetone-test-"));
  readonly desk = new FakeDesk();
  readonly clock = new HandClock();
  readonly log = new LogLines();
  readonly audited: ApiAuditEntry[] = [];
  readonly tokens = new TokenStore({ dataFolder: this.folder, clock: this.clock });
  readonly server;

  constructor(options: Partial<Omit<ServerOptions, "config">> & { config?: Partial<Config["api"]> } = {}) {
    this.server = buildServer({
      desk: this.desk,
      tokens: this.tokens,
      audit: (entry) => this.audited.push(entry),
      logger: this.log,
      clock: this.clock,
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
    rmSync(this.folder, { recursive: true, force: true });
  }
}
