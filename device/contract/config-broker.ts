// The configuration of the box's own MQTT broker.
import { z } from "zod";
import { digits, fieldMeta, filePath, integer, section } from "./config-fields.js";

/** `read`: sees what the box publishes. `command`: sends it requests as well. */
export const BROKER_RIGHTS = ["read", "command"] as const;
export type BrokerRights = (typeof BROKER_RIGHTS)[number];

const userSchema = z.strictObject({
  name: digits(/^[A-Za-z0-9._@-]{1,64}$/, "", "name that the user logs in with"),
  password: z
    .string()
    .min(1)
    .max(1024)
    .describe("password, or its hash as mosquitto_passwd writes it ($7$...)")
    .register(fieldMeta, { secret: true }),
  rights: z
    .enum(BROKER_RIGHTS)
    .default("read")
    .describe("read = sees what the box publishes; command = sends it requests as well"),
});
export type BrokerUser = z.output<typeof userSchema>;

export const brokerSection = section(
  {
    enabled: z.boolean().default(true).describe("run a broker on the box where mqtt.url names none"),
    host: z
      .string()
      .max(64)
      .default("127.0.0.1")
      .describe("address to listen on; 0.0.0.0 or :: = all; beyond this box only with users and a certificate"),
    port: integer(0, 65535, 1883, "port to listen on; 0 = any that is free"),
    webSocketPort: integer(0, 65535, 0, "port for MQTT over WebSocket; 0 = none"),
    certFile: filePath("PEM file with the certificate and those that lead to its root; empty = no TLS"),
    keyFile: filePath("PEM file with the certificate's private key"),
    allowPlain: z
      .boolean()
      .default(false)
      .describe("listen beyond this box without TLS all the same: passwords and events are readable on the way"),
    users: z
      .array(userSchema)
      .max(64)
      .default([])
      .describe("who may log in; without any, everybody on this box may read and nobody may command"),
    maxClients: integer(1, 1024, 32, "clients at once; further ones are refused"),
    badPasswordsPerMinute: integer(1, 100, 10, "wrong passwords from one address until it is locked out"),
    lockOutS: integer(1, 86400, 60, "time for which an address is locked out", "s"),
  },
  "The box's own MQTT broker",
);
