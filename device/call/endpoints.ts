// The transport addresses that session descriptions name, and which leg of which call receives audio there.
// Several calls may name one address (direct media); bounded in addresses and in uses per address.
import { type AddressWords, isUnspecified } from "../base/address.js";
import { type WordKeyed, WordTable } from "../rtp/word-table.js";
import type { MediaDescription } from "../sip/sdp-types.js";
import type { Leg } from "./leg.js";

const ENDPOINT_WORDS = 5;
/** Legs remembered per address, the newest last; the oldest goes first. */
const MAX_USES = 64;
/** Addresses remembered per leg (re-INVITEs, proxy hops, ICE candidates); the one described longest ago goes first. */
const MAX_PER_LEG = 32;
/** ICE candidates taken from one description. */
const MAX_CANDIDATES = 8;

export interface Endpoint extends WordKeyed {
  readonly uses: Leg[];
}

export class EndpointTable {
  /** Grows with every change: flows that could not be bound try again when it has. */
  version = 0;
  /** Grows when an address is named by a further leg: flows that are bound for certain look again only then. */
  sharedVersion = 0;
  /** Descriptions that found no place, and addresses of a leg that gave theirs to newer ones. */
  refused = 0;
  private readonly table: WordTable<Endpoint>;
  private readonly byLeg = new Map<Leg, Endpoint[]>();
  private readonly probe = new Int32Array(ENDPOINT_WORDS);

  constructor(limit: number) {
    this.table = new WordTable<Endpoint>(ENDPOINT_WORDS, limit);
  }

  get size(): number {
    return this.table.size;
  }

  /** The endpoint at four address words (from `at`) and a port, or undefined. */
  find(words: ArrayLike<number>, at: number, port: number): Endpoint | undefined {
    this.fillProbe(words, at, port);
    return this.table.get(this.probe);
  }

  /** `leg` receives audio where the description says, ICE candidates included; an unspecified address is no place. */
  addDescribed(leg: Leg, audio: MediaDescription): void {
    if (audio.port <= 0) return;
    const { address, port, candidates } = audio;
    if (address && !isUnspecified(address)) this.add(leg, address, port);
    for (const candidate of candidates.slice(0, MAX_CANDIDATES))
      if (!isUnspecified(candidate.address)) this.add(leg, candidate.address, candidate.port);
  }

  /** `leg` receives audio there from now on. */
  add(leg: Leg, address: AddressWords, port: number): void {
    this.fillProbe(address, 0, port);
    let endpoint = this.table.get(this.probe);
    if (!endpoint) {
      endpoint = { key: Int32Array.from(this.probe), uses: [] };
      if (!this.table.set(endpoint)) {
        this.refused++;
        return;
      }
    }
    this.own(leg, endpoint);
    const known = endpoint.uses.indexOf(leg);
    if (known >= 0 && known === endpoint.uses.length - 1) return;
    if (known >= 0) endpoint.uses.splice(known, 1);
    endpoint.uses.push(leg);
    if (endpoint.uses.length > MAX_USES) this.forget(endpoint, leastWanted(endpoint.uses));
    this.version++;
    if (endpoint.uses.length > 1) this.sharedVersion++;
  }

  /** The leg's call is over. */
  remove(leg: Leg): void {
    for (const endpoint of this.byLeg.get(leg) ?? []) this.dropUse(endpoint, leg);
    this.byLeg.delete(leg);
    this.version++;
  }

  /** The endpoint is the newest of the leg's. */
  private own(leg: Leg, endpoint: Endpoint): void {
    const owned = this.byLeg.get(leg);
    if (!owned) {
      this.byLeg.set(leg, [endpoint]);
      return;
    }
    const known = owned.indexOf(endpoint);
    if (known >= 0) owned.splice(known, 1);
    owned.push(endpoint);
    if (owned.length <= MAX_PER_LEG) return;
    this.refused++;
    this.dropUse(owned.shift()!, leg);
  }

  private forget(endpoint: Endpoint, leg: Leg): void {
    this.dropUse(endpoint, leg);
    const owned = this.byLeg.get(leg);
    if (owned) owned.splice(owned.indexOf(endpoint), 1);
  }

  private dropUse(endpoint: Endpoint, leg: Leg): void {
    const at = endpoint.uses.indexOf(leg);
    if (at >= 0) endpoint.uses.splice(at, 1);
    if (endpoint.uses.length === 0) this.table.delete(endpoint.key);
  }

  private fillProbe(words: ArrayLike<number>, at: number, port: number): void {
    for (let i = 0; i < 4; i++) this.probe[i] = words[at + i]!;
    this.probe[4] = port;
  }
}

/** Whom an address forgets that too many name: attempts before conversations, so that no flood of them ends one. */
function leastWanted(uses: readonly Leg[]): Leg {
  return uses.find(({ dialog }) => dialog.answeredAtUs === undefined || !dialog.isLive) ?? uses[0]!;
}
