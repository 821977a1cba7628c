// `sidetone replay`: a capture through the recorder itself, on a computer where it stands beside this tool, as on a development
// machine. Whatever it says is its own.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Given, Host, HostCommand } from "../command.js";
import { causeOf, HOST_EXIT, HostError, type HostExit } from "../errors.js";

/** Both are built into one folder. */
const RECORDER = new URL("../../device/main.js", import.meta.url);
const OWN_EXITS: readonly number[] = Object.values(HOST_EXIT);
/** Of the recorder's flags those that a replay has. */
const PASSED_ON = ["agents", "policy", "data", "config"] as const;

export const replayCommand: HostCommand = {
  name: "replay",
  summary: "records out of a capture file, where the recorder (sidetoned) stands beside this tool",
  arguments: [{ name: "FILE", isRepeatable: true, names: "file" }],
  flags: {
    agents: { value: "LIST", summary: "who the agents are: networks or numbers, with commas between" },
    policy: { value: "NAME", summary: "consent policy" },
    data: { value: "DIR", names: "folder", summary: "data folder; else the recorder's own" },
    config: { value: "FILE", names: "file", summary: "the recorder's configuration" },
  },
  details: [
    "The same as sidetoned --read FILE: it prints what that prints, and ends with its exit code (3: a capture cannot be read,",
    "4: something could not be stored).",
  ],
  run: (given, host) => replay(given, host),
};

/** `program`: of the recorder. */
export async function replay(
  given: Given,
  { stopSignal }: Pick<Host, "stopSignal">,
  program = RECORDER,
): Promise<HostExit> {
  const path = fileURLToPath(program);
  if (!existsSync(path))
    throw new HostError(
      "file-unreadable",
      `there is no recorder beside this tool (${path}): a replay needs the whole package, on Linux`,
    );
  const args = [
    ...given.arguments.flatMap((file) => [`--read=${file}`]),
    ...PASSED_ON.flatMap((flag) => given.texts(flag).map((value) => `--${flag}=${value}`)),
    ...(given.has("json") ? ["--json"] : []),
  ];
  // The terminal sends its signal to both; the recorder decides how it ends.
  stopSignal();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path, ...args], { stdio: "inherit" });
    child.once("error", (cause) =>
      reject(new HostError("file-unreadable", `cannot start ${path} (${causeOf(cause)})`, { cause })),
    );
    child.once("close", (code) => {
      if (code === null) reject(new HostError("interrupted", "the recorder was ended by a signal"));
      else resolve(OWN_EXITS.includes(code) ? (code as HostExit) : HOST_EXIT.internal);
    });
  });
}
