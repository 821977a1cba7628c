// `sidetoned register` carried out: looks into the consent register and the agents' register, imports and exports them,
// enters and revokes single entries; beside a running service or without one. What an entry may hold and what counts is
// consent/'s, the files are store/register-file.ts's.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, isoUs, systemClock } from "../base/clock.js";
import { EXIT, type ExitCode, type SidetoneError } from "../base/errors.js";
import { ConsentRegister } from "../consent/register.js";
import {
  AGENTS_REGISTER,
  type AgentEntry,
  CONSENT_REGISTER,
  type ConsentEntry,
  type EntryTimes,
  EVERY_PURPOSE,
  isInForce,
  REGISTERS_FOLDER,
  type RegisterFields,
  type RegisterFormat,
  type Statement,
} from "../consent/register-line.js";
import type { Config } from "../contract/config.js";
import { collapseWhiteSpace, shorten } from "../sip/text.js";
import type { ChangeTrail } from "../store/file-change.js";
import { formatRegisterCsv, MAX_CSV_BYTES, parseRegisterCsv } from "../store/register-csv.js";
import {
  AgentsRegisterFile,
  ConsentRegisterFile,
  type FiledEntry,
  type RegisterChange,
  type RegisterSettings,
} from "../store/register-file.js";
import { printable, usage } from "./command-flags.js";
import type { AgentsAction, ConsentAction, GrantAction, RegisterCommand, RevokeAction } from "./register-arguments.js";
import { type Column, formatTable, plainLine } from "./table.js";

export { parseRegisterCommand } from "./register-arguments.js";

export interface RegisterIo {
  stdin: AsyncIterable<Uint8Array | string>;
  stdout: { write(text: string): unknown };
}

/**
 * Carries the command out; what it has to say goes to `io.stdout`. EXIT.usage when nothing was changed because of what
 * was given (rows that are no entries, an agent who is not there). Throws SidetoneError for what is unreadable,
 * unwritable or in use.
 */
export async function runRegisterCommand(
  command: RegisterCommand,
  dataFolder: string,
  config: Config,
  io: RegisterIo,
  { clock = systemClock, trail }: { clock?: Clock; trail?: ChangeTrail } = {},
): Promise<ExitCode> {
  const settings: RegisterSettings = {
    folder: join(dataFolder, REGISTERS_FOLDER),
    numbers: config.numbers,
    maxEntries: config.consent.register.maxEntries,
    clock,
    ...(trail && { trail }),
  };
  const say = (line: string): void => {
    io.stdout.write(`${plainLine(line)}\n`);
  };
  if (command.register === "agents") return new AgentsCommand(settings, io, say).run(command);
  return new ConsentCommand(settings, config, io, say).run(command);
}

class ConsentCommand {
  readonly #settings: RegisterSettings;
  readonly #config: Config;
  readonly #io: RegisterIo;
  readonly #say: (line: string) => void;
  readonly #file: ConsentRegisterFile;

  constructor(settings: RegisterSettings, config: Config, io: RegisterIo, say: (line: string) => void) {
    this.#settings = settings;
    this.#config = config;
    this.#io = io;
    this.#say = say;
    this.#file = new ConsentRegisterFile(settings);
  }

