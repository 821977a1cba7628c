// Recipients that are none are refused at the start, by their place in the list; a secret key that was put there is not shown.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { generateIdentity, identityText } from "../../../device/age/keys.js";
import { loadConfig } from "../../../device/config/load.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

const holder = generateIdentity();
const { text } = holder.recipient;

function refusal(recipients: readonly string[]): string {
  try {
    loadConfig({ environment: { SIDETONE_ENCRYPTION_RECIPIENTS: recipients.join(",") }, defaultFile: "/nowhere" });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "";
}

describe("encryption.recipients", () => {
  it("takes age's public keys", () => {
    expect(refusal([text, generateIdentity().recipient.text])).toBe("");
  });

  it.each([
    ["mistyped", [text, `${text.slice(0, -1)}${text.endsWith("q") ? "p" : "q"}`], /recipients\[1\]: is no recipient/],
    ["of another kind", ["age1pq1abc"], /recipients\[0\]: is no X25519/],
    ["given twice", [text, text], /recipients\[1\]: .* is in the list already/],
  ] as const)("refuses one that is %s", (_, recipients, expected) => {
    expect(refusal(recipients)).toMatch(expected);
  });

  it("refuses a secret key without showing it", () => {
    const secret = identityText(holder);
    expect(refusal([secret])).toMatch(/recipients\[0\]: is a secret key/);
    expect(refusal([secret])).not.toContain(secret.slice(20));
    const folder = makeFolder();
    try {
      const file = join(folder, "sidetone.yaml");
      writeFileSync(file, `encryption:\n  recipients:\n    - ${secret}\n`);
      expect(() => loadConfig({ file, environment: {} })).toThrow(/sidetone\.yaml:3.*is a secret key/);
      expect(() => loadConfig({ file, environment: {} })).not.toThrow(secret.slice(20));
    } finally {
      removeFolder(folder);
    }
  });
});
