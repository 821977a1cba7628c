// The configuration file: reads at most 1 MiB, YAML 1.2 with the core schema, and knows on which line each setting
// stands. Refuses what would cost the YAML library more than its size is worth, duplicate keys and tags. Never looks
// at what the settings mean.
import { closeSync, openSync, readSync } from "node:fs";
import { createRequire } from "node:module";
import type { Document, LineCounter as Lines, Node } from "yaml";
import { SidetoneError } from "../base/errors.js";
import { changeSetting, type SettingChange } from "./document-change.js";
import { type Place, ProblemList, showKey } from "./problems.js";

// Not imported: for an import Node goes through all of the library's files in search of their exports, which takes as much
// processor time as a third of the program's start.
const { CST, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, parseDocument } = createRequire(import.meta.url)(
  "yaml",
) as typeof import("yaml");

export const MAXIMUM_FILE_BYTES = 1024 * 1024;
/** Also the number of aliases that the library resolves, each of which searches all anchors before it. */
const MAXIMUM_ALIASES = 100;
/** The library recurses per level and would end the process; the schema needs six levels. */
const MAXIMUM_FLOW_DEPTH = 32;
const MAXIMUM_INDENT = 128;
const MAXIMUM_INDICATORS_PER_LINE = 8;
/** Words and signs. The library needs up to 1.5 kB and 12 µs for each one that is out of place. */
const MAXIMUM_TOKENS = 300_000;

type Path = readonly PropertyKey[];

export class ConfigFile {
  readonly name: string;
  readonly #document: Document;
  readonly #lines: Lines;

  private constructor(name: string, document: Document, lines: Lines) {
    this.name = name;
    this.#document = document;
    this.#lines = lines;
  }

  /** Throws SidetoneError config-unreadable with one line per problem. */
  static read(path: string): ConfigFile {
    return ConfigFile.parse(readConfigText(path), path);
  }

  static parse(text: string, name: string): ConfigFile {
    const fault = excess(text);
    if (fault !== "") throw new SidetoneError("config-unreadable", `${name}: ${fault}`);
    const lines = new LineCounter();
    const document = parseDocument(text, {
      version: "1.2",
      schema: "core",
      stringKeys: true,
      // The library compares each key with every other one; `duplicateKeys` does not.
      uniqueKeys: false,
      prettyErrors: false,
      // "silent" would also keep a second document to itself.
      logLevel: "error",
      lineCounter: lines,
    });
    const problems = new ProblemList();
    for (const error of [...document.errors, ...document.warnings]) {
      const { line } = lines.linePos(error.pos[0]);
      problems.add(
        () => ({ label: `${name}:${line}`, line }),
        () => `not valid YAML: ${oneLine(error.message)}`,
      );
    }
    problems.throwIfAny("config-unreadable");
    const file = new ConfigFile(name, document, lines);
    file.#refuseDuplicateKeys();
    return file;
  }

