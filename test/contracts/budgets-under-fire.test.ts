import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { openMigratedPglite } from '../../src/drivers/sql-database/migrated-pglite.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';
import { newLedger } from '../support/shared-postgres.ts';
import { budgetsUnderFireContract } from './budgets-under-fire.contract.ts';

describe('PGlite', () => {
  let database: SqlDatabase;
  beforeAll(async () => {
    database = await openMigratedPglite();
  });
  afterAll(() => database.close());
  budgetsUnderFireContract('PGlite', () => Promise.resolve([database]));
});

describe.skipIf(!canRun(postgresPrograms()))('PostgreSQL', () => {
  let databases: readonly SqlDatabase[] = [];
  let connectionString = '';
  beforeAll(async () => {
    connectionString = await newLedger();
    databases = await Promise.all(
      Array.from({ length: 4 }, (_, n) =>
        PostgresSqlDatabase.open({
          connectionString,
          poolSize: 4,
          statementTimeoutMs: 30_000,
          applicationName: `fire-${n}`,
        }),
      ),
    );
  });
  afterAll(() => Promise.all(databases.map((database) => database.close())));
  budgetsUnderFireContract(
    'PostgreSQL',
    () => Promise.resolve(databases),
    async (quotas) => {
      const program = join(packageRoot(), 'test', 'support', 'reserving-process.ts');
      const victim = spawn(process.execPath, [program, connectionString, ...quotas], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(victim.stdout, 'data');
      return async () => {
        victim.kill('SIGKILL');
        await once(victim, 'exit');
      };
    },
  );
});
