// Runs SIPp scripts on the hosts of an office, and registers where their numbers are reached.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROXY_ADDRESS } from "./kamailio.js";
import type { OfficeNetwork } from "./office-network.js";
import { OfficeProgram } from "./office-program.js";
import type { AgentScript } from "./sipp-agent.js";
import type { CallerScript } from "./sipp-caller.js";

const TIMEOUT_S = 30;

export class SippParties {
  private readonly network: OfficeNetwork;
  private readonly folder: string;
  private readonly timeoutS: number;

  /** `timeoutS`: what one of them may take at most. */
  constructor(network: OfficeNetwork, folder: string, timeoutS = TIMEOUT_S) {
    this.network = network;
    this.folder = folder;
    this.timeoutS = timeoutS;
  }

  /** Registers users at addresses, port 5060; several addresses of one user ring in parallel. */
  async register(host: string, contacts: readonly { user: string; address: string }[]): Promise<void> {
    const lines = contacts.map(({ user, address }) => `${user};${address};\n`);
    writeFileSync(join(this.folder, "contacts.csv"), `SEQUENTIAL\n${lines.join("")}`);
    writeFileSync(join(this.folder, "register.xml"), REGISTER);
    const { address } = contacts[0]!;
    const counts = ["-m", String(contacts.length), "-r", "100", "-l", "1"];
    const args = ["-sf", "register.xml", "-inf", "contacts.csv", "-i", address, "-p", "5099", ...counts];
    await this.start(host, "register", [...args, `${PROXY_ADDRESS}:5060`]);
  }

  /** Takes one call; the promise ends with it. */
  agent(host: string, address: string, script: AgentScript, args: readonly string[] = []): Promise<void> {
    const file = script.write(this.folder);
    return this.start(host, file, ["-sf", file, ...ownAddress(address), "-m", "1", ...args]);
  }

  /** Places one call whose Call-ID begins with the name and a hyphen; the promise ends with it. */
  caller(host: string, address: string, name: string, script: CallerScript): Promise<void> {
    const file = script.write(this.folder);
    const own = ["-sf", file, ...ownAddress(address), "-m", "1", "-cid_str", `${name}-%u-%p@%s`];
    return this.start(host, file, [...own, `${PROXY_ADDRESS}:5060`]);
  }

  private async start(host: string, name: string, args: readonly string[]): Promise<void> {
    const errors = join(this.folder, `${name}.errors`);
    const always = [
      "-nostdin",
      "-timeout",
      String(this.timeoutS),
      "-timeout_error",
      "-trace_err",
      "-error_file",
      errors,
    ];
    const program = new OfficeProgram(this.network, host, "sipp", [...args, ...always], { cwd: this.folder });
    const code = await program.ended;
    if (code !== 0) throw new Error(`sipp ${name} ended with ${code}:\n${readErrors(errors) || program.output}`);
  }
}

function ownAddress(address: string): string[] {
  return ["-i", address, "-mi", address, "-p", "5060"];
}

function readErrors(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

const REGISTER = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="register">
  <send retrans="500"><![CDATA[
REGISTER sip:${PROXY_ADDRESS} SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@${PROXY_ADDRESS}>;tag=[pid]r[call_number]
To: <sip:[field0]@${PROXY_ADDRESS}>
Call-ID: [call_id]
CSeq: 1 REGISTER
Contact: <sip:[field0]@[field1]:5060>
Expires: 600
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200"/>
</scenario>
`;
