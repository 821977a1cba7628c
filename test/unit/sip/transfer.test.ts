// What messages say of other dialogs: whole, sloppy, malformed, cut, hostile. RFC 3515, 3891, 3892, 3911, 4488, 4538.
import { describe, expect, test } from "vitest";
import {
  readJoin,
  readRedirection,
  readReferredBy,
  readReferSub,
  readReferTo,
  readReplaces,
  readSipfragStatus,
  readTargetDialog,
} from "../../../device/sip/transfer.js";
import { accept, invite } from "./sip-text.js";

const message = (...lines: string[]) => accept(invite({}, lines));

describe("Replaces and Join", () => {
  const dialog = { callId: "425928@bobster.example.org", toTag: "7743", fromTag: "6472", earlyOnly: false };

  test.each([
    ["425928@bobster.example.org;to-tag=7743;from-tag=6472", dialog],
    ["425928@bobster.example.org ; from-tag=6472 ; to-tag = 7743", dialog],
    ["425928@bobster.example.org;TO-TAG=7743;From-Tag=6472;x;y=z", dialog],
    ["425928@bobster.example.org;to-tag=7743;from-tag=6472;early-only", { ...dialog, earlyOnly: true }],
    ['a"b<c;to-tag=0;from-tag=t/1', { callId: 'a"b<c', toTag: "0", fromTag: "t/1", earlyOnly: false }],
    ["c;to-tag=1;to-tag=1;from-tag=2", { callId: "c", toTag: "1", fromTag: "2", earlyOnly: false }],
  ])("%s", (value, expected) => {
    expect(readReplaces(message(`Replaces: ${value}`))).toEqual(expected);
    expect(readJoin(message(`Join: ${value}`))).toEqual({ ...expected, earlyOnly: false });
  });

  test.each([
    "",
    ";to-tag=1;from-tag=2",
    "c",
    "c;to-tag=1",
    "c;from-tag=2",
    "c;to-tag=;from-tag=2",
    "c;to-tag;from-tag=2",
    "c;to-tag=1;to-tag=3;from-tag=2",
    "c d;to-tag=1;from-tag=2",
    "c;to-tag=1;from-tag=2, d;to-tag=3;from-tag=4",
    `${"c".repeat(1025)};to-tag=1;from-tag=2`,
    `c;to-tag=${"1".repeat(1025)};from-tag=2`,
    `c${";x".repeat(16)};to-tag=1;from-tag=2`,
  ])("not %.60s", (value) => {
    expect(readReplaces(message(`Replaces: ${value}`))).toBeUndefined();
  });

  test("two that differ are none, twice the same is one, and neither is the other", () => {
    const one = "Replaces: c;to-tag=1;from-tag=2";
    expect(readReplaces(message(one, "Replaces: d;to-tag=1;from-tag=2"))).toBeUndefined();
    expect(readReplaces(message(one, one))?.callId).toBe("c");
    expect(readJoin(message(one))).toBeUndefined();
    expect(readReplaces(message())).toBeUndefined();
  });
});

describe("Target-Dialog", () => {
  test("both tags are needed", () => {
    expect(readTargetDialog(message("Target-Dialog: c@h;local-tag=1;remote-tag=2"))).toEqual({
      callId: "c@h",
      localTag: "1",
      remoteTag: "2",
    });
    expect(readTargetDialog(message("Target-Dialog: c@h;local-tag=1"))).toBeUndefined();
    expect(readTargetDialog(message("Target-Dialog: c@h;to-tag=1;from-tag=2"))).toBeUndefined();
    expect(readTargetDialog(message())).toBeUndefined();
  });
});

