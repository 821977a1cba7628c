// `sidetone status`: in a few lines whether the box is well. Each part is asked for by itself: what a box of an older version, or
// one that is starting, cannot tell is missing, and the rest is shown.
import { z } from "zod";
import { askIfTold, readAnswer, toldNumber, toldText } from "../answers.js";
import { fetchInfo, keyFingerprint, type ToldInfo } from "../box-info.js";
import type { HostCommand } from "../command.js";
import { withBox } from "../connection.js";
import { HOST_EXIT, HostError } from "../errors.js";
import type { Colour, Output } from "../output.js";
import { safeText } from "../safe-text.js";
import { readSpan, spanSummary, type ToldSpan } from "../span-report.js";
import { shownSpan, shownTime } from "../times.js";

/** Beyond it the box's clock is worth a line. */
const CLOCK_TOLERANCE_MS = 5000;
const [number, text] = [toldNumber, toldText];
const healthSchema = z.object({
  uptimeS: number,
  activeCalls: number,
  cpuPercent: z.object({ box: number, cores: number }).catch({ box: Number.NaN, cores: Number.NaN }),
  memoryMegabytes: z.object({ total: number, available: number }).catch({ total: Number.NaN, available: Number.NaN }),
  capture: z
    .object({ packetsPerSecond: number, kernelDrops: number, interfaceDrops: number })
    .catch({ packetsPerSecond: Number.NaN, kernelDrops: Number.NaN, interfaceDrops: Number.NaN }),
  sealing: z.object({ waiting: number, refused: number }).catch({ waiting: Number.NaN, refused: Number.NaN }),
});
const alarmsSchema = z.object({
  standing: z.array(
    z.object({
      code: text,
      severity: text,
      title: text,
      remedy: text,
      since: text,
      acknowledged: z.unknown().optional(),
    }),
  ),
});
type Health = z.output<typeof healthSchema>;
type Alarms = z.output<typeof alarmsSchema>;

const COLOURS: Readonly<Record<string, Colour>> = { critical: "red", error: "red", warning: "yellow" };

export const statusCommand: HostCommand = {
  name: "status",
  summary: "whether the box is well: load, alarms, mirror port",
  isRemote: true,
  details: [
    "--json prints one document { box, url, info, health, alarms, span } as GET /info, /box, /alarms and /span give them;",
    "null for what the box does not tell. Ends with 0 when the box answers; sidetone doctor ends with 5 when a check fails.",
  ],
  run: (given, host) =>
    withBox(given, host, async ({ name, client, publicKey }) => {
      const { output } = host;
      const info = await fetchInfo(client);
      checkKey(info, publicKey);
      const health = (await askIfTold(client, "/box")) ?? null;
      const alarms = (await askIfTold(client, "/alarms")) ?? null;
      const span = (await askIfTold(client, "/span")) ?? null;
      if (output.isJson) {
        output.json({ box: name, url: client.url.href, info, health, alarms, span });
        return HOST_EXIT.ok;
      }
      output.line(`${info.device || name}  Sidetone ${info.version || "?"}  ${client.url.href}`);
      for (const line of clockLines(info.at)) output.line(line);
      if (health !== null)
        for (const line of healthLines(readAnswer(healthSchema, health, "itself"))) output.line(line);
      if (span !== null) output.lines([`mirror port: ${spanLine(readSpan(span), output)}`]);
      if (alarms !== null) output.lines(alarmLines(readAnswer(alarmsSchema, alarms, "its alarms"), output));
      return HOST_EXIT.ok;
    }),
};

/** A box that signs with another key is another box, or has lost its own. */
function checkKey(info: ToldInfo, stored: string): void {
  if (stored === "" || info.publicKey === "" || keyFingerprint(info.publicKey) === keyFingerprint(stored)) return;
  throw new HostError(
    "untrusted",
    `the box signs with the key ${keyFingerprint(info.publicKey)}, which is another one than at login: sidetone login looks at it anew`,
  );
}

function clockLines(at: string): string[] {
  const offMs = Date.parse(at) - Date.now();
  if (!(Math.abs(offMs) > CLOCK_TOLERANCE_MS)) return [];
  return [
    `clock: ${shownTime(at)} there, ${shownSpan(Math.abs(offMs) / 1000)} ${offMs > 0 ? "ahead of" : "behind"} here`,
  ];
}

function healthLines({ uptimeS, activeCalls, cpuPercent, memoryMegabytes, capture, sealing }: Health): string[] {
  const { packetsPerSecond, kernelDrops, interfaceDrops } = capture;
  return [
    `up ${shownSpan(uptimeS)}, ${activeCalls} calls in progress, ${sealing.waiting} waiting to be sealed${sealing.refused > 0 ? `, ${sealing.refused} refused by the disk` : ""}`,
    `load: ${Math.round(cpuPercent.box)} % of ${cpuPercent.cores * 100} % CPU, ${Math.round(memoryMegabytes.available)} of ${Math.round(memoryMegabytes.total)} MB memory free`,
    `capture: ${Math.round(packetsPerSecond)} packets/s, ${kernelDrops + interfaceDrops} dropped`,
  ];
}

function spanLine(span: ToldSpan, output: Output): string {
  const faults = span.checks.flatMap(({ findings }) => findings.map(({ code }) => code));
  const colour = span.state === "fail" ? "red" : span.state === "warn" ? "yellow" : "green";
  const summary = output.paint(colour, spanSummary(span));
  return faults.length === 0 ? summary : `${summary} (${safeText(faults.join(", "), 200)}): sidetone doctor`;
}

function alarmLines({ standing }: Alarms, output: Output): string[] {
  if (standing.length === 0) return [`alarms: ${output.paint("green", "none")}`];
  return standing.flatMap(({ code, severity, title, remedy, since, acknowledged }) => {
    const word = safeText(severity.toUpperCase(), 8).padEnd(8);
    const colour = COLOURS[severity];
    const seen = acknowledged === undefined ? "" : ", seen";
    return [
      `${colour ? output.paint(colour, word) : word}  ${safeText(`${title} (${code}) since ${shownTime(since)}${seen}`)}`,
      `          > ${safeText(remedy)}`,
    ];
  });
}