  async run(command: ConsentAction): Promise<ExitCode> {
    switch (command.verb) {
      case "import":
        return this.#import(command.file);
      case "export":
        return exportTo(command.file, formatRegisterCsv(CONSENT_REGISTER, entriesOf(this.#file.entries())), this.#io);
      case "list":
        return this.#list(command.subject);
      case "grant":
        return this.#grant(command);
      case "revoke":
        return this.#revoke(command);
    }
  }

  async #import(file: string): Promise<ExitCode> {
    const statements = await readImport(file, CONSENT_REGISTER, this.#settings, this.#io, this.#say);
    if (statements === undefined) return EXIT.usage;
    const changes = await this.#file.enter(statements);
    this.#say(describeImport(changes, statements.length));
    const grants = statements.filter(({ entry }) => entry.effect === "granted");
    const outweighed = this.#outweighed(grants);
    if (outweighed > 0)
      this.#say(`${outweighed} of the grants do not count: a refusal or a revocation stands against them`);
    for (const purpose of new Set(grants.map(({ entry }) => entry.purpose))) this.#sayUnlessInUse(purpose);
    return EXIT.ok;
  }

  #list(number: string | undefined): ExitCode {
    const filed = this.#file.entries(number);
    const register = this.#read();
    const nowUs = this.#settings.clock.nowUs();
    const rows = filed.map(({ entry, times, id }) => {
      const state = stateOf(times, nowUs);
      const counts = state !== "in force" || entry.effect === "refused" || isGranted(register, entry, nowUs);
      return [
        id,
        entry.number,
        entry.purpose,
        entry.effect,
        entry.validFrom,
        entry.validTo ?? "",
        entry.revokedAt ?? "",
        counts ? state : "outweighed",
        cell(entry.source),
      ];
    });
    const titles = ["entry", "number", "purpose", "effect", "valid from", "valid to", "revoked", "now", "source"];
    printTable(titles, rows, this.#say);
    return EXIT.ok;
  }

  async #grant(command: GrantAction): Promise<ExitCode> {
    const { number, purpose, source, from, to, lifts } = command;
    const validFrom = from ?? isoUs(this.#settings.clock.nowUs());
    const statement = checked(CONSENT_REGISTER, { number, purpose, effect: "granted", validFrom, validTo: to, source });
    const changes = await this.#file.enter([statement], { liftsRefusals: lifts });
    for (const change of changes) this.#say(describeChange(change));
    if (changes.length === 0) this.#say("on file already: nothing was changed");
    if (this.#outweighed([statement]) > 0)
      this.#say("it does not count: a refusal stands against it (--lift ends it), or a revocation that is newer");
    this.#sayUnlessInUse(purpose);
    return EXIT.ok;
  }

  async #revoke(command: RevokeAction): Promise<ExitCode> {
    const { number, purpose = EVERY_PURPOSE, source } = command;
    const changes = await this.#file.revoke(number, purpose, source);
    for (const change of changes) this.#say(describeChange(change));
    if (changes.length === 0) this.#say("refused already: nothing was changed");
    if (purpose !== EVERY_PURPOSE) this.#sayUnlessInUse(purpose);
    return EXIT.ok;
  }

  #read(): ConsentRegister {
    const { folder, numbers, maxEntries } = this.#settings;
    return ConsentRegister.read(folder, numbers, { maxEntries });
  }

  /** How many of the grants are in force and yet do not grant. */
  #outweighed(grants: readonly Statement<ConsentEntry>[]): number {
    if (grants.length === 0) return 0;
    const register = this.#read();
    const nowUs = this.#settings.clock.nowUs();
    return grants.filter(({ entry, times }) => isInForce(times, nowUs) && !isGranted(register, entry, nowUs)).length;
  }

  #sayUnlessInUse(purpose: string): void {
    const { consent } = this.#config;
    const inUse = [consent.purpose, ...consent.rules.map((rule) => rule.purpose)].filter((name) => name !== "");
    if (inUse.includes(purpose)) return;
    const names = [...new Set(inUse)].join(", ");
    this.#say(`no call is recorded for the purpose ${purpose}: consent.purpose and consent.rules name ${names}`);
  }
}

class AgentsCommand {
  readonly #settings: RegisterSettings;
  readonly #io: RegisterIo;
  readonly #say: (line: string) => void;
  readonly #file: AgentsRegisterFile;

  constructor(settings: RegisterSettings, io: RegisterIo, say: (line: string) => void) {
    this.#settings = settings;
    this.#io = io;
    this.#say = say;
    this.#file = new AgentsRegisterFile(settings);
  }

