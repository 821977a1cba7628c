// Who gives a command, as the audit chain names it.
import { userInfo } from "node:os";
import { expect, it } from "vitest";
import { commandActor } from "../../../device/console/actor.js";

const { username } = userInfo();
const isRoot = process.getuid?.() === 0;

it("names the user", () => {
  expect(commandActor({})).toBe(`cli ${username}`);
  expect(commandActor({ SUDO_USER: username })).toBe(`cli ${username}`);
});

it("names who stands behind root, on one line, and believes nobody else", () => {
  expect(commandActor({ SUDO_USER: "alice" })).toBe(isRoot ? "cli root (alice)" : `cli ${username}`);
  expect(commandActor({ SUDO_USER: 'al"\nice' })).toBe(isRoot ? "cli root (al??ice)" : `cli ${username}`);
});
