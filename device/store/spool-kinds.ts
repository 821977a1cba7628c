// What can be asked of the box through its spool: each kind of request has the form of its body and whoever carries it out.
// Other parts make their kinds with `spoolKind`; the composition root lists them. Knows no file.
import type { z } from "zod";
import type { CallId, TimeUs } from "../base/ids.js";

/** A JSON object that is handed to the command, of at most MAX_ANSWER_BYTES. */
export type SpoolResult = Readonly<Record<string, unknown>>;

export interface SpoolContext {
  /** The request's own id: what it did can be marked with it. */
  id: CallId;
  /** As in the audit chain: "cli root". */
  actor: string;
  /** Wall clock when it was asked for. */
  atUs: TimeUs;
  /** A process that was killed may have carried it out already, wholly or in part. */
  mayBeRepeat: boolean;
  /** Aborted when the service stops: what takes long then throws SpoolLater and goes on at the next start. */
  signal: AbortSignal;
}

export interface SpoolKindOf<Body> {
  body: z.ZodType<Body>;
  /**
   * Resolves when what it did is durable: only then is the request removed. Killed at any moment it is called again, so
   * doing it twice must be doing it once. SidetoneError is the answer to the command; SpoolLater keeps the request, and
   * all behind it, for another try.
   */
  carryOut(body: Body, context: SpoolContext): SpoolResult | Promise<SpoolResult>;
  /**
   * Of a request whose writer was killed before it said that it had done its part: had it? Else it is dropped. `waiting`:
   * the bodies of all requests of the kind that wait.
   */
  hasHappened?(body: Body, waiting: readonly Body[]): boolean;
  /** Older requests are refused; absent = they are carried out however old. */
  maxAgeMs?: number;
}

export type SpoolKind = SpoolKindOf<unknown>;
export type SpoolKinds = Readonly<Record<string, SpoolKind>>;

/** The request cannot be carried out now and stays. */
export class SpoolLater extends Error {}

/** Lets a kind's functions have the body in its own form: what does not have it never reaches them. */
export function spoolKind<Body>(kind: SpoolKindOf<Body>): SpoolKind {
  return kind as unknown as SpoolKind;
}
