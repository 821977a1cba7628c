// One person (or device) on one side of a call for some of its time. A transfer, a change of who answers or another half
// of the call brings a new party; consent belongs to the party and never passes to the next one. Plain state.
import type { Side, TimeUs } from "../base/ids.js";
import type { JoinReason, PartyRole } from "../contract/call-record.js";

export interface PartyIdentity {
  uri: string;
  /** User part as signalled. */
  user: string;
  /** The same as E.164 where it is a telephone number and the country code is configured. */
  number: string;
  name: string;
}

export const NOBODY: PartyIdentity = { uri: "", user: "", number: "", name: "" };

export class Party {
  /** The call's side, which is the recording's channel. */
  side: Side;
  joinedBy: JoinReason;
  fromUs: TimeUs;
  /** When the party left; undefined while it is there. */
  toUs: TimeUs | undefined;
  identity: PartyIdentity = NOBODY;
  role: PartyRole;
  /** Evidence that it is the agent, "" when there is none. */
  identifiedBy = "";

  constructor(side: Side, joinedBy: JoinReason, fromUs: TimeUs) {
    this.side = side;
    this.joinedBy = joinedBy;
    this.fromUs = fromUs;
    this.role = side === 0 ? "originator" : "answerer";
  }
}
