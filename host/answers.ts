// What a box answers, taken as far as it is used: words and figures that are missing are shown as nothing, but a list that is none
// is an error, for nothing in it might look like nothing is wrong.
import { z } from "zod";
import type { BoxClient } from "./client.js";
import { HostError } from "./errors.js";

/** "" where there is none. */
export const toldText = z.string().catch("");
/** NaN where there is none. */
export const toldNumber = z.number().catch(Number.NaN);

/** Throws HostError bad-answer. */
export function readAnswer<Schema extends z.ZodType>(schema: Schema, answer: unknown, what: string): z.output<Schema> {
  const read = schema.safeParse(answer);
  if (read.success) return read.data;
  throw new HostError(
    "bad-answer",
    `the box's answer about ${what} is not understood: is it a Sidetone box of this version?`,
  );
}

/** The box is of an older version, is starting, or does not tell it for this token. */
const NOT_TOLD: readonly (string | undefined)[] = ["not-found", "unavailable", "right-missing"];

/** What GET answers; undefined when the box does not tell it. Throws HostError. */
export async function askIfTold(client: BoxClient, path: string, signal?: AbortSignal): Promise<unknown> {
  try {
    return await client.json<unknown>("GET", path, { signal });
  } catch (error) {
    if (error instanceof HostError && NOT_TOLD.includes(error.problem)) return undefined;
    throw error;
  }
}
