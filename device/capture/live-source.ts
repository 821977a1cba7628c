// Captures live on one interface and feeds its frames to a sink. Owns the choice of filter, the counters and what
// becomes of an interface that goes down or away. Never transmits and never changes the interface.
import { type ErrorCode, SidetoneError } from "../base/errors.js";
import { anyLinkFilter, captureFilter } from "./filter.js";
import type { Frame, FrameSink } from "./frame.js";
import { type InterfaceState, isInterfaceName, readInterface, readInterfaces } from "./interface-state.js";
import {
  LINK_TYPE_ETHERNET,
  LINK_TYPE_LINUX_COOKED,
  LINK_TYPE_NULL,
  LINK_TYPE_RAW,
  normalLinkType,
} from "./link-type.js";
import { PacketSocket } from "./packet-socket.js";

export interface LiveOptions {
  interface: string;
  bufferMegabytes: number;
  snapLengthBytes: number;
  timeoutMs: number;
  promiscuous: boolean;
  /** TCP ports that the filters of filter.ts pass. */
  tcpPorts: readonly number[];
  /** pcap-filter expression, "" = everything. By default the one of filter.ts that fits the link layer. */
  filter?: string;
}

/** Running totals over every reopening. */
export interface LiveCounters {
  frames: number;
  bytes: number;
  /** Lost because the ring was full, and before it at the interface, as libpcap reports them. */
  kernelDrops: number;
  interfaceDrops: number;
  /** Longer than the interface sends them: the network card or the kernel has joined packets together (LRO, GRO). */
  joinedFrames: number;
}

export interface LiveFault {
  code: ErrorCode;
  /** One line: the interface, what is wrong, what to do. */
  message: string;
}

/** libpcap's device that stands for every interface. */
const EVERY_INTERFACE = "any";
const BYTES_PER_MEGABYTE = 1024 * 1024;
const MAX_POLL_INTERVAL_MS = 10;
/** An Ethernet header with two tags (IEEE 802.1ad): not counted by an MTU. */
const MAX_LINK_HEADER_BYTES = 22;
/** A ring whose interface is gone cannot be freed (see PacketSocket.close): so many are given up for a reopening. */
const MAX_REOPENINGS = 4;

const LINK_TYPE_NAMES: Readonly<Record<string, number>> = {
  LINKTYPE_NULL: LINK_TYPE_NULL,
  LINKTYPE_ETHERNET: LINK_TYPE_ETHERNET,
  LINKTYPE_IEEE802_11_RADIO: 127,
  LINKTYPE_RAW: LINK_TYPE_RAW,
  LINKTYPE_LINUX_SLL: LINK_TYPE_LINUX_COOKED,
};

export class LiveSource {
  readonly name: string;
  /** Filters that libpcap refused, with its reason; a simpler one was used instead. */
  readonly filterRefusals: string[] = [];
  readonly #options: LiveOptions;
  readonly #sink: FrameSink;
  readonly #counters: LiveCounters = { frames: 0, bytes: 0, kernelDrops: 0, interfaceDrops: 0, joinedFrames: 0 };
  readonly #frame: Frame;
  #socket: PacketSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #filter = "";
  #interfaceIndex = 0;
  #longestFrame = Number.POSITIVE_INFINITY;
  #reopenings = 0;
  #reported = "";
  /** libpcap's totals at the last look, to take differences of unsigned words. */
  #seenKernelDrops = 0;
  #seenInterfaceDrops = 0;

