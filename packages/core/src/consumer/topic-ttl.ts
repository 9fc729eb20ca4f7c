import { LogSourceError } from "../errors/log-source-error.ts";
import type { LogSource } from "../log-source.ts";
import type { CallOptions } from "../offset-store.ts";

/** How long positions on a topic live, in milliseconds, where its log knows that. */
export async function topicTtl(
  source: Pick<LogSource, "admin">,
  topic: string,
  options: CallOptions,
): Promise<number | undefined> {
  try {
    return (await source.admin?.describeTopic(topic, options))?.consumerTtl;
  } catch (error) {
    if (error instanceof LogSourceError && error.code === "UNSUPPORTED") return undefined;
    throw error;
  }
}
