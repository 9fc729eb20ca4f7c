import type { StoreUrlOpener } from "@tidemark/core";
import { openPostgresStore, postgresStoreExists } from "./open-postgres-store.ts";

/**
 * Opens `postgres://USER@HOST/DATABASE` and `postgresql://`: any connection string that the pg package takes, with
 * `?schema=NAME` and `&table=NAME` where those are not `public` and `tidemark_offsets`. These two are ours, and are taken out
 * before pg sees the rest.
 */
export const storeUrl: StoreUrlOpener = Object.freeze({
  schemes: Object.freeze(["postgres", "postgresql"]),
  usage: "postgres://USER@HOST/DATABASE",
  async open(url, options = {}) {
    const { rest, schema, table } = withoutOurs(url);
    return openPostgresStore({ ...options, url: rest, schema, table });
  },
  async exists(url) {
    const { rest, schema, table } = withoutOurs(url);
    return postgresStoreExists({ url: rest, schema, table });
  },
} satisfies StoreUrlOpener);

/** Takes our options out of the text, and leaves every other character as it is. */
function withoutOurs(url: string): { readonly rest: string; readonly schema?: string; readonly table?: string } {
  const start = url.indexOf("?");
  if (start < 0) return { rest: url };
  const options = url.slice(start + 1).split("&");
  const ours = options.filter((option) => /^(?:schema|table)(?:=|$)/u.test(option));
  const others = options.filter((option) => !ours.includes(option));
  const given = new URLSearchParams(ours.join("&"));
  for (const name of given.keys()) {
    if (given.getAll(name).length > 1 || given.get(name) === "") {
      throw new TypeError(`the URL's ${name} must be given once and must not be empty`);
    }
  }
  return {
    rest: url.slice(0, start) + (others.length === 0 ? "" : `?${others.join("&")}`),
    ...Object.fromEntries(given),
  };
}
