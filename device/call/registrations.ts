// Which users are registered at which addresses, as completed REGISTER exchanges tell. Bounded; everything expires in
// packet time. Knows nothing of agents beyond the rule it is told to keep with a binding. RFC 3261 §10.
import { type AddressWords, addressKey, isUnspecified } from "../base/address.js";
import type { TimeUs } from "../base/ids.js";
import { type Aged, AgeList } from "../net/age-list.js";
import type { SipArrival } from "../sip/arrival.js";
import type { SipMessage } from "../sip/message.js";
import { lifetimeS, MAX_CONTACTS, type RegisteredContact, type Registration } from "../sip/registration.js";
import { type RegisterExchange, RegisterExchanges } from "./register-exchanges.js";

/** A registration may not outlive this however long the registrar grants. */
const MAX_LIFETIME_S = 7 * 86_400;
/** Addresses of registrars and of proxies on the way to them. */
const MAX_HUBS = 1024;
/** Addresses through which one phone reaches its registrar. */
const MAX_PEERS = 4;
const SWEEP_US = 60_000_000;

/** One contact of one address of record. */
export interface Binding extends Aged<Binding> {
  /** User and host of the address of record. */
  readonly user: string;
  readonly host: string;
  readonly contactKey: string;
  readonly contactUser: string;
  /** Where the phone is; undefined when no message told. */
  address: AddressWords | undefined;
  /** `address` is where the phone's own request came from, not only what it says. */
  isSeen: boolean;
  /** Registrar or proxy that the phone talks to. */
  peers: AddressWords[];
  expiresAtUs: TimeUs;
  /** What the owner thinks of it, worked out whenever the address changes. */
  rule: string;
}

export class RegistrationCounters {
  learned = 0;
  removed = 0;
  expired = 0;
  /** Given up at the limit. */
  forgotten = 0;
}

export class RegistrationTable {
  readonly counters = new RegistrationCounters();
  readonly exchanges = new RegisterExchanges();
  readonly #limit: number;
  readonly #ruleOf: (binding: Binding) => string;
  readonly #byAge = new AgeList<Binding>();
  /** Contacts of an address of record ("user@host"), by contact key. */
  readonly #byRecord = new Map<string, Map<string, Binding>>();
  readonly #byUser = new Map<string, Set<Binding>>();
  readonly #byAddress = new Map<string, Set<Binding>>();
  /** Address → until when it counts as a registrar or proxy. */
  readonly #hubs = new Map<string, TimeUs>();
  #nowUs: TimeUs = 0;
  #nextSweepUs: TimeUs = 0;

  /** `ruleOf` judges a binding once per change of address. */
  constructor(limit: number, ruleOf: (binding: Binding) => string) {
    this.#limit = limit;
    this.#ruleOf = ruleOf;
  }

  get size(): number {
    return this.#byAge.size;
  }

  /** Takes a REGISTER or a response to one; others are ignored. */
  observe(message: SipMessage, arrival: SipArrival): void {
    if (message.method !== "REGISTER") return;
    this.#nowUs = arrival.atUs;
    const exchange = this.exchanges.take(message, arrival);
    if (!exchange) return;
    this.#noteHubs(exchange);
    this.#apply(exchange);
  }

  /** Bindings in force of a phone at four address words (from `at`). */
  at(words: ArrayLike<number>, at = 0): Binding[] {
    return this.#inForce(this.#byAddress.get(addressKey(words, at)));
  }

  /** Bindings in force of all addresses of record with this user part. */
  of(user: string): Binding[] {
    return this.#inForce(this.#byUser.get(user));
  }

  /** A registrar or a proxy sits there: what comes from it may be anybody's. */
  isHub(words: ArrayLike<number>, at = 0): boolean {
    const untilUs = this.#hubs.get(addressKey(words, at));
    return untilUs !== undefined && this.#isInForce(untilUs);
  }

