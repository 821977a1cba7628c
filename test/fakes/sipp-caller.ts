// The SIPp party that calls: the INVITE and what belongs to it before there is a dialog.
import { PROXY_ADDRESS } from "./kamailio.js";
import { type MessageParts, type ScriptParty, SippScript } from "./sipp-script.js";

export class CallerScript extends SippScript {
  constructor(party: ScriptParty) {
    super("caller", party);
  }

  protected get dialogHeaders(): readonly string[] {
    return [`From: ${this.own}`, `To: <sip:${this.party.peer}@${PROXY_ADDRESS}>[peer_tag_param]`];
  }

  /** An INVITE outside a dialog, to another number when one is given; `sdp: false` leaves the offer to the answerer. */
  invite({ headers, sdp = {} }: MessageParts = {}, target = this.party.peer): this {
    const lines = [
      `INVITE sip:${target}@${PROXY_ADDRESS} SIP/2.0`,
      "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]",
      `From: ${this.own}`,
      `To: <sip:${this.party.peer}@${PROXY_ADDRESS}>`,
      "Call-ID: [call_id]",
      `CSeq: ${this.nextInvite()} INVITE`,
      this.contact,
      "Max-Forwards: 70",
      "Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE",
    ];
    return this.send(lines, { sdp, ...(headers && { headers }) }, true);
  }

  /** CANCEL of the INVITE that was answered provisionally just now. */
  cancel(): this {
    return this.sendForInvite("CANCEL", "");
  }

  /** ACK for a failure of the INVITE, received just now. */
  acknowledgeRefusal(target = this.party.peer): this {
    return this.sendForInvite("ACK", "[peer_tag_param]", target);
  }

  /** Hangs up and waits for the answer. */
  hangUp(): this {
    return this.quiet().request("BYE").receive(200);
  }

  /** An answered call: what most scenarios begin with. */
  call(parts: MessageParts = {}): this {
    return this.invite(parts).receive(200).acknowledge().speak();
  }

  private get own(): string {
    return `<sip:${this.party.user}@${PROXY_ADDRESS}>;tag=[pid]c[call_number]`;
  }

  private sendForInvite(method: "ACK" | "CANCEL", toTag: string, target = this.party.peer): this {
    const lines = [
      `${method} sip:${target}@${PROXY_ADDRESS} SIP/2.0`,
      "[last_Via:]",
      `From: ${this.own}`,
      `To: <sip:${this.party.peer}@${PROXY_ADDRESS}>${toTag}`,
      "Call-ID: [call_id]",
      `CSeq: ${this.lastInvite} ${method}`,
      "Max-Forwards: 70",
    ];
    return this.send(lines, {}, false);
  }
}
