// Reads the audit chain of a copied folder and keeps what it says of other files. Entries count from 1 without gaps; each names
// the SHA-256 of the line before; head.json names the newest.
import type { KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sha256Of } from "../../device/base/sha256.js";
import { readLines } from "./files.js";
import type { Report } from "./report.js";
import { type JsonObject, readSigned, readSignedFile, text } from "./signed-json.js";

export interface Said {
  seq: number;
  at: string;
  /** Of the recording it is about, "" = of none. */
  id: string;
}

/** Of a call log: what its first `bytes` bytes hash to. */
export interface Prefix extends Said {
  bytes: number;
  sha256: string;
}

export class AuditLog {
  /** By SHA-256 of the manifest, of the tombstone. */
  readonly recorded = new Map<string, Said>();
  readonly deleted = new Map<string, Said>();
  /** By SHA-256 of the note's line, with whether it was taken away again. */
  readonly noted = new Map<string, Said & { isRemoved: boolean }>();
  /** By file: the hash of all of it, as said last. */
  readonly wholes = new Map<string, Said & { sha256: string }>();
  /** By call log. */
  readonly prefixes = new Map<string, Prefix[]>();
  /** By run that was put aside: the hash of its list, "" = it is gone, undefined = by an earlier version. */
  readonly locked = new Map<string, Said & { sha256: string | undefined }>();
  /** Hashes of the configuration's trail, the last two. */
  readonly trails: string[] = [];
  /** Of entries that are asked for by their number: what the line hashes to. */
  readonly hashes = new Map<number, string>();
  lastSeq = 0;
  entries = 0;
  lost = 0;
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  /** `files`: of the chain, below `root`, the oldest first. */
  read(
    root: string,
    files: readonly string[],
    key: KeyObject,
    { isOpen, hasRecordings, wanted }: { isOpen: boolean; hasRecordings: boolean; wanted: ReadonlySet<number> },
  ): void {
    const head = this.#readHead(root, key, hasRecordings || files.length > 0);
    let expected = 1;
    /** "?" = any, because what stands before it is not what it was. */
    let previous = "";
    let place = files.at(-1) ?? `audit/${head.month}.jsonl`;
    for (const file of files) {
      let number = 0;
      for (const { line, isWhole } of readLines(join(root, file))) {
        number++;
        place = file;
        if (!isWhole) {
          if (isOpen)
            this.#report.leaveOut(`${file}: ${line.length} bytes behind the last whole entry: torn, or being written`);
          else
            this.#report.find(
              "added",
              file,
              `${line.length} bytes behind the last whole entry`,
              `after entry ${expected - 1}`,
            );
          continue;
        }
        const entry = readSigned(line, key);
        const seq = Number(entry?.["seq"]);
        if (entry === undefined || text(entry, "schema") !== "sidetone.audit/1" || !Number.isSafeInteger(seq)) {
          this.#report.find(
            "changed",
            file,
            `line ${number} is not what the box has signed`,
            around(expected, expected),
          );
          expected++;
          previous = "?";
          continue;
        }
        if (seq < expected) {
          this.#report.find(
            "misplaced",
            file,
            `line ${number} is entry ${seq} once more, or too late`,
            around(expected, expected),
          );
          continue;
        }
        if (seq > expected)
          this.#report.find("missing", file, `entries ${expected} to ${seq - 1}`, around(expected, seq - 1));
        else if (previous !== "?" && text(entry, "previous") !== previous)
          this.#report.find("unlinked", file, `entry ${seq} does not follow the one before it`, around(seq, seq));
        expected = seq + 1;
        previous = sha256Of(line);
        this.entries++;
        this.lastSeq = seq;
        if (wanted.has(seq)) this.hashes.set(seq, previous);
        this.#take(entry, seq);
        if (seq === head.seq && previous !== head.sha256)
          this.#report.find("changed", "audit/head.json", `it names another entry ${seq}`);
      }
    }
    if (head.seq >= expected)
      this.#report.find(
        "truncated",
        place,
        `entries ${expected} to ${head.seq} are cut off`,
        `after entry ${expected - 1}`,
      );
    if (!isOpen && head.seq > 0 && head.seq < expected - 1)
      this.#report.find(
        "changed",
        "audit/head.json",
        `it names entry ${head.seq}, the chain ends with ${expected - 1}`,
      );
  }

  #readHead(root: string, key: KeyObject, isExpected: boolean): { seq: number; sha256: string; month: string } {
    const file = "audit/head.json";
    const none = { seq: 0, sha256: "", month: "" };
    let bytes: Buffer;
    try {
      bytes = readFileSync(join(root, file));
    } catch {
      if (isExpected) this.#report.find("missing", file, "the head of the audit chain");
      return none;
    }
    const head = readSignedFile(bytes, key);
    if (text(head, "schema") !== "sidetone.audit-head/1") {
      this.#report.find("changed", file, "it is not what the box has signed");
      return none;
    }
    return { seq: Number(head!["seq"]), sha256: text(head, "sha256"), month: text(head, "at").slice(0, 7) };
  }

  #take(entry: JsonObject, seq: number): void {
    const detail = (entry["detail"] ?? {}) as JsonObject;
    const said = { seq, at: text(entry, "at"), id: text(entry, "call") };
    switch (text(entry, "kind")) {
      case "recorded":
        this.recorded.set(text(detail, "manifest"), said);
        break;
      case "deleted":
      case "tombstone":
        this.deleted.set(text(detail, "tombstone"), said);
        break;
      case "noted":
        this.noted.set(text(detail, "sha256"), { ...said, isRemoved: detail["removed"] === true });
        break;
      case "configuration":
        this.trails.push(text(detail, "sha256"));
        if (this.trails.length > 2) this.trails.shift();
        break;
      case "lost":
        this.lost += Number(detail["entries"] ?? 0);
        break;
      case "register":
      case "token":
        this.#hear(detail, said);
        break;
      case "locked":
        this.locked.set(text(detail, "run"), { ...said, sha256: detail["sha256"] as string | undefined });
        break;
      case "stamped":
      case "witnessed":
        for (const one of Array.isArray(detail["files"]) ? (detail["files"] as JsonObject[]) : [])
          this.#hear(one, said);
        break;
      case "call-log":
        // Written anew: what was said of it before counts no more.
        this.prefixes.set(text(detail, "file"), []);
        this.wholes.set(text(detail, "file"), { ...said, sha256: text(detail, "sha256") });
        break;
      default:
        break;
    }
  }

  #hear(one: JsonObject, said: Said): void {
    const file = text(one, "file");
    const sha256 = text(one, "sha256");
    if (file === "" || typeof one["sha256"] !== "string") return;
    if (!file.startsWith("calls/")) {
      this.wholes.set(file, { ...said, sha256 });
      return;
    }
    this.wholes.delete(file);
    const prefixes = this.prefixes.get(file) ?? [];
    prefixes.push({ ...said, bytes: Number(one["bytes"]), sha256 });
    this.prefixes.set(file, prefixes);
  }
}

function around(from: number, to: number): string {
  return `between entries ${from - 1} and ${to + 1}`;
}
