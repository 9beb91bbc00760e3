import type { ServerResponse } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AddressPolicy, type Resolve } from '../../src/capabilities/webhooks/address-policy.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { Died, Mortality, mortalDatabase } from '../support/mortal.ts';
import { ann, WebhookFixture } from '../support/webhook-fixture.ts';

const never = new AbortController().signal;

/** What is promised of deliveries to webhooks, whichever database the ledger is on. */
export function webhookDeliveriesContract(database: string, open: () => Promise<SqlDatabase>): void {
  describe(`deliveries to webhooks on ${database}`, () => {
    let fixture: WebhookFixture;
    beforeAll(async () => {
      fixture = await WebhookFixture.open(await open());
    });
    afterAll(() => fixture.receiver.stop());
    beforeEach(() => fixture.begin());

    it('tell each endpoint once of what its team has, and the one that is named; the library verifies it', async () => {
      const own = await fixture.subscribe('/own');
      await fixture.subscribe('/other-type', { events: ['request.failed'] });
      await fixture.subscribe('/other-team', {}, { actor: 'bob', team: 'red' });
      await fixture.subscribe('/all', { team: undefined }, { actor: 'root' });
      await fixture.happens('request.completed', { named: 'ops' });
      await fixture.deliver();
      await fixture.deliver();
      expect(fixture.receiver.told.map(({ path }) => path).toSorted()).toEqual(['/all', '/ops', '/own']);
      const [{ headers, body } = { headers: {} as Record<string, string>, body: '' }] =
        fixture.receiver.at('/own');
      expect(new Webhook(own.secret).verify(body, headers as Record<string, string>)).toMatchObject({
        type: 'request.completed',
        data: { state: 'completed' },
      });
      expect(new Set(fixture.receiver.told.map((one) => one.headers['webhook-id'])).size).toBe(1);
      expect(headers['webhook-id']).not.toContain('.');
      expect(await fixture.results()).toEqual({ delivered: 3 });
    });

    it('send again under the same id until it is taken, also by another process when one dies before it is recorded', async () => {
      await fixture.subscribe();
      await fixture.happens();
      fixture.receiver.answers.set('/', [500, (response) => response.socket?.destroy()]);
      for (let attempt = 1; attempt <= 2; attempt += 1) {
        await fixture.deliver();
        // Nothing is sent before its time.
        await fixture.deliver();
        expect(fixture.receiver.told).toHaveLength(attempt);
        await fixture.due();
      }
      const alive = mortalDatabase(fixture.database, new Mortality());
      const dying = fixture.machine({
        ...alive,
        query: (statement, parameters) =>
          statement.name === 'webhooks.record_attempts'
            ? Promise.reject(new Died('The process is dead.'))
            : alive.query(statement, parameters),
      });
      await expect(fixture.deliver(dying)).rejects.toThrow(Died);
      expect(fixture.receiver.told).toHaveLength(3);
      await fixture.due();
      await fixture.deliver();
      await fixture.due();
      await fixture.deliver();
      expect(fixture.receiver.told).toHaveLength(4);
      expect(
        new Set(fixture.receiver.told.map(({ headers, body }) => `${String(headers['webhook-id'])} ${body}`))
          .size,
      ).toBe(1);
      expect(await fixture.results()).toEqual({ failed: 2, delivered: 1 });
    });

    it.each([
      [
        'a redirect, which is not followed',
        (port: number) => (response: ServerResponse) => {
          response.writeHead(302, { location: `http://127.0.0.1:${port}/elsewhere` }).end();
        },
        'it answers with HTTP 302',
      ],
      [
        'an answer that breaks off',
        () => (response: ServerResponse) => {
          response.writeHead(200, { 'content-length': '100' }).write('half');
          response.socket?.end();
        },
        'it broke the connection off',
      ],
      [
        'a connection that breaks off',
        () => (response: ServerResponse) => {
          response.socket?.destroy();
        },
        'it broke the connection off',
      ],
    ] as const)('count %s as not taken', async (_, answer, problem) => {
      const { id } = await fixture.subscribe();
      await fixture.happens();
      fixture.receiver.answers.set('/', [answer(fixture.receiver.port)]);
      await fixture.deliver();
      expect(fixture.receiver.told).toHaveLength(1);
      expect((await fixture.newestOf(id)).log).toMatchObject([{ attempt: 1, problem }]);
    });

    it('read a bounded part of an endless answer, which counts as taken, and keep an excerpt', async () => {
      const { id } = await fixture.subscribe();
      await fixture.happens();
      fixture.receiver.answers.set('/', [
        (response) => {
          const pour = (): void => {
            while (!response.destroyed && response.write('x\u0000'.repeat(4000)));
          };
          response.writeHead(200).on('drain', pour);
          pour();
        },
      ]);
      await fixture.deliver();
      const { state, log } = await fixture.newestOf(id);
      expect(state).toBe('delivered');
      expect(log[0]?.excerpt).toBe('x\uFFFD'.repeat(500));
    });

    it('let one that does not answer hold up no other, and give it up after fifteen seconds', async () => {
      const { id } = await fixture.subscribe('/slow');
      await fixture.subscribe('/quick');
      fixture.receiver.answers.set(
        '/slow',
        Array.from({ length: 4 }, () => (response) => {
          response.flushHeaders();
        }),
      );
      for (let event = 0; event < 10; event += 1) await fixture.happens();
      const deliveries = fixture.machine();
      const turns = (async () => {
        while (await deliveries.turn(never));
      })();
      // Ten to the quick one, while all that the slow one may have at once are under way.
      await expect
        .poll(() => [fixture.receiver.at('/quick').length, fixture.receiver.at('/slow').length])
        .toEqual([10, 4]);
      await expect
        .poll(async () => {
          fixture.clock.advance(1000);
          return (await fixture.service.listDeliveries(id, { state: 'delivered', limit: 10 }, ann)).deliveries
            .length;
        })
        .toBe(6);
      await turns;
      const { deliveries: waiting } = await fixture.service.listDeliveries(
        id,
        { state: 'pending', limit: 10 },
        ann,
      );
      expect(new Set(waiting.map(({ lastProblem }) => lastProblem))).toEqual(
        new Set(['no answer within 15 s']),
      );
    });

    it.each([
      ['to this machine', ['127.0.0.1']],
      ['to a public address and to this machine', ['203.0.114.1', '127.0.0.1']],
      ['nowhere', []],
    ])('make no connection for a name that leads %s', async (_, found) => {
      const addresses = found.map((address) => ({ address, family: 4 }));
      const strict = new AddressPolicy(
        { allowHttp: true, allowPrivate: [], ports: [fixture.receiver.port] },
        (__, done) => done(null, addresses),
      );
      const { id } = await fixture.subscribe('/', { url: `http://evil.test:${fixture.receiver.port}/` });
      await fixture.happens();
      await fixture.deliver(fixture.machine(fixture.database, strict));
      expect(fixture.receiver.told).toEqual([]);
      expect((await fixture.newestOf(id)).log).toMatchObject([
        { problem: 'its name leads to an address that is not public' },
      ]);
    });

    it('connect to the address that was checked: a name that has another at the second look gains nothing', async () => {
      let looks = 0;
      const rebinding: Resolve = (_, done) => {
        looks += 1;
        // Nobody else knows the name: where it was connected to, this answer was used.
        done(null, [{ address: looks === 1 ? '127.0.0.1' : '10.0.0.1', family: 4 }]);
      };
      await fixture.subscribe('/named', { url: `http://rebinding.test:${fixture.receiver.port}/named` });
      await fixture.happens();
      await fixture.deliver(fixture.machine(fixture.database, fixture.policy(rebinding)));
      expect([fixture.receiver.at('/named').length, looks]).toEqual([1, 1]);
      expect(fixture.receiver.told[0]?.headers.host).toBe(`rebinding.test:${fixture.receiver.port}`);
    });

    it('leave an endpoint alone that is too busy, for as long as it asks', async () => {
      const { id } = await fixture.subscribe();
      fixture.receiver.answers.set('/', [
        (response) => response.writeHead(429, { 'retry-after': '3600' }).end(),
      ]);
      await fixture.happens();
      await fixture.deliver();
      await fixture.happens();
      await fixture.deliver();
      expect(fixture.receiver.told).toHaveLength(1);
      const { notBefore = '' } = await fixture.service.get(id, ann);
      expect(Date.parse(notBefore) - Date.now()).toBeGreaterThan(3500_000);
      const { nextAt = '' } = await fixture.newestOf(id);
      expect(nextAt).not.toBe('');
    });

    it('disable an endpoint that is gone, and tell it of nothing more', async () => {
      const { id } = await fixture.subscribe();
      fixture.receiver.answers.set('/', [410]);
      await fixture.happens();
      await fixture.deliver();
      await fixture.happens();
      await fixture.due();
      await fixture.deliver();
      expect(fixture.receiver.told).toHaveLength(1);
      expect(await fixture.service.get(id, ann)).toMatchObject({ state: 'disabled', cause: 'gone' });
      expect((await fixture.service.listDeliveries(id, { limit: 10 }, ann)).deliveries).toMatchObject([
        { state: 'failed' },
      ]);
    });

    it('disable an endpoint that took nothing up to the end of the ladder, keep what is for it, and send that when it is enabled', async () => {
      const { id } = await fixture.subscribe();
      fixture.receiver.answers.set(
        '/',
        Array.from({ length: 10 }, () => 503),
      );
      await fixture.happens();
      for (let attempt = 0; attempt < 12; attempt += 1) {
        await fixture.deliver();
        await fixture.due();
      }
      expect([fixture.receiver.told.length, await fixture.results()]).toEqual([
        10,
        { failed: 9, given_up: 1 },
      ]);
      expect(await fixture.service.get(id, ann)).toMatchObject({ state: 'disabled', cause: 'exhausted' });
      await fixture.happens();
      await fixture.deliver();
      const deliveries = fixture.machine();
      await deliveries.showGauges();
      const { body: text } = await fixture.metrics.render();
      expect(text).toContain('millrace_webhook_endpoints_disabled{cause="exhausted"} 1');
      expect(text).toContain('millrace_webhook_endpoints_disabled_total{cause="exhausted"} 1');
      // What waits for a disabled one is nobody's alarm.
      expect(text).toContain('millrace_webhook_deliveries_waiting 0');
      expect(fixture.receiver.told).toHaveLength(10);
      await fixture.service.setState(id, 'enabled', ann, 'repaired');
      await fixture.deliver();
      expect(fixture.receiver.told).toHaveLength(11);
      const { queued } = await fixture.service.redeliverFailed(
        id,
        { from: new Date(0), to: new Date('2999-01-01'), max: 10 },
        ann,
        '',
      );
      await fixture.deliver();
      expect([queued, fixture.receiver.told.length]).toEqual([1, 12]);
      expect(fixture.receiver.told.at(-1)?.headers['webhook-id']).toBe(
        fixture.receiver.told[0]?.headers['webhook-id'],
      );
    });

    it('do not disable an endpoint that takes other events', async () => {
      const { id } = await fixture.subscribe();
      fixture.receiver.answers.set('/', [503]);
      await fixture.happens();
      await fixture.deliver();
      await fixture.happens();
      await fixture.deliver();
      fixture.receiver.answers.set(
        '/',
        Array.from({ length: 9 }, () => 503),
      );
      for (let attempt = 0; attempt < 10; attempt += 1) {
        await fixture.due();
        await fixture.deliver();
      }
      expect([fixture.receiver.told.length, await fixture.service.get(id, ann)]).toMatchObject([
        11,
        { state: 'enabled' },
      ]);
    });

    it('give up on a delivery whose last attempt nobody recorded', async () => {
      const { id } = await fixture.subscribe();
      await fixture.happens();
      await fixture.database.execute(`update millrace.webhook_deliveries set step = 10, attempts = 10`);
      await fixture.due();
      await fixture.deliver();
      expect(fixture.receiver.told).toEqual([]);
      expect((await fixture.service.listDeliveries(id, { limit: 1 }, ann)).deliveries).toMatchObject([
        { state: 'failed' },
      ]);
    });

    it('send again what was taken, under the same id, when an operator asks', async () => {
      const { id } = await fixture.subscribe();
      await fixture.happens();
      await fixture.deliver();
      const { id: delivery } = await fixture.newestOf(id);
      await fixture.service.redeliver(delivery, ann, 'lost there');
      await fixture.deliver();
      expect(fixture.receiver.told).toHaveLength(2);
      expect(new Set(fixture.receiver.told.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
      expect((await fixture.newestOf(id)).log.map(({ attempt }) => attempt)).toEqual([2, 1]);
    });

    it('forget what is old, with its attempts', async () => {
      await fixture.subscribe();
      await fixture.happens();
      await fixture.deliver();
      await fixture.database.execute(
        `update millrace.webhook_events set created_at = clock_timestamp() - interval '31 days'`,
      );
      await fixture.happens();
      expect(await fixture.machine().prune()).toBe(false);
      const count = (table: string) =>
        fixture.database.query<{ readonly n: number }>({
          name: `test.count_${table}`,
          text: `select count(*)::int as n from millrace.${table}`,
        });
      expect((await count('webhook_deliveries')).rows).toEqual([{ n: 1 }]);
      expect((await count('webhook_attempts')).rows).toEqual([{ n: 0 }]);
    });
  });
}
