// The SIPp party that is called: it keeps the INVITE's headers, so that it may answer it at any later time.
import { PROXY_ADDRESS } from "./kamailio.js";
import { keptHeaders, type MessageParts, type ScriptParty, SippScript } from "./sipp-script.js";

const FIRST_INVITE = "first";

export class AgentScript extends SippScript {
  constructor(party: ScriptParty) {
    super("agent", party);
  }

  protected get dialogHeaders(): readonly string[] {
    return [`From:[$${FIRST_INVITE}to];tag=${this.tag}`, `To:[$${FIRST_INVITE}from]`];
  }

  receiveInvite(): this {
    return this.receiveAndKeep("INVITE", FIRST_INVITE, true);
  }

  /** Response to the INVITE that began the call. */
  answer(status: string, parts: MessageParts = {}): this {
    const lines = [
      `SIP/2.0 ${status}`,
      ...keptHeaders(FIRST_INVITE),
      `To:[$${FIRST_INVITE}to];tag=${this.tag}`,
      `Record-Route:[$${FIRST_INVITE}route]`,
      parts.contact === undefined ? this.contact : `Contact: <sip:${parts.contact}@${PROXY_ADDRESS}>`,
      "Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE",
    ];
    return this.send(lines, parts, status.startsWith("200"));
  }

  ring(): this {
    return this.answer("180 Ringing");
  }

  /** Rings, answers, and speaks. */
  take(parts: MessageParts = { sdp: {} }): this {
    return this.receiveInvite().ring().answer("200 OK", parts).receiveRequest("ACK").speak();
  }

  /** Waits for the other one to hang up. */
  untilHungUp(): this {
    return this.receiveRequest("BYE").quiet().respond("200 OK");
  }

  private get tag(): string {
    return "[pid]a[call_number]";
  }
}
