// Prints the counts of vitest's runs, together, from the files of its json reporter. A run that left no file is one failure.
import { readFileSync } from "node:fs";

function readResults(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numTodoTests: 0, testResults: [] };
  }
}

let [passed, failed, skipped] = [0, 0, 0];
for (const results of process.argv.slice(2).map(readResults)) {
  // A file that failed before its first test counts nothing of its own, and is a failure all the same.
  const brokenFiles = results.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && !assertionResults.some((test) => test.status === "failed"),
  ).length;
  passed += results.numPassedTests;
  failed += results.numFailedTests + brokenFiles;
  skipped += results.numPendingTests + results.numTodoTests;
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
