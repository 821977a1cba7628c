// Settings of `panel` that no module could follow are refused at the start in words.
import { expect, it } from "vitest";
import { loadConfig } from "../../../device/config/load.js";

function refusal(panel: Record<string, unknown>): string {
  try {
    loadConfig({ environment: {}, defaultFile: "/nowhere", flags: { panel } as never });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "";
}
const port = "/dev/serial/by-id/usb-Crystalfontz_CFA635-USB_LCD-if00-port0";

it("is off by default, and takes what makes sense together", () => {
  expect(loadConfig({ environment: {}, defaultFile: "/nowhere" }).config.panel.port).toBe("");
  expect(refusal({ port, baudRate: 19200, pauseKeys: ["left", "right"], watchdogS: 60 })).toBe("");
  // Without a panel nothing of it matters.
  expect(refusal({ watchdogS: 1 })).toBe("");
});

it.each<[string, Record<string, unknown>, RegExp]>([
  ["a speed that no module has", { baudRate: 9600 }, /panel\.baudRate: is neither 19200 nor 115200/],
  ["a watchdog shorter than a restart", { watchdogS: 5 }, /panel\.watchdogS: is less than 30/],
  ["a combination of one key", { pauseKeys: ["left"] }, /panel\.pauseKeys: .*is no combination/],
  ["a combination of the same key", { pauseKeys: ["left", "left"] }, /panel\.pauseKeys: .*is no combination/],
  [
    "a key that the model lacks",
    { model: "cfa631", pauseKeys: ["up", "right"] },
    /has a key that a cfa631 lacks: right/,
  ],
  ["a port that is no path", { port: "ttyUSB0" }, /panel\.port/],
])("refuses %s", (_, panel, message) => {
  expect(refusal({ port, ...panel })).toMatch(message);
});
