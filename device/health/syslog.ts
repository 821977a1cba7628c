// Alarms as syslog messages (RFC 5424) to a server: over UDP (RFC 5426), or over TCP and TLS in octet counts (RFC 6587, 5425). What
// cannot be sent is kept for a while, bounded; trouble with the server never reaches the recorder.
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect as connectTcp, type Socket as TcpSocket } from "node:net";
import { connect as connectTls } from "node:tls";
import { ALARMS, type AlarmSeverity, type PastAlarm, type StandingAlarm } from "../contract/alarms.js";
import { SYSLOG_FACILITIES } from "../contract/config-faces.js";
import type { AlarmListener } from "./alarms.js";

/** RFC 5424 §6.2.1. */
const SEVERITY: Readonly<Record<AlarmSeverity, number>> = { critical: 2, error: 3, warning: 4 };
const NOTICE = 5;
export type Facility = (typeof SYSLOG_FACILITIES)[number];
const FACILITY_CODES: Readonly<Record<Facility, number>> = Object.fromEntries(
  SYSLOG_FACILITIES.map((name, n) => [name, n === 0 ? 3 : 15 + n]),
) as Record<Facility, number>;
const DEFAULT_PORTS = { udp: 514, tcp: 601, tls: 6514 };
/** RFC 5426 §3.2: what every receiver takes is 480, what it should take 2048 octets. */
const MAX_MESSAGE_BYTES = 2048;
const MAX_WAITING = 256;
const RETRY_MS = 10_000;
const UTF8_BOM = "\ufeff";

export interface SyslogServer {
  transport: keyof typeof DEFAULT_PORTS;
  host: string;
  port: number;
}

/** "udp://logs.example", "tcp://10.0.0.9:601", "tls://logs.example:6514"; undefined when it is none of these. */
export function parseSyslogUrl(url: string): SyslogServer | undefined {
  const [, transport, bracketed, plain, port] =
    /^(udp|tcp|tls):\/\/(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?\/?$/.exec(url) ?? [];
  if (transport === undefined) return undefined;
  const known = transport as SyslogServer["transport"];
  return {
    transport: known,
    host: bracketed ?? plain!,
    port: port === undefined ? DEFAULT_PORTS[known] : Number(port),
  };
}

export interface SyslogOrigin {
  facility: Facility;
  hostname: string;
  processId: number;
}

/** One message, without framing. `at` is ISO 8601 in UTC. */
export function formatSyslog(
  { facility, hostname, processId }: SyslogOrigin,
  { severity, at, id, text }: { severity: number; at: string; id: string; text: string },
): Buffer {
  const priority = FACILITY_CODES[facility] * 8 + severity;
  // HOSTNAME and MSGID are printable ASCII without blanks (RFC 5424 §6).
  const name = hostname.replaceAll(/[^!-~]/g, "_").slice(0, 255) || "-";
  const head = `<${priority}>1 ${at} ${name} sidetone ${processId} ${id.slice(0, 32)} - ${UTF8_BOM}`;
  const message = Buffer.from(head + text.replaceAll(/\p{Cc}/gu, " "));
  return message.length <= MAX_MESSAGE_BYTES ? message : cutUtf8(message, MAX_MESSAGE_BYTES);
}

/** Octet counting, RFC 6587 §3.4.1. */
export function frameSyslog(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}

export interface SyslogOptions {
  server: SyslogServer;
  origin: SyslogOrigin;
  /** PEM of the authority that signed a TLS server's certificate; absent = those the system trusts. */
  ca?: Buffer;
  /** ISO 8601 in UTC. */
  now(): string;
  /** The server cannot be reached, or can again: one line, once each. */
  say(level: "warn" | "info", message: string): void;
  retryMs?: number;
}

export class SyslogSender implements AlarmListener {
  readonly counters = { sent: 0, dropped: 0 };
  private readonly options: SyslogOptions;
  private udp: UdpSocket | undefined;
  private stream: TcpSocket | undefined;
  private isConnected = false;
  private hasFailed = false;
  private retryTimer: NodeJS.Timeout | undefined;
  private isClosed = false;
  /** Oldest first. */
  private waiting: Buffer[] = [];

  constructor(options: SyslogOptions) {
    this.options = options;
  }

  raised({ code, title, remedy, detail }: StandingAlarm, isNew: boolean): void {
    const facts = Object.entries(detail).map(([name, value]) => `${name}=${String(value)}`);
    const words = [`alarm ${isNew ? "raised" : "goes on"}: ${title}.`, remedy, facts.join(" ")];
    this.send(SEVERITY[ALARMS[code].severity], code, words.join(" ").trim());
  }

  cleared({ code, since }: PastAlarm): void {
    this.send(NOTICE, code, `alarm cleared: ${ALARMS[code].title}; it stood since ${since}`);
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.retryTimer);
    this.udp?.close();
    this.stream?.end();
    this.udp = undefined;
    this.stream = undefined;
  }

  private send(severity: number, id: string, text: string): void {
    if (this.isClosed) return;
    const message = formatSyslog(this.options.origin, { severity, at: this.options.now(), id, text });
    if (this.options.server.transport === "udp") {
      this.sendDatagram(message);
      return;
    }
    this.waiting.push(frameSyslog(message));
    if (this.waiting.length > MAX_WAITING) {
      this.waiting.shift();
      this.counters.dropped++;
    }
    this.flush();
  }

  /** Nobody answers: whether it arrives is not known. */
  private sendDatagram(message: Buffer): void {
    const { host, port } = this.options.server;
    this.udp ??= this.openUdp(host);
    this.udp.send(message, port, host, (error) => {
      if (error) this.failed(error.message);
      else this.sent(1);
    });
  }

  private openUdp(host: string): UdpSocket {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    socket.on("error", (error) => this.failed(error.message));
    socket.unref();
    return socket;
  }

  private flush(): void {
    if (!this.isConnected) {
      this.connect();
      return;
    }
    const messages = this.waiting;
    this.waiting = [];
    for (const message of messages) this.stream!.write(message);
    this.sent(messages.length);
  }

  private connect(): void {
    if (this.stream !== undefined || this.retryTimer !== undefined || this.isClosed) return;
    const { transport, host, port } = this.options.server;
    const { ca } = this.options;
    const stream = transport === "tls" ? connectTls({ host, port, ...(ca && { ca }) }) : connectTcp({ host, port });
    this.stream = stream;
    stream.unref();
    stream.setKeepAlive(true);
    stream.on(transport === "tls" ? "secureConnect" : "connect", () => {
      this.isConnected = true;
      this.flush();
    });
    stream.on("error", (error) => this.failed(error.message));
    stream.on("close", () => {
      this.isConnected = false;
      this.stream = undefined;
      if (this.isClosed) return;
      this.retryTimer = setTimeout(() => {
        this.retryTimer = undefined;
        if (this.waiting.length > 0) this.connect();
      }, this.options.retryMs ?? RETRY_MS);
      this.retryTimer.unref();
    });
    // A server that says something says nothing to us; unread it would block.
    stream.resume();
  }

  private sent(count: number): void {
    this.counters.sent += count;
    if (this.hasFailed && count > 0) this.options.say("info", "syslog: the server takes messages again");
    if (count > 0) this.hasFailed = false;
  }

  private failed(reason: string): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    const { transport, host, port } = this.options.server;
    this.options.say("warn", `syslog: ${transport}://${host}:${port} cannot be reached: ${reason}`);
  }
}

function cutUtf8(bytes: Buffer, length: number): Buffer {
  let end = length;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
