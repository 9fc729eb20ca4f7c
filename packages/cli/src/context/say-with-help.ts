import { helpLine } from "../failure/report-failure.ts";
import { splitHelpAddress } from "../text/help-address.ts";
import { say } from "./standard-streams.ts";

const told = new Set<string>();

/**
 * Says something that may quote an error while the command continues. Where its code is explained comes on a line of its own,
 * once: what is tried again for an hour fails with the same code each time.
 */
export function sayWithHelp(message: string): void {
  const { text, help } = splitHelpAddress(message);
  say(text);
  if (help === undefined || told.has(help)) return;
  told.add(help);
  say(helpLine(help));
}
