// Legal holds, `retention/holds.json`, for the owner only: what is not to be deleted, whatever its age and whoever asks, and
// why. One that is lifted leaves nothing here; the audit chain has both. Written by whoever has the data folder.
import { createHmac, type KeyObject } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { SidetoneError } from "../../base/errors.js";
import { type CallId, isCallId } from "../../base/ids.js";
import type { NumberRules } from "../../call/numbers.js";
import { registerKey } from "../../consent/register-line.js";
import { makeFolders, replaceDurably, syncFolder } from "../durable-file.js";
import type { RecordingPaths } from "../recording-paths.js";
import type { CallFacts } from "./stored-recordings.js";

const HOLDS_SCHEMA = "sidetone.holds/1";
export const MAX_HOLDS = 1000;

const isoTime = z.string().refine((text) => Number.isFinite(Date.parse(text)));
const callId = z
  .string()
  .refine(isCallId)
  .transform((id) => id as CallId);

/** One of: a call, everything with a number, every call of a time. */
export const coverSchema = z.union([
  z.strictObject({ call: callId }),
  z.strictObject({ number: z.string().min(1).max(64) }),
  z.strictObject({ from: isoTime, to: isoTime }),
]);
export type HoldCover = z.output<typeof coverSchema>;

const holdSchema = z.strictObject({
  /** As a request has it: a ULID. */
  id: z.string().refine(isCallId),
  at: isoTime,
  by: z.string(),
  reason: z.string().min(1).max(256),
  covers: coverSchema,
});
export type Hold = z.output<typeof holdSchema>;

const fileSchema = z.strictObject({
  schema: z.literal(HOLDS_SCHEMA),
  holds: z.array(holdSchema).max(MAX_HOLDS),
});

export class HoldBook {
  readonly #path: string;
  readonly #folder: string;
  readonly #numbers: NumberRules;

  constructor({ retentionFolder }: RecordingPaths, numbers: NumberRules) {
    this.#folder = retentionFolder;
    this.#path = join(retentionFolder, "holds.json");
    this.#numbers = numbers;
  }

  /** Throws SidetoneError `data-unwritable` for a file that is damaged or cannot be read: then nothing may be deleted. */
  read(): Hold[] {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw new SidetoneError("data-unwritable", `${this.#path} cannot be read: nothing is deleted until it can`);
    }
    try {
      return fileSchema.parse(JSON.parse(text)).holds;
    } catch {
      const what = `${this.#path} is damaged: nothing is deleted until it is restored from a backup, or the holds are made anew`;
      throw new SidetoneError("data-unwritable", what);
    }
  }

  /** Durable when it returns; one of that id that is there already stays as it is. */
  add(hold: Hold): void {
    const holds = this.read();
    if (holds.some(({ id }) => id === hold.id)) {
      // An attempt whose last sync was refused may have put it there.
      syncFolder(this.#folder);
      return;
    }
    if (holds.length >= MAX_HOLDS) throw new SidetoneError("usage", `there are ${MAX_HOLDS} holds: lift one first`);
    this.#write([...holds, hold]);
  }

  /** False when there is none of that id (any more). Durable when it returns. */
  remove(id: string): boolean {
    const holds = this.read();
    const kept = holds.filter((hold) => hold.id !== id);
    if (kept.length === holds.length) {
      if (existsSync(this.#folder)) syncFolder(this.#folder);
      return false;
    }
    this.#write(kept);
    return true;
  }

  /** Tells ids of the holds that cover a call; the state of the file at the moment of asking. */
  covering(): (call: CallFacts) => string[] {
    const holds = this.read().map(({ id, covers }) => ({ id, doesCover: coverTest(covers, this.#numbers) }));
    return (call) => holds.filter(({ doesCover }) => doesCover(call)).map(({ id }) => id);
  }

  #write(holds: readonly Hold[]): void {
    makeFolders(this.#folder);
    replaceDurably(this.#path, `${JSON.stringify({ schema: HOLDS_SCHEMA, holds }, null, 2)}\n`, 0o600);
  }
}

function coverTest(covers: HoldCover, numbers: NumberRules): (call: CallFacts) => boolean {
  if ("call" in covers) return ({ id }) => id === covers.call;
  if ("number" in covers) {
    const key = registerKey(covers.number, numbers);
    return ({ people }) => people.has(key);
  }
  const [fromUs, toUs] = [Date.parse(covers.from) * 1000, Date.parse(covers.to) * 1000];
  return ({ startedAtUs, endedAtUs }) => startedAtUs <= toUs && endedAtUs >= fromUs;
}

/**
 * A number as the audit chain may have it: the same for the same line, and without the box's key nobody finds out which, not
 * even by trying all numbers there are. `key`: its form for comparing.
 */
export function markOfNumber(key: string, privateKey: KeyObject): string {
  return numberMarks(privateKey)(key);
}

/** The same for many numbers. */
export function numberMarks(privateKey: KeyObject): (key: string) => string {
  const secret = createHmac("sha256", "sidetone number marks")
    .update(privateKey.export({ type: "pkcs8", format: "der" }))
    .digest();
  return (key) => `hmac-sha256:${createHmac("sha256", secret).update(key, "utf8").digest("hex")}`;
}
