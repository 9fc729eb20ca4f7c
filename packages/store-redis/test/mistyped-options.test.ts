import { expect, it } from "vitest";
import { openRedisStore, type RedisAcknowledgement } from "../src/index.ts";

it("says that a password with special characters is to be encoded", async () => {
  for (const url of ["redis://u:s3/cret@h", "redis://:s3@x/cret:1@h", "redis://:s3#cret@h"]) {
    const error: unknown = await openRedisStore({ url }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toMatch(/%40.*%2F/u);
    expect(String(error)).not.toMatch(/s3|cret/u);
  }
});

it("does not take an acknowledge of another type for none", async () => {
  for (const wrong of [true, 1, "replicas", null]) {
    const acknowledge = wrong as unknown as RedisAcknowledgement;
    const opening = openRedisStore({ url: "redis://h", acknowledge });
    await expect(opening).rejects.toThrow(/acknowledge must be an object/u);
  }
});
