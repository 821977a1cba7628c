#!/usr/bin/env node
// The command `sidetoned`: reads the command line and the configuration, composes the service, prints what it has to say.
// Exit codes are those of base/errors.ts.
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { isoUs, systemClock } from "./base/clock.js";
import { EXIT, type ExitCode, SidetoneError } from "./base/errors.js";
import { type Logger, makeLogger } from "./base/logger.js";
import type { ConfigurationInForce } from "./box-commands.js";
import { describeConfig, explainConfig } from "./config/explain.js";
import { type ConfigOverrides, type ConfigRequest, type LoadedConfig, loadConfig } from "./config/load.js";
import { commandActor } from "./console/actor.js";
import { alarmsText } from "./console/alarms-command.js";
import { type Command, helpText, parseArguments } from "./console/arguments.js";
import { runAuditCommand } from "./console/audit-command.js";
import type { ReindexCommand } from "./console/calls-arguments.js";
import { runCallsCommand, runTagCommand } from "./console/calls-command.js";
import { certificateText } from "./console/certificate-command.js";
import { runCompletenessCommand } from "./console/completeness-command.js";
import type { DoctorCommand } from "./console/doctor-command.js";
import { runExportCommand } from "./console/export-command.js";
import { mqttText } from "./console/mqtt-command.js";
import { runPolicyTest } from "./console/policy-report.js";
import { Progress } from "./console/progress.js";
import { runProveCommand } from "./console/prove-report.js";
import { runRegisterCommand } from "./console/register-command.js";
import { runReindexCommand } from "./console/reindex-command.js";
import { type ExportCommand, runRetentionCommand } from "./console/retention-command.js";
import { describeSummary, formatSummary, type SummaryInput } from "./console/summary.js";
import { runTokenCommand } from "./console/token-command.js";
import { runVerifyCommand } from "./console/verify-command.js";
import type { Config } from "./contract/config.js";
import { switchCoreDumpsOff } from "./core-dumps.js";
import { actAsOwnerOf } from "./data-owner.js";
import { doctorOverrides, runDoctor } from "./doctor.js";
import { runJournalCommand } from "./journal-open.js";
import { Service, type ServiceResult } from "./service.js";
import { carryOutHere } from "./spool.js";
import { SpoolTrail } from "./store/file-change.js";
import { type Asked, SpoolDesk } from "./store/spool-desk.js";
import { TokenStore } from "./store/tokens.js";

const SYSTEM_DATA_FOLDER = "/var/lib/sidetone";
const LOCAL_DATA_FOLDER = "data";
const SAME_SIGNAL_MS = 1000;
/** An erasure goes through every recording there is. */
const ASK_WAIT_MS = 120_000;

type RunCommand = Extract<Command, { kind: "run" }>;

async function main(argv: readonly string[]): Promise<ExitCode> {
  const command = parseArguments(argv);
  switch (command.kind) {
    case "help":
      process.stdout.write(helpText());
      return EXIT.ok;
    case "version":
      process.stdout.write(`${packageVersion()}\n`);
      return EXIT.ok;
    case "explain-config":
      process.stdout.write(command.json ? `${JSON.stringify(describeConfig(), null, 2)}\n` : explainConfig());
      return EXIT.ok;
    case "check-config": {
      const { sources } = loadConfig({ file: command.configFile, environment: process.env });
      process.stdout.write(`sound: ${sources.file === "" ? "the built-in defaults" : sources.file}\n`);
      return EXIT.ok;
    }
    case "test-policy": {
      const { configFile, overrides } = command;
      const { config } = loadConfig({ file: configFile, environment: process.env, flags: overrides });
      process.stdout.write(runPolicyTest(config, command.call, command.json));
      return EXIT.ok;
    }
    case "alarms":
      process.stdout.write(alarmsText(command.command));
      return EXIT.ok;
    case "mqtt":
      process.stdout.write(mqttText(command.command));
      return EXIT.ok;
    case "audit":
      return runAuditCommand(command.command, settingsFor(command.command).dataFolder, write);
    case "calls": {
      const { dataFolder } = settingsFor(command.command);
      if (existsSync(dataFolder)) actAsOwnerOf(dataFolder);
      return runCallsCommand(command.command, dataFolder, write);
    }
    case "tag": {
      const { config, dataFolder } = settingsFor(command.command);
      const ask = (kind: string, body: unknown): Promise<Asked> => askService(kind, body, dataFolder, config);
      return runTagCommand(command.command, ask, write);
    }
    case "reindex":
      return reindex(command.command);
    case "journal": {
      const logger = makeLogger({
        level: "warn",
        json: command.command.json,
        write: (line) => process.stderr.write(`${line}\n`),
        nowIso: () => isoUs(systemClock.nowUs()),
      });
      const { config, dataFolder } = settingsFor(command.command);
      const ask = (kind: string, body: unknown): Promise<Asked> => askService(kind, body, dataFolder, config);
      return runJournalCommand(command.command, { config, dataFolder, logger, write, ask });
    }
    case "certificate": {
      const { config, dataFolder } = settingsFor(command.command);
      write(certificateText(command.command, config.api, dataFolder));
      return EXIT.ok;
    }
    case "completeness":
      return runCompletenessCommand(command.command, settingsFor(command.command).dataFolder, write);
    case "doctor":
      return doctor(command.command);
    case "verify":
      return runVerifyCommand(command.command, settingsFor(command.command).dataFolder, write, process.stderr);
    case "prove":
      return runProveCommand(command.command, settingsFor(command.command).dataFolder, write);
    case "register": {
      const { config, dataFolder } = settingsFor(command.command);
      const trail = await trailOf(dataFolder, config);
      return runRegisterCommand(command.command, dataFolder, config, process, { trail });
    }
    case "retention": {
      const { config, dataFolder } = settingsFor(command.command);
      if (command.command.verb === "export") return exportNumber(command.command, dataFolder, config);
      const ask = (kind: string, body: unknown): Promise<Asked> => askService(kind, body, dataFolder, config);
      return runRetentionCommand(command.command, dataFolder, config, { write, ask });
    }
    case "token": {
      const { config, dataFolder } = settingsFor(command.command);
      const trail = await trailOf(dataFolder, config);
      runTokenCommand(command.command, new TokenStore({ dataFolder, clock: systemClock, trail }), {
        out: (line) => process.stdout.write(`${line}\n`),
        note: (line) => process.stderr.write(`${line}\n`),
      });
      return EXIT.ok;
    }
    case "run":
      return run(command);
  }
}

