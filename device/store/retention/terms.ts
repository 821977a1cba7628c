// How long a recording stays, out of its class: what the configuration says now, lengthened by what the recording was
// promised. Pure.
import type { TimeUs } from "../../base/ids.js";
import type { Config } from "../../contract/config.js";
import type { RetentionClass } from "../../contract/config-storage.js";
import type { ManifestRetention } from "../../contract/manifest.js";

export type RetentionConfig = Config["retention"];

export interface Terms {
  /** "" = none that is configured. */
  class: string;
  minDays: number;
  /** 0 = no maximum. */
  maxDays: number;
  /** No class, or by promise: nothing but an order deletes it, and that not before its minimum age. */
  isForEver: boolean;
}

const NO_CLASS: Terms = { class: "", minDays: 0, maxDays: 0, isForEver: true };

/** The classes as they were in force from `fromUs` on, until the next of the trail. */
export interface PastTable {
  fromUs: TimeUs;
  lengthenOnly: boolean;
  defaultClass: string;
  classes: readonly Pick<RetentionClass, "name" | "minDays" | "maxDays">[];
}

/** What is asked for of a recording, as its manifest has it. */
export interface Promised {
  endedAtUs: TimeUs;
  /** Class that the rule named, "" for none. */
  retention: string;
  /** What was in force when it was made. */
  terms?: ManifestRetention | undefined;
}

export class TermsTable {
  readonly #config: RetentionConfig;
  /** The oldest first; only what is to be kept to. */
  readonly #past: readonly PastTable[];

  /** `past`: every table that has been in force, the oldest first. */
  constructor(config: RetentionConfig, past: readonly PastTable[] = []) {
    this.#config = config;
    this.#past = past;
  }

  /** The least maximum of the classes, in days; undefined when no recording ever becomes due. */
  get leastMaxDays(): number | undefined {
    const days = this.#config.classes.map(({ maxDays }) => maxDays).filter((maxDays) => maxDays > 0);
    return days.length === 0 ? undefined : Math.min(...days);
  }

  /** For the manifest of a recording that is being made; undefined = it says nothing of retention. */
  promiseFor(retention: string): ManifestRetention | undefined {
    const { isForEver, ...terms } = this.#find(this.#classOf({ retention }));
    const { lengthenOnly } = this.#config;
    return isForEver && !lengthenOnly ? undefined : { ...terms, lengthenOnly };
  }

  /** What holds for a recording now. */
  termsOf(recording: Promised): Terms {
    const { terms: own, retention } = recording;
    /** "" = no table named one when it was made: each table's own default counts. */
    const name = retention || (own?.class ?? "");
    let terms = this.#find(this.#classOf(recording));
    if (own?.lengthenOnly) terms = lengthened(terms, { ...own, isForEver: own.class === "" });
    for (const { defaultClass, classes } of this.#promisesSince(recording.endedAtUs))
      terms = lengthened(terms, find(classes, name || defaultClass));
    return terms;
  }

  keepsManifest(className: string): boolean {
    return this.#config.classes.find(({ name }) => name === className)?.keepManifest ?? false;
  }

  #classOf({ retention, terms }: Pick<Promised, "retention" | "terms">): string {
    return retention || terms?.class || this.#config.defaultClass;
  }

  #find(className: string): Terms {
    return find(this.#config.classes, className);
  }

  /** Tables that bind, of those that were in force at any time since: the one of that moment, and all behind it. */
  *#promisesSince(atUs: TimeUs): Iterable<PastTable> {
    let begin = this.#past.findIndex((_, i) => (this.#past[i + 1]?.fromUs ?? Number.POSITIVE_INFINITY) > atUs);
    if (begin < 0) begin = 0;
    // Made before there was any: the first that was in force binds.
    for (const table of this.#past.slice(begin)) if (table.lengthenOnly) yield table;
  }
}

function find(classes: PastTable["classes"], className: string): Terms {
  const found = classes.find(({ name }) => name === className);
  return found ? { class: found.name, minDays: found.minDays, maxDays: found.maxDays, isForEver: false } : NO_CLASS;
}

/** The longer of both, minimum and maximum each. */
function lengthened(one: Terms, other: Terms): Terms {
  return {
    class: one.class || other.class,
    minDays: Math.max(one.minDays, other.minDays),
    maxDays: one.maxDays === 0 || other.maxDays === 0 ? 0 : Math.max(one.maxDays, other.maxDays),
    isForEver: one.isForEver || other.isForEver,
  };
}
