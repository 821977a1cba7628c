// The gate of one leg: the only place that can admit a packet. A new gate is shut, and it stays shut until it is told
// otherwise. A refused packet's payload is not copied anywhere. Media that overtakes the answer is held in memory for a
// moment, only when nothing but the missing answer keeps the gate shut.
import type { Side, TimeUs } from "../base/ids.js";
import type { LegGate } from "../call/guard.js";
import type { Party } from "../call/party.js";
import { type CallStream, type DiscardCode, discardCode } from "../call/stream.js";
import type { DiscardReason, SpanRecord } from "../contract/call-record.js";
import type { Datagram } from "../net/datagram.js";

const SHUT: DiscardCode = discardCode("policy");
const EARLY_MEDIA = discardCode("early-media");
const SOURCE_CHANGED = discardCode("source-changed");
const JOURNAL = discardCode("journal");
/** Packets held per leg before the answer: 500 ms at 10 ms per packet. */
const MAX_HELD = 50;
/** Spans kept per leg; when a gate flaps beyond that the last one stays shut. */
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
}

export class Gate implements LegGate {
  private spans: GateSpan[] = [];
  private sink: AdmittedSink;
  private readonly holdUs: number;
  /** 0 = open. */
  private closed: DiscardCode = SHUT;
  /** A change of the media's source is no reason to refuse (the policy does not depend on who speaks). */
  private trustsAnySource = false;
  private holds = false;
  private held: HeldPacket[] = [];
  private openSpan: GateSpan | undefined;

  /** `preAnswerMs`: how far before the answer media may be held. */
  constructor(sink: AdmittedSink, preAnswerMs: number) {
    this.sink = sink;
    this.holdUs = preAnswerMs * 1000;
  }

  get isOpen(): boolean {
    return this.closed === 0;
  }

  offer(stream: CallStream, datagram: Datagram, isDuplicate: boolean): void {
    const refused = this.closed !== 0 ? this.closed : this.blockedBy(stream);
    if (refused !== 0) {
      if (this.holds && refused === EARLY_MEDIA && !isDuplicate && this.blockedBy(stream) === 0)
        this.hold(stream, datagram);
      else stream.countDiscarded(refused);
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
    } else {
      stream.countDiscarded(JOURNAL);
    }
  }

  /** Opens the gate for `party` from the next packet on; what was held since `holdUs` before is admitted. */
  open(atUs: TimeUs, evidence: string, trustsAnySource: boolean, party: Party): void {
    this.trustsAnySource = trustsAnySource;
    if (this.closed === 0 && this.openSpan?.evidence === evidence && this.openSpan.party === party) return;
    if (this.openSpan) this.openSpan.toUs = atUs;
    if (this.spans.length >= MAX_SPANS) {
      this.shut(atUs, "policy", false);
      return;
    }
    const wasHolding = this.held.length > 0;
    this.closed = 0;
    this.holds = false;
    this.openSpan = { fromUs: atUs, toUs: Number.POSITIVE_INFINITY, evidence, party };
    this.spans.push(this.openSpan);
    if (wasHolding) this.admitHeld(atUs);
  }

  /** Shuts the gate from the next packet on. `holds`: only the missing answer is in the way. */
  shut(atUs: TimeUs, reason: DiscardReason, holds: boolean): void {
    this.closed = discardCode(reason);
    this.holds = holds && this.holdUs > 0;
    if (this.openSpan) {
      this.openSpan.toUs = atUs;
      this.openSpan = undefined;
    }
    if (!this.holds) this.dropHeld();
  }

  /** The spans for `party` so far, the open one ending at `atUs`. */
  spansOf(party: Party, atUs: TimeUs): SpanRecord[] {
    return this.spans
      .filter((span) => span.party === party)
      .map(({ fromUs, toUs, evidence }) => ({ fromUs, toUs: Math.min(toUs, atUs), evidence }));
  }

  /** The call has become part of another: admitted packets go to its journal, evidence has other ids. */
  move(sink: AdmittedSink, evidenceIds: ReadonlyMap<string, string>): void {
    this.sink = sink;
    for (const span of this.spans) span.evidence = evidenceIds.get(span.evidence) ?? span.evidence;
  }

  /** Two parties turned out to be one. */
  unite(party: Party, other: Party): void {
    for (const span of this.spans) if (span.party === other) span.party = party;
  }

  private blockedBy(stream: CallStream): DiscardCode {
    return this.trustsAnySource && stream.blocked === SOURCE_CHANGED ? 0 : stream.blocked;
  }

  private hold(stream: CallStream, datagram: Datagram): void {
    this.forgetHeldBefore(datagram.capturedAtUs - this.holdUs);
    if (this.held.length >= MAX_HELD) {
      this.held.shift()!.stream.countDiscarded(EARLY_MEDIA);
    }
    const bytes = Buffer.from(datagram.data.subarray(datagram.start, datagram.end));
    this.held.push({ stream, capturedAtUs: datagram.capturedAtUs, bytes });
  }

  private forgetHeldBefore(limitUs: TimeUs): void {
    while (this.held.length > 0 && this.held[0]!.capturedAtUs < limitUs) {
      this.held.shift()!.stream.countDiscarded(EARLY_MEDIA);
    }
  }

  private admitHeld(atUs: TimeUs): void {
    this.forgetHeldBefore(atUs - this.holdUs);
    const admitted = this.held;
    this.held = [];
    if (admitted.length > 0) this.openSpan!.fromUs = Math.min(atUs, admitted[0]!.capturedAtUs);
    for (const { stream, capturedAtUs, bytes } of admitted) {
      if (this.sink.append(stream.side, stream.index, capturedAtUs, bytes, 0, bytes.length)) stream.recorded++;
      else stream.countDiscarded(JOURNAL);
    }
  }

  private dropHeld(): void {
    for (const { stream } of this.held) stream.countDiscarded(EARLY_MEDIA);
    this.held = [];
  }
}
