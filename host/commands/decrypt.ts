// `sidetone decrypt`: recordings that the box has encrypted (age, X25519), opened with their holder's identity. Needs no box.
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { readIdentities } from "../../device/age/keys.js";
import type { Given, Host, HostCommand } from "../command.js";
import { decryptFile, decryptToStdout } from "../decrypt-file.js";
import { HOST_EXIT, HostError, type HostExit, usageError } from "../errors.js";

const ENDING = ".age";

export const decryptCommand: HostCommand = {
  name: "decrypt",
  summary: "opens encrypted recordings (.wav.age) with an identity of age",
  arguments: [{ name: "FILE", isRepeatable: true, names: "file" }],
  flags: {
    identity: {
      value: "FILE",
      isRequired: true,
      isRepeatable: true,
      names: "file",
      summary: "file with the secret key, as age-keygen writes it",
    },
    output: {
      value: "FILE",
      names: "file",
      summary: "of one FILE: where to, - for stdout; else beside it, without .age",
    },
    force: { summary: "replace files that are there already" },
  },
  details: [
    "The bytes are those that age -d gives. A file that was changed or cut leaves nothing.",
    "--json prints a line for each file: { file, output, bytes }, or { file, error, message } for one that could not be opened.",
    "Ends with 5 when one was changed or cut, 3 when one cannot be read or is not for these keys.",
  ],
  run: decrypt,
};

async function decrypt(given: Given, host: Host): Promise<HostExit> {
  const { output } = host;
  const files = given.arguments;
  const to = given.text("output");
  if (to !== undefined && files.length > 1) throw usageError("--output goes with one FILE");
  const identities = given.texts("identity").flatMap((path) => readIdentities(resolve(path)));
  if (to === "-") {
    if (output.stdout.isTTY || output.isJson) throw usageError("--output - is for a pipe or a file, without --json");
    decryptToStdout(resolve(files[0]!), identities);
    return HOST_EXIT.ok;
  }
  let exit: HostExit = HOST_EXIT.ok;
  for (const file of files) {
    try {
      const target = to === undefined ? besideIt(file) : resolve(to);
      if (!given.has("force") && existsSync(target))
        throw new HostError("file-unwritable", `${target} is there already: --force replaces it`);
      const bytes = decryptFile(resolve(file), target, identities, given.has("force"));
      if (output.isJson) output.json({ file, output: target, bytes });
      else output.line(`${target}: ${bytes} bytes`);
    } catch (error) {
      if (!(error instanceof HostError) || files.length === 1) throw error;
      exit = exit === HOST_EXIT.unproved ? exit : error.exitCode;
      if (output.isJson) output.json({ file, error: error.code, message: error.message });
      else output.note(`sidetone: ${error.message}`);
    }
  }
  return exit;
}

function besideIt(file: string): string {
  const name = basename(file);
  if (!name.endsWith(ENDING) || name.length === ENDING.length)
    throw usageError(`${file} does not end in ${ENDING}: say with --output where its content goes`);
  return join(dirname(resolve(file)), name.slice(0, -ENDING.length));
}
