import { openSqliteStore } from "../../src/index.ts";

/** Opens a file as somebody who is not root, to whom every file would be open, and tells how that ends. */
const [file = ""] = process.argv.slice(2);
if (process.getuid?.() === 0) process.setuid?.(65_534);
try {
  await openSqliteStore({ file });
  process.send?.({ code: "opened", message: "" });
} catch (error) {
  const { code, message } = error as { readonly code: string; readonly message: string };
  process.send?.({ code, message });
}
process.disconnect?.();
