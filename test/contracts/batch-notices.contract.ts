import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BatchNotices } from '../../src/capabilities/batches/done/batch-notices.ts';
import { webhooksSettings } from '../../src/capabilities/batches/done/webhook-settings.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { BatchFixture, type Fate } from '../support/batch-fixture.ts';
import { Died, Mortality, mortalDatabase } from '../support/mortal.ts';

const key = Buffer.alloc(32, 7);
const never = new AbortController().signal;
const good: Fate = { kind: 'says', data: {}, costUsd: '0.01' };
const broken: Fate = { kind: 'dies', code: 'MILLRACE_STAGE_FAILED' };

interface Told {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What is promised of notices of batches, whichever database the ledger is on. */
export function batchNoticesContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`notices of batches on ${name}`, () => {
    let fixture: BatchFixture;
    let receiver: Server;
    let told: Told[];
    let answers: number[];
    let metrics: Metrics<typeof metricCatalogue>;

    beforeEach(async () => {
      fixture = await BatchFixture.begin(await open());
      [told, answers, metrics] = [[], [], createMetrics(metricCatalogue)];
      receiver = createServer((request, response) => {
        void textOf(request).then((body) => {
          told.push({ headers: request.headers, body });
          const status = answers.shift() ?? 204;
          response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end();
        });
      });
      receiver.listen(0, '127.0.0.1');
      await once(receiver, 'listening');
    });
    afterEach(async () => {
      const closed = once(receiver, 'close');
      receiver.close();
      receiver.closeAllConnections();
      await closed;
    });

    function notices(
      database = fixture.database,
      more: Readonly<Record<string, unknown>> = {},
    ): BatchNotices {
      const address = receiver.address();
      if (address === null || typeof address === 'string') throw new Error('the receiver has no port');
      const secret = `whsec_${key.toString('base64')}`;
      const settings = webhooksSettings.parse({
        webhooks: { ops: { url: `http://127.0.0.1:${address.port}/batches`, secret, ...more } },
      });
      const clock = new ManualClock(new Date('2026-03-01T00:00:00Z'));
      return new BatchNotices({ database, settings, metrics, clock, logger: silentLogger });
    }

    async function ended(): Promise<void> {
      await fixture.submit({ items: 2, settings: { notify: { webhook: 'ops' } } });
      await fixture.turns();
      await fixture.work(() => good);
      await fixture.turns();
    }

    /** Lets what waits for its next attempt be due. */
    const due = () =>
      fixture.database.execute(
        `update millrace.batch_notices set next_at = clock_timestamp() - interval '1 second'`,
      );
    /** How many attempts came to what. */
    async function results(): Promise<Readonly<Record<string, number>>> {
      const { body: text } = await metrics.render();
      const counts = [...text.matchAll(/^millrace_batch_notices_total\{result="(\w+)"\} (\d+)$/gm)];
      return Object.fromEntries(
        counts.flatMap(([, result = '', count]) => (count === '0' ? [] : [[result, Number(count)]])),
      );
    }

    it('of one webhook do not hold up those of another, however many wait', async () => {
      await ended();
      // Twelve that have waited longer, of a webhook that takes none.
      await fixture.database.execute(
        `insert into millrace.batch_notices (id, batch_id, webhook, body, next_at)
         select gen_random_uuid(), n.batch_id, 'other', n.body, n.next_at - interval '1 hour'
         from millrace.batch_notices n, generate_series(1, 12)`,
      );
      await notices().turn(never);
      expect([told.length, await results()]).toEqual([1, { delivered: 1, failed: 9 }]);
    });

    it('are sent once when a batch ends, signed, with what became of it', async () => {
      await ended();
      const sender = notices();
      await sender.turn(never);
      await due();
      await sender.turn(never);
      expect(told).toHaveLength(1);
      const [{ headers, body }] = told as [Told];
      expect(JSON.parse(body)).toMatchObject({
        type: 'batch.succeeded',
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        data: {
          name: 'night',
          team: 'blue',
          state: 'succeeded',
          items: { total: 2, succeeded: 2 },
          costUsd: '0.02',
        },
      });
      expect(headers['webhook-timestamp']).toBe('1772323200');
      const signed = `${headers['webhook-id']?.toString()}.1772323200.${body}`;
      expect(headers['webhook-signature']).toBe(
        `v1,${createHmac('sha256', key).update(signed).digest('base64')}`,
      );
      expect(await results()).toEqual({ delivered: 1 });
    });

    it('are sent again under the same id until they are taken, also by another process when one dies before it marks it', async () => {
      await ended();
      answers = [500, 302];
      for (let attempt = 0; attempt < 2; attempt += 1) {
        await notices().turn(never);
        // Nothing is sent before its time.
        await notices().turn(never);
        expect(told).toHaveLength(attempt + 1);
        await due();
      }
      // It claims the notice, sends it, and dies before the mark is written.
      const alive = mortalDatabase(fixture.database, new Mortality());
      const dying = notices({
        ...alive,
        query: (statement, parameters) =>
          statement.name === 'batches.mark_notice_delivered'
            ? Promise.reject(new Died('The process is dead.'))
            : alive.query(statement, parameters),
      });
      await expect(dying.turn(never)).rejects.toThrow(Died);
      expect(told).toHaveLength(3);
      await due();
      await notices().turn(never);
      await due();
      await notices().turn(never);
      expect(told).toHaveLength(4);
      expect(
        new Set(told.map(({ headers, body }) => `${headers['webhook-id']?.toString()} ${body}`)).size,
      ).toBe(1);
      expect(await results()).toEqual({ failed: 2, delivered: 2 });
    });

    it('tell of a halt, and of the end after it as of another event', async () => {
      const settings = {
        notify: { webhook: 'ops' },
        tripwire: { share: 20, items: 2 },
        chunk: { inFlight: 1 },
      };
      await fixture.submit({ items: 4, chunk: 2, settings });
      await fixture.turns();
      await fixture.work(() => broken);
      await fixture.turns();
      await notices().turn(never);
      await fixture.service.resume('night', 'go on', { actor: 'ann' });
      await fixture.turns();
      await fixture.work(() => good);
      await fixture.turns();
      await notices().turn(never);
      const types = told.map(({ body }) => (JSON.parse(body) as { readonly type: string }).type);
      expect(types).toEqual(['batch.halted', 'batch.failed']);
      expect(new Set(told.map(({ headers }) => headers['webhook-id'])).size).toBe(2);
    });

    it('are given up on after their attempts, and counted', async () => {
      await ended();
      answers = Array.from({ length: 20 }, () => 503);
      for (let attempt = 0; attempt < 14; attempt += 1) {
        await notices().turn(never);
        await due();
      }
      expect(told).toHaveLength(12);
      expect(await results()).toEqual({ failed: 12, given_up: 1 });
    });

    it('go to no webhook of other teams', async () => {
      await ended();
      await notices(fixture.database, { teams: ['red'] }).turn(never);
      expect([told.length, await results()]).toEqual([0, { failed: 1 }]);
    });

    it('are not written for batches that name nobody', async () => {
      await fixture.submit({ items: 1 });
      await fixture.turns();
      await fixture.work(() => good);
      await fixture.turns();
      await notices().turn(never);
      expect(told).toEqual([]);
    });
  });
}
