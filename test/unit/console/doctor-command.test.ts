// `sidetoned doctor`: what can be asked, and how a report reads.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  doctorExit,
  doctorMarkdown,
  formatDoctor,
  parseDoctorCommand,
} from "../../../device/console/doctor-command.js";
import { SPAN_CHECK_IDS, SPAN_FAULTS, type SpanReport } from "../../../device/contract/span.js";
import { PROJECT_ROOT } from "../../fakes/program.js";

describe("the command line", () => {
  it("asks the service, looks itself or reads captures", () => {
    expect(parseDoctorCommand([])).toEqual({ json: false, verb: "ask" });
    expect(parseDoctorCommand(["--interface", "eth1", "--for", "30", "--agents", "21,22"])).toEqual({
      json: false,
      verb: "look",
      interfaces: ["eth1"],
      seconds: 30,
      agents: ["21", "22"],
    });
    expect(parseDoctorCommand(["--read", "a.pcap", "--read", "b.pcap", "--json"])).toEqual({
      json: true,
      verb: "read",
      paths: ["a.pcap", "b.pcap"],
    });
  });

  it.each([
    [["--for", "5"], "--for goes with --interface"],
    [["--interface", "eth1", "--for", "0"], "--for takes whole seconds from 1 to 3600"],
    [["--interface", "eth1", "--for", "1.5"], "--for takes whole seconds from 1 to 3600"],
    [["--interface", "eth1", "--read", "a.pcap"], "--read and --interface contradict each other: give one of them"],
    [["--agents", "21"], "--agents goes with --interface or --read: the service has its own"],
    [["eth1"], "eth1: unexpected argument; it takes none: doctor"],
  ])("refuses %j", (argv, message) => {
    expect(() => parseDoctorCommand(argv)).toThrow(message.split(";")[0]!);
  });
});

const report: SpanReport = {
  at: "2026-11-28T09:00:00.000000Z",
  state: "fail",
  checks: [
    { id: "link", state: "pass", figure: "eth1 up 1000 Mbit/s full duplex", findings: [] },
    {
      id: "media-directions",
      state: "fail",
      figure: "2 of 3 calls: from 10.0.0.7 only",
      findings: [
        { code: "media-one-way", figure: "2 of 3 calls: from 10.0.0.7 only", remedy: "Mirror both directions." },
      ],
    },
    { id: "clock", state: "not-seen", figure: "nobody\u001b[2J says", findings: [] },
  ],
  endpoints: [{ address: "10.0.0.7", kind: "agent", evidence: "agents.match", calls: 3, sipPeers: 1, lastAtUs: 0 }],
};

describe("a report", () => {
  it("says each check with its figure and the remedy", () => {
    expect(formatDoctor(report, false).split("\n")).toEqual([
      "PASS      the capture port is up and has a link: eth1 up 1000 Mbit/s full duplex",
      "FAIL      both sides of a call are seen: 2 of 3 calls: from 10.0.0.7 only",
      "          > Mirror both directions.",
      "NOT SEEN  the clock is right: nobody?[2J says",
      "",
      "1 pass, 0 warn, 1 fail, 1 not seen yet",
      "",
      "address   kind   calls  SIP peers  because",
      "10.0.0.7  agent      3          1  agents.match",
      "",
    ]);
  });

  it("is the report itself as JSON", () => {
    expect(JSON.parse(formatDoctor(report, true))).toEqual({ schema: "sidetone.span/1", ...report });
  });

  it("fails when a check fails", () => {
    expect([doctorExit(report), doctorExit({ ...report, state: "warn" })]).toEqual([5, 0]);
  });
});

describe("the catalogue of faults", () => {
  it("stands in the README as it is (compare with doctorMarkdown)", () => {
    expect(readFileSync(join(PROJECT_ROOT, "README.md"), "utf8")).toContain(doctorMarkdown());
  });

  it("has a fault for each check", () => {
    const checks = new Set(Object.values(SPAN_FAULTS).map(({ check }) => check));
    expect([...checks].toSorted()).toEqual(SPAN_CHECK_IDS.toSorted());
  });
});
