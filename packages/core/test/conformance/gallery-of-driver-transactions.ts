import type { OwnTransaction } from "@tidemark/core/driver";
import type { DriverFault } from "./broken-store.ts";
import type { DriverExhibit } from "./driver-exhibit.ts";
import type { SoundTransaction } from "./sound-backend.ts";

type Own = OwnTransaction<SoundTransaction>;

/** Drivers whose own transactions end in another way than they should. */
export const galleryOfDriverTransactions: readonly DriverExhibit[] = [
  {
    fault: "a rollback keeps what was written",
    caseId: "driver/own-transaction",
    says: /write is wrong: after a rollback there is .*'inside, rollback'/,
    surroundings: "transactional",
    spoil: ending((own) => ({ rollback: own.commit })),
  },
  {
    fault: "a commit that is answered has stored nothing",
    caseId: "driver/own-transaction",
    says: /write is wrong: after a commit there is .*'before'/,
    surroundings: "transactional",
    spoil: ending((own) => ({ commit: own.rollback })),
  },
  {
    fault: "a rollback finds no transaction, because its commit is under way",
    caseId: "driver/rollback-under-commit",
    says: /begin is wrong: a rollback while the commit is under way rejects: .*no transaction/,
    surroundings: "transactional",
    spoil: ending((own) => {
      let isCommitting = false;
      return {
        commit: () => {
          isCommitting = true;
          return own.commit();
        },
        rollback: async () => {
          if (isCommitting) throw new Error("there is no transaction");
          await own.rollback();
        },
      };
    }),
  },
];

/** Ends the transactions that a driver began in another way. */
function ending(spoil: (own: Own) => Partial<Own>): DriverFault {
  return (driver) => ({
    begin: async () => {
      const own = await driver.begin?.();
      if (own === undefined) throw new Error("the driver has no transactions");
      return { ...own, ...spoil(own) };
    },
  });
}
