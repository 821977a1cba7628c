// Which public key verifies when none is given: the data folder's own, by whichever half of it still fits what was signed, so
// that a changed key file is found and not everything else.
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readHead } from "../audit-files.js";
import { readPublicKey } from "../public-key.js";

/** `path`: a PEM file that was kept elsewhere. Throws SidetoneError usage when there is no key at all. */
export function chooseKey(dataFolder: string, path?: string): KeyObject {
  if (path !== undefined) return readPublicKey(dataFolder, path);
  const halves = [publicHalf, privateHalf].flatMap((read) => {
    try {
      const key = read(dataFolder);
      return key.asymmetricKeyType === "ed25519" ? [key] : [];
    } catch {
      return [];
    }
  });
  return halves.find((key) => readHead(dataFolder, key)) ?? halves[0] ?? readPublicKey(dataFolder);
}

function publicHalf(dataFolder: string): KeyObject {
  return createPublicKey(readFileSync(join(dataFolder, "keys", "device.pub")));
}

function privateHalf(dataFolder: string): KeyObject {
  return createPublicKey(createPrivateKey(readFileSync(join(dataFolder, "keys", "device.key"))));
}
