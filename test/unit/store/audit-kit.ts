// What the tests of the audit chain share: a chain of numbered entries, its lines, and a disk that fails when told to.
import { fsyncSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../../device/base/clock.js";
import type { CallId } from "../../../device/base/ids.js";
import type { AuditEntry, AuditEntryInput } from "../../../device/contract/audit.js";
import { AuditChain, type AuditDisk, type AuditOptions } from "../../../device/store/audit-chain.js";
import { listAuditFiles } from "../../../device/store/audit-files.js";
import { verifyAudit } from "../../../device/store/audit-verify.js";
import { openDeviceKey } from "../../../device/store/device-key.js";
import { publicKeyOf } from "./store-kit.js";

export const CALL = "01KAJ5QX00ABCDEFGHJKMNPQRS" as CallId;
export const NOVEMBER_US = Date.UTC(2026, 10, 21, 9) * 1000;
export const DAY_US = 86_400e6;

/** A clock that stands where it is put. */
export function standingClock(nowUs = NOVEMBER_US): Clock & { us: number; ms: number } {
  return {
    us: nowUs,
    ms: 0,
    nowUs() {
      return this.us;
    },
    monotonicMs() {
      return this.ms;
    },
  };
}

export function openChain(folder: string, options: AuditOptions = {}): AuditChain {
  return AuditChain.open(folder, openDeviceKey(folder), options);
}

export const entryOf = (number: number): AuditEntryInput => ({
  kind: "listen",
  actor: `token ${number}`,
  call: CALL,
  detail: { number },
});

/** A chain of `count` entries, one a day, in groups of three. */
export function makeChain(folder: string, count: number, fromUs = NOVEMBER_US): void {
  const clock = standingClock(fromUs);
  const chain = openChain(folder, { clock });
  for (let number = 1; number <= count; number++) {
    chain.append(entryOf(number));
    clock.us += DAY_US;
    if (number % 3 === 0) chain.flushNow();
  }
  chain.close();
}

export const auditFile = (folder: string, name: string) => join(folder, "audit", name);

/** The lines of all files together. */
export function readAudit(folder: string): AuditEntry[] {
  return listAuditFiles(folder).flatMap((name) => linesOf(folder, name).map((line) => JSON.parse(line)));
}

export function linesOf(folder: string, name: string): string[] {
  return readFileSync(auditFile(folder, name), "utf8").split("\n").slice(0, -1);
}

export function editLines(folder: string, name: string, edit: (lines: string[]) => string[]): void {
  const lines = edit(linesOf(folder, name));
  writeFileSync(auditFile(folder, name), lines.map((line) => `${line}\n`).join(""));
}

/** What is wrong with the chain, in short. */
export function problemsOf(folder: string): string[] {
  return verifyAudit(folder, publicKeyOf(folder)).problems.map(({ kind, seq, toSeq }) =>
    seq === toSeq ? `${kind} ${seq}` : `${kind} ${seq}-${toSeq}`,
  );
}

/** A disk that refuses when told to, and counts what it did. */
export interface FailingDisk extends AuditDisk {
  fails: "" | "write" | "half" | "sync";
  writes: number;
  syncs: number;
}

export function failingDisk(): FailingDisk {
  const refuse = () => {
    throw Object.assign(new Error("no space"), { code: "ENOSPC" });
  };
  return {
    fails: "",
    writes: 0,
    syncs: 0,
    write(descriptor, bytes, position) {
      if (this.fails === "write") refuse();
      const written = this.fails === "half" ? bytes.subarray(0, bytes.length >> 1) : bytes;
      writeSync(descriptor, written, 0, written.length, position);
      if (this.fails === "half") refuse();
      this.writes++;
    },
    async sync(descriptor) {
      // Later than the turn in which it was asked for, as on a disk.
      await new Promise((resolve) => setTimeout(resolve, 1));
      this.syncNow(descriptor);
    },
    syncNow(descriptor) {
      if (this.fails === "sync") refuse();
      fsyncSync(descriptor);
      this.syncs++;
    },
  };
}
