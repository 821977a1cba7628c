// `sidetone doctor`: what the box sees on its mirror port, and what to do about it.
import type { HostCommand } from "../command.js";
import { withBox } from "../connection.js";
import { HOST_EXIT } from "../errors.js";
import { readSpan, spanLines } from "../span-report.js";

export const doctorCommand: HostCommand = {
  name: "doctor",
  summary: "what the box sees on its mirror port, what is wrong with it and what to do",
  isRemote: true,
  details: [
    '--json prints the report as the API gives it (GET /span), with "schema": "sidetone.span/1".',
    "Ends with 5 when a check fails.",
  ],
  run: (given, host) =>
    withBox(given, host, async ({ client }) => {
      const { output } = host;
      const answer = await client.json<Record<string, unknown> | undefined>("GET", "/span");
      const report = readSpan(answer);
      if (output.isJson) output.json({ schema: "sidetone.span/1", ...answer });
      else output.lines(spanLines(report, (colour, text) => output.paint(colour, text)));
      return report.state === "fail" ? HOST_EXIT.unproved : HOST_EXIT.ok;
    }),
};
