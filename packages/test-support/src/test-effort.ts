/**
 * How many times as many kills in transactions, histories and rounds of sharing there are, and, if above 1, that a browser
 * opens every page of the site: 1, or `TIDEMARK_TEST_EFFORT`, which a workflow sets every night.
 */
export const TEST_EFFORT = Number(process.env["TIDEMARK_TEST_EFFORT"] || 1);
