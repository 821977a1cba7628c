// What stands between the server and what a route does: a request that has passed the door with its query and body read, and the
// answer as a value. Knows nothing of fastify.
import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import type { z } from "zod";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { ApiAuditEntry, Operation, ROUTES } from "../contract/api.js";
import type { Right } from "../contract/api-route.js";
import type { BoxCommandDesk } from "../contract/box-commands.js";
import type { CommandDesk } from "../contract/commands.js";
import type { Config } from "../contract/config.js";
import type { RetentionDesk } from "../contract/retention-desk.js";
import type { NumberExports } from "../store/export/number-exports.js";
import type { RecordingStore } from "../store/recordings.js";
import type { Token, TokenStore } from "../store/tokens.js";
import type { EventHub } from "./event-hub.js";
import type { Problem } from "./problems.js";
import type { TlsFacts } from "./tls.js";

/** The parts of the box that routes work with. */
export interface ApiParts {
  config: Config["api"];
  /** The box's name, and the package's version. */
  device: string;
  version: string;
  /** Of the certificate that is shown; undefined without TLS. */
  tls(): TlsFacts | undefined;
  /** For changing tokens; `actor` stands in the audit chain. Undefined: there is nowhere to. */
  tokenStore(actor: string): TokenStore | undefined;
  /** Neither revoked nor expired by now. */
  isGoodToken(id: string): boolean;
  /** What GET /events tells. */
  events: EventHub;
  /** For commands about calls in progress. */
  desk: CommandDesk;
  /** For commands about the box. */
  box: BoxCommandDesk;
  /** Undefined while the data folder is not open. */
  store(): RecordingStore | undefined;
  /** Undefined while the data folder is not open. */
  exports(): NumberExports | undefined;
  /** For deletions and holds; undefined while nothing can be asked of it. */
  retention(): RetentionDesk | undefined;
  /** The figures of the moment, in the format that the route says. */
  metrics(): string;
  /** Told of every command about calls in progress with its outcome. */
  audit(entry: ApiAuditEntry): void;
  clock: Clock;
  logger: Logger;
  deskTimeoutMs: number;
}

type Parsed<Route, Part extends string> =
  Route extends Record<Part, infer Schema extends z.ZodType> ? z.output<Schema> : undefined;

export interface RequestOf<Query, Body, Who> {
  /** The other end's, as the socket says. */
  address: string;
  /** Where it has asked: "https://box.example:8385". */
  origin: string;
  token: Who;
  /** By name; as they came, decoded. */
  path: Readonly<Record<string, string>>;
  query: Query;
  body: Body;
  headers: IncomingHttpHeaders;
  method: string;
  /** Aborted when the other end is gone. */
  signal: AbortSignal;
}

export type ApiRequest<Of extends Operation> = RequestOf<
  Parsed<(typeof ROUTES)[Of], "query">,
  Parsed<(typeof ROUTES)[Of], "body">,
  (typeof ROUTES)[Of] extends { right: Right } ? Token : undefined
>;

export type ApiReply =
  /** Checked against the route's schema; 200 unless it says otherwise. */
  | { answer: unknown; status?: number; headers?: Readonly<Record<string, string>> }
  /** Sent as it is: bytes, or a stream that is closed with the connection. `headers` holds its Content-Type. */
  | { raw: Buffer | Readable | null; status: number; headers: Readonly<Record<string, string>> }
  | { problem: Problem };

export type Handlers<Of extends Operation = Operation> = {
  readonly [Each in Of]: (request: ApiRequest<Each>) => ApiReply | Promise<ApiReply>;
};

/** As evidence and audit chain name it. */
export function nameOf(token: Token): string {
  return `token ${token.name}`;
}

/** Whether numbers are shown in full: whoever gets at the audio has them anyway. */
export function seesNumbers({ rights }: Pick<Token, "rights">): boolean {
  return rights.includes("listen") || rights.includes("download") || rights.includes("administer");
}
