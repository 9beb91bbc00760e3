import { named } from '../../../drivers/sql-database/sql-statement.ts';
import type { StatusPart } from '../../status-part.ts';
import { parkReason } from './provider-mode.ts';

const countUnresolved = named(
  'provider-batches.count-unresolved',
  `select count(*)::int as unresolved from millrace.provider_batches b where b.state = 'unresolved'`,
);

/** Why messages wait for providers' batches. */
export const modeStatus: StatusPart = {
  schema: {},
  read: async ({ database }) => {
    const { rows } = await database.query<{ unresolved: number }>(countUnresolved);
    const unresolved = rows[0]?.unresolved ?? 0;
    return {
      members: {},
      document: {},
      explain: ({ reason }) =>
        reason !== parkReason
          ? undefined
          : {
              why: "Their calls are in a provider's batch, which may take a day, or wait to be put into one.",
              change:
                unresolved === 0
                  ? 'Time. "millrace provider-batches list" shows how far they are.'
                  : `Time; and an operator, for those of ${unresolved} provider batches that cannot go on by themselves: "millrace provider-batches list --state unresolved".`,
            },
    };
  },
};
