import { setTimeout as delay } from "node:timers/promises";
import type { DriverFault } from "./broken-store.ts";
import { turn } from "./exhibit.ts";
import { ConnectionReset } from "./sound-backend.ts";

/** What became of writes. */
export interface LossyCounts {
  lost: number;
  unanswered: number;
  late: number;
  doubled: number;
}

/** A small generator of reproducible randomness. */
function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

/**
 * A sound driver over a bad network: calls take turns, and of the writes some never arrive, some arrive and are not answered,
 * some arrive long after their caller was told that they had failed, and some arrive twice.
 */
export function lossy(seed: number, counts: LossyCounts): DriverFault {
  return (driver) => {
    const random = randomOf(seed);
    const some = async (): Promise<void> => {
      for (let turns = Math.floor(random() * 3); turns > 0; turns -= 1) await turn();
    };
    return {
      read: async (keys, context) => {
        await some();
        if (random() < 0.05) throw new ConnectionReset();
        return driver.read(keys, context);
      },
      write: async (changes, context) => {
        await some();
        const fate = random();
        const write = (): ReturnType<typeof driver.write> => driver.write(changes, context);
        if (fate < 0.06) {
          counts.lost += 1;
          throw new ConnectionReset();
        }
        if (fate < 0.14) {
          counts.unanswered += 1;
          await write();
          throw new ConnectionReset();
        }
        if (fate < 0.2) {
          counts.late += 1;
          void delay(Math.floor(random() * 60)).then(write);
          throw new ConnectionReset();
        }
        const answer = await write();
        if (fate < 0.3) {
          counts.doubled += 1;
          await some();
          await write();
        }
        return answer;
      },
    };
  };
}
