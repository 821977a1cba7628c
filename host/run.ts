// A run of `sidetone` from its words to its exit code: finds the command, carries it out, and says in one line what went wrong.
import { readFileSync } from "node:fs";
import { SidetoneError } from "../device/base/errors.js";
import type { Host, HostCommand } from "./command.js";
import { parseCommandLine, unknownCommand } from "./command-line.js";
import { commandTable } from "./commands.js";
import { HOST_EXIT, HostError, type HostExit, usageError } from "./errors.js";
import { commandHelp, toolHelp } from "./help.js";
import { Output, type TextSink } from "./output.js";
import { safeJson, safeText } from "./safe-text.js";

export type Surroundings = Omit<Host, "output" | "commands"> & { stdout: TextSink; stderr: TextSink };

/** Never throws. `argv` is what follows `sidetone`. */
export async function runTool(argv: readonly string[], surroundings: Surroundings): Promise<HostExit> {
  // Before anything can go wrong: how errors are to be said.
  const beforeRest = argv.includes("--") ? argv.slice(0, argv.indexOf("--")) : argv;
  const output = new Output({ ...surroundings, isJson: beforeRest.includes("--json") });
  try {
    return await run(argv, { ...surroundings, output, commands: commandTable() });
  } catch (error) {
    return report(error, output);
  }
}

async function run(argv: readonly string[], host: Host): Promise<HostExit> {
  const { output, commands } = host;
  const [word, ...rest] = argv;
  if (word === undefined) throw usageError("a command is missing; sidetone help lists all");
  if (word === "--version") {
    if (output.isJson) output.json({ version: toolVersion() });
    else output.line(`sidetone ${toolVersion()}`);
    return HOST_EXIT.ok;
  }
  if (word === "--help" || word === "-h") {
    output.lines(toolHelp(commands));
    return HOST_EXIT.ok;
  }
  const command = findCommand(word, commands);
  const given = parseCommandLine(command, rest);
  if (given.has("help")) {
    output.lines(commandHelp(command));
    return HOST_EXIT.ok;
  }
  return command.run(given, host);
}

function findCommand(word: string, commands: readonly HostCommand[]): HostCommand {
  const command = commands.find(({ name }) => name === word);
  if (command) return command;
  throw unknownCommand(
    word,
    commands.map(({ name }) => name),
  );
}

/** Of the package beside which the tool stands: dist/host/ or host/. */
export function toolVersion(): string {
  for (const place of ["../package.json", "../../package.json"]) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(place, import.meta.url), "utf8")) as Partial<
        Record<"name" | "version", string>
      >;
      if (name === "sidetone" && version !== undefined) return version;
    } catch {
      // The next place.
    }
  }
  return "unknown";
}

function report(error: unknown, output: Output): HostExit {
  const { exitCode, code, message, problem } = describe(error);
  if (output.isJson) output.stderr.write(`${safeJson({ error: code, message, ...(problem && { problem }) })}\n`);
  else if (code === "internal")
    output.stderr.write(
      `sidetone: ${message
        .split("\n")
        .map((line) => safeText(line))
        .join("\n")}\n`,
    );
  else output.note(`sidetone: ${message}`);
  return exitCode;
}

interface Described {
  exitCode: HostExit;
  code: string;
  message: string;
  problem?: string | undefined;
}

function describe(error: unknown): Described {
  if (error instanceof HostError || error instanceof SidetoneError) return error;
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { exitCode: HOST_EXIT.internal, code: "internal", message };
}
