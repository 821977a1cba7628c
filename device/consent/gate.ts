// The gate of one leg: the only place that can admit a packet. A new gate is shut, and it stays shut until it is told
// otherwise. A refused packet's payload is not copied anywhere. Media that overtakes the answer is held in memory for a
// moment, only when nothing but the missing answer keeps the gate shut.
import type { Side, TimeUs } from "../base/ids.js";
import type { LegGate } from "../call/guard.js";
import type { Party } from "../call/party.js";
import { type CallStream, DISCARD_REASONS, type DiscardCode, discardCode } from "../call/stream.js";
import type { ClosedSpanRecord, DiscardReason, SpanRecord } from "../contract/call-record.js";
import type { Datagram } from "../net/datagram.js";

const SHUT: DiscardCode = discardCode("policy");
const EARLY_MEDIA = discardCode("early-media");
const SOURCE_CHANGED = discardCode("source-changed");
const JOURNAL = discardCode("journal");
const DIGITS = discardCode("digits");
const ERASED = discardCode("erased");
/** Packets held per leg before the answer: 500 ms at 10 ms per packet. */
const MAX_HELD = 50;
/** Open and closed spans kept per leg; when a gate flaps beyond that the last one stays shut. */
const MAX_SPANS = 1000;

/** Where admitted packets go: the call's journal. False = it could not be kept. */
export interface AdmittedSink {
  append(side: Side, stream: number, capturedAtUs: TimeUs, data: Buffer, start: number, end: number): boolean;
}

interface HeldPacket {
  stream: CallStream;
  capturedAtUs: TimeUs;
  bytes: Buffer;
}

/** An open span and who was on the leg. */
interface GateSpan extends SpanRecord {
  party: Party;
  /** The latest packet that was admitted in it. */
  lastUs: TimeUs;
}

/** The same for one in which packets were refused for one reason; it lasts until the next one begins or the gate opens. */
interface ShutSpan extends ClosedSpanRecord {
  party: Party;
  code: DiscardCode;
}

export interface GateOptions {
  /** How far before the answer media may be held. */
  preAnswerMs: number;
  /** Keys that are pressed (RFC 4733) are admitted like audio. */
  keepsDigits: boolean;
}

export class Gate implements LegGate {
  private readonly spans: GateSpan[] = [];
  private readonly shutSpans: ShutSpan[] = [];
  private readonly keepsDigits: boolean;
  private sink: AdmittedSink;
  private readonly holdUs: number;
  /** 0 = open. */
  private closed: DiscardCode = SHUT;
  /** A change of the media's source is no reason to refuse (the policy does not depend on who speaks). */
  private trustsAnySource = false;
  private holds = false;
  private held: HeldPacket[] = [];
  private openSpan: GateSpan | undefined;
  private shutSpan: ShutSpan | undefined;

  constructor(sink: AdmittedSink, { preAnswerMs, keepsDigits }: GateOptions) {
    this.sink = sink;
    this.holdUs = preAnswerMs * 1000;
    this.keepsDigits = keepsDigits;
  }

  get isOpen(): boolean {
    return this.closed === 0;
  }

  offer(stream: CallStream, datagram: Datagram, isDuplicate: boolean): void {
    const refused = this.closed !== 0 ? this.closed : this.blockedBy(stream);
    if (refused !== 0) {
      if (this.holds && refused === EARLY_MEDIA && !isDuplicate && this.blockedBy(stream) === 0)
        this.hold(stream, datagram);
      else this.refuse(stream, refused, datagram.capturedAtUs);
      return;
    }
    if (isDuplicate) {
      stream.duplicate++;
      return;
    }
    if (
      this.sink.append(stream.side, stream.index, datagram.capturedAtUs, datagram.data, datagram.start, datagram.end)
    ) {
      stream.recorded++;
      const span = this.openSpan!;
      span.packets++;
      span.lastUs = datagram.capturedAtUs;
    } else {
      this.refuse(stream, JOURNAL, datagram.capturedAtUs);
    }
  }

