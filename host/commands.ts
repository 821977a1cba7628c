// The commands of `sidetone`, in the order in which help shows them. Another one is a file in commands/ and a line here.
import type { HostCommand } from "./command.js";
import { completionCommand } from "./commands/completion.js";
import { helpCommand } from "./commands/help.js";
import { verifyCommand } from "./commands/verify.js";

export function commandTable(): readonly HostCommand[] {
  return [verifyCommand, completionCommand, helpCommand];
}
