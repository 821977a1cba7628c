// The SIP side of a synthesised call: one dialog's requests and responses in their order and times (RFC 3261 §12, §13).
// Knows nothing of RTP.
import type { CallParty, CallPlan, MidCallRequest, Participant } from "./call-options.js";
import { endpointText, fragmentFrames, udpFrame } from "./frames.js";
import { randomInteger } from "./random.js";
import { EVENT_PAYLOAD_TYPE } from "./rtp-stream.js";
import {
  multipartBody,
  requestText,
  responseText,
  type SdpOptions,
  type SipBody,
  type SipHeader,
  type SipRequest,
  type SipResponse,
  sdpBody,
} from "./sip-messages.js";
import type { TimedFrame } from "./timed-frames.js";
import { G711_PAYLOAD_TYPE } from "./tone.js";

const TRYING_AFTER_US = 10_000;
const RINGING_AFTER_US = 60_000;
const ACK_AFTER_US = 20_000;
const RESPONSE_AFTER_US = 10_000;
const MIRRORED_DIRECTION = {
  sendrecv: "sendrecv",
  sendonly: "recvonly",
  recvonly: "sendonly",
  inactive: "inactive",
} as const;

interface DialogEnd {
  tag: string;
  cseq: number;
  sdpVersion: number;
}

export class CallSignalling {
  readonly #plan: CallPlan;
  readonly #frames: TimedFrame[] = [];
  readonly #ends: Record<Participant, DialogEnd>;
  #identification = 1;

  constructor(plan: CallPlan) {
    this.#plan = plan;
    this.#ends = {
      caller: { tag: this.#token("c"), cseq: 1 + randomInteger(plan.random, 1000), sdpVersion: 1 },
      callee: { tag: this.#token("a"), cseq: 1 + randomInteger(plan.random, 1000), sdpVersion: 1 },
    };
  }

  /** Every signalling frame of the call, in the order of their times. */
  frames(): TimedFrame[] {
    const plan = this.#plan;
    const invite = this.#invite();
    this.#request(plan.startUs, "caller", invite);
    this.#response(plan.startUs + TRYING_AFTER_US, "callee", invite, { status: 100 });
    this.#ringing(invite);
    if (plan.outcome === "answered") this.#answered(invite);
    else if (plan.outcome === "cancelled") this.#cancelled(invite);
    else if (typeof plan.outcome === "number") this.#rejected(invite, plan.answerUs, plan.outcome);
    return this.#frames.sort((a, b) => a.atUs - b.atUs);
  }

  #ringing(invite: SipRequest): void {
    const plan = this.#plan;
    const hasEarlyMedia = plan.earlyMediaMs > 0;
    const atUs = hasEarlyMedia ? plan.answerUs - plan.earlyMediaMs * 1000 : plan.startUs + RINGING_AFTER_US;
    this.#response(atUs, "callee", invite, {
      status: hasEarlyMedia ? 183 : 180,
      headers: plan.headers?.ringing ?? [],
      ...(hasEarlyMedia ? { body: this.#sessionBody("callee") } : {}),
    });
  }

