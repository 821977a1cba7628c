// The office's PBX: kamailio as registrar and record-routing proxy over UDP and TCP, without authentication and without a
// database. Contacts of one number ring in parallel.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { OfficeNetwork } from "./office-network.js";
import { countSockets, OfficeProgram, waitUntil } from "./office-program.js";

export const PROXY_HOST = "pbx";
export const PROXY_ADDRESS = "10.77.0.10";

/** Unanswered calls are given up after that long: 408 to the caller, CANCEL to the called. */
export const RINGING_MS = 3000;

/** Starts it on the host `pbx`, and waits until it listens on both transports. */
export async function startProxy(network: OfficeNetwork, folder: string): Promise<OfficeProgram> {
  const file = join(folder, "kamailio.cfg");
  writeFileSync(file, CONFIGURATION);
  const memory = ["-m", "16", "-M", "4"];
  const place = ["-f", file, "-Y", folder, "-P", join(folder, "kamailio.pid")];
  const proxy = new OfficeProgram(network, PROXY_HOST, "kamailio", [...place, ...memory, "-DD", "-E"], { cwd: folder });
  await waitUntil("kamailio to listen", async () => {
    if (proxy.hasEnded) throw new Error(`kamailio ended:\n${proxy.output}`);
    return (await countSockets(network, PROXY_HOST, 5060)) >= 2 ? true : undefined;
  });
  return proxy;
}

const CONFIGURATION = `#!KAMAILIO
debug=1
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
alias="${PROXY_ADDRESS}"
listen=udp:${PROXY_ADDRESS}:5060
listen=tcp:${PROXY_ADDRESS}:5060
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "maxfwd.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
modparam("usrloc", "db_mode", 0)
modparam("tm", "fr_inv_timer", ${RINGING_MS})
modparam("registrar", "gruu_enabled", 0)

request_route {
  if (!mf_process_maxfwd_header("10")) {
    sl_send_reply("483", "Too Many Hops");
    exit;
  }
  if (is_method("CANCEL")) {
    if (t_check_trans()) t_relay();
    exit;
  }
  if (has_totag()) {
    if (loose_route()) {
      t_relay();
      exit;
    }
    if (is_method("ACK") && !t_check_trans()) exit;
    t_relay();
    exit;
  }
  t_check_trans();
  remove_hf("Route");
  if (is_method("REGISTER")) {
    save("location");
    exit;
  }
  if (is_method("INVITE")) record_route();
  if (!lookup("location")) {
    sl_send_reply("404", "Not Found");
    exit;
  }
  t_relay();
}
`;
