import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { WebhookNames } from '../../src/engine/ledger/webhook-names.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { emptyTables } from '../support/empty-tables.ts';
import { ann, WebhookFixture } from '../support/webhook-fixture.ts';

/** What is promised of the events that webhooks are told of, whichever database the ledger is on. */
export function webhookEventsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`events of webhooks on ${name}`, () => {
    let fixture: WebhookFixture;
    let database: SqlDatabase;
    beforeAll(async () => {
      database = await open();
      fixture = await WebhookFixture.open(database);
    });
    afterAll(() => fixture.receiver.stop());
    beforeEach(async () => {
      await fixture.begin();
      await emptyTables(database, ['millrace.batches', 'millrace.requests']);
    });

    const told = () =>
      fixture.receiver.told.map(
        ({ path, body }) => [path, JSON.parse(body) as Record<string, unknown>] as const,
      );
    /** Requests of a team, of which each names the webhook or none. */
    const ask = (team: string, webhooks: readonly (string | null)[]) =>
      database.query(
        {
          name: 'test.ask_requests',
          text: `insert into millrace.requests (id, team, customer, feature, pipeline, type, version, actor, webhook)
            select gen_random_uuid(), $1, 'c', 'f', 'support', 'ticket', 1, 'ann', w from unnest($2::text[]) w`,
        },
        [team, webhooks],
      );
    const end = (state = 'completed', more = '') =>
      database.execute(`update millrace.requests set state = '${state}', ended_at = clock_timestamp(), calls = 2,
        cost_usd = 0.0420, unpriced = 0, unsettled = 0, unsettled_usd = 0 ${more} where ended_at is null`);

    it('are written with the ends of requests, once for each, for those who are to be told', async () => {
      await fixture.subscribe('/blue');
      await fixture.subscribe('/failed', { events: ['request.failed'] });
      await fixture.subscribe('/red', {}, { actor: 'bob', team: 'red' });
      await ask('blue', [null, null, 'ops']);
      await ask('green', [null]);
      await database.execute(`update millrace.requests set cancel_asked_at = clock_timestamp()`);
      await end();
      await end();
      await database.execute(`update millrace.requests set result_ref = null`);
      await fixture.deliver();
      expect(
        told()
          .map(([path]) => path)
          .toSorted(),
      ).toEqual(['/blue', '/blue', '/blue', '/ops']);
      const [, body] = told()[0] ?? [];
      expect(body).toMatchObject({
        type: 'request.completed',
        data: {
          team: 'blue',
          pipeline: 'support',
          state: 'completed',
          calls: 2,
          costUsd: '0.042',
          unpriced: 0,
        },
      });
      expect(JSON.stringify(body)).not.toContain('customer');
    });

    it('say why a request failed', async () => {
      await ask('blue', ['ops']);
      await end('failed', `, error_code = 'MILLRACE_STAGE_FAILED', error_message = 'confidential'`);
      await fixture.deliver();
      expect(told()).toMatchObject([
        ['/ops', { type: 'request.failed', data: { state: 'failed', code: 'MILLRACE_STAGE_FAILED' } }],
      ]);
      expect(JSON.stringify(told())).not.toContain('confidential');
    });

    it('are gone with a transaction that does not commit', async () => {
      await ask('blue', ['ops']);
      const failing = database.transaction(async (transaction) => {
        await transaction.execute(
          `update millrace.requests set state = 'completed', ended_at = clock_timestamp()`,
        );
        throw new Error('it ends otherwise');
      });
      await expect(failing).rejects.toThrow('it ends otherwise');
      await fixture.deliver();
      expect(told()).toEqual([]);
      await end();
      await fixture.deliver();
      expect(told()).toHaveLength(1);
    });

    it('are written with the ends and halts of batches', async () => {
      await fixture.subscribe('/halts', { events: ['batch.halted'] });
      const insert = (batch: string, settings: string) =>
        database.execute(`insert into millrace.batches (id, team, name, customer, feature, pipeline, type, version, settings, state, upload_state, items, chunks, actor, started_at)
          values (gen_random_uuid(), 'blue', '${batch}', 'c', 'f', 'default', 'work', 1, '${settings}', 'running', 'complete', 2, 1, 'ann', now())`);
      await insert('named', '{"notify":{"webhook":"ops"}}');
      await insert('unnamed', '{}');
      await database.execute(`update millrace.batches set succeeded = 1`);
      await database.execute(`update millrace.batches set state = 'halted'`);
      await database.execute(`update millrace.batches set state = 'succeeded'`);
      await fixture.deliver();
      const types = told().map(
        ([path, { type, data }]) => `${path} ${String(type)} ${(data as { name: string }).name}`,
      );
      expect(types.toSorted()).toEqual([
        '/halts batch.halted named',
        '/halts batch.halted unnamed',
        '/ops batch.halted named',
        '/ops batch.succeeded named',
      ]);
    });

    it('are named by a webhook of the team before one of the configuration, and by none of another team', async () => {
      const names = new WebhookNames(database, { endpoints: { ops: {}, others: { teams: ['others'] } } });
      await fixture.subscribe('/own', { name: 'ops', events: [] });
      await fixture.subscribe('/red', { name: 'private', events: [] }, { actor: 'bob', team: 'red' });
      const asked = ['ops', 'others', 'private', 'constructor'];
      const known = await Promise.all(asked.map((one) => names.has(one, 'blue')));
      expect(known).toEqual([true, false, false, false]);
      expect(await names.has('private', 'red')).toBe(true);
      await ask('blue', ['ops', 'private']);
      await end();
      await fixture.deliver();
      expect(told().map(([path]) => path)).toEqual(['/own']);
      expect((await fixture.service.list(ann)).webhooks.map(({ name: one }) => one)).toEqual(['ops']);
    });

    it('take over what batches had to tell before there were webhooks, under its ids', async () => {
      const id = '00000000-0000-4000-8000-00000000000a';
      await database.execute(`create table millrace.batch_notices (id uuid primary key, batch_id uuid, webhook text, body text, attempts int,
          created_at timestamptz default clock_timestamp(), delivered_at timestamptz, given_up_at timestamptz);
        insert into millrace.batches (id, team, name, customer, feature, pipeline, type, version, settings, state, upload_state, items, chunks, actor, started_at)
          values ('${id}', 'blue', 'old', 'c', 'f', 'default', 'work', 1, '{}', 'succeeded', 'complete', 2, 1, 'ann', now());
        insert into millrace.batch_notices (id, batch_id, webhook, body, attempts, delivered_at) values
          ('00000000-0000-4000-8000-000000000001', '${id}', 'ops', '{"type":"batch.succeeded"}', 3, null),
          ('00000000-0000-4000-8000-000000000002', '${id}', 'ops', '{"type":"batch.succeeded"}', 1, now())`);
      const migration = await readFile(join(packageRoot(), 'postgres/migrations/0087-webhooks.sql'), 'utf8');
      await database.execute(migration);
      await database.execute(migration);
      await fixture.deliver();
      expect(fixture.receiver.told).toMatchObject([
        {
          path: '/ops',
          body: '{"type":"batch.succeeded"}',
          headers: { 'webhook-id': '00000000-0000-4000-8000-000000000001' },
        },
      ]);
    });
  });
}
