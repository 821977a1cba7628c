// The configuration of the self-test.
import { integer, section } from "./config-fields.js";

export const selfTestSection = section(
  {
    everyHours: integer(
      0,
      8760,
      24,
      "time between two self-tests, a made call through engine, journal, sealing and index that is deleted again; 0 = only when asked for",
      "h",
    ),
    firstAfterS: integer(
      1,
      86_400,
      120,
      "time from the beginning of capture to the first one; up to a quarter more, at random",
      "s",
    ),
  },
  "The box's test of itself with a made call",
);
