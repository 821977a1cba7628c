// The connection against a broker that plays from a script over real sockets, for what no real broker does on request:
// refusing a subscription, throwing a client out, taking nothing, limits. Bytes as in MQTT 3.1.1 and MQTT 5.
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Logger } from "../../../device/base/logger.js";
import { type Config, configSchema } from "../../../device/contract/config.js";
import { retryAfterMs } from "../../../device/mqtt/connection.js";
import { MqttFace } from "../../../device/mqtt/face.js";
import { NoBox } from "../../fakes/box-desk.js";
import { waitUntil } from "../../fakes/office-program.js";
import { PROJECT_ROOT } from "../../fakes/program.js";

const CONNECT = 1;
const PUBLISH = 3;
const SUBSCRIBE = 8;
const DISCONNECT = 14;

interface Packet {
  type: number;
  body: Buffer;
}

/** Answers each packet of the client with the bytes that `script` gives for it. */
class ScriptedBroker {
  readonly packets: Packet[] = [];
  connections = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  constructor(script: (packet: Packet, socket: Socket) => Buffer | undefined) {
    this.server = createServer((socket) => {
      this.connections++;
      this.sockets.add(socket);
      let rest = Buffer.alloc(0);
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        rest = Buffer.concat([rest, chunk]);
        for (let packet = take(); packet; packet = take()) {
          this.packets.push(packet);
          const answer = script(packet, socket);
          if (answer) socket.write(answer);
        }
      });
      /** Lengths in these tests need two bytes at most (§1.5.5). */
      const take = (): Packet | undefined => {
        if (rest.length < 2) return undefined;
        const isLong = rest[1]! >= 128;
        const length = isLong ? (rest[1]! & 127) + rest[2]! * 128 : rest[1]!;
        const start = isLong ? 3 : 2;
        if (rest.length < start + length) return undefined;
        const packet = { type: rest[0]! >> 4, body: rest.subarray(start, start + length) };
        rest = rest.subarray(start + length);
        return packet;
      };
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return (this.server.address() as { port: number }).port;
  }

