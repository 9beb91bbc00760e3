import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BudgetLedger } from '../../src/capabilities/budgets/budget-ledger.ts';
import { migrate, postgresMigrations } from '../../src/drivers/sql-database/migrator.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { CallLedger } from '../../src/engine/ledger/call-ledger.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { formatUsd } from '../../src/kernel/money.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { reserveOf, settledFor, someBudget, stateOf } from '../support/budget-fixture.ts';

/* A ledger whose calls were reserved when the engine still knew budgets. */

let directory = '';
let database: PgliteSqlDatabase;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-quotas-'));
  database = await PgliteSqlDatabase.open({});
});
afterAll(async () => {
  await database.close();
  await rm(directory, { recursive: true, force: true });
});

it('settles, gives up and adds up what its calls had reserved', async () => {
  const before = (await postgresMigrations()).filter(({ name }) => name < '0030');
  for (const { name } of before) {
    await copyFile(join(packageRoot(), 'postgres', 'migrations', name), join(directory, name));
  }
  await migrate(database, directory);
  const [settled, abandoned] = [newId(new Date()), newId(new Date())];
  await database.execute(`
    insert into millrace.budgets (name, team, window_unit, limit_usd, at_limit, unpriced)
      values ('search', 'blue', 'month', 1, 'park', 'refuse');
    insert into millrace.budget_windows (budget, window_start, reserved_usd)
      values ('search', date_trunc('month', now(), 'UTC'), 0.7);
    insert into millrace.calls (id, origin, step, ordinal, attempt, provider, model, operation, tier, request_kind,
      request_digest, upper_bound_usd, state, reserved_at, budgets, budget_usd)
    select id::uuid, '{"team":"blue","customer":"acme","feature":"search"}', 'main', 0, 1, 'openai', 'gpt-5-mini', 'chat',
      'default', 'single', 'digest', bound, 'reserved', now(),
      json_build_array(json_build_object('budget', 'search', 'window_start', date_trunc('month', now(), 'UTC'))), bound
    from (values ('${settled}', 0.4), ('${abandoned}', 0.3)) as v(id, bound);`);

  expect(await migrate(database)).toContain('0030-quotas.sql');
  const budgets = new BudgetLedger(database);
  const calls = new CallLedger({ database, clock: systemClock });
  expect(await budgets.findFaults()).toEqual([]);
  expect((await reserveOf(calls, '0.4')).outcome.kind).toBe('over_quota');
  expect(await calls.settle(settledFor(settled, '0.1'))).toBe(true);
  expect(await calls.abandon([{ id: abandoned, line: '{}' }])).toBe(1);
  expect((await reserveOf(calls, '0.4')).outcome.kind).toBe('reserved');
  const { spent, reserved } = await stateOf(budgets);
  expect([formatUsd(spent), formatUsd(reserved)]).toEqual(['0.4', '0.4']);
  expect(await budgets.findFaults()).toEqual([]);

  // The definitions can be written on.
  await budgets.define([someBudget({ limitUsd: '2' })]);
  expect(formatUsd((await stateOf(budgets)).limit)).toBe('2');
});
