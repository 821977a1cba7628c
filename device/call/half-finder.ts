// Everything by which the other half of a call is found: signalling (correlation.ts), the relayed payload
// (relay-watch.ts), a stream that two dialogs share. Hands over what it found; joining is halves.ts's and the call table's.
import type { TimeUs } from "../base/ids.js";
import type { Config } from "../contract/config.js";
import type { SipArrival } from "../sip/arrival.js";
import type { SipMessage } from "../sip/message.js";
import { Correlation } from "./correlation.js";
import type { Dialog } from "./dialog.js";
import type { JoinEvidence, RelayPair } from "./halves.js";
import type { Leg } from "./leg.js";
import { comparableNumber } from "./numbers.js";
import type { StreamToken } from "./payload-stream.js";
import { RelayWatch, type WatchedStream } from "./relay-watch.js";

/** Joins the pair; false when it does not fit what is known already. */
export type JoinHalves = (pair: RelayPair, evidence: JoinEvidence, atUs: TimeUs) => boolean;

export class HalfFinder {
  private readonly correlation: Correlation;
  private readonly relays: RelayWatch | undefined;
  private readonly join: JoinHalves;

  constructor({ correlation, numbers, rtp }: Config, join: JoinHalves) {
    this.correlation = new Correlation({
      headers: correlation.headers.map((name) => name.toLowerCase()),
      byNumber: correlation.byNumber,
      normalize: (user) => comparableNumber(user, numbers),
    });
    this.join = join;
    if (!correlation.byPayload) return;
    this.relays = new RelayWatch(
      rtp.maxFlows,
      (a, b) => this.meet(a, b),
      ({ edge, relay, matches, delayMs }) =>
        join({ edge, relay }, { by: "payload", detail: { matches, delayMs } }, relay.dialog.lastActivityUs),
    );
  }

  /** Takes an initial INVITE of the dialog at one of its hops. */
  note(dialog: Dialog, message: SipMessage, arrival: SipArrival): void {
    this.correlation.note(dialog, message, arrival);
  }

  /** The dialog was answered: its signalling may show where it belongs. */
  answered(dialog: Dialog, atUs: TimeUs): void {
    for (const { pair, evidence } of this.correlation.halvesOf(dialog)) this.join(pair, evidence, atUs);
  }

  /** The dialog is over. */
  forget(dialog: Dialog): void {
    this.correlation.forget(dialog);
  }

  /** Do the legs' dialogs meet at one PBX by their signalling? */
  meet(a: Leg, b: Leg): boolean {
    return this.correlation.meet(a.dialog, b.dialog);
  }

  /** One stream between the same addresses in two dialogs: if they meet at one PBX, it left the media alone. */
  foundShared(a: Leg, b: Leg): void {
    if (!this.meet(a, b)) return;
    const [first, second] = a.dialog.startedAtUs <= b.dialog.startedAtUs ? [a, b] : [b, a];
    const pair = first.sessionSide === 0 ? { edge: first, relay: second } : { edge: second, relay: first };
    this.join(pair, { by: "media", detail: {} }, Math.max(a.dialog.lastActivityUs, b.dialog.lastActivityUs));
  }

  /** Begins to compare a stream's payload; undefined when that is switched off. */
  watch(stream: WatchedStream): StreamToken<WatchedStream> | undefined {
    return this.relays?.watch(stream);
  }

  unwatch(token: StreamToken<WatchedStream> | undefined): void {
    if (token !== undefined) this.relays!.matcher.close(token);
  }

  /** Hot path: a packet of a watched stream. */
  offer(token: StreamToken<WatchedStream>, data: Buffer, start: number, end: number, atUs: TimeUs): void {
    this.relays!.matcher.offer(token, data, start, end, atUs);
  }

  exportCounters(): Record<string, number> {
    return { "call.halves-ambiguous": this.correlation.ambiguous, ...this.relays?.exportCounters() };
  }
}
