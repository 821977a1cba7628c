// Enters who listened to or downloaded what into the audit chain, durably and before a byte of it is sent. A player asks for one
// playback in dozens of pieces: what the same token asks of the same recording in the same way within a minute of the first
// piece is counted, and entered once more with its number when the minute is over. What is sent whole is entered each time.
import type { Clock } from "../base/clock.js";
import type { CallId } from "../base/ids.js";
import type { AuditDetail, AuditEntryInput } from "../contract/audit.js";

/** One answer with audio. */
export interface AudioAccess {
  kind: "listen" | "download";
  call: CallId;
  /** "token front-desk". */
  actor: string;
  tokenId: string;
  channel: string;
  format: string;
  /** Why, as the request says; "" when it does not. */
  reason: string;
  /** The other end's. */
  address: string;
  /** "0-499/1000" of a piece; "" = whole. */
  range: string;
  /** Of the piece; 0 where it is whole. */
  bytes: number;
}

/** The audit chain as it is needed here; see AuditChain. */
export interface AccessChain {
  enterDurably(entry: AuditEntryInput): Promise<void>;
  append(entry: AuditEntryInput): void;
}

interface Playback {
  access: AudioAccess;
  entered: Promise<void>;
  beganAtMs: number;
  /** Pieces after the first, and their bytes. */
  further: number;
  bytes: number;
  chain: AccessChain;
}

/** Pieces within this time of the first are one playback. */
export const PLAYBACK_MS = 60_000;
/** Beyond it every piece is entered. */
const MAX_PLAYBACKS = 1024;

export class AccessTrail {
  /** Pieces that have no entry of their own. */
  folded = 0;
  readonly #clock: Clock;
  /** The oldest first. */
  readonly #playbacks = new Map<string, Playback>();
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when it is in the chain, durably. Throws SidetoneError `data-unwritable`. */
  async enter(access: AudioAccess, chain: AccessChain): Promise<void> {
    this.#endOld();
    if (access.range === "") return chain.enterDurably(entryOf(access));
    const key = JSON.stringify({ ...access, range: "", bytes: 0 });
    const playback = this.#playbacks.get(key);
    if (playback !== undefined) {
      playback.further++;
      playback.bytes += access.bytes;
      this.folded++;
      return playback.entered;
    }
    const entered = chain.enterDurably(entryOf(access));
    if (this.#playbacks.size < MAX_PLAYBACKS) this.#begin(key, access, chain, entered);
    return entered;
  }

  /** Enters what is still being counted: nothing more comes. */
  close(): void {
    clearTimeout(this.#timer);
    for (const key of [...this.#playbacks.keys()]) this.#end(key);
  }

  #begin(key: string, access: AudioAccess, chain: AccessChain, entered: Promise<void>): void {
    const playback = { access, entered, chain, beganAtMs: this.#clock.monotonicMs(), further: 0, bytes: 0 };
    this.#playbacks.set(key, playback);
    // Nothing was sent then: the next piece tries it again.
    entered.catch(() => {
      if (this.#playbacks.get(key) === playback) this.#playbacks.delete(key);
    });
    this.#wait(PLAYBACK_MS);
  }

  #wait(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#endOld();
      if (this.#playbacks.size > 0) this.#wait(PLAYBACK_MS / 10);
    }, ms).unref();
  }

  #endOld(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, { beganAtMs }] of this.#playbacks) {
      if (nowMs - beganAtMs < PLAYBACK_MS) break;
      this.#end(key);
    }
  }

  #end(key: string): void {
    const { access, chain, further, bytes } = this.#playbacks.get(key)!;
    this.#playbacks.delete(key);
    if (further > 0) chain.append(entryOf({ ...access, range: "" }, { further, bytes }));
  }
}

function entryOf(access: AudioAccess, more: AuditDetail = {}): AuditEntryInput {
  const { kind, call, actor, tokenId, channel, format, range, reason, address } = access;
  return { kind, actor, call, detail: { tokenId, channel, format, range, reason, address, ...more } };
}
