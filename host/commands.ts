// The commands of `sidetone`, in the order in which help shows them. Another one is a file in commands/ and a line here.
import type { HostCommand } from "./command.js";
import { boxesCommand, logoutCommand } from "./commands/boxes.js";
import { completionCommand } from "./commands/completion.js";
import { decryptCommand } from "./commands/decrypt.js";
import { helpCommand } from "./commands/help.js";
import { loginCommand } from "./commands/login.js";
import { pullCommand } from "./commands/pull.js";
import { verifyCommand } from "./commands/verify.js";

export function commandTable(): readonly HostCommand[] {
  return [
    ...[loginCommand, logoutCommand, boxesCommand, pullCommand, verifyCommand, decryptCommand],
    ...[completionCommand, helpCommand],
  ];
}
