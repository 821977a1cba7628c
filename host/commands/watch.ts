// `sidetone watch`: calls, alarms and events as they are, over MQTT or by the box's own API; a picture on a terminal, else a JSON
// line for each thing that is said.
import { readFileSync } from "node:fs";
import { HOST_ENVIRONMENT } from "../../device/contract/host-environment.js";
import { bareHost } from "../certificates.js";
import { BOX_FLAGS, type Given, type Host, type HostCommand } from "../command.js";
import { wholeNumber } from "../command-line.js";
import { isLoopback, readPem, withBox } from "../connection.js";
import { causeOf, HOST_EXIT, HostError, type HostExit, usageError } from "../errors.js";
import { safeText } from "../safe-text.js";
import { watchBox } from "../watch/box-source.js";
import { type BrokerAddress, watchBroker } from "../watch/broker-source.js";
import { WatchLines } from "../watch/lines.js";
import type { WatchListener } from "../watch/message.js";
import { Screen } from "../watch/screen.js";
import { WatchView } from "../watch/view.js";

const PROTOCOLS = ["mqtt:", "mqtts:", "ws:", "wss:"];
const MAX_SECONDS = 31 * 86_400;
const DEVICE_PATTERN = /^[^+#/\x00-\x1f]{1,128}$/;

export const watchCommand: HostCommand = {
  name: "watch",
  summary: "a live view of calls, alarms and events, over MQTT or by the box's API",
  isRemote: true,
  flags: {
    broker: {
      value: "URL",
      summary: `MQTT broker: mqtt, mqtts, ws or wss (${HOST_ENVIRONMENT.broker}); else the box's API`,
    },
    user: { value: "NAME", summary: "at the broker" },
    "password-file": {
      value: "FILE",
      names: "file",
      summary: `with the password at the broker (${HOST_ENVIRONMENT.brokerPassword} has the password itself)`,
    },
    device: { value: "NAME", summary: "of the boxes at the broker only this one" },
    for: { value: "SECONDS", summary: "ends by itself after that time; else with Ctrl+C" },
  },
  details: [
    "With --broker, --ca is the authority of the broker's certificate, and nothing of a box is needed. The list of calls is asked",
    "for (request/calls); where the broker does not allow that, their number alone is shown. Goes on over restarts of the broker.",
    "Not on a terminal, or with --json, a line for each message: { at, device, topic, payload, retained }, topics as below",
    "sidetone/<device> (payload null: an alarm has cleared), calls/active for calls in progress where they are asked for, and",
    "{ at, connected, why } when the connection comes and goes.",
  ],
  run: watch,
};

async function watch(given: Given, host: Host): Promise<HostExit> {
  const { output, environment, stopSignal } = host;
  const seconds = given.text("for");
  const limit = seconds === undefined ? [] : [AbortSignal.timeout(wholeNumber("for", seconds, 1, MAX_SECONDS) * 1000)];
  const broker = given.text("broker") ?? (namesBox(given) ? undefined : environment[HOST_ENVIRONMENT.broker]);
  const address = broker ? brokerAddress(broker, given, host) : undefined;
  const device = given.text("device") ?? "+";
  if (device !== "+" && !DEVICE_PATTERN.test(device))
    throw usageError(`--device ${safeText(device)}: no box has such a name`);
  if (!address && (given.has("user") || given.has("password-file") || given.has("device")))
    throw usageError("--user, --password-file and --device go with --broker");
  const signal = AbortSignal.any([stopSignal(), ...limit]);
  const follow = (listener: WatchListener): Promise<void> =>
    address
      ? watchBroker({ address, device, listener, asksForCalls: output.isLive }, signal)
      : withBox(given, host, ({ client }) => watchBox({ client, listener }, signal));
  try {
    await (output.isLive ? onScreen(host, follow) : follow(new WatchLines(output)));
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return HOST_EXIT.ok;
}

async function onScreen({ output }: Host, follow: (listener: WatchListener) => Promise<void>): Promise<void> {
  const view = new WatchView();
  const screen = new Screen(output.stdout, (width, height) =>
    view.lines(width, height, (colour, text) => output.paint(colour, text)),
  );
  let isEntered = false;
  const changing = <Arguments extends unknown[]>(act: (...values: Arguments) => void) => {
    return (...values: Arguments): void => {
      // Not before there is something: what goes wrong at once is said where one looks.
      if (!isEntered) screen.enter();
      isEntered = true;
      act(...values);
      screen.change();
    };
  };
  try {
    await follow({
      message: changing((message) => view.message(message)),
      connected: changing(() => view.connected()),
      lost: changing((why) => view.lost(why)),
    });
  } finally {
    if (isEntered) screen.leave();
  }
}

function namesBox(given: Given): boolean {
  return given.has("box") || given.has("url");
}

function brokerAddress(text: string, given: Given, { environment }: Host): BrokerAddress {
  const beside = Object.keys(BOX_FLAGS).filter((flag) => flag !== "ca" && flag !== "plain" && given.has(flag));
  if (beside.length > 0) throw usageError(`--${beside[0]} does not go with --broker`);
  let url: URL;
  try {
    url = new URL(text.includes("://") ? text : `mqtt://${text}`);
  } catch {
    throw usageError(`--broker ${safeText(text, 200)}: a broker is given as mqtts://broker.example:8883`);
  }
  if (!PROTOCOLS.includes(url.protocol) || url.hostname === "" || url.username !== "" || url.password !== "")
    throw usageError(`--broker: mqtt, mqtts, ws or wss, then :// and a host; name and password go apart`);
  const username = given.text("user");
  const password = passwordOf(given, environment[HOST_ENVIRONMENT.brokerPassword]);
  const isSecret = ["mqtts:", "wss:"].includes(url.protocol);
  if (password !== undefined && !isSecret && !isLoopback(bareHost(url)) && !given.has("plain"))
    throw new HostError(
      "untrusted",
      `${url.host} without TLS would let the password be read on the way: use mqtts://, or --plain if that is meant`,
    );
  const authority = given.text("ca");
  return {
    url,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(authority !== undefined && { authorities: readPem(authority) }),
  };
}

function passwordOf(given: Given, fromEnvironment: string | undefined): string | undefined {
  const path = given.text("password-file");
  if (path === undefined) return given.has("user") ? fromEnvironment : undefined;
  try {
    return readFileSync(path === "-" ? 0 : path, "utf8").replace(/\r?\n$/, "");
  } catch (cause) {
    throw new HostError("file-unreadable", `cannot read ${safeText(path)} (${causeOf(cause)})`, { cause });
  }
}
