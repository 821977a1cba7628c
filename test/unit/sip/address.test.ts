// Addresses as phones write them: RFC 3261 §20.10, §19.1, §25.1; RFC 3966; RFC 4475's odd ones.
import { describe, expect, test } from "vitest";
import { cleanParameters, splitAddress, splitUri } from "../../../device/sip/address.js";

describe("splitAddress", () => {
  test.each([
    ["sip:bob@example.com", "", "sip:bob@example.com", ""],
    ["<sip:bob@example.com>", "", "sip:bob@example.com", ""],
    ["sip:bob@example.com;tag=1", "", "sip:bob@example.com", ";tag=1"],
    ["<sip:bob@example.com;transport=udp>;tag=1", "", "sip:bob@example.com;transport=udp", ";tag=1"],
    ["Bob <sip:b@c>", "Bob", "sip:b@c", ""],
    ["Bell, Alexander <sip:b@c>;tag=43", "Bell, Alexander", "sip:b@c", ";tag=43"],
    ["caller<sip:b@c>;tag=3", "caller", "sip:b@c", ";tag=3"],
    ['"Watson, Thomas" < sip:b@c >', "Watson, Thomas", "sip:b@c", ""],
    ['"J Rosenberg \\\\\\"" <sip:b@c> ; tag = 98', 'J Rosenberg \\"', "sip:b@c", "; tag = 98"],
    ['"<sip:fake@x>" <sip:real@c>;tag=1', "<sip:fake@x>", "sip:real@c", ";tag=1"],
    ['"Mr. J. User <sip:b@c>', "Mr. J. User", "sip:b@c", ""],
    ["<sip:b@c", "", "sip:b@c", ""],
    ["<>", "", "", ""],
    ["", "", "", ""],
    ['"only a name"', "", "", ""],
    ["<sip:a@b>;q=1, <sip:c@d>;tag=2", "", "sip:a@b", ";q=1"],
    ["sip:a@b, sip:c@d", "", "sip:a@b", ""],
    ['"a\u0007b" <sip:b@c>', "a b", "sip:b@c", ""],
  ])("%j", (value, name, uri, parameters) => {
    expect(splitAddress(value)).toEqual({ name, uri, parameters });
  });
});

describe("splitUri", () => {
  test.each([
    ["sip:alice@example.com", "alice", "example.com"],
    ["SIPS:Alice@EXAMPLE.com:5061;transport=tls?Subject=x", "Alice", "example.com"],
    ["sip:example.com", "", "example.com"],
    ["sip:alice:secret@example.com", "alice", "example.com"],
    ["sip:%75se%72@example.com", "user", "example.com"],
    ["sip:M%C3%BCller@example.com", "Müller", "example.com"],
    ["sip:M%FCller@example.com", "Müller", "example.com"],
    ["sip:bad%zz%4@example.com", "bad%zz%4", "example.com"],
    ["sip:null-%00-null@example.com", "null- -null", "example.com"],
    ["sip:+49301234;phone-context=x@example.com;user=phone", "+49301234", "example.com"],
    ["sip:user;par=u%40example.net@example.com", "user;par=u@example.net", "example.com"],
    ["sip:a@b@example.com", "a@b", "example.com"],
    ["sip:21@[2001:DB8::1]:5060;lr", "21", "2001:db8::1"],
    ["sip:[2001:db8::1]", "", "2001:db8::1"],
    ["tel:+1-201-555-0123;phone-context=example.com", "+12015550123", ""],
    ["tel:7042;phone-context=example.com", "7042", ""],
    ["TEL:(030)12.34", "0301234", ""],
    ["urn:service:sos", "", ""],
    ["http://www.example.com", "", ""],
    ["isbn:2983792873x", "", ""],
    ["21@10.0.0.1", "21", "10.0.0.1"],
    ["10.0.0.1:5060", "", "10.0.0.1"],
    ["gateway:5060", "", "gateway"],
    ["", "", ""],
    ["*", "", "*"],
  ])("%j", (uri, user, host) => expect(splitUri(uri)).toEqual({ user, host }));
});

describe("cleanParameters", () => {
  test.each([
    ["", ""],
    [";tag=1", ";tag=1"],
    ["; tag = 1 ;lr", ";tag=1;lr"],
    [";tag=a:b/c==", ';tag="a:b/c=="'],
    [';tag="quoted; \\" text"', ';tag="quoted; \\" text"'],
    [';tag=un"closed', ';tag="un\\"closed"'],
    [";;;=x;na me=1;ok", ";ok"],
    [";a=;b", ";a;b"],
  ])("%j", (text, clean) => expect(cleanParameters(text)).toBe(clean));

  test("keeps 64 pieces", () => {
    expect(cleanParameters(";a".repeat(1000))).toBe(";a".repeat(63));
  });
});