  /** The file as plain values; null when it is empty. */
  toValues(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: MAXIMUM_ALIASES });
    } catch (cause) {
      // A ReferenceError of the library: unresolved, recursive or multiplying aliases.
      const reason = oneLine(cause instanceof Error ? cause.message : String(cause));
      throw new SidetoneError("config-unreadable", `${this.name}: aliases cannot be resolved: ${reason}`, { cause });
    }
  }

  /**
   * The file's text with other settings in it, comments and order as they were; this is of no use afterwards. Throws
   * ChangeRefused where a setting stands in a form that cannot be changed.
   */
  changed(changes: readonly SettingChange[]): string {
    for (const change of changes) changeSetting(this.#document, change);
    return this.#document.toString({ lineWidth: 0 });
  }

  /** Where the value (or, if it has none, its nearest parent) stands. */
  placeOf(path: Path): Place {
    return this.#place(this.#find(path).offset);
  }

  /** The scalar as it is written, "" when there is none: 0301 is the number 301 to YAML. */
  sourceOf(path: Path): string {
    const { node } = this.#find(path);
    return isScalar(node) && typeof node.source === "string" ? node.source : "";
  }

  #find(path: Path): { node: Node | undefined; offset: number } {
    let node = this.#resolve(this.#document.contents);
    let offset = node?.range?.[0] ?? 0;
    for (const key of path) {
      let next: unknown;
      if (isMap(node)) {
        const pair = node.items.find((item) => keyText(item.key) === String(key));
        if (!pair) return { node: undefined, offset };
        offset = (pair.key as Node).range?.[0] ?? offset;
        next = pair.value;
      } else if (isSeq(node)) {
        next = node.items[Number(key)];
        if (next === undefined) return { node: undefined, offset };
        offset = (next as Node).range?.[0] ?? offset;
      }
      node = this.#resolve(next);
    }
    return { node, offset };
  }

  #resolve(node: unknown): Node | undefined {
    if (isAlias(node)) return node.resolve(this.#document);
    return (node ?? undefined) as Node | undefined;
  }

  #place(offset: number): Place {
    const { line } = this.#lines.linePos(offset);
    return { label: `${this.name}:${line}`, line };
  }

  #refuseDuplicateKeys(): void {
    const problems = new ProblemList();
    const visit = (node: unknown): void => {
      if (isSeq(node)) for (const item of node.items) visit(item);
      if (!isMap(node)) return;
      const seen = new Map<string, number>();
      for (const { key, value } of node.items) {
        const text = keyText(key);
        const offset = (key as Node).range?.[0] ?? 0;
        const first = seen.get(text);
        if (first === undefined) seen.set(text, offset);
        else
          problems.add(
            () => this.#place(offset),
            () => `${showKey(text)}: given twice, first on line ${this.#place(first).line}`,
          );
        visit(value);
      }
    };
    visit(this.#document.contents);
    problems.throwIfAny("config-unreadable");
  }
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim().slice(0, 200);
}

/** Why the text is more than a configuration can be, or "". Linear, without recursion. */
function excess(text: string): string {
  let tokens = 0;
  let aliases = 0;
  let flowDepth = 0;
  let indicators = 0;
  let indent = 0;
  let isLineStart = true;
  for (const source of new Lexer().lex(text)) {
    if (++tokens > MAXIMUM_TOKENS) return `more than ${MAXIMUM_TOKENS} words and signs`;
    const type = CST.tokenType(source);
    if (type === "alias" && ++aliases > MAXIMUM_ALIASES) return `more than ${MAXIMUM_ALIASES} aliases (*name)`;
    if (type === "flow-map-start" || type === "flow-seq-start") flowDepth++;
    else if (type === "flow-map-end" || type === "flow-seq-end") flowDepth--;
    else if (type === "newline") {
      indicators = 0;
      indent = 0;
    } else if (type === "space" && isLineStart) indent = source.length;
    else if (flowDepth <= 0 && isIndicator(type)) indicators++;
    isLineStart = type === "newline";
    const isDeep = indicators > MAXIMUM_INDICATORS_PER_LINE || (indicators > 0 && indent > MAXIMUM_INDENT);
    if (isDeep || flowDepth > MAXIMUM_FLOW_DEPTH) return "nested more deeply than any setting";
  }
  return "";
}

function isIndicator(type: string | null): boolean {
  return type === "seq-item-ind" || type === "map-value-ind" || type === "explicit-key-ind";
}

/**
 * UTF-8 text of a file, a pipe or a device, of which at most MAXIMUM_FILE_BYTES + 1 bytes are read. Throws SidetoneError
 * config-unreadable.
 */
export function readConfigText(path: string): string {
  const buffer = Buffer.allocUnsafe(MAXIMUM_FILE_BYTES + 1);
  let length = 0;
  try {
    const descriptor = openSync(path, "r");
    try {
      for (let read = -1; read !== 0 && length < buffer.length; length += read) {
        read = readSync(descriptor, buffer, length, buffer.length - length, null);
      }
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw new SidetoneError("config-unreadable", `${path}: ${readFault(cause)}`, { cause });
  }
  if (length > MAXIMUM_FILE_BYTES) {
    throw new SidetoneError("config-unreadable", `${path}: larger than ${MAXIMUM_FILE_BYTES} bytes`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(buffer.subarray(0, length));
  } catch (cause) {
    throw new SidetoneError("config-unreadable", `${path}: not UTF-8 text`, { cause });
  }
}

function readFault(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "no such file; give another one with --config";
  if (code === "EACCES" || code === "EPERM") return "this user may not read it";
  if (code === "EISDIR") return "is a folder, not a file";
  return `cannot be read (${code ?? oneLine(String(cause))})`;
}
