// The reference of all settings, as text and as data, read out of the schema so that it cannot differ from it.

import { type ConfigField, expectation, listSections } from "./fields.js";
import { DEFAULT_CONFIG_FILE } from "./load.js";

export const REFERENCE_SCHEMA = "sidetone.config-reference/1";

export interface ConfigReference {
  schema: typeof REFERENCE_SCHEMA;
  sections: { path: string; description: string; settings: SettingReference[] }[];
}

export interface SettingReference {
  path: string;
  description: string;
  kind: string;
  /** null when the setting may be absent. */
  default: unknown;
  unit: string;
  /** What it takes, in words, with bounds. */
  takes: string;
  minimum: number | null;
  maximum: number | null;
  values: readonly string[];
  /** "" when it cannot be set there. */
  environment: string;
  flag: string;
  secret: boolean;
  restart: boolean;
}

/** For `sidetoned config explain --json`. */
export function describeConfig(): ConfigReference {
  const sections = listSections().map(({ path, description, fields }) => ({
    path,
    description,
    settings: fields.map(describeField),
  }));
  return { schema: REFERENCE_SCHEMA, sections };
}

/** For `sidetoned config explain`: plain ASCII, ends with a newline. */
export function explainConfig(): string {
  const head = [
    "Settings of sidetoned. Later ones win: built-in default, file, environment, flag.",
    `The file is YAML: --config FILE, else ${DEFAULT_CONFIG_FILE} if it exists.`,
    "In the environment a list is written with commas: SIDETONE_AGENTS_MATCH=10.0.0.0/24,21.",
  ];
  const blocks = describeConfig().sections.map((section) =>
    [`${section.path}: ${section.description}`, ...section.settings.flatMap(explainSetting)].join("\n"),
  );
  return `${[head.join("\n"), ...blocks].join("\n\n")}\n`;
}

function describeField(field: ConfigField): SettingReference {
  return {
    path: field.path,
    description: field.description,
    kind: field.kind,
    default: field.default ?? null,
    unit: field.unit,
    takes: expectation(field),
    minimum: field.minimum ?? null,
    maximum: field.maximum ?? null,
    values: field.values,
    environment: field.environment,
    flag: field.flag,
    secret: field.isSecret,
    restart: field.needsRestart,
  };
}

function explainSetting(setting: SettingReference): string[] {
  const unit = setting.unit === "" ? "" : ` ${setting.unit}`;
  const fallback = setting.default === null ? "may be absent" : `default ${JSON.stringify(setting.default)}${unit}`;
  const notes = [setting.secret ? "secret" : "", setting.restart ? "a change needs a restart" : ""].filter(Boolean);
  return [
    `  ${setting.path}`,
    `      ${setting.description}`,
    `      takes ${setting.takes}; ${fallback}`,
    ...(setting.environment ? [`      ${setting.environment}${setting.flag ? `, ${setting.flag}` : ""}`] : []),
    ...notes.map((note) => `      ${note}`),
  ];
}
