// Which session of a Call-ID a message belongs to, and which session another message means: for the one who keeps many.
// A back-to-back user agent may use one Call-ID on both its sides with other tags; each side is a session then.
// RFC 3261 §12; RFC 3891 §3.
import type { SipMessage } from "./message.js";
import { isOpen, type SessionState } from "./session-state.js";

/** No header field's value holds a line end. */
const SEPARATOR = "\n";

/** Under what a session that `message` opens is to be kept: its Call-ID and the originator's tag, the same for all forks. */
export function dialogKeyOf(message: SipMessage): string {
  return message.callId + SEPARATOR + message.from.tag;
}

/** The same of a session; it never changes. */
export function sessionKeyOf(state: SessionState): string {
  return state.callId + SEPARATOR + state.originator.tag;
}

/** Under what the session of `message` may be kept: whichever is found first, as either side may have sent it. */
export function dialogKeysOf(message: SipMessage): readonly string[] {
  const own = dialogKeyOf(message);
  return message.to.tag === "" ? [own] : [own, message.callId + SEPARATOR + message.to.tag];
}

/** A dialog as another message names it; in which order it gives the tags depends on whose view it takes. */
export interface NamedDialog {
  callId: string;
  tags: readonly [string, string];
}

/** Does `named` mean a dialog of this session: the one in force, an early one before the answer, or a further fork's? */
export function isNamedBy(state: SessionState, named: NamedDialog): boolean {
  if (named.callId !== state.callId) return false;
  const { tag } = state.originator;
  const own = named.tags.indexOf(tag);
  if (tag === "" || own < 0) return false;
  const other = named.tags[1 - own]!;
  const isEarly = isOpen(state) && state.earlyTags.includes(other);
  return isEarly || other === state.answerer.tag || state.answeredTags.includes(other);
}