describe("Refer-To", () => {
  const read = (value: string, name = "Refer-To") => readReferTo(message(`${name}: ${value}`));
  const dialog = { callId: "090459243588173445@h", toTag: "7553452", fromTag: "31431", earlyOnly: false };
  const escaped = "090459243588173445%40h%3Bto-tag%3D7553452%3Bfrom-tag%3D31431";

  test.each([
    ["<sip:300@pbx>", { uri: "sip:300@pbx", user: "300", host: "pbx", method: "INVITE" }],
    ['"Desk, 2nd" <sip:300@pbx;user=phone>;x=y', { uri: "sip:300@pbx;user=phone", user: "300", method: "INVITE" }],
    ["sip:300@pbx", { uri: "sip:300@pbx", user: "300" }],
    ["<tel:+49-30-123;phone-context=x>", { user: "+4930123", host: "" }],
    ["<sip:conf@x;method=BYE;y>", { method: "BYE" }],
    ["<sip:conf@x;METHOD=Subscribe?Event=dialog>", { uri: "sip:conf@x;METHOD=Subscribe", method: "SUBSCRIBE" }],
    ["<cid:list@x>", { uri: "cid:list@x", user: "" }],
    ["<sip:%33%30%30@pbx>", { user: "300" }],
  ])("%s", (value, expected) => {
    expect(read(value)).toMatchObject(expected);
    expect(read(value)).not.toHaveProperty("replaces");
  });

  test.each([
    ["escaped", `<sip:300@pbx?Replaces=${escaped}>`],
    ["with other fields", `<sip:300@pbx;a=b?Require=replaces&REPLACES=${escaped}&X=y>`],
    ["its name escaped", `<sip:300@pbx?%52eplaces=${escaped}>`],
    ["its at sign left as it is", `<sip:300@pbx?Replaces=${escaped.replace("%40", "@")}>`],
    ["all left as it is", `<sip:300@pbx?Replaces=${decodeURIComponent(escaped)}>`],
    ["without angle brackets", `sip:300@pbx?Replaces=${escaped}`],
    ["blanks around", `<sip:300@pbx?Replaces=090459243588173445%40h%20%3B%20to-tag%3D7553452%3Bfrom-tag%3D31431>`],
    ["lower-case escapes", `<sip:300@pbx?Replaces=${escaped.toLowerCase()}>`],
  ])("an attended transfer, %s", (_, value) => {
    expect(read(value)).toMatchObject({ user: "300", host: "pbx", replaces: dialog });
    expect(read(value, "r")).toMatchObject({ replaces: dialog });
  });

  test("a host alone, and a question mark in the user part", () => {
    expect(read(`<sip:pbx?Replaces=${escaped}>`)).toMatchObject({ uri: "sip:pbx", replaces: dialog });
    expect(read(`<sip:pbx?Replaces=${escaped.replace("%40", "@")}>`)).toMatchObject({
      uri: "sip:pbx",
      replaces: dialog,
    });
    expect(read(`<sip:a?b@pbx?Replaces=${escaped}>`)).toMatchObject({ uri: "sip:a?b@pbx", replaces: dialog });
  });

  test("early-only, and references that cannot be read", () => {
    expect(read(`<sip:300@pbx?Replaces=${escaped}%3Bearly-only>`)?.replaces?.earlyOnly).toBe(true);
    for (const value of ["", "c", "c%3Bto-tag%3D1", "%ff", `${escaped}&Replaces=other%3Bto-tag%3D1%3Bfrom-tag%3D2`])
      expect(read(`<sip:300@pbx?Replaces=${value}>`)).not.toHaveProperty("replaces");
  });

  test("none, empty, too long, or two that differ", () => {
    for (const value of ["", "<>", "<?Replaces=c>", `<sip:${"3".repeat(2000)}@pbx>`])
      expect(read(value)).toBeUndefined();
    expect(readReferTo(message())).toBeUndefined();
    expect(readReferTo(message("Refer-To: <sip:1@x>", "Refer-To: <sip:2@x>"))).toBeUndefined();
    expect(readReferTo(message("Refer-To: <sip:1@x>", "r: <sip:1@x>"))?.user).toBe("1");
  });
});

describe("Referred-By, Refer-Sub and redirection", () => {
  test("who referred", () => {
    expect(readReferredBy(message('Referred-By: "Bob" <sip:21@x>;cid="2@y"'))).toEqual({
      name: "Bob",
      uri: "sip:21@x",
      user: "21",
      host: "x",
      tag: "",
    });
    expect(readReferredBy(message("b: sip:21@x"))?.user).toBe("21");
    expect(readReferredBy(message("Referred-By: <>"))).toBeUndefined();
    expect(readReferredBy(message())).toBeUndefined();
  });

  test("whether NOTIFYs are wanted", () => {
    expect(
      ["false", "FALSE;x=1", "true", "falsely", ""].map((value) => readReferSub(message(`Refer-Sub: ${value}`))),
    ).toEqual([false, false, true, undefined, undefined]);
    expect(readReferSub(message())).toBeUndefined();
  });

  test("contacts over several lines", () => {
    expect(readRedirection(message("Contact: <sip:1@x>;q=1", "m: sip:2@x;expires=3"))).toEqual([
      "sip:alice@192.0.2.1:5060",
      "sip:1@x",
      "sip:2@x",
    ]);
  });
});

describe("a status line in message/sipfrag", () => {
  test.each([
    ["SIP/2.0 200 OK\r\n", 200],
    ["SIP/2.0 100", 100],
    ["\r\n sip/2.0  486 Busy Here\r\nTo: x", 486],
    ["SIP/2.0 2000 OK", 0],
    ["SIP/2.0 99 X", 0],
    ["SIP/2.0 700 X", 0],
    ["SIP/3.0 200 OK", 0],
    ["INVITE sip:x SIP/2.0", 0],
    ["To: SIP/2.0 200", 0],
    ["", 0],
    [undefined, 0],
  ])("%j is %i", (text, status) => {
    expect(readSipfragStatus(text)).toBe(status);
  });
});

describe("cut at every length", () => {
  const lines = {
    Replaces: "c%40h@x;to-tag=1;from-tag=2;early-only",
    "Refer-To": '"N" <sip:300@pbx;method=INVITE?Replaces=c%40h%3Bto-tag%3D1%3Bfrom-tag%3D2&A=b>;p="q"',
    "Target-Dialog": "c@h;local-tag=1;remote-tag=2",
    "Referred-By": '"Bob \\" B" <sip:21@x>;cid="2@y"',
    "Refer-Sub": "false",
  };

  test("nothing throws, and no tag is invented", () => {
    for (const [name, value] of Object.entries(lines)) {
      for (let length = 0; length <= value.length; length++) {
        const one = message(`${name}: ${value.slice(0, length)}`);
        const found = [readReplaces(one), readReferTo(one)?.replaces];
        for (const dialog of found) if (dialog) expect([dialog.toTag, dialog.fromTag]).toEqual(["1", "2"]);
        const target = readTargetDialog(one);
        if (target) expect([target.localTag, target.remoteTag]).toEqual(["1", "2"]);
        readReferredBy(one);
        readReferSub(one);
        readRedirection(one);
      }
    }
  });
});
