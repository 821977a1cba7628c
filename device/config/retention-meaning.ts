// What the schema cannot say about `retention` and the classes that rules name: a class that is not there, ages that exclude
// each other, two classes of one name. A recording never goes by a class that somebody mistyped.

import { nearest, suggestion } from "../base/nearest.js";
import type { Config } from "../contract/config.js";
import type { MeaningFault } from "./meaning.js";

export function findRetentionFaults(config: Config): MeaningFault[] {
  return [...classFaults(config), ...nameFaults(config)];
}

function classFaults({ retention: { classes } }: Config): MeaningFault[] {
  const faults: MeaningFault[] = [];
  const owners = new Map<string, number>();
  for (const [index, { name, minDays, maxDays }] of classes.entries()) {
    const path = ["retention", "classes", index];
    if (maxDays > 0 && minDays > maxDays)
      faults.push({ path: [...path, "minDays"], text: `is ${minDays}, more than its maxDays, ${maxDays}` });
    const owner = owners.get(name);
    if (owner === undefined) owners.set(name, index);
    else faults.push({ path: [...path, "name"], text: `is also the name of number ${owner + 1} of the list` });
  }
  return faults;
}

function nameFaults({ retention: { classes, defaultClass }, consent: { rules } }: Config): MeaningFault[] {
  const names = classes.map(({ name }) => name);
  const faultOf = (name: string, path: PropertyKey[]): MeaningFault[] => {
    if (name === "" || names.includes(name)) return [];
    const near = suggestion(nearest(name, names));
    const text = `is no retention class; retention.classes has ${names.length === 0 ? "none" : names.join(", ")}${near}`;
    return [{ path, text }];
  };
  return [
    ...faultOf(defaultClass, ["retention", "defaultClass"]),
    ...rules.flatMap((rule, index) => faultOf(rule.retention, ["consent", "rules", index, "retention"])),
  ];
}
