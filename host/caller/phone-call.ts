// What placed and taken calls of a test phone share: the audio, the timers with SIP's retransmissions (RFC 3261
// §17.1.1.2), hanging up, and one end that always comes, whatever the other side does.
import type { G711Codec } from "./g711.js";
import { RtpSession } from "./rtp-session.js";
import type { LocalEnd, SipDialog } from "./sip-dialog.js";
import type { AudioOffer, SipText } from "./sip-text.js";
import type { PcmSource } from "./tone.js";

/** T1 and T2: the first and the longest pause between retransmissions. */
const FIRST_REPEAT_MS = 500;
const LONGEST_REPEAT_MS = 4000;
/** How long an unanswered BYE, CANCEL or 200 is repeated: less than RFC 3261's 32 s, for a test call is to end. */
export const GIVE_UP_MS = 3000;

/** "completed": answered, and ended by the BYE of either side. */
export type CallOutcome = "completed" | "rejected" | "no-answer" | "failed";

export interface CallReport {
  callId: string;
  outcome: CallOutcome;
  /** Final status of the INVITE, 0 when none came or was sent. */
  status: number;
  sentPackets: number;
  receivedPackets: number;
  /** At 8 kHz, at most a minute. */
  heard: Int16Array;
}

/** A phone as one of its calls sees it. */
export interface PhoneLine {
  end: LocalEnd;
  codec: G711Codec;
  says: PcmSource;
  /** Sends SIP to this call's peer. */
  send(message: Buffer): void;
}

export abstract class PhoneCall {
  /** Resolves once: the call is over and its audio port given back. */
  readonly ended: Promise<CallReport>;
  protected readonly line: PhoneLine;
  protected readonly audio: RtpSession;
  protected status = 0;
  protected phase: "setup" | "talking" | "hanging-up" | "over" = "setup";
  #outcome: CallOutcome = "completed";
  readonly #timers = new Set<NodeJS.Timeout>();
  #settle: (report: CallReport) => void = () => {};
  #stopRepeating: () => void = () => {};

  constructor(line: PhoneLine) {
    this.line = line;
    this.audio = new RtpSession(line.says);
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  protected abstract readonly dialog: SipDialog;
  protected abstract onRequest(request: SipText): void;
  protected abstract onResponse(response: SipText): void;

  get isOver(): boolean {
    return this.phase === "over";
  }

  get callId(): string {
    return this.dialog.callId;
  }

  /** Takes a message of this call; also after its end, when the other side repeats itself. */
  receive(message: SipText): void {
    if (message.method === "BYE" && message.status === 0) {
      this.line.send(this.dialog.response(message, "200 OK"));
      void this.finish(this.phase === "setup" ? "failed" : this.#outcome);
    } else if (message.method === "BYE") {
      if (message.status >= 200 && this.phase === "hanging-up") void this.finish(this.#outcome);
    } else if (message.status === 0) {
      this.onRequest(message);
    } else {
      this.onResponse(message);
    }
  }

  /** Speaks for `talkMs`, then hangs up. */
  protected talk(peer: AudioOffer, talkMs: number): void {
    this.phase = "talking";
    this.audio.talkTo(peer);
    this.after(talkMs, () => this.hangUp());
  }

  /** `outcome` is what the call is said to have been. */
  protected hangUp(outcome: CallOutcome = "completed"): void {
    this.#outcome = outcome;
    this.phase = "hanging-up";
    this.audio.fallSilent();
    this.sendRepeatedly(this.dialog.request("BYE"));
    this.after(GIVE_UP_MS, () => void this.finish(outcome));
  }

  /** Ends the call at once and without a word, if it has not ended yet. */
  async finish(outcome: CallOutcome): Promise<void> {
    if (this.isOver) return;
    this.phase = "over";
    this.#stopRepeating();
    for (const timer of this.#timers) clearTimeout(timer);
    await this.audio.close();
    this.#settle({
      callId: this.callId,
      outcome,
      status: this.status,
      sentPackets: this.audio.sentPackets,
      receivedPackets: this.audio.receivedPackets,
      heard: this.audio.heard(),
    });
  }

  protected after(delayMs: number, act: () => void): void {
    if (this.isOver) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delayMs);
    this.#timers.add(timer);
  }

  /** Sends now and again until `stopRepeating`, another message's turn, or the end of the call. */
  protected sendRepeatedly(message: Buffer): void {
    if (this.isOver) return;
    this.stopRepeating();
    let pauseMs = FIRST_REPEAT_MS;
    let timer: NodeJS.Timeout;
    const send = (): void => {
      this.line.send(message);
      timer = setTimeout(send, pauseMs);
      pauseMs = Math.min(2 * pauseMs, LONGEST_REPEAT_MS);
    };
    send();
    this.#stopRepeating = () => clearTimeout(timer);
  }

  protected stopRepeating(): void {
    this.#stopRepeating();
  }
}
