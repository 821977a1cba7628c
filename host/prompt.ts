// Questions to the person at the terminal. What is secret is not shown while it is typed. Without a terminal nothing is asked.
import type { Host } from "./command.js";
import { HostError } from "./errors.js";
import { safeText } from "./safe-text.js";

const MAX_CHARACTERS = 4096;
const [END_OF_TEXT, END_OF_INPUT, BACKSPACE, DELETE] = ["\x03", "\x04", "\x08", "\x7f"];

export function canAsk({ input, output }: Pick<Host, "input" | "output">): boolean {
  return input.isTTY === true && output.stderr.isTTY === true;
}

/** Throws HostError interrupted on Ctrl+C. */
export function askSecret(host: Pick<Host, "input" | "output">, question: string): Promise<string> {
  return ask(host, question, false);
}

/** Yes only when it is said. */
export async function askYes(host: Pick<Host, "input" | "output">, question: string): Promise<boolean> {
  return /^y(?:es)?$/i.test((await ask(host, `${question} [y/N] `, true)).trim());
}

function ask({ input, output }: Pick<Host, "input" | "output">, question: string, isShown: boolean): Promise<string> {
  output.stderr.write(safeText(question));
  return new Promise((resolve, reject) => {
    let text = "";
    const end = (): void => {
      input.removeListener("data", take);
      input.removeListener("end", finish);
      input.setRawMode(false);
      input.pause();
      output.stderr.write("\n");
    };
    const finish = (): void => {
      end();
      resolve(text);
    };
    const take = (piece: Buffer): void => {
      for (const letter of piece.toString("utf8")) {
        if (letter === END_OF_TEXT) {
          end();
          reject(new HostError("interrupted", "interrupted"));
          return;
        }
        if (letter === "\r" || letter === "\n" || letter === END_OF_INPUT) {
          finish();
          return;
        }
        if (letter === BACKSPACE || letter === DELETE) {
          if (isShown && text !== "") output.stderr.write("\b \b");
          text = text.slice(0, -1);
        } else if (text.length < MAX_CHARACTERS) {
          text += letter;
          if (isShown) output.stderr.write(safeText(letter));
        }
      }
    };
    input.setRawMode(true);
    input.on("data", take);
    input.once("end", finish);
    input.resume();
  });
}
