// What is said of the clients of the box's own broker, in words that say what to do. Never repeats a password, nor a text
// that came from a client but its name, made harmless.
import type { Trouble } from "../trouble.js";

const warn = (reason: string, message: string): Trouble => ({ reason, level: "warn", message });

export const WRONG_PASSWORD = warn("broker-wrong-password", "a client gave a wrong user name or password");
export const LOCKED_OUT = warn(
  "broker-locked-out",
  "an address gave too many wrong passwords and is locked out for mqtt.broker.lockOutS",
);
export const NO_LOGIN = warn(
  "broker-no-login",
  "a client did not log in and was refused: it needs a user of mqtt.broker.users",
);
export const TOO_MANY = warn("broker-too-many", "a client was refused: there are mqtt.broker.maxClients already");
export const ID_TAKEN = warn("broker-id-taken", "a client was refused: another user's client has its client id");
export const NO_RIGHT = warn(
  "broker-no-right",
  "a client without the right sent a request and was cut off: it needs a user with rights: command in mqtt.broker.users",
);
export const NOT_THEIRS = warn(
  "broker-not-theirs",
  "a client published on a topic that is the box's alone, and was cut off",
);
export const BAD_WILL = warn(
  "broker-bad-will",
  "a client was refused: its last will is on a topic that it may not publish on, or a request",
);
export const OTHER_VERSION = warn(
  "broker-version",
  "a client was refused: the box's own broker speaks MQTT 3.1.1, so set the client to version 3.1.1 (4)",
);
export const TOO_LONG = warn(
  "broker-too-long",
  "a client sent a message longer than the broker takes, and was cut off",
);
export const TOO_SLOW = warn("broker-too-slow", "a client did not read what it had subscribed to, and was cut off");
