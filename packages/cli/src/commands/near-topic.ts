import type { LogSource } from "@tidemark/core";
import { withPatience } from "../context/with-patience.ts";

/**
 * Asks the log about topics. Where there is none of a name and one of nearly the same, the failure names that one: after
 * a slip of the hand, the log's own advice would make a second topic.
 */
export async function withNearTopic<Answer>(log: LogSource, ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    const { LogSourceError } = await import("@tidemark/core");
    if (!(error instanceof LogSourceError) || error.code !== "UNKNOWN_TOPIC") throw error;
    const { topic } = error;
    const near = topic === undefined ? undefined : await nearTopic(log, topic);
    if (topic === undefined || near === undefined) throw error;
    throw new LogSourceError(
      `there is no topic ${JSON.stringify(topic)}; did you mean ${JSON.stringify(near)}? tidemark topic list shows all of them`,
      { code: "UNKNOWN_TOPIC", topic, cause: error },
    );
  }
}

async function nearTopic(log: LogSource, topic: string): Promise<string | undefined> {
  const { closestMatch } = await import("leven");
  try {
    const topics = await withPatience(async (signal) => (await log.admin?.listTopics({ signal })) ?? []);
    const names = topics.flatMap(({ name, internal }) => (internal ? [] : [name]));
    const longest = Math.max(1, Math.floor(topic.length / 3));
    const other = names.find((name) => name.toLowerCase() === topic.toLowerCase());
    return other ?? closestMatch(topic, names, { maxDistance: Math.min(3, longest) });
  } catch {
    // That there is no such topic stands.
    return undefined;
  }
}
