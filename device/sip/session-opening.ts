// How a session opens in front of an observer: with its first INVITE, or at whatever message is the first one seen.
// Decides nothing about what follows. RFC 3261 §12, §13.
import type { SipMessage } from "./message.js";
import { UNSEEN } from "./session-party.js";
import { answeredBy, type SessionState, type Step, unchanged } from "./session-state.js";

export function isFirstInvite(message: SipMessage): boolean {
  return message.kind === "request" && message.method === "INVITE" && message.to.tag === "";
}

/** The state just before `message`, and what its being sent says has happened already. */
export function openingOf(message: SipMessage): Step | undefined {
  const blank = blankState(message);
  if (message.kind === "response") {
    return message.method === "INVITE" && message.status < 300 ? unchanged(blank) : undefined;
  }
  if (isFirstInvite(message)) return unchanged({ ...blank, startSeen: true });
  const { tag } = message.to;
  if (tag === "") return undefined;
  switch (message.method) {
    // Only a session that is set up sees these, an UPDATE mostly as its refresh (RFC 4028).
    case "INVITE":
    case "UPDATE":
    case "INFO":
      return { state: answeredBy(blank, tag), events: [{ type: "answered" }] };
    case "PRACK":
      return { state: { ...blank, phase: "early", earlyTags: [tag] }, events: [{ type: "ringing" }] };
    // Without a description it may as well acknowledge a failure.
    case "ACK":
      return message.sdp ? unchanged(blank) : undefined;
    default:
      return undefined;
  }
}

function blankState(message: SipMessage): SessionState {
  return {
    phase: "inviting",
    callId: message.callId,
    originator: message.from,
    answerer: { ...message.to, tag: "" },
    startSeen: false,
    finalStatus: 0,
    cancelSeen: false,
    forwardSeen: false,
    held: [false, false],
    sessionExpiresS: 0,
    lostStatus: 0,
    earlyTags: [],
    answeredTags: [],
    endedTags: [],
    transactions: [],
    forgottenCseq: [-1, -1],
    agreedBy: "",
    agreedTag: "",
    agreedBefore: "",
    settledCseq: [-1, -1],
    refreshedBy: "",
    parties: [UNSEEN, UNSEEN],
    earlyParties: [],
    refers: [undefined, undefined],
    notifyCseq: [-1, -1],
  };
}
