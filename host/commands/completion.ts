// `sidetone completion SHELL`: prints a script for that shell.

import type { HostCommand } from "../command.js";
import { completionScript, SHELLS, type Shell } from "../completion.js";
import { HOST_EXIT } from "../errors.js";

export const completionCommand: HostCommand = {
  name: "completion",
  summary: "prints what a shell needs to complete this command",
  arguments: [{ name: "SHELL", choices: SHELLS }],
  details: [
    "bash:        source <(sidetone completion bash)",
    "zsh:         source <(sidetone completion zsh)",
    "fish:        sidetone completion fish | source",
    "PowerShell:  sidetone completion powershell | Out-String | Invoke-Expression",
  ],
  run: async (given, { output, commands }) => {
    const shell = given.arguments[0] as Shell;
    const script = completionScript(shell, commands);
    if (output.isJson) output.json({ shell, script: script.join("\n") });
    else output.lines(script);
    return HOST_EXIT.ok;
  },
};
