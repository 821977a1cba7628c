// What a check of the mirror port is given and gives. Pure: a check reads figures and says what it found.
import type { InterfaceFacts } from "../../capture/interface-facts.js";
import type { Config } from "../../contract/config.js";
import type { ClockState } from "../../contract/manifest.js";
import type { SpanFinding } from "../../contract/span.js";
import type { CallSight } from "./call-sights.js";
import type { SpanStretch } from "./window.js";

export interface SpanInput {
  config: Config;
  /** Off for captures that are read from files: nothing is asked about interfaces and clock. */
  isLive: boolean;
  /** undefined while the engine has told nothing. */
  tenMinutes: SpanStretch | undefined;
  minute: SpanStretch | undefined;
  interfaces: readonly InterfaceFacts[];
  /** The newest last. */
  calls: readonly CallSight[];
  clock: ClockState;
  /** The clock was set while a call was in progress, within the last day. */
  clockStepped: boolean;
}

export interface SpanVerdict {
  figure: string;
  /** Nothing came by which it could be judged. */
  isUnseen?: true;
  findings: readonly SpanFinding[];
}

export type SpanJudge = (input: SpanInput) => SpanVerdict;

export const unseen = (figure: string): SpanVerdict => ({ figure, isUnseen: true, findings: [] });
export const fine = (figure: string): SpanVerdict => ({ figure, findings: [] });

/** "3 calls", "1 call". */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** "12.3 %". */
export function share(part: number, whole: number): string {
  const percent = whole === 0 ? 0 : (100 * part) / whole;
  return `${percent >= 10 || percent === 0 ? Math.round(percent) : percent.toFixed(1)} %`;
}
