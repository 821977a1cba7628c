// `sidetoned export` carried out: gathers what the data folder has about a number, says what it is or writes it into one archive.
// Only looks at the data folder; the entry in the audit chain is left in the spool for whoever has it.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "../base/clock.js";
import { EXIT, type ExitCode } from "../base/errors.js";
import { registerKey } from "../consent/register-line.js";
import type { Config } from "../contract/config.js";
import { maskNumber } from "../contract/number-mask.js";
import { storageFault } from "../seal/storage-fault.js";
import { openDeviceKey } from "../store/device-key.js";
import { type About, gatherAbout } from "../store/export/about.js";
import { checkTarget, EXPORT_SCHEMA, writeArchive } from "../store/export/archive.js";
import { intendExport } from "../store/export/export-trail.js";
import { refuseNumberIn } from "../store/retention/requests.js";
import { SpoolDesk } from "../store/spool-desk.js";
import { printable, usage } from "./command-flags.js";
import { type ExportCommand, namelessText, openBook } from "./retention-command.js";

export interface ExportIo {
  write(text: string): void;
  /** As in the audit chain. */
  actor: string;
  /** The box's name. */
  device: string;
  /** Aborted: nothing is exported. */
  signal: AbortSignal;
  /** Has what waits in the spool carried out here, unless a service does. */
  carryOut(): Promise<void>;
  clock?: Clock;
}

/** Throws SidetoneError: `usage` for what may not be, `export-failed`, or `data-unwritable` for what cannot be read. */
export async function runExportCommand(
  command: ExportCommand,
  dataFolder: string,
  config: Config,
  io: ExportIo,
): Promise<ExitCode> {
  const { number, reason, isDryRun, json } = command;
  const { write, clock = systemClock } = io;
  if (registerKey(number, config.numbers) === "") throw usage("this number names nobody: it stands for withheld ones");
  refuseNumberIn(reason, number);
  if (!existsSync(join(dataFolder, "keys", "device.key")))
    throw usage(`${printable(dataFolder)} is no data folder of a recorder: give it with --data`);
  const file = isDryRun ? "" : checkTarget(command.file, dataFolder);
  const about = await gather(number, dataFolder, config, clock);
  if (isDryRun) {
    write(json ? `${JSON.stringify({ schema: EXPORT_SCHEMA, ...factsOf(about) })}\n` : describe(about));
    return EXIT.ok;
  }
  const { actor, device, signal } = io;
  const desk = new SpoolDesk(dataFolder);
  const { files, bytes, sha256, gone } = await writeArchive({
    file,
    about,
    paths: openBook(dataFolder, config, clock).paths,
    device,
    by: actor,
    reason,
    atUs: clock.nowUs(),
    signal,
    intend: (written, detail) => intendExport(desk, actor, { file, bytes: written.bytes, detail }),
  });
  await io.carryOut();
  if (json)
    write(`${JSON.stringify({ schema: EXPORT_SCHEMA, ...factsOf(about), file, files, bytes, sha256, gone })}\n`);
  else {
    write(describe(about));
    if (gone > 0) write(`${gone} files were deleted meanwhile and are not in it (contents.json names them)\n`);
    write(`exported: ${files} files, ${(bytes / 1e6).toFixed(1)} MB, SHA-256 ${sha256}\n`);
    write(
      "It holds both sides of the calls: decide what of it touches the rights of others before it is handed over.\n",
    );
  }
  return EXIT.ok;
}

async function gather(number: string, dataFolder: string, config: Config, clock: Clock): Promise<About> {
  try {
    return await gatherAbout({
      book: openBook(dataFolder, config, clock),
      number,
      numbers: config.numbers,
      maxRegisterEntries: config.consent.register.maxEntries,
      key: openDeviceKey(dataFolder),
    });
  } catch (error) {
    throw storageFault("data-unwritable", `cannot read all of ${dataFolder}`, error);
  }
}

function factsOf(about: About) {
  const { calls, recordings, logDays, registers, audit, tombstones, holds, locked, nameless } = about;
  return {
    calls: calls.size,
    recordings: recordings.map(({ id }) => id),
    recordingBytes: recordings.reduce((sum, { bytes }) => sum + bytes, 0),
    logLines: logDays.reduce((sum, { lines }) => sum + lines, 0),
    registerEntries: registers.reduce((sum, { lines }) => sum + lines.length, 0),
    auditEntries: audit.files.reduce((sum, { entries }) => sum + entries, 0),
    tombstones: tombstones.length,
    holds: holds.map(({ id }) => id),
    locked: locked.map(({ record }) => record.id),
    nameless,
  };
}

function describe(about: About): string {
  const { calls, recordings, recordingBytes, logLines, registerEntries, auditEntries, tombstones, holds, locked } =
    factsOf(about);
  const megabytes = (recordingBytes / 1e6).toFixed(1);
  const lines = [
    `${printable(maskNumber(about.number))}: ${calls} calls, ${recordings.length} recordings (${megabytes} MB), ${logLines} lines of the call log`,
    `${registerEntries} register entries, ${auditEntries} audit entries, ${tombstones} certificates of deletion, ${holds.length} holds`,
  ];
  if (locked.length > 0) lines.push(`${locked.length} calls are in journals that this box cannot read: without audio`);
  return `${[...lines, ...about.nameless.map(namelessText)].join("\n")}\n`;
}
