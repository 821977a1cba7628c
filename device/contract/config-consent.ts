// The configuration of consent: policy, rules, sources, pauses, echo.
import { z } from "zod";
import { POLICIES } from "./call-record.js";
import { digits, headerName, integer, keys, LABEL, section, textList } from "./config-fields.js";

export const ruleSchema = z.strictObject({
  name: z.string().min(1).max(64).default("rule").describe("name shown in manifests"),
  direction: z
    .enum(["inbound", "outbound", "internal"])
    .optional()
    .describe("calls in which the caller is the originator, the agent is, or nobody is outside (trunks.match)"),
  trunks: textList(
    [],
    "one of the sides matches one of these: CIDRs, numbers or patterns (* and ?), as in trunks.match",
  ),
  agents: textList([], "the agent's number matches one of these patterns (* and ?)"),
  numbers: textList([], "the caller's number matches one of these patterns (* and ?); empty = every caller"),
  days: z
    .array(z.enum(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]))
    .max(7)
    .default([])
    .describe("days of the week on which the call began; empty = every day"),
  hours: z
    .array(z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d-(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/))
    .max(16)
    .default([])
    .describe("times of day in which the call began, as in 08:00-18:00; 22:00-06:00 goes over midnight"),
  headers: z
    .array(z.string().regex(/^[A-Za-z0-9-]{1,64}:.{1,256}$/))
    .max(16)
    .default([])
    .describe("headers of the first INVITE, all of which match, as in X-Queue: sales*"),
  policy: z.enum(POLICIES).optional().describe("policy for these calls instead of consent.policy"),
  consent: z.enum(["granted", "refused"]).optional().describe("consent on file for these callers"),
  retention: digits(/^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,63})?$/, "", "retention class of these recordings"),
  purpose: digits(
    /^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,63})?$/,
    "",
    "what these calls are recorded for, instead of consent.purpose",
  ),
});
export type ConsentRule = z.output<typeof ruleSchema>;

export const consentSection = section(
  {
    policy: z.enum(POLICIES).default("agent-only").describe("what is recorded: see the README's glossary"),
    rules: z.array(ruleSchema).max(4096).default([]).describe("rules for calls; the first that matches wins"),
    purpose: digits(LABEL, "recording", "what calls are recorded for; consent counts for one purpose"),
    timeZone: z
      .string()
      .max(64)
      .default("")
      .describe("IANA time zone of days and hours in rules, as in Europe/Berlin; empty = the box's own"),
    notice: z
      .string()
      .max(64)
      .default("")
      .describe("version of the announcement or notice in use, entered with every change of consent"),
    onWithdrawal: z
      .enum(["keep", "erase"])
      .default("keep")
      .describe("what was recorded of a party in this call until it withdrew: kept, or erased"),
    header: section(
      {
        enabled: z.boolean().default(true).describe("listen to this source"),
        from: z
          .enum(["any", "not-agent"])
          .default("any")
          .describe("whose grants count: everybody's, or all but the agent's own phone's; refusals always count"),
        name: z
          .string()
          .regex(/^[A-Za-z0-9-]{1,64}$/)
          .default("X-Recording-Consent")
          .describe("SIP header that carries consent"),
        granted: textList(["granted", "yes", "true", "1"], "values that mean consent"),
        refused: textList(["refused", "no", "false", "0"], "values that mean refusal"),
        withdrawn: textList(["withdrawn"], "values that mean withdrawal"),
      },
      "Consent by SIP header",
    ),
    dtmf: section(
      {
        granted: keys("", "keys by which the caller consents; empty = none"),
        refused: keys("", "keys by which the caller refuses; empty = none"),
        withdrawn: keys("", "keys by which the caller withdraws consent; empty = none"),
        events: z.boolean().default(true).describe("keys as RTP events (RFC 4733)"),
        info: z.boolean().default(true).describe("keys in SIP INFO"),
        tones: z
          .boolean()
          .default(false)
          .describe("keys as tones in G.711 audio, listened for in memory only; costs processor time"),
        betweenKeysMs: integer(200, 10000, 3000, "longest time between two keys of one code", "ms"),
      },
      "Consent by keys that the caller presses; what the agent presses counts for nothing here",
    ),
    recordpref: section(
      {
        enabled: z
          .boolean()
          .default(true)
          .describe("take a=recordpref off and pause in the caller's SDP for a refusal"),
        grants: z.boolean().default(false).describe("take a=recordpref on for consent: a device said it, not a person"),
      },
      "SIPREC's recording preference (RFC 7866)",
    ),
    numbers: section(
      {
        always: textList([], "caller numbers or patterns that have consented once for all; the weakest grant there is"),
        never: textList([], "caller numbers or patterns that are never recorded, whatever else is said"),
      },
      "Number lists",
    ),
    register: section(
      {
        enabled: z.boolean().default(true).describe("look callers up in the consent register"),
        maxEntries: integer(0, 1000000, 200000, "entries read; the register is refused beyond it"),
      },
      "Consent on file (sidetoned register)",
    ),
    commands: section(
      {
        api: z.boolean().default(true).describe("take consent from the HTTP API"),
        mqtt: z.boolean().default(true).describe("take consent from MQTT"),
      },
      "Consent by command",
    ),
    sampling: section(
      {
        everyNth: integer(1, 100000, 1, "of the calls that policy would record, record every so many; 1 = all"),
        percentPerAgent: integer(0, 100, 100, "of each agent's calls that policy would record, record this share", "%"),
      },
      "Sampling: narrows what policy and consent allow",
    ),
    pause: section(
      {
        pauseKeys: keys("", "keys by which the agent pauses; empty = none"),
        resumeKeys: keys("", "keys by which the agent resumes; the same as pauseKeys: they toggle"),
        header: headerName("X-Recording-Pause", "SIP header that pauses and resumes; empty = none"),
        pauseValues: textList(["pause", "on", "true", "1"], "values that pause"),
        resumeValues: textList(["resume", "off", "false", "0"], "values that resume"),
        maxS: integer(1, 86400, 300, "time after which a pause ends by itself", "s"),
      },
      "Pause, as for card data: stops everything of everybody at once",
    ),
    onDemand: section(
      {
        mode: z
          .enum(["off", "start-stopped", "start-recording"])
          .default("off")
          .describe("whether the agent starts and stops recording, within what policy and consent allow"),
        startKeys: keys("*1", "keys by which the agent starts"),
        stopKeys: keys("*2", "keys by which the agent stops; the same as startKeys: they toggle"),
      },
      "Recording on demand",
    ),
    echo: section(
      {
        check: z
          .enum(["off", "report", "warn", "mute"])
          .default("off")
          .describe(
            "look for the caller's voice in the agent's own stream (G.711): report it, warn, or shut the agent's gate while the caller has not consented",
          ),
        limitPercent: integer(10, 100, 35, "correlation from which on the caller counts as heard", "%"),
      },
      "The caller's voice as an echo in the agent's stream",
    ),
  },
  "Consent",
);
