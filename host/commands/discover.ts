// `sidetone discover`: boxes on the networks that this computer is on, as they announce themselves (multicast DNS). Whatever they say
// is a claim: who a box is, login finds out.
import type { HostCommand } from "../command.js";
import { wholeNumber } from "../command-line.js";
import { discover, type FoundBox } from "../discover.js";
import { HOST_EXIT } from "../errors.js";
import { safeText } from "../safe-text.js";

const DEFAULT_SECONDS = 5;
const MAX_SECONDS = 3600;
const MAX_COLUMNS = 200;

export const discoverCommand: HostCommand = {
  name: "discover",
  summary: "finds boxes on the networks that this computer is on (multicast DNS)",
  flags: { for: { value: "SECONDS", summary: `time to look, ${DEFAULT_SECONDS} unless told` } },
  details: [
    "Each box once, as it answers. tls is how the SHA-256 of its certificate begins, to compare with what login shows; none: no TLS.",
    "--json prints a line for each: { instance, device, version, path, tls, port, addresses, url }. Ends with 0 when none answers too.",
  ],
  run: async (given, { output, stopSignal }) => {
    const seconds = wholeNumber("for", given.text("for") ?? String(DEFAULT_SECONDS), 1, MAX_SECONDS);
    let count = 0;
    for await (const box of discover({ seconds, signal: stopSignal(), onFault: (message) => output.note(message) })) {
      count++;
      if (output.isJson) output.json(box);
      else output.lines([foundLine(box)]);
    }
    if (count === 0 && !output.isJson)
      output.line("No box has answered: sidetone login takes its name or address, too.");
    return HOST_EXIT.ok;
  },
};

function foundLine({ instance, device, version, tls, url }: FoundBox): string {
  const certificate = tls === "none" ? "without TLS" : `certificate ${tls || "?"}...`;
  return safeText(`${device || instance}  ${url}  Sidetone ${version || "?"}  ${certificate}`, MAX_COLUMNS);
}
