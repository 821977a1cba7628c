// `sidetone help [COMMAND]`: words made from the table of commands.
import type { HostCommand } from "../command.js";
import { unknownCommand } from "../command-line.js";
import { HOST_EXIT } from "../errors.js";
import { commandHelp, toolHelp } from "../help.js";

export const helpCommand: HostCommand = {
  name: "help",
  summary: "tells what the commands are, or what one of them takes",
  arguments: [{ name: "COMMAND", isOptional: true }],
  run: async (given, { output, commands }) => {
    const name = given.arguments[0];
    const command = commands.find((one) => one.name === name);
    if (name !== undefined && command === undefined)
      throw unknownCommand(
        name,
        commands.map((one) => one.name),
      );
    const lines = command ? commandHelp(command) : toolHelp(commands);
    if (output.isJson) output.json({ help: lines.join("\n") });
    else output.lines(lines);
    return HOST_EXIT.ok;
  },
};
