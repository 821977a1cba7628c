// linphonec (linphone-cli) as a phone of the office, driven by its commands on standard input. It can transfer with
// consultation (REFER with Replaces, RFC 3891).
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROXY_ADDRESS } from "./kamailio.js";
import type { OfficeNetwork } from "./office-network.js";
import { OfficeProgram, waitUntil } from "./office-program.js";
import { type PhonePlace, type SoftPhone, writeToneFile } from "./soft-phone.js";

const CODECS = [
  { mime: "PCMA", rate: 8000, channels: 1 },
  { mime: "PCMU", rate: 8000, channels: 1 },
  { mime: "opus", rate: 48_000, channels: 2 },
  { mime: "speex", rate: 16_000, channels: 1 },
  { mime: "speex", rate: 8000, channels: 1 },
  { mime: "G729", rate: 8000, channels: 1 },
];
const SPOKEN_CODEC = "PCMA";

export class LinphonePhone implements SoftPhone {
  readonly place: PhonePlace;
  private readonly network: OfficeNetwork;
  private readonly folder: string;
  private started: OfficeProgram | undefined;

  constructor(network: OfficeNetwork, folder: string, place: PhonePlace) {
    this.network = network;
    this.place = place;
    this.folder = join(folder, `linphone-${place.user}`);
  }

  private get program(): OfficeProgram {
    if (!this.started) throw new Error(`phone ${this.place.user} was not started`);
    return this.started;
  }

  async start(): Promise<void> {
    const { host, toneHz, answers } = this.place;
    const toneFile = join(this.folder, "tone.wav");
    // It keeps a data base below its home, and does not make the folders.
    for (const below of [".local/share/linphone", ".config/linphone"]) {
      mkdirSync(join(this.folder, below), { recursive: true });
    }
    writeToneFile(toneFile, toneHz);
    const file = join(this.folder, "linphonerc");
    writeFileSync(file, this.configuration());
    const args = ["-c", file, ...(answers ? ["-a"] : [])];
    const environment = { HOME: this.folder, XDG_CONFIG_HOME: "", XDG_DATA_HOME: "" };
    this.started = new OfficeProgram(this.network, host, "linphonec", args, { cwd: this.folder, environment });
    this.program.send("soundcard use files");
    await this.program.waitFor(/Using wav files/);
    this.program.send(`play ${toneFile}`);
    await waitUntil(`linphonec ${this.place.user} to register`, async () => {
      const before = this.program.count(/registered[=,]/);
      this.program.send("status register");
      await this.program.waitFor(/registered[=,]/, before + 1);
      return this.program.count(/registered, identity/) > 0 ? true : undefined;
    });
  }

  async call(user: string): Promise<void> {
    const before = this.program.count(/Media streams established/);
    this.program.send(`call sip:${user}@${PROXY_ADDRESS}`);
    await this.connected(before + 1);
  }

  connected(calls: number): Promise<void> {
    return this.program.waitFor(/Media streams established/, calls);
  }

  async hold(): Promise<void> {
    const before = this.program.count(/is now paused/);
    this.program.send("pause");
    await this.program.waitFor(/is now paused/, before + 1);
  }

  async resume(): Promise<void> {
    const before = this.program.count(/Media streams established/);
    this.program.send("resume");
    await this.connected(before + 1);
  }

  async transfer(user: string): Promise<void> {
    this.program.send(`transfer sip:${user}@${PROXY_ADDRESS}`);
  }

  /** Joins the far ends of two of its calls, by their numbers counted from 1. */
  async join(held: number, consultation: number): Promise<void> {
    this.program.send(`transfer ${held} --to-call ${consultation}`);
    await this.program.waitFor(/Performing attended transfer/);
  }

  async hangUp(): Promise<void> {
    const before = this.program.count(/ ended \(/);
    this.program.send("terminate");
    await this.disconnected(before + 1);
  }

  disconnected(calls: number): Promise<void> {
    return this.program.waitFor(/ ended \(/, calls);
  }

  private configuration(): string {
    const { user, transport } = this.place;
    const port = (name: string) => (name === transport ? 5060 : 0);
    const codecs = CODECS.map(({ mime, rate, channels }, i) => {
      const isSpoken = mime === SPOKEN_CODEC ? 1 : 0;
      return `[audio_codec_${i}]\nmime=${mime}\nrate=${rate}\nchannels=${channels}\nenabled=${isSpoken}\n`;
    });
    return `[sip]
sip_port=${port("udp")}
sip_tcp_port=${port("tcp")}
sip_tls_port=0
guess_hostname=0
default_proxy=0
use_ipv6=0
[proxy_0]
reg_proxy=<sip:${PROXY_ADDRESS};transport=${transport}>
reg_identity=sip:${user}@${PROXY_ADDRESS}
reg_expires=600
reg_sendregister=1
publish=0
[rtp]
audio_rtp_port=7078-7178
[net]
firewall_policy=0
mtu=1300
[sound]
echocancellation=0
[misc]
uuid=00000000-0000-4000-8000-${user.padStart(12, "0")}
${codecs.join("")}`;
  }
}
