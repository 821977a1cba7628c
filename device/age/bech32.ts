// Bech32 as age writes its keys (BIP 173, without its limit on the length): a word that says what it is, 32 letters, and a
// checksum that finds a mistyped one. Pure.

const LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CHECKSUM_LETTERS = 6;
const BITS_PER_LETTER = 5;

export interface Bech32 {
  /** In lower case. */
  word: string;
  bytes: Buffer;
}

/** Undefined when the text is none, or its checksum does not hold. Upper and lower case are not mixed. */
export function decodeBech32(text: string): Bech32 | undefined {
  const lower = text.toLowerCase();
  if (text !== lower && text !== text.toUpperCase()) return undefined;
  const separator = lower.lastIndexOf("1");
  const word = lower.slice(0, separator);
  const values = Array.from(lower.slice(separator + 1), (letter) => LETTERS.indexOf(letter));
  if (separator < 1 || values.length < CHECKSUM_LETTERS || values.includes(-1)) return undefined;
  if (!/^[\x21-\x7e]+$/.test(word) || checksum([...expand(word), ...values]) !== 1) return undefined;
  const bytes = toBytes(values.slice(0, -CHECKSUM_LETTERS));
  return bytes && { word, bytes };
}

/** In lower case. */
export function encodeBech32(word: string, bytes: Uint8Array): string {
  const values = toValues(bytes);
  const sum = checksum([...expand(word), ...values, ...new Array<number>(CHECKSUM_LETTERS).fill(0)]) ^ 1;
  for (let i = CHECKSUM_LETTERS - 1; i >= 0; i--) values.push((sum >>> (BITS_PER_LETTER * i)) & 31);
  return `${word}1${values.map((value) => LETTERS[value]!).join("")}`;
}

function expand(word: string): number[] {
  const codes = Array.from(word, (letter) => letter.charCodeAt(0));
  return [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)];
}

function checksum(values: readonly number[]): number {
  let sum = 1;
  for (const value of values) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << BITS_PER_LETTER) ^ value;
    for (const [i, term] of GENERATOR.entries()) if ((top >>> i) & 1) sum ^= term;
  }
  return sum >>> 0;
}

/** Undefined when what is left over is not the few zero bits that fill the last letter up. */
function toBytes(values: readonly number[]): Buffer | undefined {
  const bytes: number[] = [];
  let [held, bits] = [0, 0];
  for (const value of values) {
    held = (held << BITS_PER_LETTER) | value;
    bits += BITS_PER_LETTER;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >>> bits) & 255);
    held &= (1 << bits) - 1;
  }
  return bits < BITS_PER_LETTER && held === 0 ? Buffer.from(bytes) : undefined;
}

function toValues(bytes: Uint8Array): number[] {
  const values: number[] = [];
  let [held, bits] = [0, 0];
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= BITS_PER_LETTER; ) {
      bits -= BITS_PER_LETTER;
      values.push((held >>> bits) & 31);
      held &= (1 << bits) - 1;
    }
  }
  if (bits > 0) values.push((held << (BITS_PER_LETTER - bits)) & 31);
  return values;
}
