// The commands of `sidetone`, in the order in which help shows them. Another one is a file in commands/ and a line here.
import type { HostCommand } from "./command.js";
import { boxesCommand, logoutCommand } from "./commands/boxes.js";
import { callsCommand } from "./commands/calls.js";
import { completionCommand } from "./commands/completion.js";
import { consentCommand, pauseCommand, resumeCommand } from "./commands/consent.js";
import { decryptCommand } from "./commands/decrypt.js";
import { discoverCommand } from "./commands/discover.js";
import { doctorCommand } from "./commands/doctor.js";
import { exportCommand } from "./commands/export.js";
import { helpCommand } from "./commands/help.js";
import { loginCommand } from "./commands/login.js";
import { pullCommand } from "./commands/pull.js";
import { replayCommand } from "./commands/replay.js";
import { statusCommand } from "./commands/status.js";
import { verifyCommand } from "./commands/verify.js";
import { watchCommand } from "./commands/watch.js";

export function commandTable(): readonly HostCommand[] {
  return [
    discoverCommand,
    loginCommand,
    logoutCommand,
    boxesCommand,
    statusCommand,
    doctorCommand,
    watchCommand,
    callsCommand,
    consentCommand,
    pauseCommand,
    resumeCommand,
    pullCommand,
    exportCommand,
    verifyCommand,
    decryptCommand,
    replayCommand,
    completionCommand,
    helpCommand,
  ];
}
