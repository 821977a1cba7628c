// The configuration of a running service as commands see it: what is in force and where it came from, the file as it is changed, and
// whether the service could be started with it. Owns the writing of the file and the order in which that is entered in the audit
// chain; what is right is config/'s to say, who may ask the face's.
import { chownSync, readFileSync, realpathSync, statSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { SidetoneError } from "./base/errors.js";
import { type ConfigurationChange, changeConfiguration, findValueProblem, settingAt } from "./config/change.js";
import { readConfigText } from "./config/config-file.js";
import { ChangeRefused } from "./config/document-change.js";
import type { ConfigField } from "./config/fields.js";
import { type Catalogue, valueAt } from "./config/layer.js";
import {
  type ConfigRequest,
  type ConfigSources,
  chooseFile,
  type LoadedConfig,
  loadConfig,
  makeCatalogue,
} from "./config/load.js";
import { ConfigFault } from "./config/problems.js";
import type { AuditEntryInput } from "./contract/audit.js";
import { type BoxAnswers, SECRET_MARK } from "./contract/box-answers.js";
import type { BoxError, BoxRefusal } from "./contract/box-commands.js";
import type { Config } from "./contract/config.js";
import { isSettable } from "./contract/settable.js";
import { replaceDurably } from "./store/durable-file.js";

/** Of one setting in an answer; longer ones are named and not shown. */
const MAX_SETTING_BYTES = 16 * 1024;
const MAX_SETTINGS_BYTES = 192 * 1024;
/** Names in the detail of one entry of the audit chain. */
const MAX_NAMED = 100;

export interface ConfigurationKeeperOptions {
  /** How the configuration in force was asked for. */
  request: ConfigRequest;
  /** In force. */
  config: Config;
  sources: ConfigSources;
  /** Makes an entry of the audit chain durable; rejects when it cannot be. */
  enter(entry: AuditEntryInput): Promise<void>;
}

/** Where a file stays as it was before a reset. */
export const BEFORE_RESET = ".before-reset";
/** Without these the box could not go on as the box that it is, or would store in clear what it was told to encrypt. */
const KEPT_AT_RESET = ["panel", "capture", "data", "engine", "device", "encryption"];

function isKeptAtReset(path: string): boolean {
  return KEPT_AT_RESET.some((section) => isWithin(path, section));
}

/** What keeps a configuration from being shown, changed or used. */
export class ConfigurationRefused extends Error {
  readonly refusal: BoxRefusal;
  constructor(error: BoxError, message: string, field?: string) {
    super(message);
    this.refusal = { ok: false, error, message, ...(field !== undefined && { field }) };
  }
}

type GetAnswer = Extract<BoxAnswers["configuration"], { action: "get" }>;
type SetAnswer = Extract<BoxAnswers["configuration"], { action: "set" }>;

export class ConfigurationKeeper {
  readonly #options: ConfigurationKeeperOptions;
  #catalogue: Catalogue | undefined;
  /** One change after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ConfigurationKeeperOptions) {
    this.#options = options;
  }

  /** Secrets are shown as SECRET_MARK, numbers in full. Throws ConfigurationRefused when there is no such section. */
  show(section: string | undefined): GetAnswer {
    const { config, sources } = this.#options;
    const fields = this.#fields(section);
    const settings: GetAnswer["settings"] = {};
    const omitted: string[] = [];
    let bytes = 0;
    for (const field of fields) {
      const value = withoutSecrets(field, valueAt(config, field.keys), this.#known);
      const length = Buffer.byteLength(JSON.stringify(value) ?? "");
      if (length > MAX_SETTING_BYTES || bytes + length > MAX_SETTINGS_BYTES) {
        omitted.push(field.path);
        continue;
      }
      bytes += length;
      const source = sources.settings[field.path] ?? "default";
      settings[field.path] = { value, source, settable: isSettable(field.path, config.mqtt.configure) };
    }
    return { action: "get", file: sources.file, settings, omitted, pending: this.#pending(fields) };
  }

  /**
   * Changes the file as a whole or not at all; nothing of it is in force before a restart. Rejects with ConfigurationRefused, and
   * with what `enter` rejects with: then nothing was changed.
   */
  change(values: Readonly<Record<string, unknown>>, dryRun: boolean, by: string): Promise<SetAnswer> {
    const changed = this.#last.then(() => this.#change(values, dryRun, by));
    this.#last = changed.catch(() => {});
    return changed;
  }

  /**
   * Takes every setting out of the file but those that say what the box is made of and how it encrypts; the file as it was stays
   * beside it. Where there is no file there is nothing to take out. Rejects as `change` does.
   */
  reset(by: string): Promise<string[]> {
    const changed = this.#last.then(() => this.#reset(by));
    this.#last = changed.catch(() => {});
    return changed;
  }

  async #reset(by: string): Promise<string[]> {
    if (this.#options.sources.file === "") return [];
    const file = this.#file();
    const { sources } = this.#load();
    const gone = Object.entries(sources.settings).filter(([path, from]) => from === "file" && !isKeptAtReset(path));
    const { text, changed } = this.#work(file, Object.fromEntries(gone.map(([path]) => [path, null])));
    if (changed.length === 0) return [];
    keepBeside(file);
    await this.#write(file, text, changed, by);
    return changed;
  }

  /** The configuration that a restart would use. Throws ConfigurationRefused when there is none. */
  reload(): LoadedConfig {
    return this.#load();
  }

  #load(): LoadedConfig {
    try {
      return loadConfig(this.#options.request, this.#known);
    } catch (error) {
      throw refusedFor(error);
    }
  }

  async #change(values: Readonly<Record<string, unknown>>, dryRun: boolean, by: string): Promise<SetAnswer> {
    this.#check(values);
    const file = this.#file();
    const { text, changed, overridden } = this.#work(file, values);
    if (!dryRun && changed.length > 0) await this.#write(file, text, changed, by);
    return {
      action: "set",
      dryRun,
      changed,
      overridden: overridden.map(({ path }) => path),
      restart: changed.length > overridden.length,
    };
  }

  #check(values: Readonly<Record<string, unknown>>): void {
    const { configure } = this.#options.config.mqtt;
    for (const [path, value] of Object.entries(values)) {
      const field = settingAt(this.#known, path);
      if (field && !isSettable(path, configure))
        throw new ConfigurationRefused("not-settable", `${path} cannot be changed from here`, `values.${path}`);
      if (holdsMark(value))
        throw new ConfigurationRefused(
          "invalid",
          `${path}: that is the mark of a secret, not the secret`,
          `values.${path}`,
        );
    }
    const problem = findValueProblem(values, this.#known);
    if (problem) throw new ConfigurationRefused("invalid", problem.text, `values.${problem.path}`);
  }

  #work(file: string, values: Readonly<Record<string, unknown>>): ConfigurationChange {
    try {
      const request = { ...this.#options.request, file, text: readConfigText(file) };
      return changeConfiguration(request, file, values, this.#known);
    } catch (error) {
      if (error instanceof ChangeRefused)
        throw new ConfigurationRefused(
          "configuration-unwritable",
          `the configuration file cannot be changed from here: ${error.message}: change it by hand`,
        );
      throw refusedFor(error, values);
    }
  }

  /** Entered before it is written: a change that nobody knows of would be worse than one that is known and did not happen. */
  async #write(file: string, text: string, changed: readonly string[], by: string): Promise<void> {
    const detail = { changed: changed.slice(0, MAX_NAMED), more: Math.max(0, changed.length - MAX_NAMED) };
    // Whoever changed the file by hand meanwhile is not to lose it.
    const before = readFileSync(file);
    await this.#options.enter({ kind: "configured", actor: by, detail });
    try {
      if (!before.equals(readFileSync(file))) throw new Error("it was changed meanwhile");
      replaceKeepingOwner(file, text);
    } catch (error) {
      await this.#options.enter({ kind: "configured", actor: by, detail: { ...detail, failed: true } }).catch(() => {});
      throw new ConfigurationRefused(
        "configuration-unwritable",
        `the configuration file cannot be written (${faultOf(error)}): nothing was changed`,
      );
    }
  }

  #file(): string {
    const file = chooseFile(this.#options.request);
    if (file !== "" && this.#options.sources.file !== "") return file;
    throw new ConfigurationRefused(
      "configuration-unused",
      "the service was started without a configuration file: make one, name it with --config, and start it again",
    );
  }

  #fields(section: string | undefined): ConfigField[] {
    const fields = this.#known.fields.filter(({ path }) => !path.includes("[]"));
    const found = section === undefined ? fields : fields.filter(({ path }) => isWithin(path, section));
    if (found.length > 0) return found;
    throw new ConfigurationRefused("invalid", `section ${section}: there is no such section`, "section");
  }

  /** Settings of which the file, as it is now, has something else than what is in force. */
  #pending(fields: readonly ConfigField[]): string[] {
    try {
      const { config } = loadConfig(this.#options.request, this.#known);
      return fields
        .filter(({ keys }) => !isDeepStrictEqual(valueAt(config, keys), valueAt(this.#options.config, keys)))
        .map(({ path }) => path);
    } catch {
      // A file that is wrong is in force for nobody; a restart would say so.
      return [];
    }
  }

  /** Made when it is first asked for: most boxes never are. */
  get #known(): Catalogue {
    this.#catalogue ??= makeCatalogue();
    return this.#catalogue;
  }
}

function isWithin(path: string, section: string): boolean {
  return path === section || path.startsWith(`${section}.`);
}

function withoutSecrets(field: ConfigField, value: unknown, { fields }: Catalogue): unknown {
  if (field.isSecret) return markOf(value);
  if (field.kind !== "entry-list" || !Array.isArray(value)) return value;
  const members = fields.filter(({ path, isSecret }) => isSecret && path.startsWith(`${field.path}[].`));
  return value.map((entry: Record<string, unknown>) => {
    const marked = members.map(({ keys }) => [keys.at(-1)!, markOf(entry[keys.at(-1)!])]);
    return { ...entry, ...Object.fromEntries(marked) };
  });
}

function markOf(secret: unknown): string {
  const isSet = Array.isArray(secret) ? secret.length > 0 : secret !== "" && secret !== undefined;
  return isSet ? SECRET_MARK : "";
}

/** Somebody sends back what an answer showed. */
function holdsMark(value: unknown): boolean {
  if (value === SECRET_MARK) return true;
  const parts: unknown[] = Array.isArray(value) ? value : [];
  return parts.some((part) => part === SECRET_MARK || Object.values(Object(part)).includes(SECRET_MARK));
}

/** The first problem of a setting that was given, else the first of all. */
function refusedFor(error: unknown, values: Readonly<Record<string, unknown>> = {}): unknown {
  if (error instanceof ConfigFault && error.code === "config-invalid") {
    const own = error.problems.find(({ path }) => Object.keys(values).some((given) => isWithin(path, given)));
    const { path, text } = own ?? error.problems[0]!;
    return new ConfigurationRefused(
      "configuration-invalid",
      `the configuration as a whole is wrong: ${text}`,
      own ? `values.${path}` : path || undefined,
    );
  }
  if (!(error instanceof SidetoneError)) return error;
  const [first = ""] = error.message.split("\n");
  return new ConfigurationRefused("configuration-invalid", `the configuration file cannot be read: ${first}`);
}

/** A link stays one; the file keeps its owner and its rights. */
function replaceKeepingOwner(file: string, text: string): void {
  const path = realpathSync(file);
  const { mode, uid, gid } = statSync(path);
  replaceDurably(path, text, mode & 0o777, (temporary) => {
    if (process.getuid?.() === 0) chownSync(temporary, uid, gid);
  });
}

/** For whoever did not mean it; the newest only. */
function keepBeside(file: string): void {
  const path = realpathSync(file);
  const { mode, uid, gid } = statSync(path);
  try {
    replaceDurably(`${path}${BEFORE_RESET}`, readFileSync(path), mode & 0o777, (temporary) => {
      if (process.getuid?.() === 0) chownSync(temporary, uid, gid);
    });
  } catch (error) {
    throw new ConfigurationRefused(
      "configuration-unwritable",
      `the configuration file cannot be kept beside itself (${faultOf(error)}): nothing was changed`,
    );
  }
}

function faultOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : String(error));
}
