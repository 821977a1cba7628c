// The registers as files, `registers/consent.jsonl` and `registers/agents.jsonl`: one entry a line. Every change is one
// atomic replacement of the whole file under a lock of its own, so that two writers lose nothing and a reader never sees
// a half; nothing is taken out but by an erasure, a revocation is entered into the entry it ends. Lines that are no entry stay as
// they are. The service and the command line write; the engine only reads (consent/register.ts).
import {
  chownSync,
  closeSync,
  fchownSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { type Clock, isoUs, systemClock } from "../base/clock.js";
import { SidetoneError } from "../base/errors.js";
import type { TimeUs } from "../base/ids.js";
import { sha256Of } from "../base/sha256.js";
import type { NumberRules } from "../call/numbers.js";
import {
  AGENTS_REGISTER,
  type AgentEntry,
  CONSENT_REGISTER,
  type ConsentEntry,
  type EntryTimes,
  EVERY_PURPOSE,
  entryId,
  formatLine,
  identityOf,
  parseLine,
  REGISTERS_FOLDER,
  type RegisterFields,
  type RegisterFormat,
  registerKey,
  type Statement,
} from "../consent/register-line.js";
import { readRegisterLines } from "../consent/register-reader.js";
import type { AuditDetail } from "../contract/audit.js";
import { maskNumbersIn } from "../contract/number-mask.js";
import { makeFolders, syncFolder } from "./durable-file.js";
import type { ChangeTrail, WatchedFile } from "./file-change.js";
import { sha256OfFile } from "./file-hash.js";
import { FolderLock } from "./folder-lock.js";

/** What was entered, for the audit chain: holds no number, no user and no name in clear. */
export interface RegisterChange {
  register: "consent" | "agents";
  /** A new entry, or an existing one that ends: a grant withdrawn, a refusal lifted, an agreement revoked; or
   * one that was taken out because the person asked for it. */
  kind: "entered" | "revoked" | "forgotten";
  /** Id of the entry, as in the evidence of calls. */
  entry: string;
  /** The entry's other fields as they are now: purpose, effect, validFrom … or agreedAt, to, revokedAt. */
  fields: Record<string, string>;
}

export interface RegisterSettings {
  /** `<data>/registers`; made when the first entry is. */
  folder: string;
  numbers: NumberRules;
  /** The engine refuses a register beyond it, so no entry is made beyond it. */
  maxEntries: number;
  clock: Clock;
  /** Told before a register is changed; only tests have none. */
  trail?: ChangeTrail;
}

/** An entry as it is on file. */
export interface FiledEntry<Entry> extends Statement<Entry> {
  id: string;
}

/** A time, and how it is entered. */
interface Moment {
  atUs: TimeUs;
  text: string;
}

const FILE_MODE = 0o600;
/** The folder is an engine's too, which has a user of its own and reads the registers. */
const GROUP_FILE_MODE = 0o640;
const GROUP_READS = 0o040;
/** Changes that the audit chain names one by one. */
const MAX_NAMED = 20;
/** Fields that hold whatever somebody wrote. */
const FREE_TEXTS: ReadonlySet<string> = new Set(["source", "to"]);
const LOCK_TIMEOUT_MS = 10_000;
const LOCK_RETRY_MS = 10;
/** An editor that saves the file between our reading and our writing is waited for as often. */
const MAX_ATTEMPTS = 5;

/** One register's file. All methods throw SidetoneError `data-unwritable`; those that change it also `data-in-use`. */
class RegisterFile<Entry extends { revokedAt?: string }> {
  readonly #path: string;
  readonly #format: RegisterFormat<Entry>;
  readonly #settings: RegisterSettings;

  constructor(format: RegisterFormat<Entry>, settings: RegisterSettings) {
    this.#path = join(settings.folder, format.fileName);
    this.#format = format;
    this.#settings = settings;
  }

  /** Tells the entries about one number or user, however it is written. */
  about(subject: string): (entry: Entry) => boolean {
    const { numbers } = this.#settings;
    const key = registerKey(subject, numbers);
    return (entry) => registerKey(this.#format.subjectOf(entry), numbers) === key;
  }

  now(): Moment {
    const atUs = Math.floor(this.#settings.clock.nowUs());
    return { atUs, text: isoUs(atUs) };
  }

  /** Every entry, or those about one subject, in the file's order. */
  entries(subject?: string): FiledEntry<Entry>[] {
    const isWanted = subject === undefined ? () => true : this.about(subject);
    return this.#load()
      .statements.filter((filed) => filed !== undefined)
      .filter(({ entry }) => isWanted(entry))
      .map(({ entry, times }) => ({ entry, times, id: entryId(this.#format, entry) }));
  }

  /** Applies `edit`, which may be called again on a fresh image, and returns what it entered. */
  async change(edit: (image: RegisterImage<Entry>) => void): Promise<RegisterChange[]> {
    try {
      this.#makeFolder();
      const lock = await takeLock(this.#settings.folder);
      try {
        for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
          const image = this.#load();
          edit(image);
          if (image.changes.length === 0 || this.#replace(image)) return image.changes;
        }
      } finally {
        lock.release();
      }
    } catch (error) {
      throw this.#asSidetoneError(error);
    }
    throw new SidetoneError("data-in-use", `${this.#path} is being changed by another program: try again`);
  }

  #load(): RegisterImage<Entry> {
    const { maxEntries } = this.#settings;
    const image = new RegisterImage(this.#format, versionOf(this.#path));
    let overlong = 0;
    const fault = readRegisterLines(this.#path, maxEntries, (line) => {
      if (line) image.take(line);
      else overlong++;
    });
    if (fault !== "") throw new SidetoneError("data-unwritable", fault);
    if (overlong > 0)
      throw new SidetoneError(
        "data-unwritable",
        `${this.#path} holds lines that are too long to be entries: take them out`,
      );
    return image;
  }

  /** False when somebody without the lock has replaced the file meanwhile. */
  #replace(image: RegisterImage<Entry>): boolean {
    const { maxEntries, folder, trail } = this.#settings;
    if (image.lines.length > maxEntries) {
      const problem = `the ${this.#format.name} register would hold more than ${maxEntries} entries`;
      throw new SidetoneError("data-unwritable", `${problem}: raise consent.register.maxEntries`);
    }
    this.#removeLeftovers();
    const temporary = `${this.#path}.${process.pid}.partial`;
    const bytes = Buffer.concat(image.lines.flatMap((line) => [line, NEWLINE]));
    const descriptor = openSync(temporary, "wx", modeIn(folder));
    try {
      giveToOwnerOf(folder, (uid, gid) => fchownSync(descriptor, uid, gid));
      writeFileSync(descriptor, bytes);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    try {
      const intent = trail?.intend({
        file: `${REGISTERS_FOLDER}/${this.#format.fileName}` as WatchedFile,
        before: sha256OfFile(this.#path),
        after: sha256Of(bytes),
        detail: describeChanges(image.changes),
      });
      if (versionOf(this.#path) !== image.version) {
        intent?.withdraw();
        return false;
      }
      try {
        renameSync(temporary, this.#path);
      } catch (error) {
        intent?.withdraw();
        throw error;
      }
      syncFolder(folder);
      intent?.confirm();
      return true;
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  /** Of writers that were killed: the holder of the lock alone has files of the register, takers have files of the lock. */
  #removeLeftovers(): void {
    const { folder } = this.#settings;
    for (const name of readdirSync(folder)) {
      const isOwn = name.startsWith(`${this.#format.fileName}.`) && name.endsWith(".partial");
      const taker = /^lock\.(\d+)\.partial$/.exec(name)?.[1];
      if (isOwn || (taker !== undefined && !isAlive(Number(taker)))) rmSync(join(folder, name), { force: true });
    }
  }

  #makeFolder(): void {
    const { folder } = this.#settings;
    if (versionOf(folder) !== "") return;
    makeFolders(folder);
    giveToOwnerOf(dirname(folder), (uid, gid) => chownSync(folder, uid, gid));
  }

  #asSidetoneError(error: unknown): unknown {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof SidetoneError || code === undefined) return error;
    return new SidetoneError("data-unwritable", `${this.#path} cannot be written: ${code}`, { cause: error });
  }
}

const NEWLINE = Buffer.from("\n");

/** The file's content while it is being changed. */
class RegisterImage<Entry extends { revokedAt?: string }> {
  /** What the file was when it was read. */
  readonly version: string;
  readonly changes: RegisterChange[] = [];
  readonly lines: Buffer[] = [];
  /** By line; undefined for one that is no entry. */
  readonly statements: (Statement<Entry> | undefined)[] = [];
  readonly #format: RegisterFormat<Entry>;
  readonly #byIdentity = new Map<string, number>();

  constructor(format: RegisterFormat<Entry>, version: string) {
    this.#format = format;
    this.version = version;
  }

  /** A line of the file, whose bytes are another's. */
  take(line: Buffer): void {
    const checked = parseLine(this.#format, line.toString("utf8"));
    this.lines.push(Buffer.from(line));
    this.statements.push(checked.ok ? checked.statement : undefined);
    if (checked.ok) this.#byIdentity.set(identityOf(this.#format, checked.statement.entry), this.lines.length - 1);
  }

  /**
   * Adds the statement. What is on file already is not entered again; of two revocations of it the earlier one counts,
   * and none is taken back, so that an old list can be read again without undoing what has been revoked since.
   */
  enter(statement: Statement<Entry>): void {
    const identity = identityOf(this.#format, statement.entry);
    const at = this.#byIdentity.get(identity);
    if (at !== undefined) {
      const isEarlier = statement.times.revokedUs < this.statements[at]!.times.revokedUs;
      if (isEarlier) this.#revokeAt(at, { atUs: statement.times.revokedUs, text: statement.entry.revokedAt! });
      return;
    }
    this.#byIdentity.set(identity, this.lines.length);
    this.lines.push(Buffer.from(formatLine(this.#format, statement.entry), "utf8"));
    this.statements.push(statement);
    this.#note("entered", statement.entry);
  }

  /** Revokes every entry that `concerns` holds for and that has not ended by then. */
  revoke(moment: Moment, concerns: (entry: Entry) => boolean): void {
    this.statements.forEach((statement, at) => {
      if (statement && !hasEnded(statement.times, moment.atUs) && concerns(statement.entry)) this.#revokeAt(at, moment);
    });
  }

  /** Takes entries out as if they had never been there. */
  forget(concerns: (statement: Statement<Entry>) => boolean): void {
    for (let at = this.lines.length - 1; at >= 0; at--) {
      const statement = this.statements[at];
      if (statement === undefined || !concerns(statement)) continue;
      this.#note("forgotten", statement.entry);
      this.lines.splice(at, 1);
      this.statements.splice(at, 1);
    }
    this.#byIdentity.clear();
    this.statements.forEach((filed, at) => {
      if (filed) this.#byIdentity.set(identityOf(this.#format, filed.entry), at);
    });
  }

  #revokeAt(at: number, { atUs, text }: Moment): void {
    const { entry, times } = this.statements[at]!;
    const revoked = { ...entry, revokedAt: text };
    this.statements[at] = { entry: revoked, times: { ...times, revokedUs: atUs } };
    this.lines[at] = Buffer.from(formatLine(this.#format, revoked), "utf8");
    this.#note("revoked", revoked);
  }

  #note(kind: RegisterChange["kind"], entry: Entry): void {
    const all = this.#format.columns.map(({ name }) => [name, (entry as RegisterFields)[name]] as const);
    this.changes.push({
      register: this.#format.name,
      kind,
      entry: entryId(this.#format, entry),
      // The first column is the subject.
      fields: Object.fromEntries(all.slice(1).filter((pair): pair is [string, string] => pair[1] !== undefined)),
    });
  }
}

export class ConsentRegisterFile {
  readonly #file: RegisterFile<ConsentEntry>;

  constructor(settings: RegisterSettings) {
    this.#file = new RegisterFile(CONSENT_REGISTER, settings);
  }

  /** Every entry, or those about one number, in the order of entering. */
  entries(number?: string): FiledEntry<ConsentEntry>[] {
    return this.#file.entries(number);
  }

  /**
   * Enters statements, all or none. Each stands beside what is there; with `liftsRefusals` a grant ends the refusals
   * that would beat it, those for every purpose included.
   */
  enter(
    statements: readonly Statement<ConsentEntry>[],
    options: { liftsRefusals?: boolean } = {},
  ): Promise<RegisterChange[]> {
    const now = this.#file.now();
    return this.#file.change((image) => {
      for (const statement of statements) {
        const { entry } = statement;
        if (options.liftsRefusals && entry.effect === "granted") {
          const isAbout = this.#file.about(entry.number);
          image.revoke(now, (filed) => beats(filed, entry) && isAbout(filed));
        }
        image.enter(statement);
      }
    });
  }

  /**
   * From now on the number refuses for the purpose, or for EVERY_PURPOSE: its grants end, and a refusal is entered that
   * names the source. Nothing changes when that is on file already. Throws SidetoneError `usage` for what is no entry.
   */
  async revoke(number: string, purpose: string, source: string): Promise<RegisterChange[]> {
    const now = this.#file.now();
    const refusal = checkedRefusal(number, purpose, source, now);
    const isAbout = this.#file.about(number);
    return this.#file.change((image) => {
      image.revoke(
        now,
        (entry) => entry.effect === "granted" && [entry.purpose, EVERY_PURPOSE].includes(purpose) && isAbout(entry),
      );
      const stands = image.statements.some(
        (filed) =>
          filed && isForGood(filed.times, now.atUs) && beats(filed.entry, refusal.entry) && isAbout(filed.entry),
      );
      if (!stands) image.enter(refusal);
    });
  }

  /**
   * Takes out what is on file about the number; refusals in force stay unless `refusalsToo`: without them the person would be
   * recorded again. One "forgotten" for each entry.
   */
  forget(number: string, { refusalsToo = false } = {}): Promise<RegisterChange[]> {
    const now = this.#file.now();
    const isAbout = this.#file.about(number);
    return this.#file.change((image) =>
      image.forget(({ entry, times }) => {
        const stays = entry.effect === "refused" && !hasEnded(times, now.atUs) && !refusalsToo;
        return isAbout(entry) && !stays;
      }),
    );
  }
}

export class AgentsRegisterFile {
  readonly #file: RegisterFile<AgentEntry>;

  constructor(settings: RegisterSettings) {
    this.#file = new RegisterFile(AGENTS_REGISTER, settings);
  }

  /** Every entry, or those about one agent, in the order of entering. */
  entries(agent?: string): FiledEntry<AgentEntry>[] {
    return this.#file.entries(agent);
  }

  /** Enters statements, all or none. */
  enter(statements: readonly Statement<AgentEntry>[]): Promise<RegisterChange[]> {
    return this.#file.change((image) => {
      for (const statement of statements) image.enter(statement);
    });
  }

  /** From now on nothing that the agent has agreed to is in force. */
  revoke(agent: string): Promise<RegisterChange[]> {
    const now = this.#file.now();
    return this.#file.change((image) => image.revoke(now, this.#file.about(agent)));
  }
}

/** Of more changes than are named only the first, and the hash of all entries' ids, one a line. */
function describeChanges(changes: readonly RegisterChange[]): AuditDetail {
  const count = (wanted: RegisterChange["kind"]): number => changes.filter(({ kind }) => kind === wanted).length;
  const ids = changes.map(({ entry }) => entry).join("\n");
  return {
    entered: count("entered"),
    revoked: count("revoked"),
    ...(count("forgotten") > 0 && { forgotten: count("forgotten") }),
    entries: changes.slice(0, MAX_NAMED).map(({ kind, entry, fields }) => ({
      done: kind,
      entry,
      ...(kind === "forgotten" ? {} : masked(fields)),
    })),
    ...(changes.length > MAX_NAMED && { entriesSha256: sha256Of(ids) }),
  };
}

/** What somebody wrote may have numbers in it; dates have none that is long enough. */
function masked(fields: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, text]) => [name, FREE_TEXTS.has(name) ? maskNumbersIn(text) : text]),
  );
}

/** Throws SidetoneError `usage` when a field is not in order. */
function checkedRefusal(number: string, purpose: string, source: string, now: Moment): Statement<ConsentEntry> {
  const checked = CONSENT_REGISTER.check({ number, purpose, effect: "refused", validFrom: now.text, source });
  if (!checked.ok) throw new SidetoneError("usage", checked.problem);
  return checked.statement;
}

/** Is it a refusal for the other one's purpose? */
function beats(entry: ConsentEntry, other: ConsentEntry): boolean {
  return entry.effect === "refused" && (entry.purpose === EVERY_PURPOSE || entry.purpose === other.purpose);
}

function hasEnded({ toUs, revokedUs }: EntryTimes, atUs: number): boolean {
  return toUs <= atUs || revokedUs <= atUs;
}

/** In force at the moment, and nothing says that it will end. */
function isForGood({ fromUs, toUs, revokedUs }: EntryTimes, atUs: number): boolean {
  return fromUs <= atUs && toUs === Number.POSITIVE_INFINITY && revokedUs === Number.POSITIVE_INFINITY;
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

async function takeLock(folder: string): Promise<FolderLock> {
  const deadlineMs = systemClock.monotonicMs() + LOCK_TIMEOUT_MS;
  for (;;) {
    try {
      return FolderLock.take(folder);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // A lock of root's cannot be read by the service.
      if (code !== "data-in-use" && code !== "EACCES") throw error;
      if (systemClock.monotonicMs() > deadlineMs)
        throw new SidetoneError("data-in-use", `${folder} is locked by another sidetoned (${join(folder, "lock")})`);
    }
    await wait(LOCK_RETRY_MS + Math.random() * LOCK_RETRY_MS);
  }
}

/** Changes when the file is replaced or written to; "" when there is none. */
function versionOf(path: string): string {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats ? `${stats.ino} ${stats.size} ${stats.mtimeNs}` : "";
}

function modeIn(folder: string): number {
  return (statSync(folder).mode & GROUP_READS) === 0 ? FILE_MODE : GROUP_FILE_MODE;
}

/** What root makes in another's folder is that other's: the service that reads it may run as somebody else. */
function giveToOwnerOf(folder: string, give: (uid: number, gid: number) => void): void {
  const { uid, gid } = statSync(folder);
  if (process.getuid?.() === 0 && uid !== 0) give(uid, gid);
}
