import type { Exhibit } from "./exhibit.ts";
import { galleryOfAnswers } from "./gallery-of-answers.ts";
import { galleryOfClaims } from "./gallery-of-claims.ts";
import { galleryOfFailures } from "./gallery-of-failures.ts";
import { galleryOfRaces } from "./gallery-of-races.ts";
import { galleryOfRecords } from "./gallery-of-records.ts";
import { galleryOfSurroundings } from "./gallery-of-surroundings.ts";

/** One fault each that people have built into such stores. */
export const gallery: readonly Exhibit[] = [
  ...galleryOfClaims,
  ...galleryOfRaces,
  ...galleryOfRecords,
  ...galleryOfAnswers,
  ...galleryOfSurroundings,
  ...galleryOfFailures,
];
