// Prints the counts of a vitest run from the file of its json reporter. A run that left no file is one failure.
import { readFileSync } from "node:fs";

let results;
try {
  results = JSON.parse(readFileSync(process.argv[2], "utf8"));
} catch {
  results = { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numTodoTests: 0, testResults: [] };
}
// A file that failed before its first test counts nothing of its own, and is a failure all the same.
const brokenFiles = results.testResults.filter(
  ({ status, assertionResults }) => status === "failed" && !assertionResults.some((test) => test.status === "failed"),
).length;
const failed = results.numFailedTests + brokenFiles;
const skipped = results.numPendingTests + results.numTodoTests;
console.log(`${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped`);