  /** Forgets what has run out; a look at everything once a minute of packet time. */
  sweep(nowUs: TimeUs): void {
    this.#nowUs = nowUs;
    if (nowUs < this.#nextSweepUs && this.#nextSweepUs - nowUs <= SWEEP_US) return;
    this.#nextSweepUs = nowUs + SWEEP_US;
    for (let binding = this.#byAge.oldest; binding !== undefined; ) {
      const next: Binding | undefined = binding.newer;
      if (!this.#isInForce(binding.expiresAtUs)) {
        this.#drop(binding);
        this.counters.expired++;
      }
      binding = next;
    }
    for (const [key, untilUs] of this.#hubs) if (!this.#isInForce(untilUs)) this.#hubs.delete(key);
    this.exchanges.sweep(nowUs);
  }

  #noteHubs({ registration, answer, arrival, isFirstHop }: RegisterExchange): void {
    const lifetimes = registration.contacts.map((contact) => lifetimeOf(contact, registration, answer));
    const untilUs = this.#nowUs + Math.min(Math.max(3600, ...lifetimes), MAX_LIFETIME_S) * 1e6;
    this.#noteHub(arrival.destination, untilUs);
    if (!isFirstHop) this.#noteHub(arrival.source, untilUs);
  }

  #noteHub(address: AddressWords, untilUs: TimeUs): void {
    const key = addressKey(address);
    const knownUs = this.#hubs.get(key) ?? 0;
    this.#hubs.delete(key);
    if (this.#hubs.size >= MAX_HUBS) this.#hubs.delete(this.#hubs.keys().next().value!);
    this.#hubs.set(key, this.#isInForce(knownUs) ? Math.max(knownUs, untilUs) : untilUs);
  }

  /** RFC 3261 §10.3: the 2xx lists all contacts of the address of record that are left. */
  #apply(exchange: RegisterExchange): void {
    const { registration, answer } = exchange;
    const record = recordKey(registration);
    const left = new Map(answer.contacts.map((contact) => [contact.key, contact]));
    const removed = (contact: RegisteredContact): boolean => lifetimeOf(contact, registration, answer) === 0;
    const own = registration.contacts.filter((contact) => !removed(contact));
    const isQuery = registration.contacts.length === 0 && !registration.removesAll;
    // A registrar that writes contacts its own way lists none that is known: then only what was asked for counts.
    const isComparable = isQuery ? answer.contacts.length > 0 : own.every((contact) => left.has(contact.key));
    for (const [key, binding] of [...(this.#byRecord.get(record) ?? [])]) {
      const isOwn = own.some((contact) => contact.key === key);
      const isAskedFor = registration.contacts.some((contact) => contact.key === key);
      const isGone = registration.removesAll || (isAskedFor && !isOwn) || (isComparable && !isOwn && !left.has(key));
      const listed = left.get(key);
      if (isGone) {
        this.#drop(binding);
        this.counters.removed++;
      } else if (!isOwn && listed?.expiresS !== undefined) binding.expiresAtUs = this.#untilUs(listed.expiresS);
    }
    if (registration.removesAll) return;
    for (const contact of own) this.#bind(contact, exchange, lifetimeOf(contact, registration, answer));
  }

  #bind(contact: RegisteredContact, exchange: RegisterExchange, seconds: number): void {
    const { registration, arrival, isFirstHop } = exchange;
    const record = recordKey(registration);
    const binding = this.#byRecord.get(record)?.get(contact.key) ?? this.#add(record, contact, registration);
    if (!binding) return;
    this.#byAge.touch(binding);
    binding.expiresAtUs = this.#untilUs(seconds);
    const address = isFirstHop ? arrival.source : (exchange.received ?? contact.address);
    // What a hop behind a proxy says does not replace what was seen at the phone.
    if (isFirstHop || !binding.isSeen) this.#place(binding, address, isFirstHop);
    for (const peer of isFirstHop ? [arrival.destination] : [arrival.destination, arrival.source]) {
      if (!binding.peers.some((other) => addressKey(other) === addressKey(peer)) && binding.peers.length < MAX_PEERS)
        binding.peers.push(peer);
    }
    binding.rule = this.#ruleOf(binding);
  }

  #add(record: string, contact: RegisteredContact, { user, host }: Registration): Binding | undefined {
    const contacts = this.#byRecord.get(record) ?? new Map<string, Binding>();
    if (contacts.size >= MAX_CONTACTS) {
      this.counters.forgotten++;
      return undefined;
    }
    if (this.#byAge.size >= this.#limit) {
      this.#drop(this.#byAge.oldest!);
      this.counters.forgotten++;
    }
    const binding: Binding = {
      user,
      host,
      contactKey: contact.key,
      contactUser: contact.user,
      address: undefined,
      isSeen: false,
      peers: [],
      expiresAtUs: 0,
      rule: "",
      older: undefined,
      newer: undefined,
    };
    contacts.set(contact.key, binding);
    this.#byRecord.set(record, contacts);
    addTo(this.#byUser, user, binding);
    this.#byAge.append(binding);
    this.counters.learned++;
    return binding;
  }

  #place(binding: Binding, address: AddressWords | undefined, isSeen: boolean): void {
    const known = binding.address;
    binding.isSeen = isSeen;
    if (known && address && addressKey(known) === addressKey(address)) return;
    if (known) removeFrom(this.#byAddress, addressKey(known), binding);
    binding.address = address && !isUnspecified(address) ? address : undefined;
    binding.peers = [];
    if (binding.address) addTo(this.#byAddress, addressKey(binding.address), binding);
  }

  #drop(binding: Binding): void {
    this.#byAge.remove(binding);
    const record = recordKey(binding);
    const contacts = this.#byRecord.get(record);
    contacts?.delete(binding.contactKey);
    if (contacts?.size === 0) this.#byRecord.delete(record);
    removeFrom(this.#byUser, binding.user, binding);
    if (binding.address) removeFrom(this.#byAddress, addressKey(binding.address), binding);
  }

  #untilUs(seconds: number): TimeUs {
    return this.#nowUs + Math.min(seconds, MAX_LIFETIME_S) * 1e6;
  }

  /** A time too far ahead was written before the clock of the packets went back. */
  #isInForce(untilUs: TimeUs): boolean {
    return untilUs > this.#nowUs && untilUs - this.#nowUs <= MAX_LIFETIME_S * 1e6;
  }

  #inForce(bindings: ReadonlySet<Binding> | undefined): Binding[] {
    return bindings ? [...bindings].filter(({ expiresAtUs }) => this.#isInForce(expiresAtUs)) : [];
  }
}

/** The registrar's word for how long, where it can be matched with the contact; 0 = removed. */
function lifetimeOf(contact: RegisteredContact, registration: Registration, answer: Registration): number {
  const asked = lifetimeS(contact, registration, answer.expiresS);
  if (asked === 0) return 0;
  const listed = answer.contacts.find(({ key }) => key === contact.key);
  if (listed) return lifetimeS(listed, answer, asked);
  return answer.expiresS ?? asked;
}

function recordKey({ user, host }: { user: string; host: string }): string {
  return `${user}@${host}`;
}

function addTo(index: Map<string, Set<Binding>>, key: string, binding: Binding): void {
  const members = index.get(key);
  if (members) members.add(binding);
  else index.set(key, new Set([binding]));
}

function removeFrom(index: Map<string, Set<Binding>>, key: string, binding: Binding): void {
  const members = index.get(key);
  members?.delete(binding);
  if (members?.size === 0) index.delete(key);
}
