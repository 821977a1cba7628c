// What the schema cannot say about `panel`: speeds that no module has, keys that the model lacks, a watchdog that would reset
// the box whenever the service is restarted.
import type { Config } from "../contract/config.js";
import type { MeaningFault } from "./meaning.js";

const BAUD_RATES = [0, 19200, 115200];
const LEAST_WATCHDOG_S = 30;
/** The CFA631 has four keys. */
const LACKING = { cfa631: ["left", "right"] } as Partial<Record<string, readonly string[]>>;

export function findPanelFaults({ panel }: { panel: Config["panel"] }): MeaningFault[] {
  if (panel.port === "") return [];
  const { baudRate, watchdogS, pauseKeys, model } = panel;
  const lacking = pauseKeys.find((key) => LACKING[model]?.includes(key));
  const faults: (MeaningFault | undefined)[] = [
    BAUD_RATES.includes(baudRate)
      ? undefined
      : { path: ["panel", "baudRate"], text: "is neither 19200 nor 115200, nor 0 for the model's own" },
    watchdogS === 0 || watchdogS >= LEAST_WATCHDOG_S
      ? undefined
      : { path: ["panel", "watchdogS"], text: `is less than ${LEAST_WATCHDOG_S}: a restart would reset the box` },
    pauseKeys.length === 1 || new Set(pauseKeys).size < pauseKeys.length
      ? { path: ["panel", "pauseKeys"], text: "is no combination: name two different keys, or none" }
      : undefined,
    lacking === undefined
      ? undefined
      : {
          path: ["panel", "pauseKeys"],
          related: ["panel", "model"],
          text: `has a key that a ${model} lacks: ${lacking}`,
        },
  ];
  return faults.filter((fault) => fault !== undefined);
}
