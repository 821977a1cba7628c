// Statements of one connection, prepared once each; the one asked for first goes first.
import type { Database, Statement } from "better-sqlite3";

const MAX_STATEMENTS = 64;

/** SQL with its values. */
export interface Sql {
  text: string;
  values: (string | number)[];
}

export class Statements {
  readonly #database: Database;
  readonly #statements = new Map<string, Statement<unknown[]>>();

  constructor(database: Database) {
    this.#database = database;
  }

  all(sql: string, values: readonly (string | number)[]): unknown[] {
    return this.prepare(sql).all(...values);
  }

  prepare(sql: string): Statement<unknown[]> {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    if (this.#statements.size >= MAX_STATEMENTS) this.#statements.delete(this.#statements.keys().next().value!);
    const statement = this.#database.prepare<unknown[]>(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
