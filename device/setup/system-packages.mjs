// The Debian packages that the build and the tests need: which are missing, and apt where this user may use it. Never
// installs anything on other systems: says what is missing.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { EXIT_USAGE, runStep, SetupFault, say } from "./step.mjs";

/** What compiling the native npm packages needs. */
export const BUILD_TOOLS = [
  { command: "python3", package: "python3" },
  { command: "make", package: "make" },
  { command: "g++", package: "g++" },
];
const PCAP_HEADER = "/usr/include/pcap.h";
const PCAP_HEADER_PACKAGE = "libpcap-dev";
/** Programs that tests run. */
export const TEST_TOOLS = [
  { command: "tcpdump", package: "tcpdump" },
  { command: "tshark", package: "tshark" },
  { command: "sipp", package: "sip-tester" },
  { command: "sox", package: "sox" },
  { command: "ffmpeg", package: "ffmpeg" },
  { command: "ip", package: "iproute2" },
  { command: "kamailio", package: "kamailio" },
  { command: "baresip", package: "baresip-core" },
  { command: "linphonec", package: "linphone-cli" },
  { command: "mosquitto", package: "mosquitto" },
  { command: "mosquitto_pub", package: "mosquitto-clients" },
  { command: "ethtool", package: "ethtool" },
  { command: "openssl", package: "openssl" },
  { command: "curl", package: "curl" },
  { command: "age", package: "age" },
  { command: "socat", package: "socat" },
  { command: "LCDd", package: "lcdproc" },
  { command: "nft", package: "nftables" },
  { command: "systemd-analyze", package: "systemd" },
];

/** Packages whose command is on none of the folders. */
export function missingPackages(tools, folders) {
  return tools.filter((tool) => !findCommand(tool.command, folders)).map((tool) => tool.package);
}

/** The one command that installs Debian packages by hand. */
export function installCommand(packages) {
  return `sudo apt-get install -y --no-install-recommends ${packages.join(" ")}`;
}

/** Whether every program is there that tests run. */
export function hasTestTools() {
  return missingPackages(TEST_TOOLS, commandFolders()).length === 0;
}

/**
 * Installs what is missing, with one apt-get update at most. What the build needs is required; what only tests need is
 * not. Throws SetupFault with the command to run where this user may not install.
 */
export function provideSystemPackages({ forBuild, forTests }) {
  const required = forBuild ? missingBuildPackages() : [];
  const wanted = forTests ? missingPackages(TEST_TOOLS, commandFolders()) : [];
  if (required.length + wanted.length === 0) return;
  if (canInstallPackages()) {
    try {
      installPackages([...required, ...wanted]);
    } catch (fault) {
      if (required.length > 0) throw fault;
      say(`${fault.message}\nsetup: tests that need ${wanted.join(", ")} skip`);
    }
    return;
  }
  if (required.length > 0) {
    const command = installCommand([...required, ...wanted]);
    throw new SetupFault(`packages are missing and this user may not install them; run:\n  ${command}`, EXIT_USAGE);
  }
  say(`tests that need ${wanted.join(", ")} skip; to run them: ${installCommand(wanted)}`);
}

function canInstallPackages() {
  return process.getuid?.() === 0 && findCommand("apt-get", commandFolders()) !== undefined;
}

function installPackages(packages) {
  say(`installing ${packages.join(", ")} with apt`);
  const environment = { DEBIAN_FRONTEND: "noninteractive" };
  const wait = ["-o", "DPkg::Lock::Timeout=120"];
  try {
    runStep("apt-get update", "apt-get", [...wait, "-q", "update"], { environment });
  } catch (fault) {
    // The lists that are there may do.
    say(fault.message);
  }
  runStep("apt-get install", "apt-get", [...wait, "-q", "install", "-y", "--no-install-recommends", ...packages], {
    environment,
  });
}

function missingBuildPackages() {
  const missing = missingPackages(BUILD_TOOLS, commandFolders());
  if (!hasPcapHeader()) missing.unshift(PCAP_HEADER_PACKAGE);
  return missing;
}

function hasPcapHeader() {
  if (existsSync(PCAP_HEADER)) return true;
  // It may be elsewhere, where the compiler finds it.
  const probe = spawnSync("g++", ["-E", "-x", "c++", "-"], {
    input: "#include <pcap.h>\n",
    stdio: ["pipe", "ignore", "ignore"],
  });
  return probe.status === 0;
}

function commandFolders() {
  // Users other than root have no sbin in their PATH on Debian, though they may run what is there.
  return [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"].filter(Boolean);
}

function findCommand(command, folders) {
  for (const folder of folders) {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return join(folder, command);
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}
