// What the configuration says of the mirror port's copies. Apart from the schema, of which it needs the type alone: the
// engine gets its configuration checked, and loading the schema's library would be a third of its start.
import type { Config } from "./config.js";

/** Time in which a packet may be the mirror port's copy of another; 0 = copies stay in. */
export function copyWindowMs({ capture }: Config): number {
  return capture.duplicates === "remove" ? capture.duplicateWindowMs : 0;
}
