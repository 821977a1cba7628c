// Says on the office's network where the box is, by multicast DNS: one socket for each interface that may be sent on, looked for anew every
// while. Whatever goes wrong with it is counted and keeps nothing else from working. The only importer of `dns-packet` on the box.
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { networkInterfaces } from "node:os";
import type { Packet } from "dns-packet";
import type { Logger } from "../base/logger.js";
import { MDNS_ADDRESS, MDNS_PORT } from "../contract/discovery.js";
import { type AnnouncePlace, announcePlaces, isNear } from "./announce-interfaces.js";
import { type Announced, Announcement } from "./announcement.js";

const LOOK_MS = 30_000;
/** RFC 6762 §8.3: twice, a second apart; §6: no record again within a second. */
const AGAIN_MS = 1000;
/** §6: others may have the same to say. */
const MOST_DELAY_MS = 120;
const TTL = 255;
/** For the last word. */
const STOP_MS = 500;
const MAX_LEGACY_PER_SECOND = 10;
const MAX_QUERY_BYTES = 9000;

export interface AnnouncerOptions {
  /** `api.host`. */
  host: string;
  /** As it is now; the certificate may change. */
  announced(): Announced;
  /** Interfaces that are captured on; undefined while it is not known: nothing is sent. */
  captured(): readonly string[] | undefined;
  logger: Logger;
  interfaces?: typeof networkInterfaces;
}

interface Voice {
  place: AnnouncePlace;
  socket: Socket;
  /** Of an answer that is on its way. */
  timer?: NodeJS.Timeout;
  spokeAtMs: number;
  legacy: { sinceMs: number; count: number };
}

