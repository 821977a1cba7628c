import { describe, expect, it } from "vitest";
import {
  cidrContains,
  formatAddress,
  formatEndpoint,
  isUnspecified,
  parseAddress,
  parseCidr,
} from "../../../device/base/address.js";

describe("addresses", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["2001:db8::1", "2001:db8::1"],
    ["2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["::", "::"],
    ["::1", "::1"],
    ["fe80::1:2:3:4", "fe80::1:2:3:4"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
  ])("%s is written %s", (text, written) => {
    expect(formatAddress(parseAddress(text)!)).toBe(written);
  });

  it.each(["", "10.0.0", "10.0.0.256", "example.org", "fe80::1%eth0", ":::", "1.2.3.4.5"])(
    "%s is no address",
    (text) => {
      expect(parseAddress(text)).toBeUndefined();
    },
  );

  it("writes endpoints", () => {
    expect(formatEndpoint(parseAddress("10.0.0.1")!, 0, 5060)).toBe("10.0.0.1:5060");
    expect(formatEndpoint(parseAddress("2001:db8::1")!, 0, 5060)).toBe("[2001:db8::1]:5060");
  });

  it("knows the unspecified addresses of both families", () => {
    expect(["0.0.0.0", "::", "0.0.0.1", "::1"].map((text) => isUnspecified(parseAddress(text)!))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

describe("CIDR", () => {
  it.each([
    ["10.0.0.0/24", "10.0.0.255", true],
    ["10.0.0.0/24", "10.0.1.0", false],
    ["10.0.0.7", "10.0.0.7", true],
    ["10.0.0.7", "10.0.0.6", false],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["2001:db8::/33", "2001:db8:7fff::1", true],
    ["2001:db8::/33", "2001:db8:8000::1", false],
    ["::/0", "10.0.0.1", true],
  ])("%s contains %s: %s", (cidr, address, contains) => {
    expect(cidrContains(parseCidr(cidr)!, parseAddress(address)!)).toBe(contains);
  });

  it.each(["10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "2001:db8::/129", "21", "10.0.0.0/8/8", "10.0.0.0/-1"])(
    "%s is no CIDR",
    (text) => {
      expect(parseCidr(text)).toBeUndefined();
    },
  );
});
