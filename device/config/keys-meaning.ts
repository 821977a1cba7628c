// What the schema cannot say about codes of keys: one that stands within another one is complete before the other can be
// pressed.
import type { Config } from "../contract/config.js";
import type { MeaningFault } from "./meaning.js";

interface Code {
  path: string[];
  keys: string;
}

export function findKeyFaults({ consent }: Pick<Config, "consent">): MeaningFault[] {
  const { dtmf, pause, onDemand } = consent;
  const ofCaller = codes(["consent", "dtmf"], dtmf, ["granted", "refused", "withdrawn"]);
  const ofAgent = [
    ...codes(["consent", "pause"], pause, ["pauseKeys", "resumeKeys"]),
    ...(onDemand.mode === "off" ? [] : codes(["consent", "onDemand"], onDemand, ["startKeys", "stopKeys"])),
  ];
  return [...clashes(ofCaller, () => false), ...clashes(ofAgent, isToggle)];
}

function codes<Name extends string>(path: string[], from: Readonly<Record<Name, string>>, names: Name[]): Code[] {
  return names.map((name) => ({ path: [...path, name], keys: from[name] })).filter(({ keys }) => keys !== "");
}

function clashes(all: readonly Code[], mayBeEqual: (one: Code, other: Code) => boolean): MeaningFault[] {
  const faults: MeaningFault[] = [];
  for (const [i, one] of all.entries()) {
    for (const other of all.slice(0, i)) {
      if (one.keys === other.keys && mayBeEqual(one, other)) continue;
      const [longer, shorter] = one.keys.length >= other.keys.length ? [one, other] : [other, one];
      if (!longer.keys.includes(shorter.keys)) continue;
      faults.push({
        path: longer.path,
        related: shorter.path,
        text: `cannot be pressed: ${shorter.path.join(".")} (${shorter.keys}) is complete before it`,
      });
    }
  }
  return faults;
}

/** The same keys for both toggle. */
function isToggle(one: Code, other: Code): boolean {
  return one.path[1] === other.path[1];
}
