// One setting changed in a YAML document, so that everything else, comments above all, stays as somebody wrote it. Knows YAML and
// no setting: that a value may stand there is for others to have found out.
import { createRequire } from "node:module";
import type { Document, Pair, YAMLMap as YamlMap } from "yaml";

// As in config-file.ts: an import would cost a third of the program's start.
const { isAlias, isMap, isScalar, YAMLMap } = createRequire(import.meta.url)("yaml") as typeof import("yaml");

export interface SettingChange {
  keys: readonly string[];
  /** undefined takes it out. */
  value: unknown;
}

/** The document has the setting in a form in which it cannot be changed without changing something else. */
export class ChangeRefused extends Error {}

export function changeSetting(document: Document, { keys, value }: SettingChange): void {
  let map = rootOf(document);
  for (const key of keys.slice(0, -1)) {
    const section = value === undefined ? existingSection(map, key) : makeSection(document, map, key);
    if (section === undefined) return;
    map = section;
  }
  const key = keys.at(-1)!;
  const pair = pairOf(map, key);
  if (value === undefined) {
    if (pair) map.items.splice(map.items.indexOf(pair), 1);
  } else if (pair) setValue(document, pair, value);
  else map.items.push(document.createPair(key, value));
}

function rootOf(document: Document): YamlMap {
  const { contents } = document;
  if (isMap(contents)) return contents;
  if (contents !== null && !(isScalar(contents) && contents.value === null))
    throw new ChangeRefused("it is no list of sections");
  // A file of comments only, or of nothing.
  const map = new YAMLMap();
  document.contents = map as never;
  return map;
}

function existingSection(map: YamlMap, key: string): YamlMap | undefined {
  const value = pairOf(map, key)?.value;
  if (isAlias(value)) throw new ChangeRefused(`${key} is an alias (*name) there`);
  return isMap(value) ? value : undefined;
}

function makeSection(document: Document, map: YamlMap, key: string): YamlMap {
  const pair = pairOf(map, key);
  const existing = existingSection(map, key);
  if (existing) return existing;
  const section = new YAMLMap();
  if (pair) {
    // Its settings are all commented out.
    keepComments(pair.value, section);
    pair.value = section;
  } else map.items.push(document.createPair(key, section));
  return section;
}

function setValue(document: Document, pair: Pair, value: unknown): void {
  const before = pair.value;
  if (isScalar(before) && (typeof value !== "object" || value === null)) {
    before.value = value;
    return;
  }
  const after = document.createNode(value);
  keepComments(before, after);
  pair.value = after;
}

function keepComments(from: unknown, to: { comment?: string | null; commentBefore?: string | null }): void {
  const { comment, commentBefore } = (from ?? {}) as typeof to;
  if (comment) to.comment = comment;
  if (commentBefore) to.commentBefore = commentBefore;
}

function pairOf(map: YamlMap, key: string): Pair | undefined {
  return map.items.find((item) => (isScalar(item.key) ? String(item.key.value) : String(item.key)) === key);
}
