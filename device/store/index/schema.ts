// The index's tables, and how an older database comes to have them: one migration a version, `user_version` says how many were
// carried out. A migration never changes once it was released.
//
// `postings` answers every filter by a value: for a value (a row of `facets`) the calls that have it, in order of time. Numbers
// stand in `facets` backwards as well, for those who know the last digits only. A posting has its call's duration and `bits`
// (facet-bits.ts): what is asked for besides the value is mostly refused without a look at any other row.
import type { Database } from "better-sqlite3";
import { bitsOf, joinBits } from "./facet-bits.js";

/** What `facets.kind` says of `facets.value`; single letters, for there are millions of rows. */
export const FACET = {
  number: "n",
  agent: "a",
  consent: "c",
  policy: "p",
  tag: "t",
  outcome: "o",
  collector: "k",
} as const;
export type FacetKind = keyof typeof FACET;
export type FacetLetter = (typeof FACET)[FacetKind];

/** As contract/listing.ts has it. */
const OUTCOME = `CASE WHEN deleted IS NOT NULL THEN 'deleted' WHEN no_audio = '' THEN 'recorded' ELSE no_audio END`;

const MIGRATIONS: readonly string[] = [
  `
  -- rules: how numbers were brought into one form; clean: the last writer ended in order
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  -- how a day's files looked when the index had all of them (sources.ts)
  CREATE TABLE days (day TEXT PRIMARY KEY, mark TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE calls (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    started_us INTEGER NOT NULL,
    ended_us INTEGER NOT NULL,
    answered_at TEXT NOT NULL,
    end_reason TEXT NOT NULL,
    reject_status INTEGER NOT NULL,
    policy TEXT NOT NULL,
    no_audio TEXT NOT NULL,
    file TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    sip_call_ids TEXT NOT NULL,
    warnings TEXT NOT NULL,
    deleted TEXT,
    facets TEXT NOT NULL
  );
  -- with the duration, so that a search for calls of some length need not look at each call
  CREATE INDEX calls_by_time ON calls (started_us, pk, duration_ms);
  CREATE INDEX calls_by_duration ON calls (duration_ms);
  CREATE INDEX calls_by_end ON calls (ended_us);
  CREATE TABLE parties (
    call INTEGER NOT NULL,
    place INTEGER NOT NULL,
    role TEXT NOT NULL,
    side TEXT NOT NULL,
    number TEXT NOT NULL,
    -- its facet of kind n; 0 without a number
    number_facet INTEGER NOT NULL,
    name TEXT NOT NULL,
    identified_by TEXT NOT NULL,
    consent TEXT NOT NULL,
    recorded_ms INTEGER NOT NULL,
    PRIMARY KEY (call, place)
  ) WITHOUT ROWID;
  CREATE TABLE recordings (
    call INTEGER PRIMARY KEY,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    sample_rate_hz INTEGER NOT NULL,
    policy_rule TEXT NOT NULL,
    purpose TEXT NOT NULL,
    retention TEXT NOT NULL
  );
  CREATE TABLE evidence (
    call INTEGER NOT NULL,
    place INTEGER NOT NULL,
    id TEXT NOT NULL,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    effect TEXT NOT NULL,
    PRIMARY KEY (call, place)
  ) WITHOUT ROWID;
  CREATE TABLE facets (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    backwards TEXT NOT NULL,
    UNIQUE (kind, value)
  );
  CREATE INDEX facets_backwards ON facets (kind, backwards);
  CREATE TABLE postings (
    facet INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    call INTEGER NOT NULL,
    PRIMARY KEY (facet, started_us, call)
  ) WITHOUT ROWID;
  `,
  // What no manifest says: tags are the audit chain's (mark-trail.ts), deliveries are taken along when the index is rebuilt.
  `
  CREATE TABLE tags (
    call INTEGER NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (call, tag)
  ) WITHOUT ROWID;
  CREATE TABLE deliveries (
    call INTEGER NOT NULL,
    target TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    -- when it is to be tried next, or was done; µs
    at_us INTEGER NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (call, target)
  ) WITHOUT ROWID;
  CREATE INDEX deliveries_by_state ON deliveries (state, at_us);
  `,
  `
  INSERT OR IGNORE INTO facets (kind, value, backwards) SELECT DISTINCT 'o', ${OUTCOME}, '' FROM calls;
  ALTER TABLE calls ADD COLUMN bits INTEGER NOT NULL DEFAULT 0;
  UPDATE calls SET facets =
    json_insert(facets, '$[#]', (SELECT f.id FROM facets f WHERE f.kind = 'o' AND f.value = ${OUTCOME}));
  UPDATE calls SET bits =
    (SELECT bits_of(f.kind, f.value) FROM json_each(calls.facets) j JOIN facets f ON f.id = j.value);
  DROP INDEX calls_by_time;
  -- with all that a search by time need not look at each call for
  CREATE INDEX calls_by_time ON calls (started_us, pk, duration_ms, bits);
  DROP TABLE postings;
  CREATE TABLE postings (
    facet INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    call INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    bits INTEGER NOT NULL,
    PRIMARY KEY (facet, started_us, call)
  ) WITHOUT ROWID;
  INSERT INTO postings SELECT j.value, c.started_us, c.pk, c.duration_ms, c.bits FROM calls c, json_each(c.facets) j
    ORDER BY 1, 2, 3;
  `,
  // The order in which calls came (arrival.ts): of those that are there already, that of their names.
  `
  ALTER TABLE calls ADD COLUMN arrival INTEGER NOT NULL DEFAULT 0;
  UPDATE calls SET arrival = pk;
  -- with all that a search by arrival need not look at each call for
  CREATE INDEX calls_by_arrival ON calls (arrival, started_us, duration_ms, bits);
  -- generation: names this index among all that ever were; arrival: the highest that was given
  INSERT OR REPLACE INTO meta VALUES ('generation', lower(hex(randomblob(8))));
  INSERT OR REPLACE INTO meta SELECT 'arrival', max(0, coalesce(max(pk), 0)) FROM calls;
  `,
  // Who has said to have a call's recording, whole; the audit chain's as tags are.
  `
  CREATE TABLE acknowledgements (
    call INTEGER NOT NULL,
    -- a token's name
    by TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (call, by)
  ) WITHOUT ROWID;
  `,
];

export const SCHEMA_VERSION = MIGRATIONS.length;

export function versionOf(database: Database): number {
  return database.pragma("user_version", { simple: true }) as number;
}

/** Brings an older or empty database to `version`, wholly or not at all. */
export function migrate(database: Database, version = SCHEMA_VERSION): void {
  database.aggregate("bits_of", {
    start: 0,
    varargs: true,
    deterministic: true,
    step: (bits: number, ...facet: unknown[]) => joinBits(bits, bitsOf(...(facet as [FacetLetter, string]))),
  });
  database
    .transaction(() => {
      for (const migration of MIGRATIONS.slice(versionOf(database), version)) database.exec(migration);
      database.pragma(`user_version = ${version}`);
    })
    .exclusive();
}
