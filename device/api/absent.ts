// Why there is nothing of a recording: it was deleted, or never was.
import { existsSync } from "node:fs";
import type { CallId } from "../base/ids.js";
import { timeOfCallId } from "../store/recording-paths.js";
import type { RecordingStore } from "../store/recordings.js";
import { type Problem, problem } from "./problems.js";

export function absent({ paths }: Pick<RecordingStore, "paths">, id: CallId): Problem {
  return problem(existsSync(paths.tombstone(id, timeOfCallId(id))) ? "recording-deleted" : "recording-not-found");
}
