import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { definitionOf } from '../../src/capabilities/budgets/definition-of-setting.ts';
import { clockToken } from '../../src/capabilities/costs/clock-token.ts';
import { CostReports } from '../../src/capabilities/costs/cost-reports.ts';
import { FocusExports } from '../../src/capabilities/costs/focus/focus-export.ts';
import { ReconciliationService } from '../../src/capabilities/costs/reconciliation/reconciliation-service.ts';
import { ErasureLedger } from '../../src/capabilities/erasure/erasure-ledger.ts';
import { ErasureService } from '../../src/capabilities/erasure/erasure-service.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import { renderUsageLine } from '../../src/engine/export/usage-record.ts';
import type { PayloadCleaner } from '../../src/engine/maintenance/payload-cleaner.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Uuid } from '../../src/kernel/ids.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { type ApiOperation, operationsOf } from '../support/api-operations.ts';
import { DeadLetterFixture } from '../support/dead-letter-fixture.ts';
import { openMigratedColumns } from '../support/migrated-columns.ts';
import { writeUnresolvedBatch } from '../support/unresolved-provider-batch.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture } from './api-fixture.ts';
import { recordOf } from './cost-seeds.ts';
import { reconciliationOver } from './reconciled-calls.ts';
import { requestTo } from './request-to.ts';

/*
 * The whole API on real stores, with the work of two teams, "teal" and "amber": messages, dead letters, paid calls, usage records, budgets, keys,
 * pauses, an erasure. Everything that belongs to "amber" has that word in its names, and amounts of 7.77 dollars; 8.02 is the sum of both teams.
 */

/** Ids of what belongs to the team "amber". */
export type AmberIds = Readonly<
  Record<
    | 'open'
    | 'dead'
    | 'call'
    | 'key'
    | 'pause'
    | 'erasure'
    | 'batch'
    | 'providerBatch'
    | 'request'
    | 'schedule'
    | 'webhook'
    | 'delivery',
    Uuid
  >
>;

/** Of an answer of the API, what is worked on next. */
interface Answered {
  readonly id: Uuid;
  readonly key?: string;
  readonly delivery?: Uuid;
  readonly pause?: { readonly id: Uuid };
  readonly reconciliations?: readonly { readonly id: Uuid }[];
}

type Operate = (
  method: 'get' | 'post' | 'put',
  path: string,
  body?: object,
  /** Default the unbound one. */
  key?: string,
) => Promise<Answered>;

/** What only the team "amber" has, in any text; digits before an amount would make it one of another, or a time. */
export const ofAmber = /amber|(?<!\d)(?:7\.77|8\.02)/;

export interface TwoTeams {
  readonly fixture: ApiFixture;
  /** Where the API listens. */
  readonly url: string;
  /** Every operation of the OpenAPI document that needs a key, and those that need none. */
  readonly operations: readonly ApiOperation[];
  readonly amber: AmberIds;
  /** A key with every scope, bound to the team "teal". */
  readonly tealKey: string;
  /** A key with every scope, bound to no team. */
  readonly unboundKey: string;
  /** What an operator of all teams does over the API. Throws when it is refused. */
  readonly operate: Operate;
  /** Sends the items of a batch, as one who may do so for all teams. */
  readonly fill: (batch: Uuid, items: readonly object[]) => Promise<void>;
  close(): Promise<void>;
}

