// What a box answers, taken as far as it is used: words and figures that are missing are shown as nothing, but a list that is none
// is an error, for nothing in it might look like nothing is wrong.
import { z } from "zod";
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
