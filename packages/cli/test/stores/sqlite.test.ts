import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { testSessions } from "./test-sessions.ts";

// The reference: what is expected of the others is what this one says.
testSessions({
  url: "sqlite:positions.db",
  async corrupt({ key, namespace, folder }) {
    using database = new DatabaseSync(join(folder, "positions.db"));
    const { changes } = database
      .prepare(
        "UPDATE tidemark_offsets SET value = 'seven' WHERE namespace = ? AND consumer = ? AND topic = ? AND partition = ?",
      )
      .run(namespace, key.consumer, key.topic, key.partition);
    if (changes !== 1) throw new Error("there is no such record");
  },
});
