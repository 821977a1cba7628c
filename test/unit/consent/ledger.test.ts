import { describe, expect, it } from "vitest";
import { ConsentLedger } from "../../../device/consent/ledger.js";

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

  it("lets a refusal stand against a grant from another kind of source, whichever comes first", () => {
    const refusedFirst = new ConsentLedger();
    refusedFirst.apply("rule", "refused", "e1");
    refusedFirst.apply("sip-header", "granted", "e2");
    expect(refusedFirst.state).toBe("refused");
    const grantedFirst = new ConsentLedger();
    grantedFirst.apply("rule", "granted", "e1");
    grantedFirst.apply("sip-header", "refused", "e2");
    expect(grantedFirst.state).toBe("refused");
    grantedFirst.apply("sip-header", "granted", "e3");
    expect(grantedFirst.state).toBe("granted");
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
    expect(silent.state).toBe("refused");
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
