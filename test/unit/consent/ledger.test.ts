import { describe, expect, it } from "vitest";
import { ConsentLedger } from "../../../device/consent/ledger.js";
import { strengthOf } from "../../../device/consent/strength.js";

describe("ConsentLedger", () => {
  it("starts unknown and walks granted, withdrawn, granted again", () => {
    const ledger = new ConsentLedger();
    expect(ledger.state).toBe("unknown");
    ledger.apply("sip-header", "granted", "e1");
    expect([ledger.state, ledger.grantedBy]).toEqual(["granted", "e1"]);
    ledger.apply("sip-header", "withdrawn", "e2");
    expect([ledger.state, ledger.grantedBy]).toEqual(["withdrawn", ""]);
    ledger.apply("sip-header", "granted", "e3");
    expect([ledger.state, ledger.grantedBy]).toEqual(["granted", "e3"]);
  });

  it("lets the stronger source decide, whichever comes first, and closes on a tie", () => {
    const SOURCES = [
      "number-list",
      "rule",
      "register",
      "sip-header",
      "dtmf",
      "recordpref",
      "api",
      "mqtt",
      "panel",
    ] as const;
    for (const granting of SOURCES) {
      for (const refusing of SOURCES.filter((source) => source !== granting)) {
        const isOpen = strengthOf(granting, "granted") > strengthOf(refusing, "refused");
        const refusedFirst = new ConsentLedger();
        refusedFirst.apply(refusing, "refused", "e1");
        refusedFirst.apply(granting, "granted", "e2");
        expect([refusing, granting, refusedFirst.state]).toEqual([refusing, granting, isOpen ? "granted" : "refused"]);
        const grantedFirst = new ConsentLedger();
        grantedFirst.apply(granting, "granted", "e1");
        grantedFirst.apply(refusing, "refused", "e2");
        expect([granting, refusing, grantedFirst.state]).toEqual([
          granting,
          refusing,
          isOpen ? "granted" : "withdrawn",
        ]);
        grantedFirst.apply(refusing, "granted", "e3");
        expect(grantedFirst.state).toBe("granted");
      }
    }
  });

  it("has the order that is written down", () => {
    const order = [
      strengthOf("number-list", "granted"),
      strengthOf("register", "granted"),
      strengthOf("dtmf", "granted"),
      strengthOf("number-list", "refused"),
    ];
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(new Set(order).size).toBe(4);
    for (const source of ["sip-header", "recordpref", "api", "mqtt", "panel"] as const)
      expect(strengthOf(source, "refused")).toBe(strengthOf("dtmf", "granted"));
    expect(strengthOf("rule", "refused")).toBe(strengthOf("number-list", "refused"));
    expect(strengthOf("rule", "granted")).toBe(strengthOf("number-list", "granted"));
  });

  it("knows a statement that stands already", () => {
    const ledger = new ConsentLedger();
    expect(ledger.repeats("sip-header", "granted")).toBe(false);
    ledger.apply("sip-header", "granted", "e1");
    expect(ledger.repeats("sip-header", "granted")).toBe(true);
    expect(ledger.apply("sip-header", "granted", "e2")).toBe(false);
    expect(ledger.grantedBy).toBe("e1");
    ledger.apply("sip-header", "withdrawn", "e3");
    expect(ledger.repeats("sip-header", "refused")).toBe(true);
    expect(ledger.repeats("sip-header", "granted")).toBe(false);
    expect(ledger.repeats("rule", "refused")).toBe(false);
  });

  it("forgets what a kind of source said when it is lifted", () => {
    const ledger = new ConsentLedger();
    ledger.apply("rule", "granted", "e1");
    ledger.lift("rule");
    expect(ledger.state).toBe("unknown");
  });

  it("joins what was said of the same person elsewhere, a refusal from either standing", () => {
    const granted = new ConsentLedger();
    granted.apply("sip-header", "granted", "e1");
    const silent = new ConsentLedger();
    silent.join(granted);
    expect([silent.state, silent.grantedBy]).toEqual(["granted", "e1"]);
    const refused = new ConsentLedger();
    refused.apply("rule", "refused", "e2");
    silent.join(refused);
    expect(silent.state).toBe("withdrawn");
    const withdrawn = new ConsentLedger();
    withdrawn.apply("sip-header", "granted", "e3");
    withdrawn.apply("sip-header", "withdrawn", "e4");
    granted.join(withdrawn);
    expect([granted.state, granted.grantedBy]).toEqual(["withdrawn", ""]);
  });

  it("follows evidence to its new id", () => {
    const ledger = new ConsentLedger();
    ledger.apply("sip-header", "granted", "e1");
    ledger.rename(new Map([["e1", "e7"]]));
    expect(ledger.grantedBy).toBe("e7");
    ledger.lift("rule");
    expect(ledger.grantedBy).toBe("e7");
  });
});
