// Looks, call by call, for the caller's voice in the agent's own stream while the caller has not consented, and says what
// follows by the configuration: a figure in the call's record, a warning, or a shut gate for the agent. How it is told is
// echo-finder.ts's.
import type { TimeUs } from "../base/ids.js";
import type { Call } from "../call/call.js";
import type { Leg } from "../call/leg.js";
import type { EchoRecord } from "../contract/call-record.js";
import type { Config } from "../contract/config.js";
import type { Datagram } from "../net/datagram.js";
import type { RtpView } from "../rtp/packet.js";
import type { CallConsent } from "./call-consent.js";
import { EchoFinder } from "./echo-finder.js";
import { EchoPool } from "./echo-pool.js";

interface Watched {
  finder: EchoFinder;
  isMuted: boolean;
}

export class EchoWatch {
  readonly isOn: boolean;
  private readonly settings: Config["consent"]["echo"];
  private readonly pool = new EchoPool();
  private readonly consentOf: (call: Call) => CallConsent;
  private readonly judgeAgain: (call: Call, atUs: TimeUs) => void;
  private readonly calls = new Map<Call, Watched>();

  constructor(
    { consent }: Config,
    consentOf: (call: Call) => CallConsent,
    judgeAgain: (call: Call, atUs: TimeUs) => void,
  ) {
    this.settings = consent.echo;
    this.isOn = consent.echo.check !== "off";
    this.consentOf = consentOf;
    this.judgeAgain = judgeAgain;
  }

  /** Hot path: a packet of a leg's G.711 stream, its samples by code. */
  hear(leg: Leg, samplesByCode: Int16Array, view: RtpView, { data, capturedAtUs }: Datagram): void {
    const { agent } = leg.dialog.agent;
    if (agent === undefined || leg.nearest !== leg || leg.dialog.answeredAtUs === undefined) return;
    const { call } = leg;
    const own = this.consentOf(call);
    if (own.pauses.isPaused) return;
    const { finder } = this.watchedFor(call);
    const { payloadStart, payloadEnd, timestamp } = view;
    if (agent === leg.side) finder.agent(samplesByCode, data, payloadStart, payloadEnd, timestamp, capturedAtUs);
    else if (own.consentOf(leg.party).stateFor(own.terms.purpose) !== "granted")
      finder.caller(samplesByCode, data, payloadStart, payloadEnd, timestamp, capturedAtUs);
    else return;
    const verdict = finder.take();
    if (verdict?.found) this.found(call, verdict, capturedAtUs);
  }

  /** Is the agent's gate to be shut because the caller is heard in the agent's stream? */
  mutes(call: Call): boolean {
    return this.calls.get(call)?.isMuted ?? false;
  }

  report(call: Call): EchoRecord | undefined {
    return this.calls.get(call)?.finder.report();
  }

  /** Time passes: a window of a call whose packets have stopped is wiped. */
  tick(nowUs: TimeUs): void {
    if (this.isOn) this.pool.expire(nowUs);
  }

  /** Windows by what came of them. */
  exportCounters(): Record<string, number> {
    if (!this.isOn) return {};
    const named = (name: string): string => `echo.${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    return Object.fromEntries(Object.entries(this.pool.counters).map(([name, count]) => [named(name), count]));
  }

  /** Nothing of what was heard so far is kept. */
  wipe(call: Call): void {
    this.calls.get(call)?.finder.wipe();
  }

  absorb(call: Call, other: Call): void {
    const gone = this.calls.get(other);
    if (!gone) return;
    gone.finder.wipe();
    this.calls.delete(other);
    if (!this.calls.has(call)) this.calls.set(call, gone);
    else if (gone.isMuted) this.calls.get(call)!.isMuted = true;
  }

  /** The call is over; its figures are in its record. */
  forget(call: Call): void {
    this.wipe(call);
    this.calls.delete(call);
  }

  private watchedFor(call: Call): Watched {
    const known = this.calls.get(call);
    if (known) return known;
    const watched = { finder: new EchoFinder(this.settings, this.pool), isMuted: false };
    this.calls.set(call, watched);
    return watched;
  }

  private found(
    call: Call,
    { correlation, delayMs, levelDb }: Omit<EchoRecord, "windows" | "found">,
    atUs: TimeUs,
  ): void {
    const { check } = this.settings;
    if (check === "report") return;
    call.warn("caller-heard-in-agent", { correlation: Math.round(correlation * 100) / 100, delayMs, levelDb });
    const watched = this.watchedFor(call);
    if (check !== "mute" || watched.isMuted) return;
    watched.isMuted = true;
    this.judgeAgain(call, atUs);
  }
}
