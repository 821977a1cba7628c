// One source of settings (the file, the environment or the flags) and its check against the schema: each layer is
// checked on its own, so that a wrong value is reported even where a stronger layer overrides it.
import type { z } from "zod";
import { nearest, suggestion } from "../base/nearest.js";
import { configSchema } from "../contract/config.js";
import type { ConfigFile } from "./config-file.js";
import { type ConfigField, type ConfigSection, expectation, expectedText } from "./fields.js";
import { type Place, type ProblemList, showKey, showValue } from "./problems.js";

export type LayerName = "file" | "environment" | "flag";
export type Path = readonly PropertyKey[];

export interface Layer {
  name: LayerName;
  /** Sections and settings as given, not yet checked. */
  values: unknown;
  placeOf(path: Path): Place;
  /** The value as it is written in the file, "" elsewhere. */
  sourceOf(path: Path): string;
}

/** What the layer checks look things up in. */
export interface Catalogue {
  sections: readonly ConfigSection[];
  /** With the members of list entries. */
  fields: readonly ConfigField[];
}

export function fileLayer(file: ConfigFile, catalogue: Catalogue): Layer {
  const values = file.toValues() ?? {};
  return {
    name: "file",
    values: fillEmptySections(values, catalogue),
    placeOf: (path) => file.placeOf(path),
    sourceOf: (path) => file.sourceOf(path),
  };
}

/** A layer out of settings by path; `label` names the flag or the environment name of a field. */
export function flatLayer(
  name: LayerName,
  settings: ReadonlyMap<string, unknown>,
  catalogue: Catalogue,
  label: (field: ConfigField) => string,
): Layer {
  const values: Record<string, unknown> = {};
  for (const field of catalogue.fields)
    if (settings.has(field.path)) setAt(values, field.keys, settings.get(field.path));
  return {
    name,
    values,
    placeOf: (path) => {
      const field = fieldAt(catalogue, path);
      return { label: field ? label(field) : "", line: 0 };
    },
    sourceOf: () => "",
  };
}

/** Reports what the schema refuses; returns the settings (path → value) that it accepts. */
export function checkLayer(layer: Layer, catalogue: Catalogue, problems: ProblemList): Map<string, unknown> {
  const result = configSchema.safeParse(layer.values);
  const refused = new Set<string>();
  for (const issue of result.error?.issues ?? []) {
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) reportUnknownKey(layer, [...issue.path, key], catalogue, problems);
    } else reportValue(layer, issue, catalogue, problems);
    refused.add(fieldAt(catalogue, issue.path)?.path ?? "");
  }
  const accepted = new Map<string, unknown>();
  for (const field of catalogue.fields) {
    if (field.path.includes("[]") || refused.has(field.path)) continue;
    const value = valueAt(layer.values, field.keys);
    if (value !== undefined) accepted.set(field.path, value);
  }
  return accepted;
}

