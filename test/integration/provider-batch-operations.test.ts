import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  listProviderBatchesSchema,
  resolveRequestSchema,
} from '../../src/capabilities/batches/mode/provider-batch-documents.ts';
import { ProviderBatchOperations } from '../../src/capabilities/batches/mode/provider-batch-operations.ts';
import { openMigratedPglite } from '../../src/drivers/sql-database/migrated-pglite.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { writeUnresolvedBatch } from '../support/unresolved-provider-batch.ts';

let database: SqlDatabase;
let operations: ProviderBatchOperations;
beforeAll(async () => {
  database = await openMigratedPglite();
  operations = new ProviderBatchOperations({ database, clock: systemClock });
}, 600_000);
afterAll(async () => {
  await database.close();
});
beforeEach(async () => {
  await database.execute('delete from millrace.provider_batches; delete from millrace.batches');
});

const page = (query: object) => listProviderBatchesSchema.parse(query);
const idsOf = async (query: object, team?: string) =>
  (await operations.list(page(query), { team })).providerBatches.map(({ id }) => id);

it('lists the newest first, page by page, and shows a team its own only', async () => {
  const first = await writeUnresolvedBatch(database, 'teal');
  const second = await writeUnresolvedBatch(database, 'amber');
  const third = await writeUnresolvedBatch(database, 'teal');
  expect(await idsOf({})).toEqual([third, second, first]);
  expect(await idsOf({}, 'teal')).toEqual([third, first]);
  expect(await idsOf({ state: 'closed' })).toEqual([]);
  const { providerBatches, next } = await operations.list(page({ limit: 2, state: 'unresolved' }), {});
  expect(providerBatches.map(({ id }) => id)).toEqual([third, second]);
  expect(providerBatches[1]).toMatchObject({
    batch: { team: 'amber' },
    state: 'unresolved',
    unresolved: 'gone',
    requests: 3,
  });
  expect(await idsOf({ limit: 2, after: next })).toEqual([first]);
});

it.each([
  [{ resolution: 'take-over', providerId: 'batch_1' }, 'running'],
  [{ resolution: 'send-again' }, 'planned'],
  [{ resolution: 'give-up' }, 'ended'],
] as const)('goes on after %o', async (decision, state) => {
  const id = await writeUnresolvedBatch(database, 'teal');
  const request = resolveRequestSchema.parse({ ...decision, reason: 'support says so' });
  expect(await operations.resolve(id, request, { actor: 'key:x', team: 'teal' })).toMatchObject({
    id,
    state,
  });
  const { rows } = await database.query<{ team: string; reason: string }>(
    {
      name: 'test.read-audit',
      text: `select team, reason from millrace.operator_actions where action = 'provider-batches.resolve' and target like '%' || $1`,
    },
    [id],
  );
  expect(rows).toEqual([{ team: 'teal', reason: 'support says so' }]);
  await expect(operations.resolve(id, request, { actor: 'key:x' })).rejects.toMatchObject({
    code: 'MILLRACE_BATCH_STATE',
  });
});

it('knows no provider batch of another team, and none that is not there', async () => {
  const id = await writeUnresolvedBatch(database, 'teal');
  const request = resolveRequestSchema.parse({ resolution: 'give-up', reason: 'x' });
  for (const [asked, team] of [
    [id, 'amber'],
    [newId(new Date()), undefined],
    ['no id', undefined],
  ] as const) {
    await expect(operations.resolve(asked, request, { actor: 'key:x', team })).rejects.toMatchObject({
      code: 'MILLRACE_NOT_FOUND',
    });
  }
  expect(await idsOf({ state: 'unresolved' })).toEqual([id]);
});

it.each([
  [{ resolution: 'take-over', reason: 'x' }],
  [{ resolution: 'take-over', providerId: '../files', reason: 'x' }],
  [{ resolution: 'give-up' }],
  [{ resolution: 'give-up', reason: 'a\u0000b' }],
  [{ resolution: 'burn', reason: 'x' }],
])('takes no decision such as %o', (decision) => {
  expect(resolveRequestSchema.safeParse(decision).success).toBe(false);
});
