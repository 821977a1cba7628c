// One scripted SIP dialog: writes its requests and responses (RFC 3261 §12, §13) with tags, CSeq, contacts and Via as
// the two phones would. Knows nothing of time, of RTP, or of what the messages mean for the call.
import type { Conversation } from "./office-model-effects.js";
import type { ScriptedLeg } from "./office-model-leg.js";
import { requestText, responseText, type SipBody, type SipHeader, type SipRequest } from "./sip-messages.js";

export type Side = 0 | 1;
const SIP_PORT = 5060;

export interface MessageParts {
  headers?: readonly SipHeader[];
  body?: SipBody | undefined;
}

export class ScriptedDialog {
  readonly callId: string;
  readonly conversation: Conversation;
  readonly legs: readonly [ScriptedLeg, ScriptedLeg];
  /** Goes on with a conversation that another dialog began. */
  readonly isFurther: boolean;
  state: "ringing" | "talking" | "over" = "ringing";
  /** Until then an exchange is under way. */
  busyUntilUs = 0;
  /** Part of something longer: nothing else is done with it meanwhile. */
  isReserved = false;
  /** To tag of the fork in force. */
  answererTag: string;
  private readonly originatorTag: string;
  private readonly cseq: [number, number] = [100, 500];
  private branches = 0;

  constructor(callId: string, conversation: Conversation, legs: readonly [ScriptedLeg, ScriptedLeg]) {
    this.callId = callId;
    this.conversation = conversation;
    this.legs = legs;
    this.isFurther = conversation.callIds.size > 0;
    this.originatorTag = `${callId}-o`;
    this.answererTag = `${callId}-a`;
  }

  sideOf(leg: ScriptedLeg): Side {
    return this.legs[0] === leg ? 0 : 1;
  }

  other(leg: ScriptedLeg): ScriptedLeg {
    return this.legs[0] === leg ? this.legs[1] : this.legs[0];
  }

  invite(parts: MessageParts): SipRequest {
    const { answererTag } = this;
    this.answererTag = "";
    const request = this.request(0, "INVITE", parts);
    this.answererTag = answererTag;
    return { ...request, to: { uri: request.to.uri } };
  }

  /** Within the dialog, or with the dialog as far as it is. */
  request(by: Side, method: string, { headers = [], body }: MessageParts = {}, cseq = this.nextCseq(by)): SipRequest {
    const hasContact = method === "INVITE" || method === "UPDATE";
    return {
      method,
      requestUri: contactOf(this.legs[1 - by]!),
      via: [`${this.legs[by].phone.address}:${SIP_PORT};branch=z9hG4bK${this.callId}-${by}-${++this.branches}`],
      from: this.nameOf(by),
      to: this.nameOf(by === 0 ? 1 : 0),
      callId: this.callId,
      cseq,
      headers,
      ...(hasContact ? { contact: `<${contactOf(this.legs[by])}>` } : {}),
      ...(body ? { body } : {}),
    };
  }

  response(to: SipRequest, status: number, parts: MessageParts = {}, toTag = this.answererTag): string {
    const hasContact = (to.method === "INVITE" || to.method === "UPDATE") && status > 100 && status < 300;
    const by = this.responderTo(to);
    return responseText(to, {
      status,
      ...(status > 100 ? { toTag } : {}),
      ...(hasContact ? { contact: `<${contactOf(this.legs[by])}>` } : {}),
      headers: parts.headers ?? [],
      ...(parts.body ? { body: parts.body } : {}),
    });
  }

  responderTo(request: SipRequest): Side {
    return request.from.tag === this.originatorTag ? 1 : 0;
  }

  /** As the one who is asked to replace this dialog receives it (RFC 3891 §3): by the answerer's view. */
  get replaces(): string {
    return `${this.callId};to-tag=${this.answererTag};from-tag=${this.originatorTag}`;
  }

  private nameOf(side: Side): SipRequest["from"] {
    const tag = side === 0 ? this.originatorTag : this.answererTag;
    const { user, address } = this.legs[side].phone;
    return { uri: `sip:${user}@${address}`, ...(tag === "" ? {} : { tag }) };
  }

  private nextCseq(by: Side): number {
    this.cseq[by]++;
    return this.cseq[by];
  }
}

/** The ACK of a refusal and the CANCEL repeat the INVITE's branch (RFC 3261 §9.1, §17.1.1.3). */
export function sameBranch(invite: SipRequest, method: "ACK" | "CANCEL", toTag?: string): SipRequest {
  const { body: _body, contact: _contact, ...rest } = invite;
  return { ...rest, method, headers: [], to: toTag === undefined ? invite.to : { ...invite.to, tag: toTag } };
}

export { requestText };

function contactOf({ phone }: ScriptedLeg): string {
  return `sip:${phone.user}@${phone.address}:${SIP_PORT}`;
}