  async run(command: AgentsAction): Promise<ExitCode> {
    switch (command.verb) {
      case "import": {
        const statements = await readImport(command.file, AGENTS_REGISTER, this.#settings, this.#io, this.#say);
        if (statements === undefined) return EXIT.usage;
        this.#say(describeImport(await this.#file.enter(statements), statements.length));
        return EXIT.ok;
      }
      case "export":
        return exportTo(command.file, formatRegisterCsv(AGENTS_REGISTER, entriesOf(this.#file.entries())), this.#io);
      case "list":
        this.#list(this.#file.entries(command.subject));
        return EXIT.ok;
      case "agree": {
        const { agent, to } = command;
        const agreedAt = isoUs(this.#settings.clock.nowUs());
        const changes = await this.#file.enter([checked(AGENTS_REGISTER, { agent, to, agreedAt })]);
        for (const change of changes) this.#say(describeChange(change));
        return EXIT.ok;
      }
      case "revoke": {
        const changes = await this.#file.revoke(command.agent);
        for (const change of changes) this.#say(describeChange(change));
        if (changes.length > 0) return EXIT.ok;
        this.#say("this agent has no agreement that could be revoked: nothing was changed");
        return EXIT.usage;
      }
    }
  }

  #list(filed: readonly FiledEntry<AgentEntry>[]): void {
    const nowUs = this.#settings.clock.nowUs();
    const rows = filed.map(({ entry, times, id }) => [
      id,
      entry.agent,
      entry.agreedAt,
      entry.revokedAt ?? "",
      stateOf(times, nowUs),
      cell(entry.to),
    ]);
    printTable(["entry", "agent", "agreed", "revoked", "now", "to"], rows, this.#say);
  }
}

/** The statements of a CSV file; undefined when it holds a bad row, which was said. */
async function readImport<Entry extends object>(
  file: string,
  format: RegisterFormat<Entry>,
  settings: RegisterSettings,
  io: RegisterIo,
  say: (line: string) => void,
): Promise<Statement<Entry>[] | undefined> {
  const bytes = file === "-" ? await readStream(io.stdin) : readImportFile(file);
  const parsed = parseRegisterCsv(bytes, format, settings.maxEntries);
  if (parsed.ok) return parsed.statements;
  for (const problem of parsed.problems) say(problem);
  const more = parsed.count - parsed.problems.length;
  if (more > 0) say(`and ${more} more`);
  say(`nothing was imported: ${counted(parsed.count, "problem")} in ${file === "-" ? "standard input" : file}`);
  return undefined;
}

function readImportFile(file: string): Buffer {
  try {
    if (statSync(file).size <= MAX_CSV_BYTES) return readFileSync(file);
  } catch (error) {
    throw usage(`${printable(file)} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  throw tooLarge(printable(file));
}

async function readStream(stream: RegisterIo["stdin"]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(Buffer.from(chunk as Uint8Array));
    bytes += chunks.at(-1)!.length;
    if (bytes > MAX_CSV_BYTES) throw tooLarge("standard input");
  }
  return Buffer.concat(chunks);
}

function tooLarge(what: string): SidetoneError {
  return usage(`${what} is larger than ${MAX_CSV_BYTES >> 20} MiB: import it in parts`);
}

function exportTo(file: string, text: string, io: RegisterIo): ExitCode {
  if (file === "-") {
    io.stdout.write(text);
    return EXIT.ok;
  }
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (error) {
    throw usage(`${printable(file)} cannot be written: ${(error as NodeJS.ErrnoException).code}`);
  }
  return EXIT.ok;
}

function* entriesOf<Entry>(filed: readonly FiledEntry<Entry>[]): Generator<Entry> {
  for (const { entry } of filed) yield entry;
}

function checked<Entry extends object>(format: RegisterFormat<Entry>, fields: RegisterFields): Statement<Entry> {
  const result = format.check(fields);
  if (!result.ok) throw usage(result.problem);
  return result.statement;
}

function isGranted(register: ConsentRegister, entry: ConsentEntry, atUs: number): boolean {
  return register.lookUp({ user: entry.number, number: "" }, entry.purpose, atUs)?.effect === "granted";
}

function stateOf(times: EntryTimes, nowUs: number): string {
  if (times.revokedUs <= nowUs) return "revoked";
  if (times.toUs <= nowUs) return "ended";
  return times.fromUs <= nowUs ? "in force" : "not yet";
}

function describeImport(changes: readonly RegisterChange[], rows: number): string {
  const entered = changes.filter(({ kind }) => kind === "entered").length;
  const revoked = changes.length - entered;
  const there = rows - changes.length;
  return `${counted(rows, "row")}: ${entered} entered, ${revoked} revoked, ${there} on file already`;
}

/** "entered 3f2a…: granted for recording, web" */
function describeChange({ kind, entry, fields }: RegisterChange): string {
  const purpose = fields.purpose === EVERY_PURPOSE ? "every purpose" : fields.purpose;
  const what = fields.effect === undefined ? fields.to! : `${fields.effect} for ${purpose}, ${fields.source}`;
  return `${kind} ${entry}: ${cell(what)}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function printTable(titles: readonly string[], rows: readonly string[][], say: (line: string) => void): void {
  if (rows.length === 0) {
    say("no entries");
    return;
  }
  const columns = titles.map((title): Column => ({ title, align: "left" }));
  for (const line of formatTable(columns, rows)) say(line);
}

const MAX_CELL_CHARACTERS = 60;

function cell(text: string): string {
  const line = collapseWhiteSpace(text);
  return line.length > MAX_CELL_CHARACTERS ? `${shorten(line, MAX_CELL_CHARACTERS - 2)}..` : line;
}
