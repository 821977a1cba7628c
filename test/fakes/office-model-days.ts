// Random days of a scripted office for property tests: who calls whom, what happens within the calls, and what the
// mirror port makes of the packets.
import fc from "fast-check";
import { POLICIES, type Policy } from "../../device/contract/call-record.js";
import type { Outcome, Saying } from "./office-model-calls.js";
import type { Conversation, Reach } from "./office-model-effects.js";
import { type Operation, playOperations, type WithinDialog } from "./office-model-operations.js";
import { onTheWire, type Sighting, type WireFaults } from "./office-model-wire.js";

const MAX_OPERATIONS = 10;
/** All that is left out: see Reach. */
const REACH: Reach = {
  resentSayings: true,
  outsideForks: false,
  sayingsAmongAgents: true,
  namelessCallers: true,
  transfersBehindPbx: false,
};

export interface Day {
  policy: Policy;
  operations: Operation[];
  faults: WireFaults;
}

/** Most of what happens happens to the first of what there is. */
const index = fc.oneof(fc.constant(0), fc.nat(11));
const side = fc.constantFrom(0 as const, 1 as const);
const ms = fc.constantFrom(200, 200, 400, 400, 900, 2500, 0);
const word = oneOf("granted", "granted", "granted", "refused", "withdrawn");
const saying = (...where: Saying["in"][]): fc.Arbitrary<Saying | undefined> =>
  fc.option(fc.record({ in: fc.constantFrom(...where), word }), { nil: undefined });

const call = fc.record({
  kind: oneOf("call"),
  ms: fc.constantFrom(400, 900, 900, 0),
  from: index,
  to: index,
  isAcross: fc.constantFrom(true, true, true, false),
  ringMs: fc.constantFrom(150, 300, 600),
  outcome: fc.constantFrom<Outcome>("answered", "answered", "answered", "answered", "cancelled", "unanswered", 486),
  forks: fc.array(index, { maxLength: 2 }),
  isEarly: fc.boolean(),
  isLate: fc.boolean(),
  say: saying("request", "ringing", "response", "ack"),
});

const throughPbx = fc.record({
  kind: oneOf("pbx"),
  ms: fc.constantFrom(900, 2500),
  outside: index,
  agent: index,
  relays: oneOf("audio", "audio", "bytes"),
  form: oneOf("in", "queue", "out"),
  say: saying("request", "ringing", "response", "ack"),
});

const dispatch = fc.record({ kind: oneOf("dispatch"), ms, call: index, agent: index });

const change = fc.record({
  kind: oneOf("change"),
  ms,
  dialog: index,
  by: side,
  change: oneOf("port", "address", "codec", "ptime", "sendonly", "inactive", "0.0.0.0"),
  method: oneOf("INVITE", "UPDATE"),
  status: fc.constantFrom(200 as const, 200 as const, 200 as const, 488 as const, 491 as const),
  say: saying("request", "response"),
});

const statement = fc.record({ kind: oneOf("say"), ms, dialog: index, by: side, word });

const replace = fc.record({
  kind: oneOf("replace"),
  ms,
  dialog: index,
  isReturn: fc.boolean(),
  isEager: fc.boolean(),
  status: fc.constantFrom(200 as const, 200 as const, 488 as const),
  say: saying("request", "response"),
});

const reseed = fc.record({ kind: oneOf("reseed"), ms, dialog: index, by: side });

const pause = fc.record({
  kind: oneOf("pause"),
  ms,
  dialog: index,
  by: side,
  pauseMs: fc.constantFrom(100, 500, 2600),
});

const intrude = fc.record({
  kind: oneOf("intrude"),
  ms,
  dialog: index,
  to: side,
  isInside: fc.boolean(),
  packets: fc.constantFrom(1, 20),
});

const transfer = fc.record({
  kind: oneOf("transfer"),
  ms,
  dialog: index,
  by: side,
  to: index,
  outcome: fc.constantFrom("answered" as const, "answered" as const, 486 as const, "refused" as const),
  isByeFirst: fc.boolean(),
  hasReferredBy: fc.boolean(),
});

const attended = fc.record({
  kind: oneOf("attended"),
  ms: fc.constantFrom(900, 2500),
  dialog: index,
  by: side,
  to: index,
  isReferSeen: fc.boolean(),
});

const hangUp = fc.record({
  kind: oneOf("hangup"),
  ms,
  dialog: index,
  by: side,
  lingerMs: fc.constantFrom(0, 300, 800),
  say: saying("request"),
});

const within: fc.Arbitrary<WithinDialog> = fc.oneof(
  { weight: 5, arbitrary: change },
  { weight: 5, arbitrary: statement },
  { weight: 3, arbitrary: replace },
  { weight: 4, arbitrary: transfer },
  { weight: 2, arbitrary: attended },
  { weight: 2, arbitrary: intrude },
  { weight: 1, arbitrary: reseed },
  { weight: 1, arbitrary: pause },
  { weight: 2, arbitrary: hangUp },
);

/** Several things that happen to one dialog while it is on hold. */
const holdEpisode: fc.Arbitrary<Operation[]> = fc
  .record({
    dialog: index,
    by: side,
    hold: oneOf("0.0.0.0", "sendonly", "inactive"),
    method: oneOf("INVITE", "UPDATE"),
    meanwhile: fc.array(within, { minLength: 1, maxLength: 3 }),
  })
  .map(({ dialog, by, hold, method, meanwhile }) => {
    const toggle = { kind: "change" as const, ms: 400, dialog, by, change: hold, method, status: 200 as const };
    return [
      { ...toggle, say: undefined },
      ...meanwhile.map((one) => ({ ...one, dialog })),
      { ...toggle, say: undefined },
    ];
  });

const opening = fc.array(fc.oneof({ weight: 3, arbitrary: call }, { weight: 1, arbitrary: throughPbx }), {
  minLength: 1,
  maxLength: 2,
});
const events = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: call.map((one): Operation[] => [one]) },
    { weight: 1, arbitrary: throughPbx.map((one): Operation[] => [one]) },
    { weight: 1, arbitrary: dispatch.map((one): Operation[] => [one]) },
    { weight: 16, arbitrary: within.map((one): Operation[] => [one]) },
    { weight: 3, arbitrary: holdEpisode },
  ),
  { maxLength: MAX_OPERATIONS, size: "max" },
);

const share = (most: number): fc.Arbitrary<number> => fc.constantFrom(0, most / 4, most);
const faults: fc.Arbitrary<WireFaults> = fc.record({
  seed: fc.integer(),
  delayed: share(0.3),
  sipDelayed: share(0.3),
  lost: share(0.1),
  duplicated: share(0.1),
  mirrored: share(0.2),
  resent: share(0.3),
});

export const day: fc.Arbitrary<Day> = fc.record({
  policy: fc.constantFrom<Policy>("agent-only", "agent-only", ...POLICIES),
  operations: fc.tuple(opening, events).map(([first, then]): Operation[] => [...first, ...then.flat()]),
  faults,
});

function oneOf<const T extends string>(...values: readonly T[]): fc.Arbitrary<T> {
  return fc.constantFrom(...values);
}

/** What the mirror port shows of the day, and which conversations were held. */
export function playDay({ operations, faults }: Day): {
  sightings: Sighting[];
  conversations: readonly Conversation[];
} {
  const { steps, conversations } = playOperations(operations, REACH);
  return { sightings: onTheWire(steps, faults, REACH), conversations };
}
