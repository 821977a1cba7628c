// Where in the folder a recording comes to lie: `--name '{year}/{month}/{day}/{id}'`. The values come from the signed manifest,
// tags from the listing; each of them was written by somebody else and is made safe. The recording's id is always in the
// file's own name, so that no two recordings ever have one name, and that what lies in the folder can be told by its name.
import { type HostError, usageError } from "../errors.js";
import { cutTo, safeComponent, safePiece } from "./safe-name.js";

export const DEFAULT_TEMPLATE = "{year}/{month}/{day}/{id}";

/** README, "Pulling recordings", says what each is. */
export const TEMPLATE_FIELDS = [
  ...(["id", "date", "time", "year", "month", "day", "hour", "minute", "second"] as const),
  ...(["agent", "number", "caller", "tag", "tags", "device", "policy", "purpose", "retention"] as const),
];
type Field = (typeof TEMPLATE_FIELDS)[number];

/** What the values are taken from; all of it is text from outside. */
export interface Described {
  id: string;
  startedAt: string;
  agent: string;
  number: string;
  caller: string;
  tags: readonly string[];
  device: string;
  policy: string;
  purpose: string;
  retention: string;
}

const MAX_TEMPLATE = 200;
const MAX_FOLDERS = 8;
const MAX_VALUE_BYTES = 80;
const MAX_FOLDER_BYTES = 100;
/** Leaves room for ".wav.age" and for what a copying program may put behind it. */
const MAX_STEM_BYTES = 200;
const UNKNOWN = "unknown";
/** Folders never look like files of recordings. */
const FILE_ENDING = /\.(?:wav|json|age)$/i;

type Part = { text: string } | { field: Field };

export class NameTemplate {
  readonly #folders: readonly Part[][];
  readonly #file: readonly Part[];

  /** Throws HostError `usage`. */
  constructor(template: string) {
    if (template.length > MAX_TEMPLATE) throw wrong(`is longer than ${MAX_TEMPLATE} characters`);
    const components = template.split("/").map(parse);
    const file = components.pop()!;
    if (components.length > MAX_FOLDERS) throw wrong(`has more than ${MAX_FOLDERS} folders`);
    this.#folders = components;
    const hasId = file.some((part) => "field" in part && part.field === "id");
    this.#file = hasId ? file : [...file, { text: "-" }, { field: "id" }];
  }

  /** Relative, "/" between folders, without the file's ending. */
  nameOf(described: Described): string {
    const values = valuesOf(described);
    const folders = this.#folders.map((parts) => {
      const folder = safeComponent(cutTo(parts.map((part) => textOf(part, values)).join(""), MAX_FOLDER_BYTES));
      return FILE_ENDING.test(folder) ? `${folder}_` : folder;
    });
    return [...folders, this.#stem(values)].join("/");
  }

  #stem(values: Record<Field, string>): string {
    const at = this.#file.findIndex((part) => "field" in part && part.field === "id");
    const joined = (parts: readonly Part[]): string => parts.map((part) => textOf(part, values)).join("");
    const room = MAX_STEM_BYTES - values.id.length;
    const before = cutTo(joined(this.#file.slice(0, at)), room);
    // Its first character may be a mark, which would change the id's last one.
    const after = cutTo(joined(this.#file.slice(at + 1)), room - Buffer.byteLength(before)).replace(/^\p{M}/u, "_");
    return safeComponent(`${before}${values.id}${after}`);
  }
}

function parse(component: string): Part[] {
  if (/^\.*$/.test(component.trim())) throw wrong(`has a folder without a name, or one of dots`);
  return component
    .split(/(\{[^{}]*\})/)
    .filter((piece) => piece !== "")
    .map((piece) => {
      if (piece.startsWith("{") && piece.endsWith("}")) return { field: fieldOf(piece.slice(1, -1)) };
      // Blanks at its ends stay: they stand between values.
      if (/[{}]/.test(piece) || safePiece(`x${piece}x`, MAX_TEMPLATE * 4) !== `x${piece}x`)
        throw wrong(`has characters that a file's name should not have`);
      return { text: piece };
    });
}

function fieldOf(name: string): Field {
  const field = TEMPLATE_FIELDS.find((known) => known === name);
  if (field === undefined) throw wrong(`has no field {${cutTo(safePiece(name, 40), 40)}}: there are ${fieldList()}`);
  return field;
}

function fieldList(): string {
  return TEMPLATE_FIELDS.map((field) => `{${field}}`).join(" ");
}

function wrong(what: string): HostError {
  return usageError(`--name ${what}`);
}

function textOf(part: Part, values: Record<Field, string>): string {
  return "text" in part ? part.text : values[part.field];
}

function valuesOf(described: Described): Record<Field, string> {
  const { id, agent, number, caller, tags, device, policy, purpose, retention } = described;
  const found = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)/.exec(described.startedAt) ?? [];
  const [, year = "", month = "", day = "", hour = "", minute = "", second = ""] = found;
  const raw: Record<Exclude<Field, "id">, string> = {
    date: year && `${year}-${month}-${day}`,
    time: `${hour}${minute}${second}`,
    ...{ year, month, day, hour, minute, second, agent, number, caller: caller.trim() || number },
    tag: tags[0] ?? "",
    tags: tags.join("+"),
    ...{ device, policy, purpose, retention },
  };
  const safe = Object.entries(raw).map(([field, value]) => [field, safePiece(value, MAX_VALUE_BYTES) || UNKNOWN]);
  return { id, ...Object.fromEntries(safe) };
}
