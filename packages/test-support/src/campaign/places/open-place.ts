import type { OpenedPlace, Place } from "./place.ts";

/** Opens a place. Only what its kind needs is loaded: processes start often. */
export async function openPlace(place: Place, timeout: number): Promise<OpenedPlace> {
  switch (place.kind) {
    case "sqlite":
      return (await import("./sqlite.ts")).openSqlitePlace(place, timeout);
    case "redis":
      return (await import("./redis.ts")).openRedisPlace(place, timeout);
    case "mongo":
      return (await import("./mongo.ts")).openMongoPlace(place, timeout);
    case "postgres":
      return (await import("./postgres.ts")).openPostgresPlace(place, timeout);
    case "s3":
      return (await import("./s3.ts")).openS3Place(place, timeout);
  }
}
