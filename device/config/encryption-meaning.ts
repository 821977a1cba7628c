// What the schema cannot say about `encryption`: a recipient that is none. Found out at the start, or what is recorded could
// later be opened by nobody.
import { parseRecipient } from "../age/keys.js";
import type { Config } from "../contract/config.js";
import type { MeaningFault } from "./meaning.js";

export function findEncryptionFaults({ encryption }: Pick<Config, "encryption">): MeaningFault[] {
  const { recipients } = encryption;
  return recipients.flatMap((text, index): MeaningFault[] => {
    const path = ["encryption", "recipients", index];
    const recipient = parseRecipient(text);
    // Not shown: what stands here in place of a recipient may be the secret that belongs to one.
    if (typeof recipient === "string") return [{ path, text: recipient, hidesValue: true }];
    if (recipients.indexOf(text) === index) return [];
    return [{ path, text: "is in the list already" }];
  });
}
