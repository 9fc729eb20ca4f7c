import { fileURLToPath } from "node:url";
import { capabilityTable, expectGenerated } from "@tidemark/test-support/documents";
import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it } from "vitest";
import { OffsetsTable } from "../src/offsets-table.ts";
import { openClient, openStore, ownSchema, ownUser } from "./open-store.ts";

const README = fileURLToPath(new URL("../README.md", import.meta.url));

it("has the migration in its README that the store makes", async () => {
  const { createSql } = new OffsetsTable("public", "tidemark_offsets");
  await expectGenerated(README, "migration", `\`\`\`sql\n${createSql}\n\`\`\``);
});

await describeWithServer("postgres", ({ url }) => {
  it("takes a table that was made by the migration, and makes the same by itself", async () => {
    const client = await openClient(url);
    const shapeOf = async (schema: string) => {
      const tables = "FROM pg_class c WHERE c.relnamespace = $1::regnamespace";
      const columns = `SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attcollation, c.reloptions
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' AND a.attnum > 0 ORDER BY a.attnum`;
      const indexes = `SELECT replace(pg_get_indexdef(c.oid), $1, '') ${tables} AND c.relkind = 'i' ORDER BY 1`;
      return [(await client.query(columns, [schema])).rows, (await client.query(indexes, [schema])).rows];
    };
    const [made, migrated] = [await ownSchema(url), await ownSchema(url)];
    await openStore({ url, schema: made });
    await client.query(new OffsetsTable(migrated, "tidemark_offsets").createSql);
    await openStore({ url, schema: migrated });
    expect(await shapeOf(made)).toEqual(await shapeOf(migrated));
    expect((await shapeOf(made)).flat().length).toBe(9 + 3);
  });

  it("says in its README what the store declares", async () => {
    // The servers of the tests do not sync, to be fast; what a user's do is the same but for that.
    const { store: lax } = await openStore({ url: (await ownUser(url, "SUPERUSER")).url });
    expect(lax.capabilities.durability).toBe("process");
    const table = capabilityTable([
      { variant: "default settings", capabilities: { ...lax.capabilities, durability: "synced" } },
      { variant: "`synchronous_commit` or `fsync` off", capabilities: lax.capabilities },
    ]);
    await expectGenerated(README, "capabilities", table);
  });
});
