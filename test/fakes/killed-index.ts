// A process that works on an index until it is killed: `killed-index.js write|rebuild|migrate FOLDER SEED`. Says "at it" on standard
// output when it begins. Nothing that it does ends by itself but the migration.
import { setTimeout as wait } from "node:timers/promises";
import { CallIndex } from "../../device/store/index/call-index.js";
import { openForWriting } from "../../device/store/index/database.js";
import { IndexFiles } from "../../device/store/index/index-files.js";
import { IndexRebuild } from "../../device/store/index/rebuild.js";
import { RecordingPaths } from "../../device/store/recording-paths.js";
import { generateCalls, storeCall } from "./indexed-calls.js";

const FIRST_US = Date.UTC(2026, 10, 1) * 1000;
const DAY_US = 86_400e6;
/** As the tests' rebuild has them. */
const NUMBERS = {
  ...{ countryCode: "49", internationalPrefix: "00", nationalPrefix: "0", areaCode: "" },
  ...{ outsideLinePrefix: "", shortestNumber: 7 },
};

const [mode, folder = "", seed = "1"] = process.argv.slice(2);
const paths = new RecordingPaths(folder);

function begin(): CallIndex {
  process.stdout.write("at it\n");
  const say = (message: string): void => void process.stderr.write(`${message}\n`);
  return CallIndex.open(paths, { numbers: NUMBERS, onFault: say, onRecovery: () => {}, onNotice: say });
}

async function write(): Promise<void> {
  const index = begin();
  const calls = [...generateCalls({ seed: Number(seed), count: 40, firstUs: FIRST_US, spanUs: 2 * DAY_US })];
  for (let i = 0; ; i++) {
    const call = calls[i % calls.length]!;
    // Later rounds write what is there: the log does not grow without end.
    if (i < calls.length) storeCall(folder, call);
    index.write(call.line);
    await wait(1);
  }
}

async function rebuild(): Promise<void> {
  const index = begin();
  for (;;) {
    const built = new IndexRebuild(paths, NUMBERS);
    for (const _ of built.steps()) await new Promise((resolve) => setImmediate(resolve));
    index.adopt(built.name);
    await wait(1);
  }
}

if (mode === "write") await write();
else if (mode === "rebuild") await rebuild();
else {
  const files = new IndexFiles(folder);
  process.stdout.write("at it\n");
  openForWriting(files.newest()!, files).close();
}