/** The value at a path of own members, undefined when there is none. */
export function valueAt(values: unknown, path: Path): unknown {
  let value = values;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** Sets a value in a tree of sections, making the sections. The keys are the schema's, never those of an input. */
export function setAt(values: Record<string, unknown>, keys: readonly string[], value: unknown): void {
  let section = values;
  for (const key of keys.slice(0, -1)) {
    section[key] ??= {};
    section = section[key] as Record<string, unknown>;
  }
  section[keys.at(-1)!] = value;
}

/** The setting that a path leads to or into (an element of a list belongs to the list). */
export function fieldAt(catalogue: Catalogue, path: Path): ConfigField | undefined {
  for (let length = path.length; length > 0; length--) {
    const text = path.slice(0, length).join(".");
    const found = catalogue.fields.find((field) => field.path === text);
    if (found) return found;
  }
  return undefined;
}

/** "consent.rules[3].numbers[0]", short and without control characters whatever the file holds. */
export function showPath(path: Path): string {
  let text = "";
  for (const key of path)
    text += typeof key === "number" ? `[${key}]` : `${text === "" ? "" : "."}${showKey(String(key))}`;
  return text;
}

/** A section whose settings are all commented out is null to YAML and empty to people. */
function fillEmptySections(values: unknown, catalogue: Catalogue): unknown {
  for (const section of catalogue.sections) {
    const keys = section.path.split(".");
    const parent = valueAt(values, keys.slice(0, -1));
    if (valueAt(values, keys) === null) (parent as Record<string, unknown>)[keys.at(-1)!] = {};
  }
  return values;
}

function reportUnknownKey(layer: Layer, path: Path, catalogue: Catalogue, problems: ProblemList): void {
  problems.add(
    () => layer.placeOf(path),
    () => `${showPath(path)}: unknown key${suggestion(knownKeyNear(path, catalogue))}`,
    () => showPath(path),
  );
}

/** A key of the same section first, then the same key in another section. */
function knownKeyNear(path: Path, catalogue: Catalogue): string | undefined {
  const parent = schemaPath(path.slice(0, -1));
  const prefix = parent === "" ? "" : `${parent}.`;
  const known = [...catalogue.sections, ...catalogue.fields].map((entry) => entry.path);
  const siblings = known
    .filter((name) => name.startsWith(prefix) && !/[.[]/.test(name.slice(prefix.length)))
    .map((name) => name.slice(prefix.length));
  const key = String(path.at(-1));
  const sibling = nearest(key, siblings);
  if (sibling !== undefined) return showPath([...path.slice(0, -1), sibling]);
  const lastKey = (name: string): string => name.slice(name.lastIndexOf(".") + 1);
  const elsewhere = nearest(key, known.map(lastKey));
  return known.find((name) => lastKey(name) === elsewhere && !name.includes("[]"));
}

function reportValue(layer: Layer, issue: z.core.$ZodIssue, catalogue: Catalogue, problems: ProblemList): void {
  const value = valueAt(layer.values, issue.path);
  problems.add(
    () => layer.placeOf(issue.path),
    () => describeValue(layer, issue.path, value, catalogue),
    () => showPath(issue.path),
  );
}

function describeValue(layer: Layer, path: Path, value: unknown, catalogue: Catalogue): string {
  const name = path.length === 0 ? "" : `${showPath(path)}: `;
  const schemaName = schemaPath(path);
  const field = catalogue.fields.find((known) => known.path === schemaName);
  if (field)
    return `${name}found ${showFound(value, field)}, expected ${expectation(field)}${choiceNear(value, field)}${field.kind === "text" ? quotesHint(layer, path, value, field) : ""}`;
  const list = catalogue.fields.find((known) => `${known.path}[]` === schemaName);
  if (list?.kind === "integer-list")
    return `${name}found ${showValue(value)}, expected a whole number from ${list.minimum} to ${list.maximum}`;
  if (list?.kind === "choice-list")
    return `${name}found ${showValue(value)}, expected one of ${list.values.join(", ")}${choiceNear(value, list)}`;
  if (list?.kind !== "text-list")
    return `${name}found ${showValue(value)}, expected ${list ? "an entry" : "a section"} with keys`;
  const hint = quotesHint(layer, path, value, list);
  return `${name}found ${showText(value, list)}, expected ${expectedText(list)}${hint}`;
}

/** YAML takes 030 for a number and no for a truth; as text they need quotes. */
function quotesHint(layer: Layer, path: Path, value: unknown, { isSecret }: ConfigField): string {
  const isPlain = typeof value === "number" || typeof value === "boolean";
  if (isPlain && isSecret) return "; put it in quotes";
  return isPlain ? `; put it in quotes: "${layer.sourceOf(path) || String(value)}"` : "";
}

function showFound(value: unknown, field: ConfigField): string {
  if (Array.isArray(value) && field.maximumItems !== undefined) return `a list of ${value.length}`;
  return showText(value, field);
}

function showText(value: unknown, field: ConfigField): string {
  if (field.isSecret) return "a secret";
  const isTooLong = typeof value === "string" && value.length > (field.maximumLength ?? value.length);
  return isTooLong ? `text of ${value.length} characters` : showValue(value);
}

function choiceNear(value: unknown, field: ConfigField): string {
  return typeof value === "string" ? suggestion(nearest(value, field.values)) : "";
}

/** The path as the catalogue writes it: indexes without their number. */
function schemaPath(path: Path): string {
  let text = "";
  for (const key of path) text += typeof key === "number" ? "[]" : `${text === "" ? "" : "."}${String(key)}`;
  return text;
}
