// A call as the people in it know it, and as it becomes one recording: its dialogs, its parties over time, its streams,
// what happened. Plain state with small helpers; the rules that change it are in call-table.ts and halves.ts.
import type { CallId, TimeUs } from "../base/ids.js";
import type { CallEventRecord, EndReason, EvidenceRecord, WarningRecord } from "../contract/call-record.js";
import type { MediaDescription, SessionDescription } from "../sip/sdp-types.js";
import type { Dialog } from "./dialog.js";
import { Party } from "./party.js";
import type { CallStream } from "./stream.js";

const MAX_EVENTS = 256;
const MAX_WARNINGS = 64;
/** Dialogs one call may pass through; further ones are calls of their own. */
export const MAX_DIALOGS = 32;
/** Parties one call may name; further ones go unnamed. */
const MAX_PARTIES = 64;

export class Call {
  readonly id: CallId;
  readonly startedAtUs: TimeUs;
  /** Every dialog so far, ended ones too, oldest first; those that changed over to another call are not. */
  readonly dialogs: Dialog[] = [];
  /** Call-IDs of every dialog that was ever part of the call. */
  readonly sipCallIds = new Set<string>();
  /** The first two are the first of sides 0 and 1. */
  readonly parties: Party[];
  answeredAtUs: TimeUs | undefined;
  /** After its last dialog ended the call waits until then for the dialog that a transfer announced. */
  lingerUntilUs = 0;
  /** Facts changed since the last snapshot into the journal. */
  changedSinceSnapshot = true;
  readonly streams: CallStream[] = [];
  readonly events: CallEventRecord[] = [];
  readonly warnings: WarningRecord[] = [];
  /** On what grounds its halves were joined. */
  readonly joins: Omit<EvidenceRecord, "id">[] = [];

  constructor(id: CallId, startedAtUs: TimeUs) {
    this.id = id;
    this.startedAtUs = startedAtUs;
    this.parties = [new Party(0, "start", startedAtUs), new Party(1, "start", startedAtUs)];
  }

  /** A place in the journal that no stream has had of which anything was recorded. */
  get nextStreamIndex(): number {
    return (this.streams.at(-1)?.index ?? -1) + 1;
  }

  get liveDialogs(): Dialog[] {
    return this.dialogs.filter((dialog) => dialog.isLive);
  }

  /** The newest dialog that is answered and live, else the newest one. */
  get foremost(): Dialog {
    const talking = this.dialogs.findLast((dialog) => dialog.isLive && dialog.answeredAtUs !== undefined);
    return talking ?? this.dialogs.at(-1)!;
  }

  get lastActivityUs(): TimeUs {
    return this.dialogs.reduce((latest, dialog) => Math.max(latest, dialog.lastActivityUs), this.startedAtUs);
  }

  /** When its last dialog ended; undefined while one is live. */
  get endedAtUs(): TimeUs | undefined {
    return this.dialogs.some((dialog) => dialog.isLive) ? undefined : this.lastEnded?.endedAtUs;
  }

  get endReason(): EndReason | undefined {
    return this.lastEnded?.endReason;
  }

  addDialog(dialog: Dialog): void {
    this.dialogs.push(dialog);
    this.dialogs.sort((a, b) => a.startedAtUs - b.startedAtUs);
    this.sipCallIds.add(dialog.sipCallId);
  }

  /** The dialog that ended last; once the call was answered, attempts that were not do not count. */
  private get lastEnded(): Dialog | undefined {
    let last: Dialog | undefined;
    for (const dialog of this.dialogs) {
      const counts = this.answeredAtUs === undefined || dialog.answeredAtUs !== undefined;
      if (counts && (dialog.endedAtUs ?? 0) >= (last?.endedAtUs ?? 0)) last = dialog;
    }
    return last;
  }

  /** Names a further party; beyond the limit it goes unnamed, and is still nobody else. */
  addParty(party: Party): void {
    if (this.parties.length < MAX_PARTIES) this.parties.push(party);
    else this.warn("too-many-parties", { limit: MAX_PARTIES });
    this.changedSinceSnapshot = true;
  }

  addEvent(event: CallEventRecord): void {
    if (this.events.length < MAX_EVENTS) this.events.push(event);
    this.changedSinceSnapshot = true;
  }

  /** One warning per code. */
  warn(code: string, detail: WarningRecord["detail"] = {}): void {
    if (this.warnings.length >= MAX_WARNINGS || this.warnings.some((known) => known.code === code)) return;
    this.warnings.push({ code, detail });
    this.changedSinceSnapshot = true;
  }
}

/** The audio section of a session description that is in use: the first with a port, else the first. */
export function audioOf(description: SessionDescription): MediaDescription | undefined {
  const audio = description.media.filter((media) => media.kind === "audio");
  return audio.find((media) => media.port > 0) ?? audio[0];
}
