// A change of settings in the configuration file, worked out and checked as a whole before anything is written: the values alone,
// then the file as it would be together with environment and flags. Pure: text in, text out.
import { isDeepStrictEqual } from "node:util";
import { nearest, suggestion } from "../base/nearest.js";
import type { Config } from "../contract/config.js";
import { ConfigFile, MAXIMUM_FILE_BYTES } from "./config-file.js";
import { ChangeRefused } from "./document-change.js";
import type { ConfigField } from "./fields.js";
import { type Catalogue, checkLayer, fileLayer, type LayerName, setAt } from "./layer.js";
import { type ConfigRequest, loadConfig } from "./load.js";
import { type ConfigFault, type Problem, ProblemList, showKey } from "./problems.js";

/** By path ("call.tailMs"); null takes the setting out of the file. */
export type SettingValues = Readonly<Record<string, unknown>>;

export interface ConfigurationChange {
  /** What the file is to hold. */
  text: string;
  /** Settings of the file that are others then. */
  changed: string[];
  /** Of them, those that the environment or a flag sets all the same. */
  overridden: { path: string; by: LayerName }[];
  config: Config;
}

/** A setting that can be named: not a member of a list's entries. */
export function settingAt(catalogue: Catalogue, path: string): ConfigField | undefined {
  return catalogue.fields.find((field) => field.path === path && !path.includes("[]"));
}

/** What is wrong with the values whatever the file holds; the first of several. Never shows a secret. */
export function findValueProblem(values: SettingValues, catalogue: Catalogue): Problem | undefined {
  const alone: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(values)) {
    const field = settingAt(catalogue, path);
    if (field === undefined) return { path, text: `${showKey(path)}: unknown setting${near(path, catalogue)}` };
    if (value !== null) setAt(alone, field.keys, value);
  }
  const problems = new ProblemList();
  const layer = { name: "file", values: alone, placeOf: () => ({ label: "", line: 0 }), sourceOf: () => "" } as const;
  checkLayer(layer, catalogue, problems);
  return firstOf(problems);
}

/**
 * The file's text with the values, which findValueProblem has passed. Throws SidetoneError config-unreadable or config-invalid
 * (ConfigFault) when the whole is wrong, ChangeRefused when the file cannot be changed without changing something else.
 */
export function changeConfiguration(
  request: ConfigRequest & { text: string },
  file: string,
  values: SettingValues,
  catalogue: Catalogue,
): ConfigurationChange {
  const before = settingsOf(request.text, file, catalogue);
  const changes = Object.entries(values).map(([path, value]) => ({
    keys: settingAt(catalogue, path)!.keys,
    value: value === null ? undefined : value,
  }));
  const text = ConfigFile.parse(request.text, file).changed(changes);
  if (Buffer.byteLength(text) > MAXIMUM_FILE_BYTES) throw new ChangeRefused("the file would be too long");
  const after = settingsOf(text, file, catalogue);
  const changed = changedSettings(before, after, values);
  const { config, sources } = loadConfig({ ...request, text }, catalogue);
  const overridden = changed.flatMap((path) => {
    const by = sources.settings[path];
    return by === undefined || by === "file" ? [] : [{ path, by }];
  });
  return { text, changed, overridden, config };
}

/** Throws ChangeRefused when anything but the values would change, or one of them would not be what it is to be. */
function changedSettings(
  before: ReadonlyMap<string, unknown>,
  after: ReadonlyMap<string, unknown>,
  values: SettingValues,
): string[] {
  const changed: string[] = [];
  for (const path of new Set([...before.keys(), ...after.keys(), ...Object.keys(values)])) {
    const isGiven = Object.hasOwn(values, path);
    const wanted = isGiven ? (values[path] ?? undefined) : before.get(path);
    if (!isDeepStrictEqual(after.get(path), wanted))
      throw new ChangeRefused("the file has settings that share a value (&name, *name)");
    if (!isDeepStrictEqual(before.get(path), after.get(path))) changed.push(path);
  }
  return changed.sort();
}

/** What the file sets, as far as the schema takes it. */
function settingsOf(text: string, file: string, catalogue: Catalogue): Map<string, unknown> {
  return checkLayer(fileLayer(ConfigFile.parse(text, file), catalogue), catalogue, new ProblemList());
}

function firstOf(problems: ProblemList): Problem | undefined {
  try {
    problems.throwIfAny("config-invalid");
    return undefined;
  } catch (error) {
    return (error as ConfigFault).problems[0];
  }
}

function near(path: string, catalogue: Catalogue): string {
  return suggestion(
    nearest(
      path,
      catalogue.fields.map((field) => field.path),
    ),
  );
}
