// Desks for commands about the box without a box behind them: one that does nothing, and one that answers as the reference's
// examples do.
import type { BoxAnswers } from "../../device/contract/box-answers.js";
import type { BoxCommand, BoxCommandDesk, BoxResult } from "../../device/contract/box-commands.js";
import { MQTT_REQUESTS } from "../../device/contract/mqtt-requests.js";

export class NoBox implements BoxCommandDesk {
  readonly commands: BoxCommand[] = [];
  result: BoxResult = { ok: false, error: "unavailable", message: "there is no box here" };
  async submit(command: BoxCommand): Promise<BoxResult> {
    this.commands.push(command);
    return this.result;
  }
}

export class ExampleBox implements BoxCommandDesk {
  readonly commands: BoxCommand[] = [];
  /** In place of the example. */
  answer: ((command: BoxCommand) => Promise<BoxResult>) | undefined;

  submit(command: BoxCommand): Promise<BoxResult> {
    this.commands.push(command);
    return this.answer?.(command) ?? Promise.resolve(exampleOf(command));
  }
}

function exampleOf({ body }: BoxCommand): BoxResult {
  const { verb } = body;
  if (verb !== "configuration") return { ok: true, verb, data: MQTT_REQUESTS[verb].example.data } as BoxResult;
  const data: BoxAnswers["configuration"] =
    body.action === "get"
      ? { action: "get", file: "", settings: {}, omitted: [], pending: [] }
      : { action: "set", dryRun: body.dryRun, changed: Object.keys(body.values), overridden: [], restart: true };
  return { ok: true, verb, data };
}