  /** Opens the gate for `party` from the next packet on; what was held since `holdUs` before is admitted. */
  open(atUs: TimeUs, evidence: string, trustsAnySource: boolean, party: Party): void {
    this.trustsAnySource = trustsAnySource;
    if (this.closed === 0 && this.openSpan?.evidence === evidence && this.openSpan.party === party) return;
    this.endOpenSpan(atUs);
    this.endShutSpan(atUs);
    if (this.spans.length >= MAX_SPANS) {
      this.shut(atUs, "policy", false);
      return;
    }
    const wasHolding = this.held.length > 0;
    this.closed = 0;
    this.holds = false;
    this.openSpan = { fromUs: atUs, toUs: Number.POSITIVE_INFINITY, evidence, packets: 0, party, lastUs: 0 };
    this.spans.push(this.openSpan);
    if (wasHolding) this.admitHeld(atUs);
  }

  /** Shuts the gate from the next packet on. `holds`: only the missing answer is in the way. */
  shut(atUs: TimeUs, reason: DiscardReason, holds: boolean): void {
    const code = discardCode(reason);
    if (code !== this.closed) this.endShutSpan(atUs);
    this.closed = code;
    this.holds = holds && this.holdUs > 0;
    this.endOpenSpan(atUs);
    if (!this.holds) this.dropHeld();
  }

  /** The spans for `party` so far, the open one ending at `atUs`. */
  spansOf(party: Party, atUs: TimeUs): SpanRecord[] {
    return this.spans
      .filter((span) => span.party === party)
      .map(({ fromUs, toUs, evidence, packets }) => ({ fromUs, toUs: Math.min(toUs, atUs), evidence, packets }));
  }

  /** Ids of the evidence on which it was opened. */
  get evidence(): string[] {
    return this.spans.map(({ evidence }) => evidence);
  }

  /** The spans in which packets of `party` were refused so far; one that lasts ends at `atUs`. */
  closedSpansOf(party: Party, atUs: TimeUs): ClosedSpanRecord[] {
    return this.shutSpans
      .filter((span) => span.party === party)
      .map(({ fromUs, toUs, reason, packets }) => ({ fromUs, toUs: Math.min(toUs, atUs), reason, packets }));
  }

  /** What was admitted of `party` until `atUs` is to be erased: its spans are closed ones from then on. */
  erase(party: Party, atUs: TimeUs): void {
    for (let i = this.spans.length - 1; i >= 0; i--) {
      const span = this.spans[i]!;
      if (span.party !== party || span === this.openSpan) continue;
      this.spans.splice(i, 1);
      this.shutSpans.push({
        fromUs: span.fromUs,
        toUs: Math.min(span.toUs, atUs),
        reason: "erased",
        code: ERASED,
        packets: span.packets,
        party,
      });
    }
  }

  /** The call has become part of another: admitted packets go to its journal, evidence has other ids. */
  move(sink: AdmittedSink, evidenceIds: ReadonlyMap<string, string>): void {
    this.sink = sink;
    for (const span of this.spans) span.evidence = evidenceIds.get(span.evidence) ?? span.evidence;
  }

  /** Two parties turned out to be one. */
  unite(party: Party, other: Party): void {
    for (const span of [...this.spans, ...this.shutSpans]) if (span.party === other) span.party = party;
  }

  /**
   * What stands for the gate in a call that it no longer belongs to, of those whom `names` gives a name there: what it had
   * admitted is erased.
   */
  tombstone(names: ReadonlyMap<Party, Party>, atUs: TimeUs): Gate {
    const stone = new Gate(this.sink, { preAnswerMs: 0, keepsDigits: this.keepsDigits });
    const bury = (span: ClosedSpanRecord, code: DiscardCode, of: Party): void => {
      const { fromUs, toUs, packets } = span;
      const party = names.get(of);
      const reason = DISCARD_REASONS[code - 1]!;
      if (party) stone.shutSpans.push({ fromUs, toUs: Math.min(toUs, atUs), reason, code, packets, party });
    };
    for (const span of this.shutSpans) bury(span, span.code, span.party);
    for (const { fromUs, toUs, packets, party } of this.spans)
      bury({ fromUs, toUs, packets, reason: "erased" }, ERASED, party);
    return stone;
  }

