import type { Exhibit } from "./exhibit.ts";
import { galleryOfClaims } from "./gallery-of-claims.ts";
import { galleryOfRecords } from "./gallery-of-records.ts";

/** One fault each that people have built into such stores. */
export const gallery: readonly Exhibit[] = [...galleryOfClaims, ...galleryOfRecords];
