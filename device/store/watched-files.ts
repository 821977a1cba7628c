// What the registers and the tokens were when they were looked at last, and which changes since are explained by entries of
// the audit chain: `audit/watched.json`. Remembered across restarts, so that a change by hand shows whenever it was made.
// Knows hashes only.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { auditFolder } from "./audit-files.js";
import { makeFolders, replaceDurably } from "./durable-file.js";

const SCHEMA = "sidetone.watched/1";
/** Explained changes that do not follow each other; with more the oldest is forgotten, and shows as made by hand. */
const MAX_STEPS = 100;

const stepSchema = z.object({ before: z.string(), after: z.string() });
const fileSchema = z.object({
  schema: z.literal(SCHEMA),
  files: z.record(
    z.string(),
    z.object({ sha256: z.string(), previous: z.string(), explained: z.array(stepSchema).max(MAX_STEPS) }),
  ),
});

/** From one content to another, by their SHA-256 ("" = no such file). */
export type Step = z.output<typeof stepSchema>;

interface State {
  /** When it was looked at last. */
  sha256: string;
  /** Before that. */
  previous: string;
  /** Since then. Those that follow each other are one. */
  explained: Step[];
}

/** What nobody has explained. `first`: there is nothing that it could be compared with. */
export interface Unexplained {
  sha256: string;
  how: "by hand" | "first seen";
}

export class WatchedFiles {
  readonly #folder: string;
  readonly #path: string;
  readonly #states: Map<string, State>;
  #isDirty = false;

  /** What cannot be read counts as never seen: that is reported in its turn. */
  constructor(dataFolder: string) {
    this.#folder = auditFolder(dataFolder);
    this.#path = join(this.#folder, "watched.json");
    this.#states = readStates(this.#path);
  }

  /** A change that has its entry in the audit chain. Durable when it returns; throws file system errors. */
  explain(file: string, step: Step): void {
    const known = this.#states.get(file);
    const state = known ?? { sha256: step.before, previous: step.before, explained: [] };
    const isSeenAlready =
      known !== undefined &&
      state.explained.length === 0 &&
      state.sha256 === step.after &&
      state.previous === step.before;
    if (isSeenAlready) return;
    this.#states.set(file, { ...state, explained: withStep(state.explained, step) });
    this.#isDirty = true;
    this.save();
  }

  /** What the file's being this content leaves unexplained, in the order of happening. To be entered, then `save`d. */
  settle(file: string, sha256: string): Unexplained[] {
    const known = this.#states.get(file);
    if (known?.sha256 === sha256 && known.explained.length === 0) return [];
    this.#isDirty = true;
    this.#states.set(file, { sha256, previous: known?.sha256 ?? "", explained: [] });
    if (known === undefined) return sha256 === "" ? [] : [{ sha256, how: "first seen" }];
    return gaps(known, sha256).map((gap) => ({ sha256: gap, how: "by hand" }));
  }

  /** Durable when it returns; throws file system errors. */
  save(): void {
    if (!this.#isDirty) return;
    makeFolders(this.#folder);
    const body = { schema: SCHEMA, files: Object.fromEntries(this.#states) };
    replaceDurably(this.#path, `${JSON.stringify(body)}\n`, 0o600);
    this.#isDirty = false;
  }
}

/** Contents at which an explained step, or the end, does not follow from what was before it. */
function gaps({ sha256, explained }: State, end: string): string[] {
  const left = [...explained];
  const found: string[] = [];
  let at = sha256;
  while (left.length > 0) {
    const next = left.findIndex(({ before }) => before === at);
    const [step] = left.splice(Math.max(0, next), 1);
    if (step!.before !== at) found.push(step!.before);
    at = step!.after;
  }
  if (at !== end) found.push(end);
  return found;
}

/** Steps that follow each other become one, in whatever order they are told. */
function withStep(steps: readonly Step[], step: Step): Step[] {
  const earlier = steps.find(({ after }) => after === step.before);
  const later = steps.find((other) => other !== earlier && other.before === step.after);
  const joined = { before: earlier?.before ?? step.before, after: later?.after ?? step.after };
  const others = steps.filter((other) => other !== earlier && other !== later);
  return [...others.slice(-(MAX_STEPS - 1)), joined];
}

function readStates(path: string): Map<string, State> {
  try {
    return new Map(Object.entries(fileSchema.parse(JSON.parse(readFileSync(path, "utf8"))).files));
  } catch {
    return new Map();
  }
}
