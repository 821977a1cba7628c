// Counts the tests of vitest's JSON report: prints "N passed, N failed, N skipped" to stdout, which tests did not pass to
// stderr, and fails unless all passed. A skipped test proves nothing, and a file that cannot be loaded counts as failed.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const SHOWN_TESTS = 50;

/** `report`: what vitest's JSON reporter writes; undefined when it wrote nothing. */
export function countTests(report) {
  const count = { passed: 0, failed: 0, skipped: 0 };
  const notes = [];
  for (const file of report?.testResults ?? []) {
    for (const test of file.assertionResults) {
      const outcome = test.status === "passed" || test.status === "failed" ? test.status : "skipped";
      count[outcome]++;
      if (outcome !== "passed") notes.push(`${outcome}: ${file.name}: ${test.fullName}`);
    }
    const isBroken = file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed");
    if (!isBroken) continue;
    count.failed++;
    notes.push(`failed: ${file.name}: ${String(file.message).split("\n")[0]}`);
  }
  return { ...count, notes };
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    console.error(`no test report: ${error.message}`);
    return undefined;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { passed, failed, skipped, notes } = countTests(readReport(process.argv[2]));
  for (const note of notes.slice(0, SHOWN_TESTS)) console.error(note);
  if (notes.length > SHOWN_TESTS) console.error(`and ${notes.length - SHOWN_TESTS} more`);
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  if (passed === 0 || failed + skipped > 0) process.exitCode = 1;
}
