// `sidetone consent`, `pause` and `resume`: commands about calls in progress. Who gave them is the token's name, and stands in the
// evidence.
import { ACTIVE_COLUMNS, activeRow, type ShownActiveCall } from "../call-rows.js";
import { segment } from "../client.js";
import type { FlagSpec, Given, Host, HostCommand } from "../command.js";
import { wholeNumber } from "../command-line.js";
import { withBox } from "../connection.js";
import { HOST_EXIT, type HostExit, usageError } from "../errors.js";
import { textTable } from "../text-table.js";

const MAX_PARTY = 63;
const EFFECTS = ["granted", "refused", "withdrawn"] as const;
const PRINTS = "--json prints { calls }: those concerned, as GET /calls/active has them.";

export const consentCommand: HostCommand = {
  name: "consent",
  summary: "says that a party of a call in progress consents, refuses or withdraws",
  isRemote: true,
  arguments: [{ name: "CALL" }, { name: "EFFECT", choices: EFFECTS }],
  flags: {
    reason: { value: "TEXT", isRequired: true, summary: "why it is known; stands in the evidence" },
    party: { value: "PLACE", summary: "whose: the place in the call's parties, from 0; else the caller's" },
    purpose: { value: "PURPOSE", summary: "of the recording, else the call's own" },
  },
  details: [
    "CALL is the call's id: sidetone calls --active",
    PRINTS,
    'Example: sidetone consent 01JD7Q2Z3F8W5V9T6R4M1K0H2C granted --reason "said yes to the agent"',
  ],
  run: (given, host) => {
    const [call, effect] = given.arguments;
    const party = given.text("party");
    const purpose = given.text("purpose");
    return command(given, host, `/calls/${segment(call!)}/consent`, {
      effect,
      reason: given.text("reason"),
      ...(party !== undefined && { party: wholeNumber("party", party, 0, MAX_PARTY) }),
      ...(purpose !== undefined && { purpose }),
    });
  },
};

export const pauseCommand = pauseLike("pause", "takes nothing of anybody in a call, or in all, until resume");
export const resumeCommand = pauseLike("resume", "ends a call's pause, or every call's");

function pauseLike(name: "pause" | "resume", summary: string): HostCommand {
  const flags: Record<string, FlagSpec> = {
    all: { summary: "every call in progress" },
    reason: { value: "TEXT", summary: "why; stands in the evidence" },
  };
  return {
    name,
    summary,
    isRemote: true,
    arguments: [{ name: "CALL", isOptional: true }],
    flags,
    details: ["CALL is the call's id: sidetone calls --active", PRINTS],
    run: (given, host) => {
      const call = given.arguments[0];
      if ((call === undefined) !== given.has("all")) throw usageError(`give a CALL, or --all: sidetone ${name} CALL`);
      const path = call === undefined ? `/calls/${name}-all` : `/calls/${segment(call)}/${name}`;
      return command(given, host, path, { reason: given.text("reason") ?? "" });
    },
  };
}

function command(given: Given, host: Host, path: string, body: unknown): Promise<HostExit> {
  const { output } = host;
  return withBox(given, host, async ({ client }) => {
    const { calls = [] } = (await client.json<{ calls?: ShownActiveCall[] } | undefined>("POST", path, { body })) ?? {};
    if (output.isJson) output.json({ calls });
    else if (calls.length === 0) output.line("Done; no call is concerned.");
    else output.lines(textTable(ACTIVE_COLUMNS, calls.map(activeRow), output.width));
    return HOST_EXIT.ok;
  });
}
