// A telephone for test calls: real SIP and RTP over UDP sockets, no registration, no screen. Places calls, answers those
// that come, says one signal in all of them and reports what it heard. For the demo and for an installer's test call.

import type { G711Codec } from "./g711.js";
import type { CallReport, PhoneCall, PhoneLine } from "./phone-call.js";
import { PlacedCall } from "./placed-call.js";
import { refuse } from "./sip-dialog.js";
import { headerOf, readSip, type SipHeader, type SipText } from "./sip-text.js";
import { TakenCall } from "./taken-call.js";
import type { PcmSource } from "./tone.js";
import { type UdpPeer, UdpSocket } from "./udp-socket.js";

export const SIP_PORT = 5060;
/** Calls at once and calls remembered after their end; beyond it 486 is answered, and the oldest forgotten. */
const MAX_CALLS = 16;
const MAX_TALK_MS = 600_000;

export interface TestPhoneOptions {
  user: string;
  /** Display name. */
  name?: string;
  /** Local address, IPv4 or IPv6 literal. */
  address: string;
  /** 0 = any free one. Default 5060. */
  sipPort?: number;
  /** Offered codec; an incoming call's own choice is followed. Default PCMA. */
  codec?: G711Codec;
  says: PcmSource;
  /** Default 300. */
  answerAfterMs?: number;
  /** Added to the 200 of answered calls. */
  answerHeaders?: readonly SipHeader[];
  /** After which an answered call is hung up. Default and highest: 10 minutes. */
  maximumTalkMs?: number;
  /** Told of every call it answered, once it is over. */
  onCallTaken?: (report: CallReport) => void;
}

export interface CallTarget {
  user: string;
  address: string;
  /** Default 5060. */
  port?: number;
}

export interface TestCallOptions {
  /** Added to the INVITE. */
  headers?: readonly SipHeader[];
  /** Answer to BYE, at most 10 minutes. */
  talkMs: number;
  /** Default 5000. */
  answerWithinMs?: number;
}

export class TestPhone {
  readonly #options: TestPhoneOptions;
  readonly #calls = new Map<string, PhoneCall>();
  #socket: UdpSocket | undefined;

  constructor(options: TestPhoneOptions) {
    this.#options = options;
  }

  /** Binds the SIP port; rejects with the system's error when it cannot be had. */
  async start(): Promise<void> {
    const { address, sipPort } = this.#options;
    this.#socket = await UdpSocket.open(address, sipPort ?? SIP_PORT, (bytes, from) => this.#receive(bytes, from));
  }

  /** Ends every call without a word and gives the ports back. */
  async stop(): Promise<void> {
    await Promise.all([...this.#calls.values()].map((call) => call.finish("failed")));
    this.#calls.clear();
    const socket = this.#socket;
    this.#socket = undefined;
    await socket?.close();
  }

  get target(): Required<CallTarget> {
    return { user: this.#options.user, address: this.#options.address, port: this.#socket?.port ?? 0 };
  }

  /** Places a call; resolves when it is over, whatever became of it. Rejects when it has no port or is one too many. */
  async call(target: CallTarget, options: TestCallOptions): Promise<CallReport> {
    const port = target.port ?? SIP_PORT;
    const host = target.address.includes(":") ? `[${target.address}]` : target.address;
    const call = new PlacedCall(this.#line({ address: target.address, port }), {
      targetUri: `sip:${target.user}@${host}:${port}`,
      headers: options.headers ?? [],
      talkMs: Math.min(options.talkMs, MAX_TALK_MS),
      answerWithinMs: options.answerWithinMs ?? 5000,
    });
    if (!this.#remember(call)) throw new RangeError(`more than ${MAX_CALLS} calls at once`);
    try {
      await call.place();
    } catch (error) {
      await call.finish("failed");
      throw error;
    }
    return call.ended;
  }

  #receive(bytes: Buffer, from: UdpPeer): void {
    const message = readSip(bytes);
    if (!message) return;
    const call = this.#calls.get(headerOf(message, "call-id"));
    if (call) call.receive(message);
    else if (message.method === "INVITE" && message.status === 0) this.#take(message, from);
    else if (message.method !== "ACK" && message.status === 0) {
      this.#socket?.send(refuse(message, "481 Call/Transaction Does Not Exist"), from);
    }
  }

  #take(invite: SipText, from: UdpPeer): void {
    const call = new TakenCall(this.#line(from), invite, {
      answerAfterMs: this.#options.answerAfterMs ?? 300,
      headers: this.#options.answerHeaders ?? [],
      maximumTalkMs: Math.min(this.#options.maximumTalkMs ?? MAX_TALK_MS, MAX_TALK_MS),
    });
    if (!this.#remember(call)) {
      this.#socket?.send(refuse(invite, "486 Busy Here"), from);
      return;
    }
    call.take().catch(() => {
      this.#socket?.send(refuse(invite, "500 Server Internal Error"), from);
      return call.finish("failed");
    });
    void call.ended.then((report) => this.#options.onCallTaken?.(report));
  }

  #line(peer: UdpPeer): PhoneLine {
    const { user, name, address, codec, says } = this.#options;
    return {
      end: { user, name: name ?? "", address, port: this.target.port },
      codec: codec ?? "PCMA",
      says,
      send: (message) => this.#socket?.send(message, peer),
    };
  }

  /** False when there are as many calls as there may be and none of them is over. */
  #remember(call: PhoneCall): boolean {
    if (this.#calls.size >= MAX_CALLS) {
      const over = [...this.#calls.values()].find((one) => one.isOver);
      if (!over) return false;
      this.#calls.delete(over.callId);
    }
    this.#calls.set(call.callId, call);
    return true;
  }
}
