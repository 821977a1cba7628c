// One libpcap capture through node-pcap's native session: open, poll, statistics, close. The only importer of `pcap`.
// Never sends: `inject` is not even declared here.
//
// It leaves out node-pcap's JavaScript half and its uv_poll, for three reasons: that half allocates an object and an
// event per packet; its uv_poll handle is never closed, so that it keeps the process alive until another packet comes
// and dangles once the session is collected; and an interface that is gone would wake it endlessly. A timer polls
// instead, which costs one system call per tick, and the event loop turns between two ticks.
import { createRequire } from "node:module";

/** node-pcap 3.1.0, pcap_session.cc. */
interface NativeSession {
  open_live(
    device: string,
    filter: string,
    bufferBytes: number,
    snapLengthBytes: number,
    dumpFile: string,
    onPacket: () => void,
    isMonitor: boolean,
    timeoutMs: number,
    onWarning: (text: string) => void,
    isPromiscuous: boolean,
  ): string;
  /** Fills both buffers and calls back for each packet until the ring is empty. */
  dispatch(packet: Buffer, header: Buffer): number;
  close(): void;
  stats(): PacketStatistics;
}
interface NativeBinding {
  PcapSession: new () => NativeSession;
}

/** libpcap's `pcap_stat`: unsigned 32-bit running totals. */
export interface PacketStatistics {
  ps_drop: number;
  ps_ifdrop: number;
}

export interface PacketSocketOptions {
  device: string;
  filter: string;
  bufferBytes: number;
  snapLengthBytes: number;
  timeoutMs: number;
  isPromiscuous: boolean;
}

const PCAP_ERROR_BREAK = -2;
const HEADER_WORDS = 4;
/** How often a closed socket that is still waiting for libpcap to let go is looked at. */
const LINGER_MS = 100;

export class PacketSocket {
  /** The one packet buffer; valid during the callback. */
  readonly packet: Buffer;
  /** Seconds, microseconds, captured length, length on the wire of the packet in `packet`, as unsigned words. */
  readonly header = new Uint32Array(HEADER_WORDS);
  /** Notes of libpcap while opening: no IPv4 address on the interface, usually. */
  warnings = 0;
  /** Polls that libpcap ended with an error since the last one that it did not. */
  errorsInARow = 0;
  readonly #headerBytes = Buffer.from(this.header.buffer);
  readonly #session: NativeSession;
  #isPolling = false;
  #isClosing = false;
  #isReleased = false;

  /** Throws when node-pcap is not built or libpcap is missing. */
  constructor(snapLengthBytes: number) {
    const binding = createRequire(import.meta.url)("pcap/build/Release/pcap_binding.node") as NativeBinding;
    this.#session = new binding.PcapSession();
    this.packet = Buffer.alloc(snapLengthBytes);
  }

  /** Opens, once. Returns node-pcap's name of the link type; throws Error with libpcap's text. */
  open(options: PacketSocketOptions, onPacket: () => void): string {
    try {
      return this.#openLive(options, onPacket);
    } catch (error) {
      this.#abandon();
      throw error;
    }
  }

  #openLive(options: PacketSocketOptions, onPacket: () => void): string {
    return this.#session.open_live(
      options.device,
      options.filter,
      options.bufferBytes,
      options.snapLengthBytes,
      "",
      onPacket,
      false,
      options.timeoutMs,
      () => {
        this.warnings++;
      },
      options.isPromiscuous,
    );
  }

  /**
   * After an opening that failed. With statistics there is a ring (only its filter was refused), to be let go; without
   * them the native handle may not even be set, and touching it would end the process.
   */
  #abandon(): void {
    this.#isReleased = this.statistics() === undefined;
    this.close();
  }

  /** Calls back for every packet in the ring. Does nothing once closed. */
  poll(): void {
    if (this.#isPolling || this.#isClosing) return;
    const outcome = this.#dispatch();
    this.errorsInARow = outcome < 0 ? this.errorsInARow + 1 : 0;
    // The callback closed this socket.
    if (this.#isClosing) this.#linger();
  }

  /** Undefined when libpcap has none. */
  statistics(): PacketStatistics | undefined {
    if (this.#isReleased) return undefined;
    try {
      return this.#session.stats();
    } catch {
      return undefined;
    }
  }

  /**
   * No callback comes after this. libpcap lets go of its ring only when it is asked for packets and one is there: until
   * then a timer, which does not keep the process alive, asks. A ring whose interface is gone stays until the process
   * ends.
   */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (this.#isReleased) return;
    this.#session.close();
    if (!this.#isPolling) this.#linger();
  }

  #linger(): void {
    if (this.#isLettingGo()) return;
    const timer = setInterval(() => {
      if (this.#isLettingGo()) clearInterval(timer);
    }, LINGER_MS);
    timer.unref();
  }

  /** True when there is nothing left to wait for. */
  #isLettingGo(): boolean {
    return this.#isReleased || this.#dispatch() < 0;
  }

  #dispatch(): number {
    this.#isPolling = true;
    try {
      const outcome = this.#session.dispatch(this.packet, this.#headerBytes);
      // The session is finalised now: another dispatch would use what it freed.
      if (outcome === PCAP_ERROR_BREAK) this.#isReleased = true;
      return outcome;
    } finally {
      this.#isPolling = false;
    }
  }
}