export async function openTwoTeams(): Promise<TwoTeams> {
  const fixture = await openApiFixture();
  const { database } = fixture;
  const directory = await mkdtemp(join(tmpdir(), 'millrace-two-teams-'));
  const store = await openMigratedColumns({ directory, database: 'millrace_test' });
  for (const team of ['teal', 'amber']) await writeUsage(store, team);
  await writeLedger(fixture, 'teal');
  const messages = await writeLedger(fixture, 'amber');
  const tealKey = await fixture.newKey(['admin'], 'teal');
  const unboundKey = await fixture.newKey(['admin']);
  const cleaner = { clean: () => Promise.resolve(false) } as PayloadCleaner;
  const app = await startApi(
    fixture.services({
      provided: [
        [CostReports, new CostReports({ store })],
        [clockToken, new ManualClock(new Date('2026-03-03T12:00:00Z'))],
        [FocusExports, new FocusExports({ store, billingAccount: 'millrace' })],
        [ReconciliationService, reconciliationOver(database, store).service],
        [
          ErasureService,
          new ErasureService({
            ledger: new ErasureLedger({ database, clock: systemClock }),
            store,
            cleaner,
            clock: systemClock,
          }),
        ],
      ],
    }),
  );
  // One server for all: there are many requests.
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const operate: Operate = async (method, path, body, key = unboundKey) => {
    const request = requestTo(url)[method](path);
    const response = await request.set({ authorization: `Bearer ${key}` }).send(body);
    if (response.statusCode >= 300) throw new Error(`${path}: ${response.text}`);
    return response.body as Answered;
  };
  return {
    fixture,
    url,
    operations: await operationsOf(app),
    amber: { ...messages, ...(await writeOperations(fixture, operate)) },
    tealKey,
    unboundKey,
    operate,
    fill: async (batch, items) => {
      const lines = items.map((item) => JSON.stringify(item)).join('\n');
      const { statusCode, text } = await requestTo(url)
        .put(`/v1/batches/${batch}/items`)
        .set({ authorization: `Bearer ${unboundKey}`, 'content-type': 'application/x-ndjson' })
        .send(lines);
      if (statusCode !== 200) throw new Error(text);
    },
    close: async () => {
      await app.close();
      await store.close();
      await fixture.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const originOf = (team: string) => ({
  team,
  customer: `${team}-customer`,
  feature: `${team}-feature`,
  batch: `${team}-batch`,
});
const costOf = (team: string) => (team === 'amber' ? '7.770000000000000001' : '0.250000000000000001');

async function writeUsage(store: ColumnStore, team: string): Promise<void> {
  const deduplicationToken = randomUUID();
  const record = recordOf({
    team,
    model: `${team}-model`,
    sentAt: new Date('2026-03-02T10:00:00Z'),
    costUsd: costOf(team),
    settlement: 'reported',
    messageId: randomUUID(),
  });
  const own = {
    ...record,
    origin: { ...originOf(team), labels: { region: `${team}-region` } },
    item: `${team}-item`,
    pipeline: `${team}-pipeline`,
    stage: `${team}-stage`,
    provider: `${team}-provider`,
  };
  const lines = bindLines(deduplicationToken, [renderUsageLine(own)]);
  await store.insert({ table: 'usage', lines, deduplicationToken });
}

/** A message of the team that waits, and one that paid for a call and died. */
export async function writeLedger(
  { database }: ApiFixture,
  team: string,
): Promise<Pick<AmberIds, 'open' | 'dead' | 'call'>> {
  const letters = new DeadLetterFixture(database);
  const parts = {
    origin: originOf(team),
    stage: `${team}-stage`,
    pipeline: `${team}-pipeline`,
    item: `${team}-item`,
  };
  const dead = await letters.admit(parts);
  const { fencingToken } = await letters.lease(dead);
  await letters.pay(dead, fencingToken, `${team}-step`, costOf(team));
  await letters.end(dead, fencingToken, 'MILLRACE_STAGE_FAILED', `${team} failed`);
  const open = await letters.admit(parts);
  const { rows } = await database.query<{ id: Uuid }>(
    { name: 'test.call_of_message', text: 'select id from millrace.calls where message_id = $1' },
    [dead],
  );
  return { open, dead, call: rows[0]?.id ?? '' };
}

/** What operators have done. */
async function writeOperations(
  fixture: ApiFixture,
  operate: Operate,
): Promise<
  Pick<
    AmberIds,
    'key' | 'pause' | 'erasure' | 'batch' | 'providerBatch' | 'request' | 'schedule' | 'webhook' | 'delivery'
  >
> {
  await fixture.setBudgets(
    ['teal', 'amber'].map((team) =>
      definitionOf({
        name: `${team}-budget`,
        team,
        window: 'month',
        timeZone: 'UTC',
        limitUsd: team === 'amber' ? '7.77' : '1',
        atLimit: 'park',
        unpriced: 'allow',
        alertAt: [],
      }),
    ),
  );
  const made = await operate('post', '/v1/keys', {
    name: 'amber-key',
    scopes: ['costs:read'],
    team: 'amber',
    reason: 'amber',
  });
  const closer = { name: 'amber-finance', scopes: ['operations:write'] };
  const { key: closing } = await operate('post', '/v1/keys', closer);
  await operate('post', '/v1/periods/close', { month: '2000-01', reason: 'amber paid' }, closing);
  await operate('post', '/v1/periods/close', { month: '2000-02', reason: 'amber paid' }, closing);
  await operate('post', '/v1/periods/reopen', { month: '2000-02', reason: 'amber did not' }, closing);
  const placed = await operate('post', '/v1/pauses', {
    scope: 'team',
    value: 'amber',
    reason: 'amber reasons',
  });
  const erasure = await operate('post', '/v1/erasures', {
    customer: 'amber-nobody',
    team: 'amber',
    reason: 'asked',
  });
  const batch = await operate('post', '/v1/batches', {
    name: 'amber-batch',
    team: 'amber',
    customer: 'amber-customer',
    feature: 'amber-feature',
    pipeline: 'support',
  });
  const webhook = await operate('post', '/v1/webhooks', {
    name: 'amber-hook',
    url: 'https://amber.example.com/',
    team: 'amber',
    events: ['request.completed'],
  });
  const { delivery = '' } = await operate('post', `/v1/webhooks/${webhook.id}/test`);
  const request = await operate('post', '/v1/pipelines/support/requests', {
    data: { subject: 'amber-subject' },
    origin: { team: 'amber', customer: 'amber-customer', feature: 'amber-feature' },
  });
  const providerBatch = await writeUnresolvedBatch(fixture.database, 'amber');
  const schedule = await operate('post', '/v1/schedules', {
    name: 'amber-schedule',
    cron: '0 6 * * *',
    message: {
      type: 'ticket.opened',
      data: { subject: 'amber' },
      origin: { team: 'amber', customer: 'amber-customer', feature: 'amber-feature' },
    },
  });
  return {
    batch: batch.id,
    key: made.id,
    pause: placed.pause?.id ?? '',
    erasure: erasure.id,
    providerBatch,
    webhook: webhook.id,
    delivery,
    request: request.id,
    schedule: schedule.id,
  };
}
