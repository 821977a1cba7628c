// A refusal as a value, and as it goes over the wire: problem details (RFC 9457) with a code out of the contract's table.
// Says which field is wrong, never what stood in it.
import { STATUS_CODES } from "node:http";
import type { z } from "zod";
import { type FieldFault, PROBLEMS, type ProblemBody, type ProblemCode } from "../contract/api-problems.js";

const MAX_FIELDS = 16;
const MAX_FIELD_CHARACTERS = 128;

export interface Problem {
  code: ProblemCode;
  /** One line; the table's meaning when there is nothing to add. */
  detail: string;
  /** Beyond Content-Type. */
  headers: Readonly<Record<string, string>>;
  fields?: FieldFault[];
}

export function problem(code: ProblemCode, detail = sentence(code), headers: Problem["headers"] = {}): Problem {
  return { code, detail, headers };
}

/** RFC 9110 §10.2.3: whole seconds, never 0. */
export function tryLater(code: ProblemCode, afterMs: number): Problem {
  return problem(code, undefined, { "retry-after": String(Math.max(1, Math.ceil(afterMs / 1000))) });
}

export function invalidFields(error: z.ZodError): Problem {
  const fields = error.issues.slice(0, MAX_FIELDS).map(({ path, message }) => ({
    field: oneLine(path.join(".")),
    message: oneLine(message),
  }));
  return { ...problem("invalid"), fields };
}

/** One field of the query that is wrong together with another. */
export function invalidField(field: string, message: string): Problem {
  return { ...problem("invalid"), fields: [{ field, message }] };
}

export function statusOf({ code }: Problem): number {
  return PROBLEMS[code].status;
}

export function bodyOf({ code, detail, fields }: Problem): ProblemBody {
  const { status } = PROBLEMS[code];
  return {
    type: "about:blank",
    title: STATUS_CODES[status]!,
    status,
    code,
    detail,
    ...(fields && { errors: fields }),
  };
}

function sentence(code: ProblemCode): string {
  return PROBLEMS[code].meaning;
}

function oneLine(text: string): string {
  return text.slice(0, MAX_FIELD_CHARACTERS).replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, "?");
}