  private blockedBy(stream: CallStream): DiscardCode {
    if (stream.carriesDigits && !this.keepsDigits) return DIGITS;
    return this.trustsAnySource && stream.blocked === SOURCE_CHANGED ? 0 : stream.blocked;
  }

  /** Counts a refusal, in the stream and in the span that it makes or goes on. */
  private refuse(stream: CallStream, code: DiscardCode, atUs: TimeUs): void {
    stream.countDiscarded(code);
    const { shutSpan } = this;
    if (shutSpan !== undefined && shutSpan.code === code && shutSpan.party === stream.party) {
      shutSpan.packets++;
      if (this.closed === 0) shutSpan.toUs = atUs;
    } else this.beginShutSpan(stream.party, code, atUs);
  }

  /** With the gate open, what is refused for the stream's own sake makes spans that end with their last packet. */
  private beginShutSpan(party: Party, code: DiscardCode, atUs: TimeUs): void {
    if (this.closed !== 0) this.endShutSpan(atUs);
    const last = this.shutSpans.findLast((span) => span.party === party && span.code === code);
    if (this.shutSpans.length >= MAX_SPANS && last !== undefined) {
      last.packets++;
      last.toUs = Math.max(last.toUs, atUs);
      return;
    }
    const toUs = this.closed === 0 ? atUs : Number.POSITIVE_INFINITY;
    this.shutSpan = { fromUs: atUs, toUs, reason: DISCARD_REASONS[code - 1]!, code, packets: 1, party };
    this.shutSpans.push(this.shutSpan);
  }

  private endShutSpan(atUs: TimeUs): void {
    if (this.shutSpan) this.shutSpan.toUs = Math.min(this.shutSpan.toUs, atUs);
    this.shutSpan = undefined;
  }

  /** A dialog's end is noticed a little after its time: what was admitted until then belongs to the span. */
  private endOpenSpan(atUs: TimeUs): void {
    if (this.openSpan) this.openSpan.toUs = Math.max(atUs, this.openSpan.lastUs);
    this.openSpan = undefined;
  }

  private hold(stream: CallStream, datagram: Datagram): void {
    this.forgetHeldBefore(datagram.capturedAtUs - this.holdUs);
    if (this.held.length >= MAX_HELD) this.refuseHeld();
    const bytes = Buffer.from(datagram.data.subarray(datagram.start, datagram.end));
    this.held.push({ stream, capturedAtUs: datagram.capturedAtUs, bytes });
  }

  private forgetHeldBefore(limitUs: TimeUs): void {
    while (this.held.length > 0 && this.held[0]!.capturedAtUs < limitUs) this.refuseHeld();
  }

  private refuseHeld(): void {
    const { stream, capturedAtUs } = this.held.shift()!;
    this.refuse(stream, EARLY_MEDIA, capturedAtUs);
  }

  private admitHeld(atUs: TimeUs): void {
    this.forgetHeldBefore(atUs - this.holdUs);
    const held = this.held;
    this.held = [];
    const span = this.openSpan!;
    for (const { stream, capturedAtUs, bytes } of held) {
      // Held for who was on the leg before.
      if (stream.party !== span.party) {
        this.refuse(stream, EARLY_MEDIA, capturedAtUs);
        continue;
      }
      span.fromUs = Math.min(span.fromUs, capturedAtUs);
      if (this.sink.append(stream.side, stream.index, capturedAtUs, bytes, 0, bytes.length)) {
        stream.recorded++;
        span.packets++;
        span.lastUs = Math.max(span.lastUs, capturedAtUs);
      } else this.refuse(stream, JOURNAL, capturedAtUs);
    }
  }

  private dropHeld(): void {
    while (this.held.length > 0) this.refuseHeld();
  }
}
