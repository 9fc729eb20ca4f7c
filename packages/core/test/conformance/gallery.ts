import type { Exhibit } from "./exhibit.ts";
import { galleryOfAnswers } from "./gallery-of-answers.ts";
import { galleryOfBackends } from "./gallery-of-backends.ts";
import { galleryOfBatches } from "./gallery-of-batches.ts";
import { galleryOfClaims } from "./gallery-of-claims.ts";
import { galleryOfClocks } from "./gallery-of-clocks.ts";
import { galleryOfFailures } from "./gallery-of-failures.ts";
import { galleryOfLeaks } from "./gallery-of-leaks.ts";
import { galleryOfRaces } from "./gallery-of-races.ts";
import { galleryOfResets } from "./gallery-of-resets.ts";
import { galleryOfRecords } from "./gallery-of-records.ts";
import { galleryOfSurroundings } from "./gallery-of-surroundings.ts";
import { galleryOfTransactions } from "./gallery-of-transactions.ts";
import { galleryOfMembers } from "./gallery-of-members.ts";
import { galleryOfEpochs } from "./gallery-of-epochs.ts";
import { galleryOfPositions } from "./gallery-of-positions.ts";
import { galleryOfExpiry } from "./gallery-of-expiry.ts";
import { galleryOfOutages } from "./gallery-of-outages.ts";

/** One fault each that people have built into such stores. */
export const gallery: readonly Exhibit[] = [
  ...galleryOfClaims,
  ...galleryOfRaces,
  ...galleryOfRecords,
  ...galleryOfAnswers,
  ...galleryOfSurroundings,
  ...galleryOfFailures,
  ...galleryOfBatches,
  ...galleryOfBackends,
  ...galleryOfClocks,
  ...galleryOfLeaks,
  ...galleryOfTransactions,
  ...galleryOfOutages,
  ...galleryOfExpiry,
  ...galleryOfPositions,
  ...galleryOfResets,
  ...galleryOfEpochs,
  ...galleryOfMembers,
];
