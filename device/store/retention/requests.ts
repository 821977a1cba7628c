// What commands ask of retention through the spool: the kinds of requests and the form of each.
import { z } from "zod";
import { SidetoneError } from "../../base/errors.js";
import { type CallId, isCallId } from "../../base/ids.js";
import { coverSchema } from "./holds.js";

const reason = z.string().trim().min(1).max(256);
const callId = z
  .string()
  .refine(isCallId)
  .transform((id) => id as CallId);

export const HOLD_ADD = "hold-add";
export const HOLD_REMOVE = "hold-remove";
export const DELETE = "delete";
export const ERASE = "erase";

export const holdAddSchema = z.strictObject({ covers: coverSchema, reason });
export const holdRemoveSchema = z.strictObject({ id: callId, reason });
export const deleteSchema = z.strictObject({ call: callId, reason, overridesMinimum: z.boolean() });
export const eraseSchema = z.strictObject({
  number: z.string().trim().min(1).max(64),
  reason,
  overridesMinimum: z.boolean(),
  forgetsRefusals: z.boolean(),
});

/** What stands in the audit chain stands there for ever. Throws SidetoneError `usage`. */
export function refuseNumberIn(text: string, number: string): void {
  const digits = (written: string): string => written.replaceAll(/\D/g, "");
  const tail = digits(number).slice(-6);
  if (tail.length >= 4 && digits(text).includes(tail))
    throw new SidetoneError(
      "usage",
      "the reason names the number, and would stand in the audit chain for ever: write it without",
    );
}
