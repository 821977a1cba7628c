// The configuration of how the box shows itself to home automation: Home Assistant and Homie, both over MQTT, both off.
import { z } from "zod";
import { digits, section } from "./config-fields.js";

/** Levels of a topic that need no thought at any broker. */
const TOPIC = /^[A-Za-z0-9_-]{1,64}(?:\/[A-Za-z0-9_-]{1,64}){0,4}$/;
/** Homie 5, Topic IDs. */
const HOMIE_ID = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;

export const homeAssistantSection = section(
  {
    enabled: z
      .boolean()
      .default(false)
      .describe("announce the box to Home Assistant, by device discovery; off again, it is taken back"),
    prefix: digits(TOPIC, "homeassistant", "discovery prefix, as Home Assistant has it"),
    birthTopic: digits(
      TOPIC,
      "homeassistant/status",
      "topic of its birth message, online, upon which everything is published again",
    ),
  },
  "Home Assistant",
);

export const homieSection = section(
  {
    enabled: z
      .boolean()
      .default(false)
      .describe("show the box by the Homie 5 convention, over a connection of its own; off again, it is taken back"),
    domain: digits(HOMIE_ID, "homie", "first level of its topics, before /5/"),
  },
  "Homie 5",
);