  count(type: number): number {
    return this.packets.filter((packet) => packet.type === type).length;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");
const CONNACK_4 = bytes("20 02 00 00");
/** With no properties but those given. */
const connack5 = (properties = "") =>
  Buffer.concat([
    bytes("20"),
    Buffer.from([3 + bytes(properties).length, 0, 0, bytes(properties).length]),
    bytes(properties),
  ]);
const suback = (packet: Packet, version: number, code: number) => {
  const id = packet.body.subarray(0, 2);
  return version === 5
    ? Buffer.concat([bytes("90 04"), id, Buffer.from([0, code])])
    : Buffer.concat([bytes("90 03"), id, Buffer.from([code])]);
};
const puback = ({ body }: Packet) => {
  const id = 2 + body.readUInt16BE(0);
  return Buffer.concat([bytes("40 02"), body.subarray(id, id + 2)]);
};

let broker: ScriptedBroker;
let face: MqttFace;
let lines: string[];
beforeEach(() => {
  lines = [];
});
afterEach(async () => {
  await face?.stop();
  await broker?.close();
});

async function start(
  script: (packet: Packet, socket: Socket) => Buffer | undefined,
  own: Partial<Config["mqtt"]> = {},
) {
  broker = new ScriptedBroker(script);
  const add = (level: string) => (message: string) => lines.push(`${level}: ${message}`);
  const logger: Logger = { debug: add("debug"), info: add("info"), warn: add("warn"), error: add("error") };
  const url = `mqtt://127.0.0.1:${await broker.listen()}`;
  const config = { ...configSchema.parse({}).mqtt, url, ...own };
  const desk = { submit: async () => ({ ok: true as const, calls: [] }) };
  face = new MqttFace({ config, device: "box", desk, box: new NoBox(), logger });
  await face.start();
}

describe("BrokerConnection", () => {
  it.each([4, 5])(
    "says that its requests may not be read, and still says that it is there (version %i)",
    async (version) => {
      await start(
        (packet) => {
          if (packet.type === CONNECT) return version === 5 ? connack5() : CONNACK_4;
          if (packet.type === SUBSCRIBE) return suback(packet, version, version === 5 ? 0x87 : 0x80);
          return packet.type === PUBLISH ? puback(packet) : undefined;
        },
        { version },
      );
      await waitUntil("the birth", () => broker.packets.find(({ type }) => type === PUBLISH));
      expect(lines).toEqual([
        expect.stringMatching(/^info: .*connected/),
        expect.stringMatching(/^error: .*read its requests/),
      ]);
    },
  );

  it("says why it was thrown out", async () => {
    await start(({ type }, socket) => {
      if (type === SUBSCRIBE) socket.end(bytes("e0 02 8e 00"));
      return type === CONNECT ? connack5() : undefined;
    });
    await waitUntil("the line", () => lines[1]);
    expect(lines[1]).toMatch(/^error: .*same client id.*mqtt\.clientId/);
  });

  it("keeps to the broker's limits for unacknowledged and for long messages", async () => {
    // Receive maximum (0x21) 2, maximum packet size (0x27) 256.
    await start((packet) => {
      if (packet.type === CONNECT) return connack5("21 00 02 27 00 00 01 00");
      return packet.type === SUBSCRIBE ? suback(packet, 5, 1) : undefined;
    });
    await waitUntil("the birth", () => broker.count(PUBLISH) > 0 || undefined);
    const event = { at: "", call: "" as never, source: "api", by: "x".repeat(300), change: "stopped" } as const;
    face.publishEvent("call", event);
    for (let i = 0; i < 5; i++) face.publishEvent("call", { ...event, by: String(i) });
    await waitUntil("the second", () => broker.count(PUBLISH) > 1 || undefined);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(broker.count(PUBLISH)).toBe(2);
    expect(face.counters()["mqtt.publish-refused"]).toBe(1);
    expect(lines).toEqual([
      expect.stringMatching(/connected/),
      expect.stringMatching(/^warn: .*longer than the broker/),
    ]);
  });

  it("ends in time when the broker acknowledges nothing, and when it never answers", async () => {
    await start((packet) => {
      if (packet.type === CONNECT) return connack5();
      return packet.type === SUBSCRIBE ? suback(packet, 5, 1) : undefined;
    });
    await waitUntil("the birth", () => broker.count(PUBLISH) > 0 || undefined);
    const started = performance.now();
    await face.stop();
    expect(performance.now() - started).toBeLessThan(6000);
    await broker.close();

    await start(() => undefined);
    await waitUntil("the attempt", () => broker.count(CONNECT) > 0 || undefined);
    const again = performance.now();
    await face.stop();
    expect(performance.now() - again).toBeLessThan(1500);
    expect(broker.count(DISCONNECT)).toBe(0);
  });

  it("says that what answers is no MQTT broker", async () => {
    await start(() => Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"));
    expect(await waitUntil("the line", () => lines[0])).toMatch(/^warn: .*is it an MQTT broker/);
  });

  it("leaves any broker that does not speak MQTT in one piece", async () => {
    const noise = [
      bytes("30 ff ff ff ff ff"),
      bytes("00 00"),
      bytes("f0 00"),
      bytes("20 7f 00"),
      Buffer.alloc(5000, 0xa5),
    ];
    for (const answer of noise) {
      await start(() => answer);
      await waitUntil("the attempt", () => broker.count(CONNECT) > 0 || undefined);
      await new Promise((resolve) => setTimeout(resolve, 30));
      await face.stop();
      await broker.close();
    }
  });
});

describe("retryAfterMs", () => {
  it("doubles up to ten seconds and varies by half: never longer than a quarter of a minute", () => {
    expect([0, 1, 2, 3, 4, 100].map((attempt) => retryAfterMs(attempt, 0.5))).toEqual([
      1000, 2000, 4000, 8000, 10_000, 10_000,
    ]);
    expect([retryAfterMs(0, 0), retryAfterMs(0, 1), retryAfterMs(1e9, 1)]).toEqual([500, 1500, 15_000]);
  });
});

describe("the MQTT library", () => {
  it("is loaded by the connection only, and only when it is opened", () => {
    const files = readdirSync(join(PROJECT_ROOT, "device"), { recursive: true, encoding: "utf8" });
    const uses = files
      .filter((name) => name.endsWith(".ts"))
      .flatMap((name) =>
        readFileSync(join(PROJECT_ROOT, "device", name), "utf8")
          .split("\n")
          .filter(
            (line) => /(?:from|import|require)\s*\(?\s*"mqtt(?:\/[^"]*)?"/.test(line) && !/^import type /.test(line),
          )
          .map((line) => `${name}: ${line.trim()}`),
      );
    expect(uses).toEqual(['mqtt/connection.ts: const { connect } = await import("mqtt");']);
  });
});