export class Announcer {
  readonly counters = { sent: 0, asked: 0, ignored: 0, faults: 0 };
  readonly #options: AnnouncerOptions;
  readonly #voices = new Map<string, Voice>();
  #codec: typeof import("dns-packet") | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #said = "";

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { default: codec } = await import("dns-packet");
    if (this.#isStopped) return;
    this.#codec = codec;
    this.look();
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Interfaces come and go. */
  look(): void {
    if (this.#codec === undefined || this.#isStopped) return;
    let places: AnnouncePlace[];
    try {
      places = this.#places();
    } catch {
      // The interfaces cannot be listed: at the next look.
      this.counters.faults++;
      return;
    }
    const wanted = new Map(places.map((place) => [JSON.stringify(place), place]));
    for (const [key, voice] of this.#voices) if (!wanted.has(key)) this.#silence(key, voice);
    for (const [key, place] of wanted) if (!this.#voices.has(key)) this.#raise(key, place);
    this.#say(places.map(({ name }) => name));
  }

  /** Totals since the start, by name. */
  figures(): Record<string, number> {
    const { sent, asked, ignored, faults } = this.counters;
    return {
      "api.announce-sent": sent,
      "api.announce-asked": asked,
      "api.announce-ignored": ignored,
      "api.announce-faults": faults,
      "api.announce-interfaces": this.#voices.size,
    };
  }

  /** Takes back what was said; resolves when that is on its way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    const voices = [...this.#voices];
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, STOP_MS);
    });
    const goodbyes = voices.map(([, voice]) =>
      this.#send(voice, this.#announcement().packet(voice.place.addresses, true)),
    );
    await Promise.race([Promise.all(goodbyes), late]);
    clearTimeout(timer);
    for (const [key, voice] of voices) this.#silence(key, voice);
  }

  #places(): AnnouncePlace[] {
    const { host, captured, interfaces = networkInterfaces } = this.#options;
    const known = captured();
    return known === undefined ? [] : announcePlaces({ host, captured: known, interfaces: interfaces() });
  }

  #say(names: readonly string[]): void {
    const text = names.join(",");
    if (text === this.#said) return;
    this.#said = text;
    if (text === "")
      this.#options.logger.info("the box is not announced: no interface is left that is not captured on");
    else this.#options.logger.info("the box is announced (mDNS)", { interfaces: text });
  }

  #raise(key: string, place: AnnouncePlace): void {
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    const voice: Voice = { place, socket, spokeAtMs: Number.NEGATIVE_INFINITY, legacy: { sinceMs: 0, count: 0 } };
    this.#voices.set(key, voice);
    socket.on("error", (error) => this.#fault(key, voice, error));
    socket.on("message", (bytes, from) => this.#take(voice, bytes, from));
    // Bound to the group: what is sent to the box alone is not for us.
    socket.bind({ address: MDNS_ADDRESS, port: MDNS_PORT, exclusive: false }, () => {
      try {
        // Before anything can be sent: the way out is this interface, and membership is of this interface only.
        socket.setMulticastInterface(place.address);
        socket.setMulticastTTL(TTL);
        socket.addMembership(MDNS_ADDRESS, place.address);
      } catch (error) {
        this.#fault(key, voice, error);
        return;
      }
      this.#speak(voice);
      voice.timer = setTimeout(() => this.#speak(voice), AGAIN_MS);
    });
    socket.unref();
  }

  #silence(key: string, voice: Voice): void {
    clearTimeout(voice.timer);
    this.#voices.delete(key);
    try {
      voice.socket.close();
    } catch {
      // Closed already.
    }
  }

  #fault(key: string, voice: Voice, error: unknown): void {
    this.counters.faults++;
    this.#options.logger.debug("mDNS does not work on an interface", {
      interface: voice.place.name,
      fault: String(error),
    });
    this.#silence(key, voice);
  }

  /** Whatever comes, it does no more than not be answered. */
  #take(voice: Voice, bytes: Buffer, from: RemoteInfo): void {
    try {
      this.#answer(voice, bytes, from);
    } catch {
      this.counters.ignored++;
    }
  }

  #answer(voice: Voice, bytes: Buffer, from: RemoteInfo): void {
    // The kernel hands over what came by any interface on which anybody is in the group.
    const query = isNear(voice.place, from.address) ? this.#read(bytes) : undefined;
    if (query === undefined) {
      this.counters.ignored++;
      return;
    }
    const announcement = this.#announcement();
    if (!announcement.isAsked(query)) return;
    this.counters.asked++;
    if (from.port !== MDNS_PORT)
      this.#answerLegacy(voice, announcement.legacyPacket(query, voice.place.addresses), from);
    else this.#answerSoon(voice);
  }

  #read(bytes: Buffer): Packet | undefined {
    if (bytes.length > MAX_QUERY_BYTES) return undefined;
    try {
      const packet = this.#codec!.decode(bytes);
      return packet.type === "query" ? packet : undefined;
    } catch {
      return undefined;
    }
  }

  /** However often it is asked, once a second. */
  #answerSoon(voice: Voice): void {
    const sinceMs = performance.now() - voice.spokeAtMs;
    clearTimeout(voice.timer);
    const delayMs = 20 + Math.random() * (MOST_DELAY_MS - 20);
    voice.timer = setTimeout(() => this.#speak(voice), Math.max(delayMs, AGAIN_MS - sinceMs));
  }

  #answerLegacy({ socket, legacy }: Voice, packet: Packet, { address, port }: RemoteInfo): void {
    const nowMs = performance.now();
    if (nowMs - legacy.sinceMs > 1000) Object.assign(legacy, { sinceMs: nowMs, count: 0 });
    if (++legacy.count > MAX_LEGACY_PER_SECOND) return;
    socket.send(this.#codec!.encode(packet), port, address, () => {});
    this.counters.sent++;
  }

  #speak(voice: Voice): void {
    voice.spokeAtMs = performance.now();
    void this.#send(voice, this.#announcement().packet(voice.place.addresses));
  }

  #send({ socket }: Voice, packet: Packet): Promise<void> {
    return new Promise((resolve) => {
      try {
        socket.send(this.#codec!.encode(packet), MDNS_PORT, MDNS_ADDRESS, (error) => {
          if (error) this.counters.faults++;
          else this.counters.sent++;
          resolve();
        });
      } catch {
        this.counters.faults++;
        resolve();
      }
    });
  }

  #announcement(): Announcement {
    return new Announcement(this.#options.announced());
  }
}
