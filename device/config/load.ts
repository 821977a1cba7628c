// The configuration out of its four sources: default < file < environment < flag. Collects everything that is wrong and
// says it at once. Never writes, and never guesses a value that it cannot read.
import { existsSync } from "node:fs";
import { type Config, configSchema } from "../contract/config.js";
import { ConfigFile } from "./config-file.js";
import { type Environment, readEnvironment } from "./environment.js";
import { type ConfigField, listFields, listSections } from "./fields.js";
import {
  type Catalogue,
  checkLayer,
  fieldAt,
  fileLayer,
  flatLayer,
  type Layer,
  type LayerName,
  type Path,
  setAt,
  showPath,
  valueAt,
} from "./layer.js";
import { findMeaningFaults } from "./meaning.js";
import { type Place, ProblemList, showValue } from "./problems.js";

export const DEFAULT_CONFIG_FILE = "/etc/sidetone/sidetone.yaml";

/** Settings that flags set, as far as there are flags for them. */
export type ConfigOverrides = { readonly [Section in keyof Config]?: Partial<Config[Section]> };

export interface ConfigRequest {
  /** Path of --config; without it the default file, if it exists. */
  file?: string | undefined;
  environment: Environment;
  flags?: ConfigOverrides;
  /** DEFAULT_CONFIG_FILE unless given; tests give their own. */
  defaultFile?: string;
  /** What the file is to hold, instead of what it does. */
  text?: string;
}

export interface LoadedConfig {
  config: Config;
  sources: ConfigSources;
}

export interface ConfigSources {
  /** Path of the file that was read, "" when none was. */
  file: string;
  /** Where each setting that is not at its default comes from, by path ("call.tailMs"). */
  settings: Record<string, LayerName>;
}

/**
 * Throws SidetoneError config-unreadable (no such file, not YAML) or config-invalid; the message has one line per
 * problem: place, path, what is wrong, what is allowed. `catalogue`: for whoever loads more than once.
 */
export function loadConfig(request: ConfigRequest, catalogue: Catalogue = makeCatalogue()): LoadedConfig {
  const problems = new ProblemList();
  const file = chooseFile(request);
  const layers = [
    ...(file === "" ? [] : [fileLayer(readFile(file, request.text), catalogue)]),
    environmentLayer(request.environment, catalogue, problems),
    flagLayer(request.flags ?? {}, catalogue),
  ];

  const merged: Record<string, unknown> = {};
  const origins = new Map<string, Layer>();
  for (const layer of layers) {
    for (const [path, value] of checkLayer(layer, catalogue, problems)) {
      setAt(merged, path.split("."), value);
      origins.set(path, layer);
    }
  }
  const config = configSchema.parse(merged);
  reportMeaning(config, origins, catalogue, problems);
  problems.throwIfAny("config-invalid");
  return {
    config,
    sources: { file, settings: Object.fromEntries([...origins].map(([path, layer]) => [path, layer.name])) },
  };
}

export function makeCatalogue(): Catalogue {
  const sections = listSections();
  return { sections, fields: listFields(sections, true) };
}

function readFile(file: string, text: string | undefined): ConfigFile {
  return text === undefined ? ConfigFile.read(file) : ConfigFile.parse(text, file);
}

/** Path of the file that is read, "" when there is none. */
export function chooseFile(request: ConfigRequest): string {
  if (request.file !== undefined) return request.file;
  const fallback = request.defaultFile ?? DEFAULT_CONFIG_FILE;
  return existsSync(fallback) ? fallback : "";
}

function environmentLayer(environment: Environment, catalogue: Catalogue, problems: ProblemList): Layer {
  const settings = readEnvironment(environment, catalogue.fields, problems);
  return flatLayer("environment", settings, catalogue, (field) => field.environment);
}

function flagLayer(flags: ConfigOverrides, catalogue: Catalogue): Layer {
  const settings = new Map<string, unknown>();
  for (const field of catalogue.fields) {
    const value = valueAt(flags, field.keys);
    if (value !== undefined) settings.set(field.path, value);
  }
  return flatLayer("flag", settings, catalogue, (field: ConfigField) => field.flag);
}

function reportMeaning(
  config: Config,
  origins: ReadonlyMap<string, Layer>,
  catalogue: Catalogue,
  problems: ProblemList,
): void {
  const placeOf = (path: Path): Place | undefined => {
    const field = fieldAt(catalogue, path);
    return field && origins.get(field.path)?.placeOf(path);
  };
  for (const fault of findMeaningFaults(config)) {
    const value = valueAt(config, fault.path);
    const shown = typeof value === "string" && !fault.hidesValue ? ` ${showValue(value)}` : "";
    problems.add(
      () => placeOf(fault.path) ?? (fault.related && placeOf(fault.related)) ?? { label: "", line: 0 },
      () => `${showPath(fault.path)}:${shown} ${fault.text}`,
      () => showPath(fault.path),
    );
  }
}
