// Erasures by number that are being carried out, or wait for a hold to be lifted, a minimum age to pass or a call to end:
// `retention/erasures.json`, for the owner only. Names calls, and the number by a keyed hash at most.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { SidetoneError } from "../../base/errors.js";
import { type CallId, isCallId } from "../../base/ids.js";
import { makeFolders, replaceDurably } from "../durable-file.js";
import type { RecordingPaths } from "../recording-paths.js";

const ERASURES_SCHEMA = "sidetone.erasures/1";
export const MAX_ERASURES = 10_000;

const callSchema = z.strictObject({
  id: z
    .string()
    .refine(isCallId)
    .transform((id) => id as CallId),
  /** Day of its line in the call log: "2026-11-21". */
  loggedOn: z.string().regex(/^\d{4}-\d\d-\d\d$/),
  /** Its recording's folder below `recordings`, "" when it has none. */
  day: z.string().regex(/^(?:\d{4}\/\d\d\/\d\d)?$/),
});
/** A call that somebody's number was in. */
export type ErasedCall = z.output<typeof callSchema>;

const erasureSchema = z.strictObject({
  id: z.string().refine(isCallId),
  at: z.string(),
  by: z.string(),
  text: z.string(),
  overridesMinimum: z.boolean(),
  waiting: z.array(callSchema),
  /** The number, as a keyed hash (holds.ts), while a call with it that was in progress then may still end. */
  watch: z.string().exactOptional(),
});
export type Erasure = z.output<typeof erasureSchema>;

const fileSchema = z.strictObject({ schema: z.literal(ERASURES_SCHEMA), erasures: z.array(erasureSchema) });

export class ErasureBook {
  readonly #path: string;
  readonly #folder: string;

  constructor({ retentionFolder }: RecordingPaths) {
    this.#folder = retentionFolder;
    this.#path = join(retentionFolder, "erasures.json");
  }

  /** Throws SidetoneError `data-unwritable` for a file that is damaged or cannot be read. */
  read(): Erasure[] {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw new SidetoneError("data-unwritable", `${this.#path} cannot be read`, { cause: error });
    }
    try {
      return fileSchema.parse(JSON.parse(text)).erasures;
    } catch (cause) {
      const what = `${this.#path} is damaged: restore it from a backup, or remove it and ask for the erasures again`;
      throw new SidetoneError("data-unwritable", what, { cause });
    }
  }

  /** Replaces the erasure of that id; one that waits for nothing is forgotten. Durable when it returns. */
  put(erasure: Erasure): void {
    const before = this.read();
    const others = before.filter(({ id }) => id !== erasure.id);
    const isOver = erasure.waiting.length === 0 && erasure.watch === undefined;
    if (isOver && others.length === before.length) return;
    if (!isOver && others.length >= MAX_ERASURES)
      throw new SidetoneError(
        "usage",
        `${MAX_ERASURES} erasures wait already for holds, minimum ages or calls in progress`,
      );
    const erasures = isOver ? others : [...others, erasure];
    makeFolders(this.#folder);
    replaceDurably(this.#path, `${JSON.stringify({ schema: ERASURES_SCHEMA, erasures })}\n`, 0o600);
  }
}
