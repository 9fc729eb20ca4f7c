import type { SourceConformanceCase } from "../source-case.ts";
import { fetchCases } from "./fetch.ts";
import { lifecycleCases } from "./lifecycle.ts";
import { listOffsetsCases } from "./list-offsets.ts";
import { markCases } from "./marks.ts";
import { rangeCases } from "./range.ts";
import { recordCases } from "./record.ts";
import { topicCases } from "./topic.ts";
import { waitCases } from "./wait.ts";

/** The cases of `testLogSource`, as data. */
export const sourceConformanceCases: readonly SourceConformanceCase[] = [
  ...topicCases,
  ...fetchCases,
  ...recordCases,
  ...waitCases,
  ...rangeCases,
  ...listOffsetsCases,
  ...markCases,
  ...lifecycleCases,
];
