// What a pull tells while it runs, one value each: the JSON lines of `sidetone pull --json`, and what lines and progress on a
// terminal are made of. Changed only by adding.
import type { Fault } from "./recording-pull.js";

export interface PullTotals {
  /** Fetched and put in their places by this run. */
  stored: number;
  /** Found in their places whole, and taken over. */
  found: number;
  /** Of what was fetched. */
  bytes: number;
  acknowledged: number;
  deleted: number;
  /** Deletions that the box refused, or that this side would not ask for. */
  kept: number;
  /** The box no longer had them. */
  gone: number;
  /** Recordings that this run could not store; the next one tries again. */
  faults: number;
}

export type PullEvent =
  | { event: "begin"; folder: string; device: string; unfinished: number }
  /** Recordings that are new here, before they are fetched. */
  | { event: "listed"; recordings: number; bytes: number }
  | {
      event: "stored" | "found";
      id: string;
      /** Relative, "/" between folders. */
      file: string;
      manifest: string;
      bytes: number;
      sha256: string;
      durationMs: number;
    }
  /** Something else lay in its place; it was moved there. */
  | { event: "aside"; id: string; file: string; to: string }
  | { event: "acknowledged"; id: string; sha256: string }
  | { event: "deleted"; id: string }
  /** `problem`: the box's code; "" when it was not asked. */
  | { event: "kept"; id: string; problem: string; detail: string }
  | { event: "gone"; id: string; problem: string; detail: string }
  | { event: "fault"; id: string; fault: Fault; detail: string }
  /** The box's index was made anew: the listing begins again, and what is here is passed over. */
  | { event: "stale" }
  | { event: "outage"; detail: string }
  | { event: "back"; outageMs: number }
  | { event: "notice"; detail: string }
  /** All that the box has is here; with --follow. */
  | { event: "caught-up" }
  | ({ event: "end" } & PullTotals);

export type PullListener = (event: PullEvent) => void;
