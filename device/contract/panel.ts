// The front panel as the configuration and the health topic name it.

/** The modules of Crystalfontz that can be the front panel. */
export const PANEL_MODEL_NAMES = ["cfa635", "cfa631", "cfa633", "cfa533"] as const;
export type PanelModelName = (typeof PANEL_MODEL_NAMES)[number];

export const PANEL_KEYS = ["up", "down", "left", "right", "enter", "exit"] as const;
export type PanelKey = (typeof PANEL_KEYS)[number];

/**
 * `off`: none is configured. `absent`: the port is not there. `failing`: the port is there, and what answers on it is not the
 * configured panel, or nothing does. `ok`: it answers.
 */
export const PANEL_STATES = ["off", "absent", "failing", "ok"] as const;
export type PanelState = (typeof PANEL_STATES)[number];
