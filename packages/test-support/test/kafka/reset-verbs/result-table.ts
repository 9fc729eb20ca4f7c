import type { RequestedPartition, ResetRequest } from "./reset-requests.ts";
import type { ResetTopics } from "./reset-topics.ts";
import { placeOf, type ToolAnswer } from "./tool-answer.ts";

/** A request and what both tools made of it. */
export interface ComparedRequest {
  readonly request: ResetRequest;
  readonly kafka: ToolAnswer;
  readonly tidemark: ToolAnswer;
}

/** What a tool made of one partition, in a word. */
export function resultOf(answer: ToolAnswer, topics: ResetTopics, { topic, partition }: RequestedPartition): string {
  if (answer.isRefused) return "refused";
  const position = answer.stored.get(placeOf(topics.name(topic), partition));
  return position === undefined ? "none" : String(position);
}

/** All cases as a Markdown table, and below it why some are wanted to differ. */
export function resultTable(compared: readonly ComparedRequest[], topics: ResetTopics): string {
  const reasons: string[] = [];
  const lines = [
    "| request | case | log | from | Kafka | Tidemark | why |",
    "| --- | --- | --- | --- | --- | --- | --- |",
  ];
  for (const { request, kafka, tidemark } of compared) {
    for (const place of request.partitions) {
      const { topic, stored, what, because } = place;
      if (because !== undefined && !reasons.includes(because)) reasons.push(because);
      const cells = [
        request.request,
        what,
        topic,
        stored === undefined ? "none" : String(stored),
        resultOf(kafka, topics, place),
        resultOf(tidemark, topics, place),
        because === undefined ? "" : `(${reasons.indexOf(because) + 1})`,
      ];
      lines.push(`| ${cells.join(" | ")} |`);
    }
  }
  return [...lines, "", ...reasons.map((reason, index) => `${index + 1}. ${reason}`)].join("\n");
}