  #answered(invite: SipRequest): void {
    const plan = this.#plan;
    const headers = plan.headers?.answer ?? [];
    this.#response(plan.answerUs, "callee", invite, { status: 200, headers, body: this.#sessionBody("callee") });
    this.#request(plan.answerUs + ACK_AFTER_US, "caller", this.#inDialog("caller", "ACK", invite.cseq));
    for (const request of plan.midCall ?? []) this.#midCall(request);
    if (plan.isEndless) return;
    const by = plan.byeBy ?? "caller";
    const bye = this.#inDialog(by, "BYE", this.#nextCseq(by), plan.headers?.bye);
    this.#request(plan.endUs, by, bye);
    this.#response(plan.endUs + RESPONSE_AFTER_US, other(by), bye, { status: 200 });
  }

  /** RFC 3261 §9.1: the CANCEL repeats the INVITE's branch; the INVITE itself then ends with 487. */
  #cancelled(invite: SipRequest): void {
    const atUs = this.#plan.answerUs;
    const { body: _body, contact: _contact, ...rest } = invite;
    const cancel: SipRequest = { ...rest, method: "CANCEL", headers: [] };
    this.#request(atUs, "caller", cancel);
    this.#response(atUs + RESPONSE_AFTER_US, "callee", cancel, { status: 200 });
    this.#rejected(invite, atUs + 2 * RESPONSE_AFTER_US, 487);
  }

  /** RFC 3261 §17.1.1.3: the ACK of a refusal belongs to the INVITE's transaction. */
  #rejected(invite: SipRequest, atUs: number, status: number): void {
    this.#response(atUs, "callee", invite, { status });
    const { body: _body, contact: _contact, ...rest } = invite;
    const to = { ...invite.to, tag: this.#ends.callee.tag };
    this.#request(atUs + RESPONSE_AFTER_US, "caller", { ...rest, method: "ACK", to, headers: [] });
  }

  #midCall(midCall: MidCallRequest): void {
    const { from, method } = midCall;
    const atUs = this.#plan.answerUs + midCall.atMs * 1000;
    const hasSession = midCall.sdp !== undefined || (method === "INVITE" && midCall.body === undefined);
    if (hasSession) this.#ends[from].sdpVersion++;
    const body = hasSession ? this.#sessionBody(from, midCall.sdp) : midCall.body;
    const request = this.#inDialog(from, method, this.#nextCseq(from), midCall.headers);
    this.#request(atUs, from, body ? { ...request, body } : request);
    const status = midCall.status ?? 200;
    if (status === 0) return;
    const answersSession = hasSession && status < 300;
    if (answersSession) this.#ends[other(from)].sdpVersion++;
    const direction = MIRRORED_DIRECTION[midCall.sdp?.direction ?? "sendrecv"];
    this.#response(atUs + RESPONSE_AFTER_US, other(from), request, {
      status,
      ...(answersSession ? { body: this.#sessionBody(other(from), { direction, ...midCall.answerSdp }) } : {}),
    });
    if (method !== "INVITE") return;
    const ack = this.#inDialog(from, "ACK", request.cseq);
    this.#request(atUs + 2 * RESPONSE_AFTER_US, from, status < 300 ? ack : { ...ack, via: request.via });
  }

  #invite(): SipRequest {
    const { caller, callee } = this.#plan;
    return {
      method: "INVITE",
      requestUri: uriOf(callee),
      via: [this.#via(caller)],
      from: this.#nameAddress("caller", true),
      to: this.#nameAddress("callee", false),
      callId: this.#plan.callId,
      cseq: this.#ends.caller.cseq,
      contact: contactOf(caller),
      headers: this.#plan.headers?.invite ?? [],
      body: this.#sessionBody("caller"),
      ...(this.#plan.style ? { style: this.#plan.style } : {}),
    };
  }

  #inDialog(from: Participant, method: string, cseq: number, headers: readonly SipHeader[] = []): SipRequest {
    const sender = this.#plan[from];
    const peer = this.#plan[other(from)];
    return {
      method,
      requestUri: contactOf(peer).slice(1, -1),
      via: [this.#via(sender)],
      from: this.#nameAddress(from, true),
      to: this.#nameAddress(other(from), true),
      callId: this.#plan.callId,
      cseq,
      headers,
      ...(method === "INVITE" || method === "UPDATE" ? { contact: contactOf(sender) } : {}),
      ...(this.#plan.style ? { style: this.#plan.style } : {}),
    };
  }

  #sessionBody(of: Participant, changes: Partial<SdpOptions> = {}): SipBody {
    const { codec, ptimeMs, isMultipart, sdpLines, hasEvents } = this.#plan;
    const party = this.#plan[of];
    const mediaLines = sdpLines?.[of];
    const session = sdpBody({
      address: party.mediaAddress ?? party.address,
      port: party.rtpPort,
      codecs: [
        { payloadType: G711_PAYLOAD_TYPE[codec], name: codec, clockRate: 8000 },
        ...(hasEvents ? [{ payloadType: EVENT_PAYLOAD_TYPE, name: "telephone-event", clockRate: 8000 }] : []),
      ],
      ptimeMs,
      sessionVersion: this.#ends[of].sdpVersion,
      ...(mediaLines ? { mediaLines } : {}),
      ...changes,
    });
    return isMultipart ? multipartBody([{ type: "text/plain", text: "v=not this one" }, session]) : session;
  }

  #nameAddress(of: Participant, hasTag: boolean): SipRequest["from"] {
    const party = this.#plan[of];
    return {
      uri: uriOf(party),
      ...(party.name === undefined ? {} : { name: party.name }),
      ...(hasTag ? { tag: this.#ends[of].tag } : {}),
    };
  }

  #nextCseq(of: Participant): number {
    this.#ends[of].cseq++;
    return this.#ends[of].cseq;
  }

  #via(party: CallParty): string {
    return `${endpointText(party.address, party.sipPort)};branch=${this.#token("z9hG4bK")}`;
  }

  #token(prefix: string): string {
    return `${prefix}${randomInteger(this.#plan.random, 2 ** 32).toString(36)}`;
  }

  #request(atUs: number, from: Participant, request: SipRequest): void {
    this.#send(atUs, from, request.method, requestText(request));
  }

  #response(atUs: number, from: Participant, request: SipRequest, response: SipResponse): void {
    const isDialogForming = request.method === "INVITE" && response.status > 100 && response.status < 300;
    const text = responseText(request, {
      ...(response.status > 100 ? { toTag: this.#ends[from].tag } : {}),
      ...(isDialogForming ? { contact: contactOf(this.#plan[from]) } : {}),
      ...response,
    });
    this.#send(atUs, from, `${response.status} ${request.method}`, text);
  }

  #send(atUs: number, from: Participant, label: string, text: string): void {
    const sender = this.#plan[from];
    const receiver = this.#plan[other(from)];
    const datagram = {
      source: endpointText(sender.address, sender.sipPort),
      destination: endpointText(receiver.address, receiver.sipPort),
      payload: Buffer.from(text),
      identification: this.#identification++,
      ...this.#plan.link,
    };
    const { mtu } = this.#plan;
    const frames = mtu === undefined ? [udpFrame(datagram)] : fragmentFrames({ ...datagram, mtu });
    for (const frame of frames) this.#frames.push({ atUs, frame, kind: "sip", from, label });
  }
}

function other(one: Participant): Participant {
  return one === "caller" ? "callee" : "caller";
}

function uriOf(party: CallParty): string {
  return party.uri ?? `sip:${party.user}@${party.address.includes(":") ? `[${party.address}]` : party.address}`;
}

function contactOf(party: CallParty): string {
  return `<sip:${party.user}@${endpointText(party.address, party.sipPort)}>`;
}
