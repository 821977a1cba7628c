// Makes the signed statement of where both chains end, and keeps those that were stamped: `stamps/<name>.json`, the statement's line,
// and `stamps/<name>.tsr`, the authority's response to it. Asks no authority.
//
// The order in which a stamp comes to be, so that every one under its own name is in the audit chain, whenever the box is killed:
//   1  response and statement are durable under temporary names
//   2  the audit chain's entry, with the hashes of both, is durable
//   3  both get their names. Killed before that, the next start goes on from 2 (an entry more does no harm), or removes halves
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { isoUs } from "../base/clock.js";
import type { TimeUs } from "../base/ids.js";
import { sha256Of } from "../base/sha256.js";
import { ANCHOR_SCHEMA, type AnchorStatement } from "../contract/anchor.js";
import type { AuditEntryInput, AuditHead } from "../contract/audit.js";
import { isStampOf, isTimeStamp, readTimeStamp, type TimeStamp } from "../contract/time-stamp.js";
import type { AuditChain } from "./audit-chain.js";
import type { DeviceKey } from "./device-key.js";
import { makeFolders, replaceDurably, syncFolder } from "./durable-file.js";
import { signLine } from "./signed-line.js";

const STATEMENT = ".json";
const RESPONSE = ".tsr";
const PARTIAL = ".partial";
const FILE_MODE = 0o600;

export interface Anchor {
  statement: AnchorStatement;
  /** The file's bytes: the line and a newline. What is stamped. */
  bytes: Buffer;
}

export function signAnchor(
  heads: { device: string; atUs: TimeUs; manifests: string; audit: AuditHead },
  { privateKey }: DeviceKey,
): Anchor {
  const { device, atUs, manifests, audit } = heads;
  const { seq, sha256 } = audit;
  const at = isoUs(atUs);
  const body = { schema: ANCHOR_SCHEMA, device, at, manifests: { sha256: manifests }, audit: { seq, sha256 } };
  const line = signLine(body, privateKey);
  const statement = JSON.parse(line.toString("utf8")) as AnchorStatement;
  return { statement, bytes: Buffer.concat([line, Buffer.from("\n")]) };
}

/** Of both of its files, without their endings: "20261128T063753Z-57". */
export function stampName({ at, audit }: Pick<AnchorStatement, "at" | "audit">): string {
  return `${at.slice(0, 19).replaceAll(/[:-]/g, "")}Z-${audit.seq}`;
}

export class StampFolder {
  readonly #folder: string;
  readonly #audit: AuditChain;

  constructor(dataFolder: string, audit: AuditChain) {
    this.#folder = join(dataFolder, "stamps");
    this.#audit = audit;
  }

  /** Durable, and in the audit chain, when it fulfils. Rejects with file system errors; what was begun is for `finish` then. */
  async keep({ statement, bytes }: Anchor, response: Buffer, stamp: TimeStamp): Promise<void> {
    makeFolders(this.#folder);
    const name = stampName(statement);
    replaceDurably(this.#path(name, RESPONSE + PARTIAL), response, FILE_MODE);
    replaceDurably(this.#path(name, STATEMENT + PARTIAL), bytes, FILE_MODE);
    await this.#enter(name, bytes, response, stamp);
  }

  /** What the run before had begun. Throws, or rejects with, file system errors. */
  async finish(): Promise<void> {
    if (!existsSync(this.#folder)) return;
    for (const file of readdirSync(this.#folder)) {
      if (!file.endsWith(STATEMENT + PARTIAL)) continue;
      const name = basename(file, STATEMENT + PARTIAL);
      const ending = existsSync(this.#path(name, RESPONSE)) ? RESPONSE : RESPONSE + PARTIAL;
      if (!existsSync(this.#path(name, ending))) continue;
      const [bytes, response] = [readFileSync(join(this.#folder, file)), readFileSync(this.#path(name, ending))];
      const stamp = readTimeStamp(response);
      if (isTimeStamp(stamp) && isStampOf(stamp, bytes)) await this.#enter(name, bytes, response, stamp);
    }
    for (const file of readdirSync(this.#folder)) if (file.endsWith(PARTIAL)) rmSync(join(this.#folder, file));
  }

  async #enter(name: string, bytes: Buffer, response: Buffer, stamp: TimeStamp): Promise<void> {
    this.#audit.append(entryOf(name, bytes, response, stamp));
    await this.#audit.flush();
    for (const ending of [RESPONSE, STATEMENT]) {
      const temporary = this.#path(name, ending + PARTIAL);
      if (existsSync(temporary)) renameSync(temporary, this.#path(name, ending));
    }
    syncFolder(this.#folder);
  }

  #path(name: string, ending: string): string {
    return join(this.#folder, name + ending);
  }
}

function entryOf(name: string, statement: Buffer, response: Buffer, { at, policy }: TimeStamp): AuditEntryInput {
  const files = [
    { file: `stamps/${name}${STATEMENT}`, bytes: statement.length, sha256: sha256Of(statement) },
    { file: `stamps/${name}${RESPONSE}`, bytes: response.length, sha256: sha256Of(response) },
  ];
  return { kind: "stamped", actor: "service", detail: { at, policy, files } };
}
