// The box's name as an id that Home Assistant ([a-zA-Z0-9_-]) and Homie ([a-z0-9-], no hyphen at either end) both take. Two boxes
// keep two ids: whatever had to be changed to make a name safe is in the id as a hash.
import { sha256Of } from "../../base/sha256.js";

const PREFIX = "sidetone";
const MAX_SLUG_CHARACTERS = 40;
const HASH_CHARACTERS = 8;
/** What a changed name ends with: a name that does so by itself is taken for a changed one. */
const ENDS_IN_HASH = /(?:^|-)[0-9a-f]{8}$/;

/** "office-2" → "sidetone-office-2"; "Office 2" → "sidetone-office-2-1f0c3b5a". */
export function boxId(device: string): string {
  const slug = device
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, MAX_SLUG_CHARACTERS)
    .replace(/^-|-$/g, "");
  const isAsItWas = slug === device && slug !== "" && !ENDS_IN_HASH.test(slug);
  const hash = isAsItWas ? "" : sha256Of(device).slice(0, HASH_CHARACTERS);
  return [PREFIX, slug, hash].filter((part) => part !== "").join("-");
}
