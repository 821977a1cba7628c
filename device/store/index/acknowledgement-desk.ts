// Who has said to have a recording, whole: so that whoever takes recordings off the box, and whoever deletes them, can tell what is
// elsewhere. What is durable of it is the audit chain's entry (kind `collected`); the index has it for listings, and takes it from
// there when it is made anew (mark-trail.ts).
import { type Clock, isoUs, systemClock } from "../../base/clock.js";
import { SidetoneError } from "../../base/errors.js";
import type { CallId } from "../../base/ids.js";
import type { AuditEntryInput } from "../../contract/audit.js";
import type { ListedAcknowledgement } from "../../contract/listing.js";
import type { CallIndex } from "./call-index.js";
import { callToMark, MarkRefused } from "./call-marks.js";

export interface Acknowledgement {
  call: CallId;
  /** Name of the token. */
  by: string;
  /** Of the audio as whoever has it has it, lower-case hex. */
  sha256: string;
}

/** What somebody has is not what is stored. */
export class DigestMismatch extends SidetoneError {
  constructor(stored: string) {
    super("usage", `the recording's audio as it is stored has another SHA-256: ${stored}`);
  }
}

type Enter = (entry: Omit<AuditEntryInput, "actor">) => Promise<void>;

export class AcknowledgementDesk {
  readonly #index: CallIndex;
  readonly #clock: Clock;
  #last: Promise<unknown> = Promise.resolve();

  constructor(index: CallIndex, clock: Clock = systemClock) {
    this.#index = index;
    this.#clock = clock;
  }

  /**
   * The recording's acknowledgements afterwards. `enter` makes it durable in the audit chain, and is called only when it is news.
   * Rejects with DigestMismatch, MarkRefused, and what `enter` rejects with.
   */
  give({ call, by, sha256 }: Acknowledgement, enter: Enter): Promise<ListedAcknowledgement[]> {
    return this.#alone(async () => {
      const { recording, acknowledgements } = await this.#recorded(call);
      if (recording.sha256 !== sha256) throw new DigestMismatch(recording.sha256);
      if (acknowledgements.some((one) => one.by === by)) return acknowledgements;
      await enter({ kind: "collected", call, detail: { by, sha256 } });
      this.#index.collect(call, { by, sha256, at: isoUs(this.#clock.nowUs()), isWithdrawn: false });
      return (await this.#recorded(call)).acknowledgements;
    });
  }

  /** As `give`: nothing changes where there was none. */
  withdraw({ call, by }: Pick<Acknowledgement, "call" | "by">, enter: Enter): Promise<ListedAcknowledgement[]> {
    return this.#alone(async () => {
      const { recording, acknowledgements } = await this.#recorded(call);
      if (!acknowledgements.some((one) => one.by === by)) return acknowledgements;
      const { sha256 } = recording;
      await enter({ kind: "collected", call, detail: { by, sha256, withdrawn: true } });
      this.#index.collect(call, { by, sha256, at: isoUs(this.#clock.nowUs()), isWithdrawn: true });
      return (await this.#recorded(call)).acknowledgements;
    });
  }

  async #recorded(id: CallId) {
    const call = await callToMark(this.#index, id);
    const { recording } = call;
    if (recording === undefined) throw new MarkRefused("recording-not-found", `call ${id} has no recording`);
    return { ...call, recording };
  }

  /** One after the other: what is asked twice is entered once. */
  #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}
