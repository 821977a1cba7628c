// The API's certificate on a running box: whom the box's own one names, and who is told what of it. Composition only.
import { hostname, networkInterfaces } from "node:os";
import type { ServerTlsOptions } from "./api/tls.js";
import { parseAddress } from "./base/address.js";
import { systemClock } from "./base/clock.js";
import type { Logger } from "./base/logger.js";
import type { Config } from "./contract/config.js";
import type { AlarmBook } from "./health/alarms.js";
import { type CertificateNames, openOwnCertificate } from "./store/own-certificate.js";

const HOST_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

export interface ApiCertificateOptions {
  config: Config["api"];
  device: string;
  dataFolder: string;
  alarms: AlarmBook;
  logger: Logger;
  /** Where people can compare it. */
  show(fingerprint: string): void;
}

export function apiCertificate(options: ApiCertificateOptions): Pick<ServerTlsOptions, "own" | "setFault" | "taken"> {
  const { config, device, dataFolder, alarms, logger, show } = options;
  return {
    own: () => openOwnCertificate(dataFolder, namesOf(device, config.host), systemClock),
    setFault: (reason) => {
      if (reason === "") {
        alarms.clear("api-certificate");
        return;
      }
      logger.warn("the API's certificate wants attention", { reason });
      alarms.raise("api-certificate", { reason });
    },
    taken: ({ fingerprint, validTo, isSelfSigned }, why) => {
      const from = isSelfSigned ? "made by the box" : config.certFile;
      logger.info("the API's certificate", { sha256: fingerprint, validTo, from, ...(why !== "" && { why }) });
      show(fingerprint);
    },
  };
}

/** Addresses come and go with networks: those of the moment are named, and missing ones are no reason for another certificate. */
function namesOf(device: string, host: string): CertificateNames {
  const own = hostname();
  const isOneAddress = !["0.0.0.0", "::", "localhost"].includes(host);
  const required = [device, own].filter((name) => HOST_NAME.test(name));
  const addresses = Object.values(networkInterfaces())
    .flatMap((list = []) => list)
    .filter(({ internal, address }) => !internal && !/^fe80:/i.test(address))
    .map(({ address }) => address);
  return {
    device,
    required: [...new Set(isOneAddress ? [...required, host] : required)],
    further: [
      ...new Set(required.map((name) => `${name.split(".")[0]}.local`)),
      "localhost",
      "127.0.0.1",
      "::1",
      ...addresses.filter((address) => parseAddress(address) !== undefined),
    ],
  };
}
