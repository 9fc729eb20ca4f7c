import { openRedisStore } from "../../src/index.ts";

/** Counts what a listing gives, and the bytes of its metadata. */
const [url = "", namespace = ""] = process.argv.slice(2);
const store = await openRedisStore({ url, namespace });
let records = 0;
let bytes = 0;
for await (const { metadata } of store.list()) {
  records += 1;
  bytes += metadata.length;
}
await store.close();
process.send?.({ records, bytes });
process.disconnect?.();
