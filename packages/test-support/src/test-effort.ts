/**
 * How many times as long the random tests run: 1, or `TIDEMARK_TEST_EFFORT`. A workflow sets it every night; a change is tested
 * with as many kills, rounds and histories as fit into some seconds each.
 */
export const TEST_EFFORT = Number(process.env["TIDEMARK_TEST_EFFORT"] ?? 1);
