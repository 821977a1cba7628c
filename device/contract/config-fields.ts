// What the sections of the configuration are made of: kinds of fields with description, default, bounds and unit.
import { z } from "zod";

/** Unit and restart need of a field, shown by `config explain`. */
export interface FieldMeta {
  unit?: string;
  secret?: boolean;
  restart?: boolean;
}
export const fieldMeta = z.registry<FieldMeta>();

export function integer(minimum: number, maximum: number, fallback: number, description: string, unit = "") {
  return z
    .number()
    .int()
    .min(minimum)
    .max(maximum)
    .default(fallback)
    .describe(description)
    .register(fieldMeta, { unit });
}
export function section<Shape extends z.ZodRawShape>(shape: Shape, description: string) {
  return z
    .strictObject(shape)
    .prefault({} as never)
    .describe(description);
}
export const textList = (fallback: string[], description: string) =>
  z.array(z.string().min(1).max(256)).max(4096).default(fallback).describe(description);

export const portList = (fallback: number[], description: string) =>
  z.array(z.number().int().min(1).max(65535)).max(64).default(fallback).describe(description);

export const digits = (pattern: RegExp, fallback: string, description: string) =>
  z.string().regex(pattern).default(fallback).describe(description);

/** Names a purpose or a retention class. */
export const LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Keys as they are pressed, RFC 4733 §3.2: one to eight of them. */
export const KEYS = /^[0-9*#A-D]{0,8}$/;
export const keys = (fallback: string, description: string) => digits(KEYS, fallback, description);
export const headerName = (fallback: string, description: string) =>
  digits(/^[A-Za-z0-9-]{0,64}$/, fallback, description);

/** A file's path; empty = none. */
export const filePath = (meaning: string) => z.string().max(1024).default("").describe(meaning);
