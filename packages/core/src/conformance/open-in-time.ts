import { OffsetStoreError } from "../errors/offset-store-error.ts";

/** How often a client is opened: one with a short time-out may need more than one attempt on a busy machine. */
const ATTEMPTS = 5;

/** Opens a client; again if that was not answered in time. */
export async function openInTime<Opened>(open: () => Promise<Opened>, attempts = ATTEMPTS): Promise<Opened> {
  try {
    return await open();
  } catch (error) {
    const isLate = error instanceof OffsetStoreError && error.code === "TIMEOUT";
    if (!isLate || attempts === 1) throw error;
    return openInTime(open, attempts - 1);
  }
}
