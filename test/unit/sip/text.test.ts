// Octets as text: decoding, quoting, splitting, escapes, and that megabytes of the worst take linear time: quadratic
// work on them would not end within the test's time limit by orders of magnitude.
import { describe, expect, test } from "vitest";
import {
  cleanParameters,
  parameterOf,
  splitAddress,
  splitAddresses,
  splitUri,
  uriHeader,
  uriParameter,
} from "../../../device/sip/address.js";
import { parseSdp } from "../../../device/sip/sdp.js";
import {
  collapseWhiteSpace,
  decodeText,
  decodeUtf8,
  isToken,
  percentDecode,
  quotedStringEnd,
  shorten,
  splitOutsideQuotes,
  unquote,
  withoutControlCharacters,
} from "../../../device/sip/text.js";

describe("text", () => {
  test("UTF-8, else Latin-1", () => {
    expect(decodeText(Buffer.from("Müller", "utf8"))).toBe("Müller");
    expect(decodeText(Buffer.from("Müller", "latin1"))).toBe("Müller");
  });

  test("UTF-8 with a mark for what is none", () => {
    expect(decodeUtf8(Buffer.from("Müller", "utf8"))).toBe("Müller");
    expect(decodeUtf8(Buffer.from("Müller", "latin1"))).toBe("M�ller");
  });

  test("shortened, never within a character", () => {
    expect([shorten("abc", 3), shorten("abcd", 3), shorten("", 0)]).toEqual(["abc", "abc", ""]);
    expect([shorten("a😀b", 2), shorten("a😀b", 3), shorten("😀", 1)]).toEqual(["a", "a😀", ""]);
  });

  test("tokens", () => {
    expect(["a", "RE%47", "-.!%*_+`'~", "0"].every(isToken)).toBe(true);
    expect(["", "a b", "a:b", "ä", "a\0", "\u0141", "a/b"].some(isToken)).toBe(false);
  });

  test("white space", () => {
    expect(collapseWhiteSpace(" a \t\r\n  b\r\n\tc ")).toBe("a b c");
  });

  test("quotes", () => {
    expect(quotedStringEnd('"a\\"b" c', 0)).toBe(6);
    expect(quotedStringEnd('"a\\"', 0)).toBe(-1);
    expect(unquote('"a\\"b\\\\"')).toBe('a"b\\');
    expect(unquote('"a" b')).toBe('"a" b');
    expect(unquote('"')).toBe('"');
  });

  test("splitting outside quotes and <>", () => {
    expect(splitOutsideQuotes('a;"b;c";<d;e>;f', ";", 9)).toEqual(["a", '"b;c"', "<d;e>", "f"]);
    expect(splitOutsideQuotes('a;"b;c', ";", 9)).toEqual(["a", '"b', "c"]);
    expect(splitOutsideQuotes("a;b;c", ";", 2)).toEqual(["a", "b"]);
    expect(splitOutsideQuotes("", ";", 2)).toEqual([""]);
  });

  test("escapes and control characters", () => {
    expect(percentDecode("%41%C3%BC%zz%")).toBe("Aü%zz%");
    expect(percentDecode("%FC")).toBe("ü");
    expect(withoutControlCharacters("a\0b\u001b\u007f\u0085c")).toBe("a b   c");
    expect(withoutControlCharacters("\u202egnp.exe\u202c \u2066x\u2069\u2028y")).toBe(" gnp.exe   x  y");
    expect(withoutControlCharacters("\u0645\u06cc\u200c\u062e")).toBe("\u0645\u06cc\u200c\u062e");
  });
});

describe("linear time", () => {
  const million = 1_000_000;
  test.each([
    ["escaped quotes", `"${'\\"'.repeat(million)}`],
    ["quotes", '"'.repeat(2 * million + 1)],
    ["backslashes", `"${"\\".repeat(2 * million)}`],
    ["semicolons", ";".repeat(million)],
    ["angles", "<".repeat(million)],
    ["tokens", "a ".repeat(million)],
    ["spaces", " ".repeat(2 * million)],
    ["escapes", "%41".repeat(million)],
    ["at signs", `sip:${"@".repeat(million)}`],
    ["line feeds", `v=0${"\n".repeat(million)}`],
    ["attributes", `v=0\nm=audio 1 RTP/AVP 0\n${"a=rtpmap:0 a/1\n".repeat(million / 10)}`],
    ["blanks in SDP", `v=0\nm=audio 1${" ".repeat(million)}\na=rtpmap:0${" ".repeat(million)}\n`],
  ])("%s", (_, text) => {
    splitOutsideQuotes(text, ",", 64);
    cleanParameters(text);
    splitUri(splitAddress(text).uri);
    splitAddresses([text, text], 16);
    parameterOf(text, "name");
    uriParameter(`sip:a@b;${text}`, "name");
    uriHeader(`sip:a@b?${text}`, "name");
    collapseWhiteSpace(text);
    percentDecode(text);
    unquote(text);
    parseSdp(text);
    expect(splitOutsideQuotes(text, ",", 64).length).toBe(1);
  });
});