  constructor(options: LiveOptions, sink: FrameSink, interfaceIndex: number) {
    this.name = options.interface;
    this.#options = options;
    this.#sink = sink;
    this.#frame = {
      data: Buffer.alloc(0),
      start: 0,
      capturedLength: 0,
      originalLength: 0,
      capturedAtUs: 0,
      linkType: LINK_TYPE_ETHERNET,
      interfaceIndex,
    };
  }

  /** What `takeFault` told last, "" while all is well. */
  get standingFault(): string {
    return this.#reported;
  }

  /** The filter in the kernel, "" = none. */
  get filter(): string {
    return this.#filter;
  }

  /**
   * Begins to capture; frames come in later turns of the event loop. Throws SidetoneError: interface-not-found,
   * interface-down, capture-not-permitted or capture-failed.
   */
  start(): void {
    if (this.#timer !== undefined) throw new Error(`${this.name}: capture was started twice`);
    this.#open();
    const intervalMs = Math.min(this.#options.timeoutMs, MAX_POLL_INTERVAL_MS);
    this.#timer = setInterval(() => this.#socket?.poll(), intervalMs);
  }

  /** Ends the capture: no frame comes after this, and nothing of it keeps the process alive. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#closeSocket();
  }

  counters(): LiveCounters {
    this.#readDrops();
    return { ...this.#counters };
  }

  /**
   * What has become of the interface, each fault once until it changes; to be asked every second or so. Opens the
   * interface anew when it was removed and is back.
   */
  takeFault(): LiveFault | undefined {
    const fault = this.#timer === undefined ? undefined : this.#look();
    const message = fault?.message ?? "";
    const isNew = message !== this.#reported;
    this.#reported = message;
    return isNew ? fault : undefined;
  }

  #look(): LiveFault | undefined {
    if (this.name === EVERY_INTERFACE) return this.#socketFault();
    const state = readInterface(this.name);
    if (state === undefined || state.index !== this.#interfaceIndex) this.#closeSocket();
    if (state === undefined) {
      return this.#fault("interface-down", "the interface went away; capture goes on when it is back");
    }
    if (!state.isUp) return this.#downFault();
    if (!state.hasLink) {
      return this.#fault("interface-down", "the interface has no link; check the cable and the switch's mirror port");
    }
    return this.#socket === undefined ? this.#reopen() : this.#socketFault();
  }

  #socketFault(): LiveFault | undefined {
    if (this.#socket === undefined || this.#socket.errorsInARow === 0) return undefined;
    return this.#fault("capture-failed", "libpcap no longer delivers packets; restart the recorder");
  }

  #reopen(): LiveFault | undefined {
    if (this.#reopenings === MAX_REOPENINGS) {
      const times = `the interface went away ${MAX_REOPENINGS + 1} times`;
      return this.#fault("capture-failed", `${times}; restart the recorder to capture on it again`);
    }
    this.#reopenings++;
    try {
      this.#open();
      return undefined;
    } catch (error) {
      if (!(error instanceof SidetoneError)) throw error;
      return { code: error.code, message: error.message };
    }
  }

  #open(): void {
    const state = this.#requireInterface();
    let refusal: unknown;
    for (const filter of this.#filters(state)) {
      try {
        this.#openSocket(filter);
        this.#interfaceIndex = state?.index ?? 0;
        this.#longestFrame = (state?.mtuBytes ?? Number.POSITIVE_INFINITY) + MAX_LINK_HEADER_BYTES;
        return;
      } catch (error) {
        this.#throwUnlessFilter(error);
        refusal = error;
      }
      // At most one per filter and opening, and openings are limited.
      if (filter !== "") this.filterRefusals.push(textOf(refusal));
    }
    throw this.#error("capture-failed", `cannot capture (${textOf(refusal)})`, refusal);
  }

  /** The filters to try, best first. */
  #filters(state: InterfaceState | undefined): string[] {
    const anyLink = anyLinkFilter(this.#options.tcpPorts);
    const own = (state?.isEthernet ?? false) ? captureFilter(this.#options.tcpPorts) : anyLink;
    const first = this.#options.filter ?? own;
    return first === "" ? [""] : [...new Set([first, anyLink, ""])];
  }

  /** Throws Error with libpcap's text. */
  #openSocket(filter: string): void {
    const options = this.#options;
    const socket = new PacketSocket(options.snapLengthBytes);
    const socketOptions = {
      device: this.name,
      filter,
      bufferBytes: options.bufferMegabytes * BYTES_PER_MEGABYTE,
      snapLengthBytes: options.snapLengthBytes,
      timeoutMs: options.timeoutMs,
      // Linux has no promiscuous mode for all interfaces at once; asking for it may fail.
      isPromiscuous: options.promiscuous && this.name !== EVERY_INTERFACE,
    };
    const linkType = linkTypeOf(socket.open(socketOptions, () => this.#takePacket(socket)));
    if (filter === captureFilter(options.tcpPorts) && linkType !== LINK_TYPE_ETHERNET) {
      socket.close();
      throw new Error("the filter counts bytes of Ethernet, the interface has another link layer");
    }
    this.#socket = socket;
    this.#filter = filter;
    this.#seenKernelDrops = 0;
    this.#seenInterfaceDrops = 0;
    this.#frame.linkType = linkType;
    this.#frame.data = socket.packet;
  }

  #takePacket(socket: PacketSocket): void {
    if (socket !== this.#socket) return;
    const header = socket.header;
    const frame = this.#frame;
    // node-pcap copies no more than the buffer holds, whatever the header says.
    frame.capturedLength = Math.min(header[2]!, socket.packet.length);
    frame.originalLength = header[3]!;
    frame.capturedAtUs = header[0]! * 1_000_000 + header[1]!;
    this.#counters.frames++;
    this.#counters.bytes += frame.capturedLength;
    if (frame.originalLength > this.#longestFrame) this.#counters.joinedFrames++;
    this.#sink(frame);
  }

  #closeSocket(): void {
    this.#readDrops();
    this.#socket?.close();
    this.#socket = undefined;
  }

  #readDrops(): void {
    const statistics = this.#socket?.statistics();
    if (statistics === undefined) return;
    this.#counters.kernelDrops += (statistics.ps_drop - this.#seenKernelDrops) >>> 0;
    this.#counters.interfaceDrops += (statistics.ps_ifdrop - this.#seenInterfaceDrops) >>> 0;
    this.#seenKernelDrops = statistics.ps_drop;
    this.#seenInterfaceDrops = statistics.ps_ifdrop;
  }

  /** The interface's state (undefined for "any"); throws when it is not there or down. */
  #requireInterface(): InterfaceState | undefined {
    if (this.name === EVERY_INTERFACE) return undefined;
    const state = isInterfaceName(this.name) ? readInterface(this.name) : undefined;
    if (state === undefined) throw this.#notFound();
    if (!state.isUp) throw errorOf(this.#downFault());
    return state;
  }

  /** Throws on everything that another filter cannot mend. libpcap's texts are all that node-pcap passes on. */
  #throwUnlessFilter(error: unknown): void {
    const text = textOf(error);
    if (/No such device/i.test(text)) throw this.#notFound(error);
    if (/not up|Network is down/i.test(text)) throw errorOf(this.#downFault(), error);
    if (/not permitted|permission|CAP_NET_RAW/i.test(text)) {
      const remedy = `run as root, or allow it once: sudo setcap cap_net_raw+ep ${process.execPath}`;
      throw this.#error("capture-not-permitted", `this user may not capture packets; ${remedy}`, error);
    }
    if (isLoadError(error)) {
      const remedy = "install libpcap and run: npm rebuild pcap";
      throw this.#error("capture-failed", `the capture library cannot be loaded (${text}); ${remedy}`, error);
    }
  }

  #notFound(cause?: unknown): SidetoneError {
    const names = readInterfaces().map((state) => state.name);
    const known = names.length === 0 ? "there is none at all" : `there are: ${names.join(", ")}`;
    const message = `there is no network interface ${JSON.stringify(this.name)}; ${known}`;
    return new SidetoneError("interface-not-found", message, { cause });
  }

  #downFault(): LiveFault {
    return this.#fault("interface-down", `the interface is down; set it up: sudo ip link set ${this.name} up`);
  }

  #fault(code: ErrorCode, what: string): LiveFault {
    return { code, message: `${this.name}: ${what}` };
  }

  #error(code: ErrorCode, what: string, cause?: unknown): SidetoneError {
    return errorOf(this.#fault(code, what), cause);
  }
}

/** Every network interface, by index. */
export function listInterfaces(): { name: string; up: boolean; loopback: boolean }[] {
  return readInterfaces().map((state) => ({ name: state.name, up: state.isUp, loopback: state.isLoopback }));
}

/** The interfaces to capture on when none is named: every one that is up; loopback only when there is no other. */
export function defaultInterfaces(): string[] {
  const up = listInterfaces().filter((entry) => entry.up);
  const real = up.filter((entry) => !entry.loopback);
  return (real.length > 0 ? real : up).map((entry) => entry.name);
}

/** LINKTYPE_ value for node-pcap's text: a name, or "Unknown linktype N" with libpcap's DLT_ number. */
export function linkTypeOf(text: string): number {
  const named = LINK_TYPE_NAMES[text];
  return named ?? normalLinkType(Number(/\d+$/.exec(text)?.[0] ?? Number.NaN));
}

function isLoadError(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^(MODULE_NOT_FOUND|ERR_DLOPEN_\w+)$/.test(String(error.code));
}

function errorOf(fault: LiveFault, cause?: unknown): SidetoneError {
  return new SidetoneError(fault.code, fault.message, { cause });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message.split("\n")[0]! : String(error);
}
