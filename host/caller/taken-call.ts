// A call that the test phone answers by itself: 100, 180, 200 until acknowledged, then it talks until the other side
// hangs up or its own limit is reached (RFC 3261 §13.3, §15).
import { GIVE_UP_MS, PhoneCall, type PhoneLine } from "./phone-call.js";
import { SipDialog } from "./sip-dialog.js";
import { type AudioOffer, readSdp, type SipHeader, type SipText, writeSdp } from "./sip-text.js";

export interface TakenCallOptions {
  answerAfterMs: number;
  /** Added to the 200. */
  headers: readonly SipHeader[];
  /** The phone itself hangs up then. */
  maximumTalkMs: number;
}

export class TakenCall extends PhoneCall {
  protected readonly dialog: SipDialog;
  readonly #options: TakenCallOptions;
  readonly #invite: SipText;
  #lastResponse: Buffer | undefined;

  constructor(line: PhoneLine, invite: SipText, options: TakenCallOptions) {
    super(line);
    this.#options = options;
    this.#invite = invite;
    this.dialog = SipDialog.taken(line.end, invite);
  }

  /** Rings and answers. Rejects when no audio port can be had. */
  async take(): Promise<void> {
    const peer = readSdp(this.#invite.body);
    if (!peer) {
      this.#respond("488 Not Acceptable Here", 488);
      await this.finish("rejected");
      return;
    }
    this.#respond("100 Trying");
    const port = await this.audio.open(this.line.end.address);
    this.#respond("180 Ringing", 0, [this.dialog.contact()]);
    this.after(this.#options.answerAfterMs, () => this.#answer(peer, port));
  }

  protected onRequest(request: SipText): void {
    if (request.method === "ACK" && this.phase !== "setup") this.stopRepeating();
    if (request.method === "INVITE" && this.#lastResponse) this.line.send(this.#lastResponse);
    if (request.method === "CANCEL") {
      this.line.send(this.dialog.response(request, "200 OK"));
      if (this.phase !== "setup") return;
      this.#respond("487 Request Terminated", 487);
      void this.finish("no-answer");
    }
  }

  protected onResponse(_response: SipText): void {
    // Only its own BYE brings responses, and every call understands those.
  }

  #answer(peer: AudioOffer, port: number): void {
    const { address } = this.line.end;
    this.status = 200;
    const headers: SipHeader[] = [this.dialog.contact(), ...this.#options.headers, ["Content-Type", "application/sdp"]];
    const body = writeSdp({ address, port, codec: peer.codec });
    this.#lastResponse = this.dialog.response(this.#invite, "200 OK", { headers, body });
    this.sendRepeatedly(this.#lastResponse);
    this.after(GIVE_UP_MS, () => this.stopRepeating());
    this.talk(peer, this.#options.maximumTalkMs);
  }

  #respond(statusLine: string, finalStatus = 0, headers: readonly SipHeader[] = []): void {
    if (finalStatus > 0) this.status = finalStatus;
    this.#lastResponse = this.dialog.response(this.#invite, statusLine, { headers });
    this.line.send(this.#lastResponse);
  }
}
