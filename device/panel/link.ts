// One packet at a time to a module that answers each: what is outstanding, when it is repeated, when it is given up. Reports
// may come between. A pure state machine: it is told the time and the bytes, and says what to write; it has no timer and no
// port.
import { PacketDecoder } from "./decoder.js";
import { type CommandPacket, encodePacket, isAnswerTo, type Packet } from "./packet.js";

/** The module answers within this time, by its data sheet. */
export const ANSWER_MS = 250;
/** How often a packet is sent before the module counts as gone. */
export const MAX_ATTEMPTS = 4;

export type LinkOutput =
  | { kind: "write"; bytes: Uint8Array }
  /** The module took it, or refused its content. */
  | { kind: "answered"; sent: CommandPacket; answer: Packet }
  | { kind: "report"; packet: Packet }
  /** Nothing has answered any attempt. `echoes`: the very bytes that were sent came back instead. */
  | { kind: "lost"; sent: CommandPacket; echoes: number };

export interface LinkCounters {
  sent: number;
  repeated: number;
  refused: number;
  /** Packets that answer nothing. */
  strays: number;
}

interface Outstanding {
  packet: CommandPacket;
  bytes: Uint8Array;
  attempts: number;
  deadlineMs: number;
  echoes: number;
}

export class PanelLink {
  readonly counters: LinkCounters = { sent: 0, repeated: 0, refused: 0, strays: 0 };
  private readonly decoder = new PacketDecoder();
  private outstanding: Outstanding | undefined;

  get isIdle(): boolean {
    return this.outstanding === undefined;
  }

  /** Until when it may be left alone; undefined while nothing is outstanding. */
  get wakeAtMs(): number | undefined {
    return this.outstanding?.deadlineMs;
  }

  get discardedBytes(): number {
    return this.decoder.discardedBytes;
  }

  /** Only while idle. */
  send(packet: CommandPacket, nowMs: number): LinkOutput[] {
    if (this.outstanding !== undefined) throw new Error("a packet is outstanding");
    const bytes = encodePacket(packet);
    this.outstanding = { packet, bytes, attempts: 1, deadlineMs: nowMs + ANSWER_MS, echoes: 0 };
    this.counters.sent++;
    return [{ kind: "write", bytes }];
  }

  receive(bytes: Uint8Array): LinkOutput[] {
    return this.decoder.push(bytes).flatMap((packet) => this.take(packet));
  }

  /** To be called when `wakeAtMs` is reached; earlier it does nothing. */
  wake(nowMs: number): LinkOutput[] {
    const { outstanding } = this;
    if (outstanding === undefined || nowMs < outstanding.deadlineMs) return [];
    const late = this.decoder.expire().flatMap((packet) => this.take(packet));
    if (this.outstanding === undefined) return late;
    if (outstanding.attempts >= MAX_ATTEMPTS) {
      this.outstanding = undefined;
      return [...late, { kind: "lost", sent: outstanding.packet, echoes: outstanding.echoes }];
    }
    outstanding.attempts++;
    outstanding.deadlineMs = nowMs + ANSWER_MS;
    this.counters.repeated++;
    return [...late, { kind: "write", bytes: outstanding.bytes }];
  }

  private take(packet: Packet): LinkOutput[] {
    if (packet.kind === "report") return [{ kind: "report", packet }];
    const { outstanding } = this;
    if (outstanding === undefined || !isAnswerTo(packet, outstanding.packet)) {
      this.counters.strays++;
      if (outstanding !== undefined && packet.kind === "command") outstanding.echoes++;
      return [];
    }
    this.outstanding = undefined;
    if (packet.kind === "refusal") this.counters.refused++;
    return [{ kind: "answered", sent: outstanding.packet, answer: packet }];
  }
}