function doctor(command: DoctorCommand): Promise<ExitCode> {
  const { config, dataFolder } = settingsFor(command, doctorOverrides(command));
  const progress = new Progress(process.stderr, systemClock);
  return runDoctor(command, {
    config,
    dataFolder,
    actor: commandActor(),
    write: (text) => {
      progress.clear();
      write(text);
    },
    note: (line) => {
      progress.clear();
      process.stderr.write(`sidetoned: ${line}\n`);
    },
    onProgress: (share) => progress.pass(share),
  });
}

function write(text: string): void {
  process.stdout.write(text);
}

function exportNumber(command: ExportCommand, dataFolder: string, config: Config): Promise<ExitCode> {
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stopping.abort());
  const device = config.device.id || hostname();
  const onFault = (message: string): void => void process.stderr.write(`sidetoned: ${message}\n`);
  return runExportCommand(command, dataFolder, config, {
    write,
    actor: commandActor(),
    device,
    signal: stopping.signal,
    // Where a service runs, it takes what waits; what cannot be taken now is taken at its next start.
    carryOut: () => carryOutHere({ dataFolder, config, device, onFault }).catch(() => {}),
  });
}

/** What is built is the data folder's owner's; whoever interrupts it finds the index as it was. */
async function reindex(command: ReindexCommand): Promise<ExitCode> {
  const { config, dataFolder } = settingsFor(command);
  if (!existsSync(dataFolder))
    throw new SidetoneError("data-unwritable", `${dataFolder} does not exist: give the data folder with --data`);
  actAsOwnerOf(dataFolder);
  const interrupt = new AbortController();
  const stop = (signal: NodeJS.Signals): void =>
    interrupt.abort(new SidetoneError("interrupted", `interrupted (${signal}): the index stays as it was`));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, stop);
  return runReindexCommand(command, dataFolder, config.numbers, {
    write,
    terminal: process.stderr,
    ask: (kind, body) => askService(kind, body, dataFolder, config),
    clock: systemClock,
    signal: interrupt.signal,
  });
}

/** Has the running service do it, or does it here where none runs. */
function askService(kind: string, body: unknown, dataFolder: string, config: Config): Promise<Asked> {
  const onFault = (message: string): void => void process.stderr.write(`sidetoned: ${message}\n`);
  const device = config.device.id || hostname();
  return new SpoolDesk(dataFolder).ask(
    { kind, actor: commandActor(), body },
    { carryOutHere: () => carryOutHere({ dataFolder, config, device, onFault }), waitMs: ASK_WAIT_MS },
  );
}

/** Whoever changes a register or a token leaves a trace; without a service many that wait are entered first. */
async function trailOf(dataFolder: string, config: Config): Promise<SpoolTrail> {
  const desk = new SpoolDesk(dataFolder);
  if (desk.isCrowded) {
    const onFault = (message: string): void => void process.stderr.write(`sidetoned: ${message}\n`);
    await carryOutHere({ dataFolder, config, device: config.device.id || hostname(), onFault }).catch(() => {});
  }
  return new SpoolTrail(desk, commandActor());
}

