// What commands ask of retention through the spool: the kinds of requests and the form of each.
import { z } from "zod";
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
