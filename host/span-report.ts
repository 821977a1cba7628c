// What a box's doctor finds about its mirror port, in the words of `sidetoned doctor`. Checks that this tool does not know are shown
// by their names.
import { z } from "zod";
import { SPAN_CHECKS } from "../device/contract/span.js";
import { readAnswer, toldNumber, toldText } from "./answers.js";
import type { Colour } from "./output.js";
import { safeText } from "./safe-text.js";
import { textTable } from "./text-table.js";

const text = toldText;
const spanSchema = z.object({
  at: text,
  state: text,
  checks: z.array(
    z.object({
      id: text,
      state: text,
      figure: text,
      findings: z.array(z.object({ code: text, figure: text, remedy: text })),
    }),
  ),
  endpoints: z.array(z.object({ address: text, kind: text, calls: toldNumber, sipPeers: toldNumber, evidence: text })),
});
export type ToldSpan = z.output<typeof spanSchema>;
type Check = ToldSpan["checks"][number];
type Paint = (colour: Colour, text: string) => string;

const COLOURS: Readonly<Record<string, Colour>> = { pass: "green", warn: "yellow", fail: "red" };
const INDENT = " ".repeat(10);

/** Throws HostError bad-answer. */
export function readSpan(answer: unknown): ToldSpan {
  return readAnswer(spanSchema, answer, "its mirror port");
}

export function spanLines(report: ToldSpan, paint: Paint): string[] {
  return [
    ...report.checks.flatMap((check) => checkLines(check, paint)),
    "",
    spanSummary(report),
    ...endpointLines(report),
  ];
}

/** "18 pass, 1 warn, 0 fail, 2 not seen yet" */
export function spanSummary({ checks }: ToldSpan): string {
  const count = (state: string): number => checks.filter((check) => check.state === state).length;
  return `${count("pass")} pass, ${count("warn")} warn, ${count("fail")} fail, ${count("not-seen")} not seen yet`;
}

function checkLines({ id, state, figure, findings }: Check, paint: Paint): string[] {
  const word = safeText(state.toUpperCase().replace("-", " "), 8).padEnd(8);
  const colour = COLOURS[state];
  const meaning = Object.hasOwn(SPAN_CHECKS, id) ? SPAN_CHECKS[id as keyof typeof SPAN_CHECKS] : id;
  return [
    `${colour ? paint(colour, word) : word}  ${safeText(`${meaning}: ${figure}`)}`,
    ...findings.flatMap((one) => [
      ...(one.figure === figure ? [] : [safeText(INDENT + one.figure)]),
      safeText(`${INDENT}> ${one.remedy}`),
    ]),
  ];
}

function endpointLines({ endpoints }: ToldSpan): string[] {
  if (endpoints.length === 0) return [];
  const columns = ["address", "kind", "calls", "SIP peers", "because"].map((title, i) => ({
    title,
    maximum: 80,
    isRight: i === 2 || i === 3,
  }));
  const rows = endpoints.map(({ address, kind, calls, sipPeers, evidence }) => [
    address,
    kind,
    String(calls),
    String(sipPeers),
    evidence,
  ]);
  return ["", ...textTable(columns, rows)];
}
