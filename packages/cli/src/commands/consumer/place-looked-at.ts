import type { Settings } from "../../settings/settings.ts";

/** What a message that nothing is stored ends with where no store was named: without it the command looks in the default place. */
export function placeLookedAt({ store, defaultFile }: Settings): string {
  return store === undefined ? ` in ${defaultFile()}; --store names another place` : "";
}
