// Alarms by syslog: the form of a message, and what comes to a server over UDP and TCP, also one that was away.
import { createSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { AlarmBook } from "../../../device/health/alarms.js";
import {
  formatSyslog,
  frameSyslog,
  parseSyslogUrl,
  SyslogSender,
  type SyslogServer,
} from "../../../device/health/syslog.js";

const ORIGIN = { facility: "local3", hostname: "box 1", processId: 42 } as const;
const AT = "2026-11-28T09:00:00.123456Z";
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

describe("a server's URL", () => {
  it.each([
    ["udp://logs.example", { transport: "udp", host: "logs.example", port: 514 }],
    ["tcp://10.0.0.9:1601", { transport: "tcp", host: "10.0.0.9", port: 1601 }],
    ["tls://[2001:db8::1]/", { transport: "tls", host: "2001:db8::1", port: 6514 }],
    ["", undefined],
    ["http://logs.example", undefined],
  ])("%s", (url, server) => {
    expect(parseSyslogUrl(url)).toEqual(server);
  });
});

describe("a message", () => {
  it("has the header of RFC 5424 and no control characters", () => {
    const message = formatSyslog(ORIGIN, { severity: 3, at: AT, id: "disk-full", text: "Full.\nNow: ä" });
    expect(message.toString()).toBe(`<155>1 ${AT} box_1 sidetone 42 disk-full - \ufeffFull. Now: ä`);
  });

  it("is cut between characters where a receiver may cut it", () => {
    const message = formatSyslog(ORIGIN, { severity: 3, at: AT, id: "x", text: "ä".repeat(2000) });
    expect(message.length).toBeGreaterThan(2040);
    expect(message.length).toBeLessThanOrEqual(2048);
    expect(message.toString()).not.toContain("\ufffd");
  });

  it("is counted in octets over a stream", () => {
    expect(frameSyslog(Buffer.from("ä")).toString()).toBe("2 ä");
  });
});

function sender(server: SyslogServer, retryMs = 30): { book: AlarmBook; syslog: SyslogSender; said: string[] } {
  const said: string[] = [];
  const say = (level: string, message: string): void => void said.push(`${level}: ${message.split(": c")[0]}`);
  const syslog = new SyslogSender({ server, origin: ORIGIN, now: () => AT, say, retryMs });
  const book = new AlarmBook({ clock: { nowUs: () => 0, monotonicMs: () => 0 } });
  book.listen(syslog);
  closing.push(() => syslog.close());
  return { book, syslog, said };
}

describe("alarms", () => {
  it("come over UDP as they begin, change and end", async () => {
    const receiver = createSocket("udp4");
    closing.push(() => receiver.close());
    const received: string[] = [];
    receiver.on("message", (message) => received.push(message.toString()));
    await new Promise<void>((resolve) => receiver.bind(0, "127.0.0.1", resolve));
    const { book } = sender({ transport: "udp", host: "127.0.0.1", port: receiver.address().port });
    book.raise("capture-drops", { packets: 3 });
    book.raise("capture-drops", { packets: 5 });
    book.clear("capture-drops");
    await until(() => received.length === 3);
    expect(received[0]).toMatch(/^<155>1 \S+ box_1 sidetone 42 capture-drops - \ufeffalarm raised: .* packets=3$/);
    expect(received[1]).toMatch(/alarm goes on: .* packets=5$/);
    expect(received[2]).toMatch(/^<157>1 .*alarm cleared: /);
  });

  it("wait for a TCP server that is away, the newest of them, and come in order", async () => {
    const port = await freePort();
    const { book, syslog, said } = sender({ transport: "tcp", host: "127.0.0.1", port });
    for (let n = 0; n < 300; n++) book.raise("capture-drops", { packets: n });
    await until(() => said.length === 1);
    let text = "";
    const server = await listen(port, (socket) => socket.on("data", (data) => (text += data.toString())));
    await until(
      () => /packets=299$/.test(text),
      () => book.raise("clock-stepped", {}),
    );
    const numbers = framesOf(text).flatMap((frame) => Number(/packets=(\d+)$/.exec(frame)?.[1] ?? []));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(numbers.at(-1)).toBe(299);
    expect(syslog.counters.dropped).toBeGreaterThan(0);
    expect(said).toEqual([
      `warn: syslog: tcp://127.0.0.1:${port} cannot be reached`,
      "info: syslog: the server takes messages again",
    ]);
    server.close();
  });
});

/** By the octets that each message counts. */
function framesOf(text: string): string[] {
  const frames: string[] = [];
  for (let bytes = Buffer.from(text); bytes.length > 0; ) {
    const [head, length] = /^(\d+) /.exec(bytes.toString("latin1"))!;
    frames.push(bytes.subarray(head.length, head.length + Number(length)).toString());
    bytes = bytes.subarray(head.length + Number(length));
  }
  return frames;
}

async function freePort(): Promise<number> {
  const server = await listen(0, () => {});
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function listen(port: number, take: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    closing.push(() => socket.destroy());
    take(socket);
  });
  closing.push(() => server.close());
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server)));
}

async function until(holds: () => boolean, meanwhile: () => void = () => {}): Promise<void> {
  for (let wait = 0; wait < 400 && !holds(); wait++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (wait % 20 === 19) meanwhile();
  }
  expect(holds()).toBe(true);
}