/** For a command beside the service: the same data folder, if it is told the same. */
function settingsFor(
  { dataFolder, configFile }: { dataFolder?: string; configFile?: string },
  overrides: ConfigOverrides = {},
): { config: Config; dataFolder: string } {
  const { config } = loadConfig({
    file: configFile,
    environment: process.env,
    flags: { ...overrides, ...(dataFolder !== undefined && { data: { folder: dataFolder } }) },
  });
  return { config, dataFolder: resolve(chooseDataFolder(config)) };
}

/** Until somebody ends it, once more whenever a command asks for a restart. */
async function run(command: RunCommand): Promise<ExitCode> {
  const request: ConfigRequest = { file: command.configFile, environment: process.env, flags: command.overrides };
  const progress = new Progress(process.stderr, systemClock);
  const current: { service?: Service } = {};
  stopOnSignal(current);
  let loaded: LoadedConfig | undefined = loadConfig(request);
  for (let isFirst = true; ; isFirst = false) {
    const { config, sources } = loaded;
    const dataFolder = resolve(chooseDataFolder(config));
    const logger = runLogger(command, config, progress);
    if (isFirst) switchOffCoreDumps(logger);
    current.service = openService(command, config, {
      dataFolder,
      logger,
      progress,
      configuration: { request, sources },
    });
    const result = await current.service.run();
    progress.clear();
    loaded = result.restartWith;
    if (loaded !== undefined) continue;
    if (command.readPaths.length > 0) printSummary(command, dataFolder, result);
    return result.exitCode;
  }
}

function runLogger(command: RunCommand, config: Config, progress: Progress): Logger {
  return makeLogger({
    // A replay ends with its summary: lines about each call would only say the same before.
    level: command.readPaths.length > 0 && !command.json && config.log.level === "info" ? "warn" : config.log.level,
    json: command.json,
    write: (line) => {
      progress.clear();
      process.stderr.write(`${line}\n`);
    },
    nowIso: () => isoUs(systemClock.nowUs()),
  });
}

function switchOffCoreDumps(logger: Logger): void {
  const { isLimited, isFiltered } = switchCoreDumpsOff();
  if (!isLimited && !isFiltered)
    logger.warn("core dumps cannot be switched off here: a crash may leave what was in memory on the disk");
  else logger.debug("core dumps are off", { limit: isLimited, memory: isFiltered });
}

interface RunParts {
  dataFolder: string;
  logger: Logger;
  progress: Progress;
  configuration: ConfigurationInForce;
}

function openService(command: RunCommand, config: Config, parts: RunParts): Service {
  const { dataFolder, logger, progress, configuration } = parts;
  return new Service({
    config,
    configuration,
    version: packageVersion(),
    dataFolder,
    capture:
      command.readPaths.length > 0
        ? { kind: "files", paths: command.readPaths.map((path) => (path === "-" ? path : resolve(path))) }
        : { kind: "live", interfaces: config.capture.interfaces },
    logger,
    showFirstToken: (secret) => {
      progress.clear();
      process.stderr.write(`the API's first token, shown only now: ${secret}\n`);
    },
    onProgress: (readBytes, totalBytes) => progress.update(readBytes, totalBytes),
  });
}

/** One Ctrl-C may arrive twice, from the terminal and handed on by npm: repeats within a second are one. */
function stopOnSignal(current: { service?: Service }): void {
  let lastMs = Number.NEGATIVE_INFINITY;
  const stop = (): void => {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - lastMs > SAME_SIGNAL_MS) current.service?.stop();
    lastMs = nowMs;
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
}

function printSummary(command: RunCommand, dataFolder: string, result: ServiceResult): void {
  const input: SummaryInput = {
    calls: result.lines,
    counters: result.counters ?? { sources: [], counts: {}, encapsulations: [], tlsEndpoints: [] },
    faults: result.faults,
    dataFolder,
  };
  if (!command.json) {
    process.stdout.write(formatSummary(input));
    return;
  }
  const own = process.cpuUsage();
  const summary = {
    ...describeSummary(input),
    callsDropped: result.linesDropped,
    /** CPU µs, so that a benchmark need not guess: seal's threads are part of the service's process. */
    processes: {
      engine: { cpuUs: result.counters?.cpuUs ?? 0, rssBytes: result.counters?.rssBytes ?? 0 },
      service: { cpuUs: own.user + own.system, rssBytes: process.memoryUsage.rss() },
      seal: { cpuUs: result.sealCpuUs },
    },
  };
  process.stdout.write(`${JSON.stringify(summary)}\n`);
}

/** The configured folder, else the system's when it is writable, else ./data. */
function chooseDataFolder(config: Config): string {
  if (config.data.folder !== "") return config.data.folder;
  try {
    accessSync(SYSTEM_DATA_FOLDER, constants.W_OK);
    return SYSTEM_DATA_FOLDER;
  } catch {
    return LOCAL_DATA_FOLDER;
  }
}

function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    if (error instanceof SidetoneError) {
      process.stderr.write(`sidetoned: ${error.message}\n`);
      process.exitCode = error.exitCode;
      return;
    }
    process.stderr.write(`sidetoned: internal fault: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = EXIT.internal;
  },
);
