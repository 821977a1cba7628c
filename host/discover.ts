// Looks for boxes on the networks that this computer is on, by multicast DNS (RFC 6762, RFC 6763). Whatever comes over the network is text
// that somebody sent: bounded here, and for whoever shows it to make harmless. No native module; works beside the system's own responder.
import { createSocket, type Socket } from "node:dgram";
import { networkInterfaces } from "node:os";
import dnsPacket, { type Answer, type Packet } from "dns-packet";
import { MDNS_ADDRESS, MDNS_PORT, SERVICE_TYPE } from "../device/contract/discovery.js";

/** Asked so often, ms from the start on: the first may be lost, or come while a box is starting. */
const ASKED_AT_MS = [0, 1000, 3000, 7000];
const MAX_BOXES = 256;
const MAX_TEXT_CHARACTERS = 255;
const MAX_ADDRESSES = 16;
const TTL = 255;

export interface FoundBox {
  /** Unique among boxes: "office-1 [a1b2c3d4]". */
  instance: string;
  /** As the box calls itself; "" when it does not say. */
  device: string;
  version: string;
  /** Of the API: "/api/v1". */
  path: string;
  /** How the SHA-256 of its certificate begins, lower-case hexadecimal; "none": without TLS; "": not said. */
  tls: string;
  port: number;
  /** From which the answer came first, then those that it names. */
  addresses: string[];
  /** "https://192.0.2.7:8385". */
  url: string;
}

export interface DiscoverOptions {
  seconds: number;
  signal?: AbortSignal;
  /** A network on which it cannot be asked; one line. */
  onFault?(message: string): void;
}

/** Each box once, when it has answered. Ends after the time, or when the signal says so. */
export async function* discover({ seconds, signal, onFault }: DiscoverOptions): AsyncGenerator<FoundBox, void> {
  const found: FoundBox[] = [];
  const known = new Set<string>();
  let wake: () => void = () => {};
  const take = (bytes: Buffer, from: string): void => {
    for (const box of boxesIn(bytes, from)) {
      if (known.has(box.instance) || known.size >= MAX_BOXES) continue;
      known.add(box.instance);
      found.push(box);
    }
    wake();
  };
  const sockets = ownAddresses().map((address) => open(address, take, onFault));
  const endAtMs = performance.now() + seconds * 1000;
  const timers = ASKED_AT_MS.filter((atMs) => atMs < seconds * 1000).map((atMs) =>
    setTimeout(() => sockets.forEach(ask), atMs),
  );
  const over = setTimeout(() => wake(), seconds * 1000);
  const stop = (): void => wake();
  signal?.addEventListener("abort", stop);
  try {
    while (signal?.aborted !== true) {
      const box = found.shift();
      if (box !== undefined) yield box;
      else if (performance.now() >= endAtMs) return;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    clearTimeout(over);
    for (const timer of timers) clearTimeout(timer);
    for (const { socket } of sockets) close(socket);
  }
}

interface Asker {
  socket: Socket;
  isOpen: boolean;
}

function open(
  address: string,
  take: (bytes: Buffer, from: string) => void,
  onFault?: (message: string) => void,
): Asker {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  const asker: Asker = { socket, isOpen: false };
  const fault = (error: unknown): void => {
    asker.isOpen = false;
    onFault?.(`boxes cannot be looked for from ${address}: ${error instanceof Error ? error.message : String(error)}`);
    close(socket);
  };
  socket.on("error", fault);
  socket.on("message", (bytes, { address: from }) => take(bytes, from));
  socket.bind({ port: MDNS_PORT, exclusive: false }, () => {
    try {
      socket.setMulticastInterface(address);
      socket.setMulticastTTL(TTL);
      socket.addMembership(MDNS_ADDRESS, address);
      asker.isOpen = true;
      ask(asker);
    } catch (error) {
      fault(error);
    }
  });
  return asker;
}

function ask({ socket, isOpen }: Asker): void {
  if (!isOpen) return;
  const query = dnsPacket.encode({ type: "query", questions: [{ type: "PTR", name: SERVICE_TYPE }] });
  socket.send(query, MDNS_PORT, MDNS_ADDRESS, () => {});
}

function close(socket: Socket): void {
  try {
    socket.close();
  } catch {
    // Closed already.
  }
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list = []) =>
    list.filter(({ family, internal }) => family === "IPv4" && !internal).map(({ address }) => address),
  );
}

/** What a packet says of boxes; nothing for what is no such packet. `from`: who sent it. */
export function boxesIn(bytes: Buffer, from: string): FoundBox[] {
  let packet: Packet;
  try {
    packet = dnsPacket.decode(bytes);
  } catch {
    return [];
  }
  if (packet.type !== "response") return [];
  const records = [...(packet.answers ?? []), ...(packet.additionals ?? [])];
  return records.flatMap((record) => boxOf(record, records, from) ?? []);
}

function boxOf(record: Answer, records: readonly Answer[], from: string): FoundBox | undefined {
  // Its time is over: the box has said goodbye (§10.1).
  if (record.type !== "SRV" || record.ttl === 0) return undefined;
  const end = `.${SERVICE_TYPE}`;
  if (!record.name.toLowerCase().endsWith(end)) return undefined;
  const { port, target } = record.data;
  if (!(port > 0 && port < 65_536)) return undefined;
  const facts = factsOf(records.find(({ type, name }) => type === "TXT" && name === record.name));
  const named = records.flatMap((one) =>
    (one.type === "A" || one.type === "AAAA") && one.name.toLowerCase() === target.toLowerCase() ? [one.data] : [],
  );
  const addresses = [...new Set([from, ...named])].slice(0, MAX_ADDRESSES);
  const { device = "", version = "", path = "", tls = "" } = facts;
  const instance = record.name.slice(0, -end.length).slice(0, MAX_TEXT_CHARACTERS);
  const host = from.includes(":") ? `[${from}]` : from;
  const url = `${tls === "none" ? "http" : "https"}://${host}:${port}`;
  return { instance, device, version, path, tls, port, addresses, url };
}

function factsOf(record: Answer | undefined): Record<string, string> {
  if (record?.type !== "TXT") return {};
  const strings = Array.isArray(record.data) ? record.data : [record.data];
  return Object.fromEntries(
    strings.map((one) => {
      const text = one.toString();
      const at = text.indexOf("=");
      return [text.slice(0, Math.max(0, at)).toLowerCase(), text.slice(at + 1, at + 1 + MAX_TEXT_CHARACTERS)];
    }),
  );
}
