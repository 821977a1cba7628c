// A call that the test phone places: INVITE, ACK, CANCEL when nobody answers in time, BYE after the talk
// (RFC 3261 §13.2, §9.1, §15). Knows no proxy authentication: test calls go where they are allowed to.
import { GIVE_UP_MS, PhoneCall, type PhoneLine } from "./phone-call.js";
import { newBranch, SipDialog } from "./sip-dialog.js";
import { readSdp, type SipHeader, type SipText, writeSdp } from "./sip-text.js";

export interface PlacedCallOptions {
  targetUri: string;
  /** Added to the INVITE. */
  headers: readonly SipHeader[];
  /** From the answer to our BYE. */
  talkMs: number;
  answerWithinMs: number;
}

export class PlacedCall extends PhoneCall {
  protected readonly dialog: SipDialog;
  readonly #options: PlacedCallOptions;
  readonly #inviteBranch = newBranch();
  readonly #inviteCseq: number;

  constructor(line: PhoneLine, options: PlacedCallOptions) {
    super(line);
    this.#options = options;
    this.dialog = SipDialog.placed(line.end, options.targetUri);
    this.#inviteCseq = this.dialog.nextCseq();
  }

  /** Sends the INVITE. Rejects when no audio port can be had. */
  async place(): Promise<void> {
    const { address } = this.line.end;
    const port = await this.audio.open(address);
    const body = writeSdp({ address, port, codec: this.line.codec });
    const headers: SipHeader[] = [this.dialog.contact(), ...this.#options.headers, ["Content-Type", "application/sdp"]];
    this.sendRepeatedly(this.dialog.request("INVITE", { ...this.#transaction(), headers, body }));
    this.after(this.#options.answerWithinMs, () => this.#cancel());
  }

  protected onRequest(_request: SipText): void {
    // Nothing but the BYE, which every call understands, is expected of an answering phone.
  }

  protected onResponse(response: SipText): void {
    if (response.method !== "INVITE") return;
    if (response.status < 200) this.stopRepeating();
    else if (response.status < 300) this.#answered(response);
    else this.#refused(response);
  }

  /** Also for a repeated 200, whose ACK was lost. */
  #answered(answer: SipText): void {
    this.stopRepeating();
    const isFirst = this.status === 0;
    this.status = answer.status;
    this.dialog.established(answer);
    this.line.send(this.dialog.request("ACK", { cseq: this.#inviteCseq }));
    if (!isFirst || this.phase !== "setup") return;
    const peer = readSdp(answer.body);
    if (peer) this.talk(peer, this.#options.talkMs);
    else this.hangUp("failed");
  }

  #refused(refusal: SipText): void {
    this.status = refusal.status;
    this.line.send(this.dialog.refusalAck(refusal, this.#inviteCseq, this.#inviteBranch));
    void this.finish(refusal.status === 487 ? "no-answer" : "rejected");
  }

  #cancel(): void {
    if (this.phase !== "setup") return;
    this.sendRepeatedly(this.dialog.request("CANCEL", this.#transaction()));
    this.after(GIVE_UP_MS, () => {
      if (this.phase === "setup") void this.finish("no-answer");
    });
  }

  #transaction(): { cseq: number; branch: string } {
    return { cseq: this.#inviteCseq, branch: this.#inviteBranch };
  }
}
