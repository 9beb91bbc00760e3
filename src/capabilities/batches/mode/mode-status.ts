import { named } from '../../../drivers/sql-database/sql-statement.ts';
import type { StatusPart } from '../../status-part.ts';
import { sharedParkReason } from '../sharing/shared-answers.ts';
import { parkReason } from './provider-mode.ts';

const countUnresolved = named(
  'provider-batches.count-unresolved',
  `select count(*)::int as unresolved from millrace.provider_batches b where b.state = 'unresolved'`,
);

/** Why messages wait for providers' batches, and for answers of others. */
export const modeStatus: StatusPart = {
  schema: {},
  read: async ({ database }) => {
    const { rows } = await database.query<{ unresolved: number }>(countUnresolved);
    const unresolved = rows[0]?.unresolved ?? 0;
    return {
      members: {},
      document: {},
      explain: ({ reason }) => {
        if (reason === sharedParkReason) {
          return {
            why: 'Another item of their batch asks the same: its call is under way, and they take its answer.',
            change: 'Time: the answer, or the end of that item, after which one of them asks itself.',
          };
        }
        return reason !== parkReason
          ? undefined
          : {
              why: "Their calls are in a provider's batch, which may take a day, or wait to be put into one.",
              change:
                unresolved === 0
                  ? 'Time. "millrace provider-batches list" shows how far they are.'
                  : `Time; and an operator, for those of ${unresolved} provider batches that cannot go on by themselves: "millrace provider-batches list --state unresolved".`,
            };
      },
    };
  },
};
