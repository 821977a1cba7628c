// Carries out commands about calls in progress: finds the call and the party that are meant, refuses what is not allowed,
// and tells what the calls look like. Consent, pauses and gates are changed through what the guard hands in.
import { isoUs } from "../base/clock.js";
import type { GuardReport } from "../call/guard.js";
import type { Party } from "../call/party.js";
import type {
  ActiveCall,
  CallCommand,
  CallSelector,
  CommandBody,
  CommandError,
  CommandResult,
} from "../contract/commands.js";
import type { Config } from "../contract/config.js";
import { agentLegOf, type CallConsent, callerLegOf, type Statement } from "./call-consent.js";
import type { Order } from "./call-control.js";

/** Calls in one answer; the newest. */
const MAX_LISTED = 1000;

export interface CommandMeans {
  calls: readonly CallConsent[];
  enter(own: CallConsent, parties: readonly Party[], statement: Statement): void;
  setPause(own: CallConsent, isPause: boolean, order: Order): void;
  /** Of every call to come; undefined = no longer. */
  setStandingPause(order: Order | undefined): void;
  setStarted(own: CallConsent, isStarted: boolean, order: Order): void;
  /** Recording on demand is switched on. */
  isDemanded: boolean;
  /** Which sources of consent by command are. */
  allowed: Config["consent"]["commands"];
  describe(own: CallConsent): GuardReport;
  isOpen(own: CallConsent, party: Party): boolean;
}

/** Expected faults; become results. */
class Refusal extends Error {
  readonly code: CommandError;
  constructor(code: CommandError, message: string) {
    super(message);
    this.code = code;
  }
}

export function carryOut(command: CallCommand, means: CommandMeans): CommandResult {
  try {
    const concerned = act(command, means);
    return { ok: true, calls: concerned.slice(-MAX_LISTED).map((own) => describe(own, means)) };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, error: error.code, message: error.message };
    throw error;
  }
}

function act({ body, source, by }: CallCommand, means: CommandMeans): readonly CallConsent[] {
  switch (body.verb) {
    case "calls":
      return means.calls;
    case "consent": {
      const own = findCall(body.call, means.calls);
      if (source !== "panel" && !means.allowed[source])
        throw new Refusal("not-allowed", `consent by ${source} is switched off: see consent.commands`);
      means.enter(own, [partyOf(own, body)], {
        source,
        effect: body.effect,
        by,
        purpose: body.purpose,
        detail: { by, reason: body.reason },
      });
      return [own];
    }
    case "pause":
    case "resume": {
      const calls = body.call === "all" ? means.calls : [findCall(body.call, means.calls)];
      if (body.call === "all")
        means.setStandingPause(body.verb === "pause" ? { source, by, reason: body.reason } : undefined);
      for (const own of calls) means.setPause(own, body.verb === "pause", { source, by, reason: body.reason });
      return calls;
    }
    default: {
      const own = findCall(body.call, means.calls);
      if (!means.isDemanded)
        throw new Refusal("not-on-demand", "recording is not on demand here: see consent.onDemand.mode");
      means.setStarted(own, body.verb === "start", { source, by, reason: body.reason });
      return [own];
    }
  }
}

function findCall(selector: CallSelector, calls: readonly CallConsent[]): CallConsent {
  const found = calls.filter((own) => fits(selector, own));
  const [first] = found;
  if (!first) throw new Refusal("call-not-found", "no call in progress is named so: ask for the calls in progress");
  if (found.length > 1)
    throw new Refusal("call-ambiguous", `${found.length} calls in progress are named so: name one by its id`);
  return first;
}

function fits(selector: CallSelector, { call }: CallConsent): boolean {
  if ("id" in selector) return call.id === selector.id;
  if ("sipCallId" in selector) return call.sipCallIds.has(selector.sipCallId);
  const identity = agentLegOf(call.foremost)?.party.identity;
  return identity !== undefined && [identity.user, identity.number].includes(selector.agent);
}

/** The agent's consent is not a caller's: only who counts as one can be named. */
function partyOf({ call }: CallConsent, body: Extract<CommandBody, { verb: "consent" }>): Party {
  if (body.party === "caller") {
    const leg = callerLegOf(call.foremost);
    if (!leg) throw new Refusal("caller-unknown", "nobody knows which side is the caller: see agents.match");
    return leg.party;
  }
  const party = call.parties[body.party];
  if (!party) throw new Refusal("party-not-found", `the call has parties 0 to ${call.parties.length - 1}`);
  if (party.role !== "caller")
    throw new Refusal("caller-unknown", `party ${body.party} is not known to be a caller, but ${party.role}`);
  return party;
}

function describe(own: CallConsent, means: CommandMeans): ActiveCall {
  const { call } = own;
  const { policy, policyRule, purpose, parties } = means.describe(own);
  return {
    id: call.id,
    sipCallIds: [...call.sipCallIds],
    startedAt: isoUs(call.startedAtUs),
    answeredAt: call.answeredAtUs === undefined ? "" : isoUs(call.answeredAtUs),
    policy,
    policyRule,
    purpose,
    isPaused: own.pauses.isPaused,
    parties: call.parties.map((party, i) => ({
      role: party.role,
      side: party.side === 0 ? "originator" : "answerer",
      number: party.identity.number || party.identity.user,
      consent: parties[i]!.consent,
      isRecorded: means.isOpen(own, party),
    })),
  };
}
