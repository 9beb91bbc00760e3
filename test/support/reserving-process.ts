import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { CallLedger } from '../../src/engine/ledger/call-ledger.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { usd } from '../../src/kernel/money.ts';
import { settledFor } from './budget-fixture.ts';
import { someReservation } from './ledger-fixture.ts';

/*
 * A process of its own for the tests that kill it: reserves and settles calls of the step "killed" under the quotas that are named, on the
 * ledger of the connection string, until it dies. The first, and the last of each eight, is never settled.
 */

const [connectionString, ...quotas] = process.argv.slice(2);
if (connectionString === undefined) throw new Error('usage: reserving-process CONNECTION QUOTA…');
const database = await PostgresSqlDatabase.open({
  connectionString,
  poolSize: 2,
  statementTimeoutMs: 30_000,
  applicationName: 'killed',
});
const calls = new CallLedger({ database, clock: systemClock });
const origin = { team: 'blue', customer: 'acme', feature: 'search' };

async function reserve(): Promise<string | undefined> {
  const id = newId(new Date());
  const { kind } = await calls.reserve(
    someReservation({
      id,
      message: undefined,
      origin,
      step: 'killed',
      upperBoundUsd: usd('0.01'),
      upperBoundTokens: 20,
      quotas,
    }),
  );
  return kind === 'reserved' ? id : undefined;
}

// Before others take all that the quotas allow: whenever it is killed, it leaves a call.
if ((await reserve()) === undefined) throw new Error('the first call fits its quotas');
process.stdout.write('ready\n');
for (;;) {
  await Promise.all(
    Array.from({ length: 8 }, async (_, n) => {
      const id = await reserve();
      if (id !== undefined && n < 7) await calls.settle(settledFor(id, '0.001'));
    }),
  );
}
