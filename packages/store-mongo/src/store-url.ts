import type { StoreUrlOpener } from "@tidemark/core";
import { mongoStoreExists, openMongoStore } from "./open-mongo-store.ts";

/**
 * Opens `mongodb://HOST/DATABASE` and `mongodb+srv://HOST/DATABASE`: any connection string that the mongodb package takes,
 * with `?collection=NAME` where the collection is not `offsets`. That one option is ours and is taken out before the driver
 * sees the rest. Without a database it is `tidemark`.
 */
export const storeUrl: StoreUrlOpener = Object.freeze({
  schemes: Object.freeze(["mongodb", "mongodb+srv"]),
  usage: "mongodb://HOST/DATABASE",
  async open(url, options = {}) {
    const { rest, collection } = withoutCollection(url);
    return openMongoStore({ ...options, url: rest, collection });
  },
  async exists(url) {
    const { rest, collection } = withoutCollection(url);
    return mongoStoreExists({ url: rest, collection });
  },
} satisfies StoreUrlOpener);

/** Takes our option out of the text, and leaves every other character as it is. */
function withoutCollection(url: string): { readonly rest: string; readonly collection: string | undefined } {
  const start = url.indexOf("?");
  if (start < 0) return { rest: url, collection: undefined };
  const options = url.slice(start + 1).split("&");
  const ours = options.filter((option) => /^collection(?:=|$)/u.test(option));
  if (ours.length === 0) return { rest: url, collection: undefined };
  const others = options.filter((option) => !ours.includes(option));
  const collection = new URLSearchParams(ours.join("&")).getAll("collection").at(-1) ?? "";
  if (ours.length > 1 || collection === "")
    throw new TypeError("the URL's collection must be given once and must not be empty");
  return { rest: url.slice(0, start) + (others.length === 0 ? "" : `?${others.join("&")}`), collection };
}
