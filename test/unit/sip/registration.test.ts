// What REGISTER and its response say: RFC 3261 §10.
import { describe, expect, test } from "vitest";
import { formatAddress } from "../../../device/base/address.js";
import { lifetimeS, MAX_CONTACTS, readRegistration, receivedFrom } from "../../../device/sip/registration.js";
import { accept, inviteLines, messageText } from "./sip-text.js";

function register(...fields: string[]) {
  const base = { To: "To: <sip:21@PBX.example>", CSeq: "CSeq: 1 REGISTER", Contact: "" };
  return accept(messageText("REGISTER sip:pbx.example SIP/2.0", [...inviteLines(base), ...fields]));
}
const read = (...fields: string[]) => readRegistration(register(...fields))!;

describe("readRegistration", () => {
  test("the address of record is To", () => {
    expect(read()).toEqual({ user: "21", host: "pbx.example", contacts: [], removesAll: false, expiresS: undefined });
  });

  test("contacts over lines and commas, each with its own life", () => {
    const registration = read(
      'Contact: "A" <sip:21@10.0.0.7:5062;transport=tcp;line=x>;q=0.7;expires=60, <sip:tok@phone.example>',
      "m: <sip:21@[2001:DB8::7]>;expires=x",
      "Expires: 1800",
    );
    expect(registration.contacts.map(({ key, user, expiresS }) => [key, user, expiresS])).toEqual([
      ["21@10.0.0.7:5062", "21", 60],
      ["tok@phone.example:", "tok", undefined],
      ["21@2001:db8::7:", "21", undefined],
    ]);
    expect(registration.contacts.map(({ address }) => address && formatAddress(address))).toEqual([
      "10.0.0.7",
      undefined,
      "2001:db8::7",
    ]);
    expect(registration.contacts.map((contact) => lifetimeS(contact, registration))).toEqual([60, 1800, 1800]);
  });

  test("nobody says how long", () => {
    const registration = read("Contact: sip:21@10.0.0.7");
    expect(lifetimeS(registration.contacts[0]!, registration)).toBe(3600);
    expect(lifetimeS(registration.contacts[0]!, registration, 90)).toBe(90);
  });

  test("all are removed", () => {
    expect(read("Contact: *", "Expires: 0")).toMatchObject({ removesAll: true, contacts: [], expiresS: 0 });
  });

  test("bounds and hostile values", () => {
    const many = Array.from({ length: 200 }, (_, i) => `<sip:u@10.0.0.${i}>`).join(",");
    expect(read(`Contact: ${many}`).contacts).toHaveLength(MAX_CONTACTS);
    for (const value of [
      "<>",
      "<sip:>",
      ";",
      "sip:",
      "urn:x",
      `<sip:${"u".repeat(300)}@h>`,
      `<sip:u@${"h".repeat(300)}>`,
    ])
      expect(read(`Contact: ${value}`).contacts, value).toEqual([]);
    for (const value of ["-1", "1e9", "99999999999", "", "0x10"])
      expect(read(`Expires: ${value}`).expiresS, value).toBeUndefined();
    const noUser = accept(
      messageText("REGISTER sip:x SIP/2.0", inviteLines({ To: "To: <sip:pbx>", CSeq: "CSeq: 1 REGISTER" })),
    );
    expect(readRegistration(noUser)).toBeUndefined();
  });
});

describe("receivedFrom", () => {
  const via = (...values: string[]) =>
    accept(
      messageText("REGISTER sip:pbx SIP/2.0", [
        ...inviteLines({ Via: "", CSeq: "CSeq: 1 REGISTER" }),
        ...values.map((value) => `Via: ${value}`),
      ]),
    );
  test.each([
    [["SIP/2.0/UDP p;branch=1", "SIP/2.0/UDP 10.0.0.7;branch=2;received=203.0.113.5;rport=1"], "203.0.113.5"],
    [["SIP/2.0/UDP p;received=192.0.2.1, SIP/2.0/UDP 10.0.0.7;branch=2;received=[2001:db8::5]"], "2001:db8::5"],
    [["SIP/2.0/UDP p;received=192.0.2.1", "SIP/2.0/UDP 10.0.0.7"], undefined],
    [["SIP/2.0/UDP 10.0.0.7;received=nonsense"], undefined],
  ])("%j", (values, expected) => {
    const words = receivedFrom(via(...values));
    expect(words && formatAddress(words)).toBe(expected);
  });
});
