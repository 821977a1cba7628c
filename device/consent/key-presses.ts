// Keys as people press them during a call, from all the ways in which they come: which code of the caller's or the agent's
// they make. A press counts once, where the person is nearest; within a pause only the agent's codes are listened for and
// no key is kept. Decides nothing.
import type { TimeUs } from "../base/ids.js";
import type { Call } from "../call/call.js";
import type { Leg } from "../call/leg.js";
import type { Party } from "../call/party.js";
import type { Config } from "../contract/config.js";
import type { SipMessage } from "../sip/message.js";
import { readPressedKeys } from "../sip/pressed-keys.js";
import { KeyCodes } from "./key-codes.js";
import type { ConsentEffect } from "./strength.js";

/** How a key came. */
export type KeyWay = "rfc4733" | "sip-info" | "tones";
export type CodeMeaning = ConsentEffect | "pause" | "resume" | "pause-toggle" | "start" | "stop" | "start-toggle";

/** What takes something back, or stops something. */
const CLOSING: ReadonlySet<CodeMeaning> = new Set<CodeMeaning>(["refused", "withdrawn", "pause", "stop"]);

export interface PressedCode {
  meaning: CodeMeaning;
  keys: string;
  how: KeyWay;
}

export interface KeyListener {
  pressed(leg: Leg, code: PressedCode, atUs: TimeUs): void;
  isPaused(call: Call): boolean;
}

interface Presser {
  /** Who pressed last: half a code of one is no beginning of another's. */
  party: Party;
  caller: KeyCodes<ConsentEffect>;
  agent: KeyCodes<CodeMeaning>;
  /** The same press may come as an event and as a tone or in INFO: then the first counts. */
  lastKey: string;
  lastHow: KeyWay | undefined;
  lastAtUs: TimeUs;
}

/** One press that comes in two ways comes within this time. */
const SAME_PRESS_US = 500_000;

export class KeyPresses {
  /** Whether keys in RTP events, or tones, mean anything here. */
  readonly hearsEvents: boolean;
  readonly hearsTones: boolean;
  private readonly hearsInfo: boolean;
  private readonly stores: boolean;
  private readonly config: Config["consent"];
  private readonly listener: KeyListener;
  private readonly pressers = new WeakMap<Leg, Presser>();

  constructor(config: Config, listener: KeyListener) {
    this.config = config.consent;
    this.listener = listener;
    this.stores = config.recording.digits === "store";
    const { dtmf, pause, onDemand } = this.config;
    const ofCaller = [dtmf.granted, dtmf.refused, dtmf.withdrawn];
    const ofAgent = [pause.pauseKeys, pause.resumeKeys];
    if (onDemand.mode !== "off") ofAgent.push(onDemand.startKeys, onDemand.stopKeys);
    const hasCodes = [...ofCaller, ...ofAgent].some((keys) => keys !== "");
    this.hearsEvents = dtmf.events && (hasCodes || this.stores);
    this.hearsInfo = dtmf.info && (hasCodes || this.stores);
    this.hearsTones = dtmf.tones && hasCodes;
  }

  /** Keys in an INFO, as far as they mean anything here. */
  inMessage(message: SipMessage): string[] {
    return this.hearsInfo ? readPressedKeys(message) : [];
  }

  /** A key that the person on the leg has pressed. `isOvertaken`: others may have come before it, so it opens nothing. */
  press(leg: Leg, key: string, how: KeyWay, atUs: TimeUs, isOvertaken = false): void {
    // What a PBX relays was heard where the person is.
    if (leg.nearest !== leg || leg.dialog.isClosed) return;
    const presser = this.presserOn(leg);
    const isOther = presser.party !== leg.party;
    const isSame = isSamePress(presser, key, how, atUs);
    // Of whoever comes after the one that pressed it, it may take something back, but agrees to nothing.
    if (isSame && !isOther) return;
    if (isOther) {
      presser.party = leg.party;
      presser.caller.forget();
      presser.agent.forget();
    }
    const closesOnly = isOvertaken || isSame;
    const isPaused = this.listener.isPaused(leg.call);
    const isAgent = leg.dialog.agent.agent === leg.side;
    if (isPaused && !isAgent) {
      // Card numbers: not even remembered.
      presser.caller.forget();
      presser.lastHow = undefined;
      return;
    }
    presser.lastKey = key;
    presser.lastHow = how;
    presser.lastAtUs = atUs;
    this.store(leg, key, how, isPaused, atUs);
    const code = (isAgent ? presser.agent : presser.caller).press(key, atUs);
    if (code && (!closesOnly || CLOSING.has(code.meaning))) this.listener.pressed(leg, { ...code, how }, atUs);
  }

  /** Only of whom is recorded at that moment. */
  private store(leg: Leg, key: string, how: KeyWay, isPaused: boolean, atUs: TimeUs): void {
    if (!this.stores || isPaused || !leg.gate.isOpen) return;
    leg.call.addEvent({ atUs, kind: "dtmf", detail: { key, by: leg.side, how } });
  }

  private presserOn(leg: Leg): Presser {
    const known = this.pressers.get(leg);
    if (known) return known;
    const { dtmf, pause, onDemand } = this.config;
    const caller = (["granted", "refused", "withdrawn"] as const).map((meaning) => ({ keys: dtmf[meaning], meaning }));
    const presser: Presser = {
      party: leg.party,
      caller: new KeyCodes(caller, dtmf.betweenKeysMs),
      agent: new KeyCodes<CodeMeaning>(
        [
          ...pair(pause.pauseKeys, pause.resumeKeys, "pause", "resume", "pause-toggle"),
          ...(onDemand.mode === "off"
            ? []
            : pair(onDemand.startKeys, onDemand.stopKeys, "start", "stop", "start-toggle")),
        ],
        dtmf.betweenKeysMs,
      ),
      lastKey: "",
      lastHow: undefined,
      lastAtUs: 0,
    };
    this.pressers.set(leg, presser);
    return presser;
  }
}

function isSamePress({ lastKey, lastHow, lastAtUs }: Presser, key: string, how: KeyWay, atUs: TimeUs): boolean {
  return lastHow !== undefined && lastHow !== how && lastKey === key && Math.abs(atUs - lastAtUs) < SAME_PRESS_US;
}

/** Equal keys toggle. */
function pair(
  on: string,
  off: string,
  meansOn: CodeMeaning,
  meansOff: CodeMeaning,
  meansToggle: CodeMeaning,
): { keys: string; meaning: CodeMeaning }[] {
  if (on === off) return [{ keys: on, meaning: meansToggle }];
  return [
    { keys: on, meaning: meansOn },
    { keys: off, meaning: meansOff },
  ];
}
