// baresip as a phone of the office, driven by its long commands on standard input.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROXY_ADDRESS } from "./kamailio.js";
import type { OfficeNetwork } from "./office-network.js";
import { OfficeProgram } from "./office-program.js";
import { type PhonePlace, type SoftPhone, writeToneFile } from "./soft-phone.js";

const DESCRIBED = /stream: update 'audio'/;

export class BaresipPhone implements SoftPhone {
  readonly place: PhonePlace;
  private readonly network: OfficeNetwork;
  private readonly folder: string;
  private started: OfficeProgram | undefined;

  constructor(network: OfficeNetwork, folder: string, place: PhonePlace) {
    this.network = network;
    this.place = place;
    this.folder = join(folder, `baresip-${place.user}`);
  }

  private get program(): OfficeProgram {
    if (!this.started) throw new Error(`phone ${this.place.user} was not started`);
    return this.started;
  }

  async start(): Promise<void> {
    const { user, transport, answers, toneHz, host } = this.place;
    mkdirSync(this.folder);
    writeToneFile(join(this.folder, "tone.wav"), toneHz);
    writeFileSync(join(this.folder, "config"), this.configuration());
    const account = `<sip:${user}@${PROXY_ADDRESS};transport=${transport}>;regint=600;audio_codecs=PCMA/8000/1;ptime=20`;
    writeFileSync(join(this.folder, "accounts"), `${account};answermode=${answers ? "auto" : "manual"}\n`);
    writeFileSync(join(this.folder, "contacts"), "");
    this.started = new OfficeProgram(this.network, host, "baresip", ["-4", "-f", this.folder], { cwd: this.folder });
    await this.program.waitFor(/registered successfully/);
  }

  async call(user: string): Promise<void> {
    const before = this.program.count(/Call established/);
    this.program.send(`/dial sip:${user}@${PROXY_ADDRESS};transport=${this.place.transport}`);
    await this.connected(before + 1);
  }

  connected(calls: number): Promise<void> {
    return this.program.waitFor(/Call established/, calls);
  }

  hold(): Promise<void> {
    return this.renegotiate("/hold");
  }

  resume(): Promise<void> {
    return this.renegotiate("/resume");
  }

  async transfer(user: string): Promise<void> {
    this.program.send(`/transfer sip:${user}@${PROXY_ADDRESS}`);
    await this.program.waitFor(/transferring call/);
  }

  /** Returns when the transfer it asked for is known to have failed. */
  transferRefused(): Promise<void> {
    return this.program.waitFor(/transfer failure|Call transfer failed/);
  }

  async hangUp(): Promise<void> {
    const before = this.program.count(/terminated \(duration/);
    this.program.send("/hangup");
    await this.disconnected(before + 1);
  }

  disconnected(calls: number): Promise<void> {
    return this.program.waitFor(/terminated \(duration/, calls);
  }

  private async renegotiate(command: string): Promise<void> {
    const before = this.program.count(DESCRIBED);
    this.program.send(command);
    await this.program.waitFor(DESCRIBED, before + 1);
  }

  private configuration(): string {
    const { address } = this.place;
    return `sip_listen ${address}:5060
net_interface eth0
call_max_calls 4
audio_path ${this.folder}
audio_source aufile,${join(this.folder, "tone.wav")}
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
ausrc_format s16
auplay_format s16
audio_txmode poll
audio_level no
rtcp_mux no
jitter_buffer_delay 5-10
module_path /usr/lib/baresip/modules
module stdio.so
module g711.so
module aufile.so
module_tmp account.so
module_app menu.so
`;
  }
}
