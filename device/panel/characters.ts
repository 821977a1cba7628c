// Text in the module's character set. What it cannot show becomes what comes closest, or a question mark; custom characters
// are not used. After the data sheets' character generators.
import type { PanelModel } from "./models.js";

/** Where the character generators of the CFA635 and CFA631 leave ASCII. */
const SHIFTED: Readonly<Record<string, number>> = {
  "@": 0xa0,
  $: 0xa2,
  "[": 0xfa,
  "\\": 0xfb,
  "]": 0xfc,
  "^": 0x1d,
  _: 0xc4,
  "`": 0x27,
  "{": 0xfd,
  "|": 0xfe,
  "}": 0xff,
  "~": 0xce,
};
/** The CFA533's and CFA633's have a yen sign and arrows there. */
const LACKING = /[\\~]/;
/** The mask of numbers, and what names may hold. */
const PLAIN: Readonly<Record<string, string>> = { "•": ".", "…": ".", "–": "-", "→": ">", "×": "x", "°": " " };

/** One byte for each UTF-16 unit of the text, in the model's set. */
export function encodeText(model: PanelModel, text: string): Uint8Array {
  return Uint8Array.from(text.split("").map((unit) => codeOf(model, unit)));
}

function codeOf(model: PanelModel, unit: string): number {
  const plain = PLAIN[unit] ?? unit;
  if (!/^[ -~]$/.test(plain)) return 0x3f;
  if (model.characters === "shifted") return SHIFTED[plain] ?? plain.charCodeAt(0);
  return LACKING.test(plain) ? 0x3f : plain.charCodeAt(0);
}
