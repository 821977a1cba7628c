// Sessions of dialogs that were closed a short while ago: late copies of their messages must not open a ghost. Bounded;
// the oldest goes first.
import type { TimeUs } from "../base/ids.js";
import type { SipMessage } from "../sip/message.js";
import { type SessionState, stepSession } from "../sip/session.js";
import { dialogKeysOf, sessionKeyOf } from "../sip/session-dialogs.js";

/** A closed session is remembered this long (64·T1, RFC 3261 §17.1.1.2). */
const AFTERLIFE_US = 32_000_000;
const MAX_AFTERLIVES = 16_384;

export class Afterlives {
  /** By session key, oldest first. */
  private readonly sessions = new Map<string, { session: SessionState; untilUs: TimeUs }>();

  bury(session: SessionState, nowUs: TimeUs): void {
    if (this.sessions.size >= MAX_AFTERLIVES) this.sessions.delete(this.sessions.keys().next().value!);
    const key = sessionKeyOf(session);
    this.sessions.delete(key);
    this.sessions.set(key, { session, untilUs: nowUs + AFTERLIFE_US });
  }

  /** Does the message belong to a session that was closed a short while ago? */
  isLateCopy(message: SipMessage): boolean {
    for (const key of dialogKeysOf(message)) {
      const past = this.sessions.get(key);
      if (!past) continue;
      const step = stepSession(past.session, message);
      if (!step.restart && !step.foreign && !step.events.some((event) => event.type === "retried")) return true;
    }
    return false;
  }

  sweep(nowUs: TimeUs): void {
    for (const [callId, { untilUs }] of this.sessions) {
      if (untilUs > nowUs && untilUs - nowUs <= AFTERLIFE_US) return;
      this.sessions.delete(callId);
    }
  }
}
