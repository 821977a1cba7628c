// `sidetone pull FOLDER`: the box's recordings in a folder, each once, each checked against what the box has signed.
import type { KeyObject } from "node:crypto";
import { resolve } from "node:path";
import type { Given, Host, HostCommand } from "../command.js";
import { wholeNumber } from "../command-line.js";
import { type Connection, withBox } from "../connection.js";
import { HOST_EXIT, HostError, type HostExit, usageError } from "../errors.js";
import { FILTER_FLAGS, filterOf } from "../listing-filter.js";
import { Arrivals } from "../pull/arrivals.js";
import { linkOf } from "../pull/client-link.js";
import { FolderLock } from "../pull/folder-lock.js";
import { DEFAULT_TEMPLATE, NameTemplate, TEMPLATE_FIELDS } from "../pull/name-template.js";
import { PullDisplay } from "../pull/pull-display.js";
import { Puller } from "../pull/puller.js";
import { asFolderFault } from "../pull/recording-pull.js";
import type { Debt } from "../pull/state-journal.js";
import { TargetFolder } from "../pull/target-folder.js";
import { publicKeyOf, readPublicKey } from "../verify/public-key.js";

const PARALLEL = { default: 4, most: 16 };
const INTERVAL_S = { default: 15, most: 86_400 };
const RETRY_S = { default: 300, most: 86_400 };
const DEFAULT_REASON = "sidetone pull";
const MAX_REASON = 256;

export const pullCommand: HostCommand = {
  name: "pull",
  summary: "mirrors new recordings into a folder: each once, checked against what the box has signed",
  arguments: [{ name: "FOLDER", names: "folder" }],
  flags: {
    follow: { summary: "go on and bring what comes, until Ctrl+C" },
    name: { value: "TEMPLATE", summary: `where in the folder, else ${DEFAULT_TEMPLATE}` },
    ack: { summary: "tell the box that each is here whole" },
    "delete-after": { summary: "delete each on the box once it is here whole; implies --ack" },
    reason: { value: "TEXT", summary: "why, for the box's audit chain" },
    recheck: { summary: "read the whole listing again and look whether what was pulled is as it was signed" },
    parallel: { value: "COUNT", summary: `recordings at once, 1 to ${PARALLEL.most}, else ${PARALLEL.default}` },
    interval: {
      value: "SECONDS",
      summary: `with --follow: longest time between two looks, else ${INTERVAL_S.default}`,
    },
    "retry-for": {
      value: "SECONDS",
      summary: `how long to wait for a box that is away, else ${RETRY_S.default}; with --follow for ever`,
    },
    "public-key": {
      value: "FILE",
      names: "file",
      summary: "the box's keys/device.pub, else the one that login stored",
    },
    unacknowledged: { summary: "only what this token has not acknowledged" },
    ...FILTER_FLAGS,
  },
  isRemote: true,
  details: [
    `TEMPLATE has text and ${TEMPLATE_FIELDS.map((field) => `{${field}}`).join(" ")}; / makes folders. The id is always`,
    "in the file's name. A recording is there when its .json is: its .wav (.wav.age) is whole then, and was checked.",
    "--json prints a line for each event, { event, ... }: begin, listed, stored, found, aside, acknowledged, deleted, kept, gone,",
    "fault, stale, outage, back, notice, caught-up, end.",
    "Ends with 5 when a recording could not be pulled; the others are there, and the next run tries it again. With 7 when the box",
    "is another one, with 4 when the folder cannot be written, with 6 when the box stayed away.",
  ],
  run: (given, host) => withBox(given, host, (connection) => pull(given, host, connection)),
};

async function pull(given: Given, host: Host, connection: Connection): Promise<HostExit> {
  const isFollowing = given.has("follow");
  // What is wrong with the flags is said before anything is made or asked.
  const options = {
    template: new NameTemplate(given.text("name") ?? DEFAULT_TEMPLATE),
    filter: { ...filterOf(given), ...(given.has("unacknowledged") && { acknowledged: "no" }) },
    debts: debtsOf(given),
    recheck: given.has("recheck"),
    parallel: countOf(given, "parallel", PARALLEL),
    patienceMs: patienceOf(given, isFollowing),
    reason: reasonOf(given),
    key: keyOf(given, connection),
  };
  const intervalMs = countOf(given, "interval", INTERVAL_S) * 1000;
  const folder = await TargetFolder.open(resolve(given.arguments[0]!));
  const link = linkOf(connection.client);
  const end = new AbortController();
  const signal = AbortSignal.any([host.stopSignal(), end.signal]);
  const lock = takeLock(folder, () => end.abort(lostLock(folder)));
  const display = new PullDisplay(host.output);
  let listening: Promise<void> | undefined;
  try {
    const arrivals = isFollowing ? new Arrivals({ link, intervalMs }) : undefined;
    listening = arrivals?.listen(signal);
    const puller = new Puller({
      ...{ ...options, link, folder, ...(arrivals && { arrivals }) },
      tell: (event) => display.tell(event),
      onProgress: (id, bytes) => display.progress(id, bytes),
    });
    const { faults } = await puller.run(signal);
    return faults > 0 ? HOST_EXIT.unproved : HOST_EXIT.ok;
  } catch (error) {
    // The way in which following ends.
    if (isFollowing && error instanceof HostError && error.code === "interrupted") return HOST_EXIT.ok;
    throw error;
  } finally {
    display.clear();
    end.abort();
    await listening;
    lock.release();
  }
}

function takeLock(folder: TargetFolder, onLost: () => void): FolderLock {
  try {
    return FolderLock.take(folder.ownFolder, onLost);
  } catch (error) {
    throw asFolderFault(error);
  }
}

function lostLock({ path }: TargetFolder): HostError {
  return new HostError("refused", `${path} was taken over by another sidetone pull while this one was asleep`);
}

function debtsOf(given: Given): Debt[] {
  if (given.has("delete-after")) return ["acknowledge", "delete"];
  return given.has("ack") ? ["acknowledge"] : [];
}

function countOf(given: Given, flag: string, bounds: { default: number; most: number }): number {
  const text = given.text(flag);
  return text === undefined ? bounds.default : wholeNumber(flag, text, 1, bounds.most);
}

function patienceOf(given: Given, isFollowing: boolean): number {
  const text = given.text("retry-for");
  if (text === undefined) return isFollowing ? Number.POSITIVE_INFINITY : RETRY_S.default * 1000;
  return wholeNumber("retry-for", text, 0, RETRY_S.most) * 1000;
}

function reasonOf(given: Given): string {
  const reason = given.text("reason") ?? DEFAULT_REASON;
  if (reason.length > MAX_REASON || /[\p{C}\p{Zl}\p{Zp}]/u.test(reason))
    throw usageError(`--reason: one line of at most ${MAX_REASON} characters`);
  return reason;
}

/** Without it nothing that the box sends could be checked. */
function keyOf(given: Given, { publicKey }: Connection): KeyObject {
  const path = given.text("public-key");
  if (path !== undefined) return readPublicKey(resolve(path));
  const key = publicKeyOf(publicKey);
  if (key !== undefined) return key;
  throw usageError("the key that signs the box's recordings is not known: sidetone login, or --public-key FILE");
}
