// What the host tool `sidetone` takes from the environment. The names begin like those of the box's own settings, so that the
// service on the same computer has to know them: it passes them over.

/** By what they are for; as flags see `sidetone help`. */
export const HOST_ENVIRONMENT = {
  box: "SIDETONE_BOX",
  url: "SIDETONE_URL",
  token: "SIDETONE_TOKEN",
  fingerprint: "SIDETONE_FINGERPRINT",
  ca: "SIDETONE_CA",
  broker: "SIDETONE_BROKER",
  brokerPassword: "SIDETONE_BROKER_PASSWORD",
} as const;
