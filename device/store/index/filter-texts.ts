// What faces are asked for, in their texts, as the index's filter.
import { momentAfter, momentOf } from "../../contract/box-commands.js";
import type { ConsentState, Policy } from "../../contract/call-record.js";
import type { CallOutcome } from "../../contract/listing.js";
import type { CallFilter } from "./call-source.js";

export interface CallFilterTexts {
  /** Times as `momentOf` reads them. */
  from?: string | undefined;
  to?: string | undefined;
  agent?: string | undefined;
  number?: string | undefined;
  consent?: ConsentState | undefined;
  policy?: Policy | undefined;
  minDurationMs?: number | undefined;
  maxDurationMs?: number | undefined;
  tag?: string | undefined;
  outcome: CallOutcome | "any";
}

export function filterOf({ from, to, outcome, ...texts }: CallFilterTexts): CallFilter {
  const { agent, number, consent, policy, tag, minDurationMs, maxDurationMs } = texts;
  return {
    ...(from !== undefined && { fromUs: momentOf(from) * 1000 }),
    ...(to !== undefined && { toUs: momentAfter(to) * 1000 }),
    ...(agent !== undefined && { agent }),
    ...(number !== undefined && { number }),
    ...(consent !== undefined && { consent }),
    ...(policy !== undefined && { policy }),
    ...(tag !== undefined && { tag }),
    ...(minDurationMs !== undefined && { minDurationMs }),
    ...(maxDurationMs !== undefined && { maxDurationMs }),
    ...(outcome !== "any" && { outcome }),
  };
}
