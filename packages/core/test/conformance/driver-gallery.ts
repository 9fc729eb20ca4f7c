import type { DriverExhibit } from "./driver-exhibit.ts";
import { galleryOfConnections } from "./gallery-of-connections.ts";
import { galleryOfDriverTransactions } from "./gallery-of-driver-transactions.ts";
import { galleryOfKeys } from "./gallery-of-keys.ts";
import { galleryOfListings } from "./gallery-of-listings.ts";
import { galleryOfReadErrors } from "./gallery-of-read-errors.ts";
import { galleryOfTimes } from "./gallery-of-times.ts";
import { galleryOfWrites } from "./gallery-of-writes.ts";

/** One fault each of drivers that people have built, or may. */
export const driverGallery: readonly DriverExhibit[] = [
  ...galleryOfWrites,
  ...galleryOfTimes,
  ...galleryOfKeys,
  ...galleryOfListings,
  ...galleryOfReadErrors,
  ...galleryOfConnections,
  ...galleryOfDriverTransactions,
];
