// Pairs REGISTER requests with the 2xx that came back the way the request went, hop by hop: a response alone proves
// nothing, anybody can send one. Bounded in number and in packet time. RFC 3261 §10, §17.1.2.
import { type AddressWords, addressKey } from "../base/address.js";
import type { TimeUs } from "../base/ids.js";
import type { SipArrival } from "../sip/arrival.js";
import type { SipMessage } from "../sip/message.js";
import { type Registration, readRegistration, receivedFrom } from "../sip/registration.js";

/** A REGISTER waits this long for its response (64·T1, RFC 3261 §17.1.2.2). */
const WAIT_US = 32_000_000;
const MAX_WAITING = 4096;

export interface RegisterExchange {
  /** As asked for. */
  registration: Registration;
  /** As granted. */
  answer: Registration;
  /** Of the request. */
  arrival: SipArrival;
  /** No proxy between the phone and this hop. */
  isFirstHop: boolean;
  /** Behind a proxy: where the first one saw the phone, if it says so. */
  received: AddressWords | undefined;
}

type WaitingRegister = Omit<RegisterExchange, "answer">;

export class RegisterExchanges {
  /** Requests given up at the limit. */
  forgotten = 0;
  readonly #waiting = new Map<string, WaitingRegister>();

  /** The exchange that a response completes with success; undefined for everything else. */
  take(message: SipMessage, arrival: SipArrival): RegisterExchange | undefined {
    if (message.method !== "REGISTER") return undefined;
    if (message.kind === "response") return message.status >= 200 ? this.#complete(message, arrival) : undefined;
    this.#await(message, arrival);
    return undefined;
  }

  sweep(nowUs: TimeUs): void {
    for (const [key, { arrival }] of this.#waiting) if (isStale(arrival, nowUs)) this.#waiting.delete(key);
  }

  #await(message: SipMessage, arrival: SipArrival): void {
    const registration = readRegistration(message);
    if (!registration) return;
    const key = exchangeKey(message, arrival.source, arrival.destination);
    this.#waiting.delete(key);
    if (this.#waiting.size >= MAX_WAITING) {
      this.#waiting.delete(this.#waiting.keys().next().value!);
      this.forgotten++;
    }
    const isFirstHop = message.viaCount <= 1;
    this.#waiting.set(key, { registration, arrival, isFirstHop, received: receivedFrom(message) });
  }

  #complete(message: SipMessage, arrival: SipArrival): RegisterExchange | undefined {
    const key = exchangeKey(message, arrival.destination, arrival.source);
    const request = this.#waiting.get(key);
    if (!request) return undefined;
    this.#waiting.delete(key);
    const answer = message.status < 300 && !isStale(request.arrival, arrival.atUs) && readRegistration(message);
    if (!answer || answer.user !== request.registration.user || answer.host !== request.registration.host)
      return undefined;
    return { ...request, answer };
  }
}

function isStale({ atUs }: SipArrival, nowUs: TimeUs): boolean {
  return Math.abs(nowUs - atUs) > WAIT_US;
}

/** Without ports: a response goes to the port of the Via, which need not be the one the request came from. */
function exchangeKey(message: SipMessage, from: AddressWords, to: AddressWords): string {
  return `${addressKey(from)} ${addressKey(to)} ${message.cseq} ${message.viaCount} ${message.callId}`;
}
