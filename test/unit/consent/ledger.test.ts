import { describe, expect, it } from "vitest";
import { ConsentLedger } from "../../../device/consent/ledger.js";

describe("ConsentLedger", () => {
  it("starts unknown and walks granted, withdrawn, granted again", () => {
    const ledger = new ConsentLedger();
    expect(ledger.state).toBe("unknown");
    ledger.apply(1, "sip-header", "granted", {});
    expect([ledger.state, ledger.grantedBy]).toEqual(["granted", "e1"]);
    ledger.apply(2, "sip-header", "withdrawn", {});
    expect([ledger.state, ledger.grantedBy]).toEqual(["withdrawn", ""]);
    ledger.apply(3, "sip-header", "granted", {});
    expect([ledger.state, ledger.grantedBy]).toEqual(["granted", "e3"]);
    expect(ledger.evidence.map((entry) => entry.effect)).toEqual(["granted", "withdrawn", "granted"]);
  });

  it("lets a refusal stand against a grant from another kind of source, whichever comes first", () => {
    const refusedFirst = new ConsentLedger();
    refusedFirst.apply(1, "rule", "refused", {});
    refusedFirst.apply(2, "sip-header", "granted", {});
    expect(refusedFirst.state).toBe("refused");
    const grantedFirst = new ConsentLedger();
    grantedFirst.apply(1, "rule", "granted", {});
    grantedFirst.apply(2, "sip-header", "refused", {});
    expect(grantedFirst.state).toBe("refused");
    grantedFirst.apply(3, "sip-header", "granted", {});
    expect(grantedFirst.state).toBe("granted");
  });

  it("enters the same statement once", () => {
    const ledger = new ConsentLedger();
    for (let i = 0; i < 5; i++) ledger.apply(i, "sip-header", "granted", {});
    for (let i = 0; i < 5; i++) ledger.apply(i, "sip-header", "refused", {});
    expect(ledger.evidence.length).toBe(2);
  });

  it("forgets what a kind of source said when it is lifted", () => {
    const ledger = new ConsentLedger();
    ledger.apply(1, "rule", "granted", {});
    ledger.lift("rule");
    expect(ledger.state).toBe("unknown");
  });

  it("keeps changing state when the evidence is full, and counts what it drops", () => {
    const ledger = new ConsentLedger();
    for (let i = 0; i < 300; i++) ledger.apply(i, "sip-header", i % 2 === 0 ? "granted" : "withdrawn", {});
    expect([ledger.state, ledger.evidence.length, ledger.dropped]).toEqual(["withdrawn", 256, 44]);
  });
});
