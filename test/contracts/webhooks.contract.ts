import { createPublicKey, verify } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AddressPolicy, type Resolve } from '../../src/capabilities/webhooks/address-policy.ts';
import { DeliveryStore } from '../../src/capabilities/webhooks/delivery-store.ts';
import { EndpointStore } from '../../src/capabilities/webhooks/endpoint-store.ts';
import { addressRulesOf } from '../../src/capabilities/webhooks/open-webhooks.ts';
import { WebhookDeliveries } from '../../src/capabilities/webhooks/webhook-deliveries.ts';
import { createWebhookSchema } from '../../src/capabilities/webhooks/webhook-requests.ts';
import { WebhookSender } from '../../src/capabilities/webhooks/webhook-sender.ts';
import { WebhookService } from '../../src/capabilities/webhooks/webhook-service.ts';
import { webhooksSettings } from '../../src/capabilities/webhooks/webhook-settings.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { emptyTables } from '../support/empty-tables.ts';
import { Died, Mortality, mortalDatabase } from '../support/mortal.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';

const never = new AbortController().signal;
const ann = { actor: 'ann', team: 'blue' };
const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const tables = ['webhook_endpoints', 'webhook_events', 'webhook_deliveries', 'webhook_attempts'];

/** What is promised of webhooks, whichever database the ledger is on. */
export function webhooksContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`webhooks on ${name}`, () => {
    let database: SqlDatabase;
    let receiver: WebhookReceiver;
    let clock: ManualClock;
    let metrics: Metrics<typeof metricCatalogue>;
    let service: WebhookService;

    beforeAll(async () => {
      database = await open();
      receiver = await WebhookReceiver.start();
    });
    afterAll(() => receiver.stop());
    beforeEach(async () => {
      await emptyTables(
        database,
        tables.map((table) => `millrace.${table}`),
      );
      receiver.forget();
      // What verifies looks at this machine's time.
      clock = new ManualClock(new Date());
      metrics = createMetrics(metricCatalogue);
      service = new WebhookService({ store: new EndpointStore(database), policy: policy(), clock });
    });

    const settings = (more: Readonly<Record<string, unknown>> = {}) =>
      webhooksSettings.parse({
        endpoints: {
          ops: { url: receiver.url('/ops'), secret },
          red: { url: receiver.url(), secret, teams: ['red'] },
        },
        allowHttp: true,
        allowPrivate: ['127.0.0.0/8', 'hooks.test'],
        ports: [receiver.port],
        ...more,
      });
    const policy = (resolve?: Resolve) => new AddressPolicy(addressRulesOf(settings()), resolve);
    const machine = (over = database, resolve?: Resolve): WebhookDeliveries =>
      new WebhookDeliveries({
        store: new DeliveryStore(over),
        sender: new WebhookSender({
          settings: settings(),
          policy: policy(resolve),
          clock,
          random: () => 0,
        }),
        metrics,
        clock,
        logger: silentLogger,
        keepDays: 30,
      });
    /** Turns until nothing is due. */
    async function deliver(deliveries = machine()): Promise<void> {
      while (await deliveries.turn(never));
    }
    const happens = (type: string, { team = 'blue', named = 'null' } = {}) =>
      database.execute(
        `select millrace.write_webhook_event('${type}', gen_random_uuid(), '${team}', ${named}, '{"state":"completed"}'::json)`,
      );
    const due = () =>
      database.execute(`update millrace.webhook_deliveries set next_at = clock_timestamp() - interval '1 second';
        update millrace.webhook_endpoints set not_before = null`);
    const subscribe = (path = '/', more: Readonly<Record<string, unknown>> = {}, operator = ann) =>
      service.create(
        createWebhookSchema.parse({
          name: `hook${path.replaceAll('/', '-')}`,
          url: receiver.url(path),
          events: ['request.completed'],
          ...more,
        }),
        operator,
      );
    async function results(): Promise<Readonly<Record<string, number>>> {
      const { body: text } = await metrics.render();
      const counts = [...text.matchAll(/^millrace_webhook_attempts_total\{result="(\w+)"\} (\d+)$/gm)];
      return Object.fromEntries(
        counts.flatMap(([, result = '', count]) => (count === '0' ? [] : [[result, Number(count)]])),
      );
    }
    const logOf = async (id: string) => {
      const [{ id: delivery } = { id: '' }] = (await service.listDeliveries(id, { limit: 10 }, ann))
        .deliveries;
      return await service.getDelivery(delivery, ann);
    };

    it('tell each endpoint once of what its team has, and the one that is named; the library verifies it', async () => {
      const own = await subscribe('/own');
      await subscribe('/other-type', { events: ['request.failed'] });
      await subscribe('/other-team', {}, { actor: 'bob', team: 'red' });
      await subscribe('/all', { team: undefined }, { actor: 'root' } as never);
      await happens('request.completed', { named: `'ops'` });
      await deliver();
      await deliver();
      expect(receiver.told.map(({ path }) => path).toSorted()).toEqual(['/all', '/ops', '/own']);
      const [{ headers, body } = { headers: {} as Record<string, string>, body: '' }] = receiver.at('/own');
      expect(new Webhook(own.secret).verify(body, headers as Record<string, string>)).toMatchObject({
        type: 'request.completed',
        data: { state: 'completed' },
      });
      expect(new Set(receiver.told.map((one) => one.headers['webhook-id'])).size).toBe(1);
      expect(headers['webhook-id']).not.toContain('.');
      expect(await results()).toEqual({ delivered: 3 });
    });

    it('sign with the old secret as well for a time, then with the new one alone; what is old is refused', async () => {
      const { id, secret: first } = await subscribe();
      const { secret: second } = await service.rotate(id, { overlapSeconds: 3600, reason: '' }, ann);
      await happens('request.completed');
      await deliver();
      const verifies = (key: string, { headers, body } = receiver.told[0] ?? { headers: {}, body: '' }) => {
        try {
          new Webhook(key).verify(body, headers as Record<string, string>);
          return true;
        } catch {
          return false;
        }
      };
      expect([verifies(first), verifies(second), verifies(secret)]).toEqual([true, true, false]);
      await database.execute(`update millrace.webhook_endpoints set previous_until = clock_timestamp()`);
      receiver.forget();
      await happens('request.completed');
      await deliver();
      expect([verifies(first), verifies(second)]).toEqual([false, true]);
      receiver.forget();
      clock = new ManualClock(new Date(Date.now() - 6 * 60_000));
      await happens('request.completed');
      await deliver();
      expect([receiver.told.length, verifies(second)]).toEqual([1, false]);
    });

    it('sign with ed25519 where that is asked for', async () => {
      const { secret: key, publicKey } = await subscribe('/', { signing: 'v1a' });
      expect(key).toBe(publicKey);
      await happens('request.completed');
      await deliver();
      const [{ headers, body } = { headers: {} as Record<string, string>, body: '' }] = receiver.told;
      const signature = String(headers['webhook-signature']);
      expect(signature).toMatch(/^v1a,/);
      const x = Buffer.from(key.replace('whpk_', ''), 'base64').toString('base64url');
      const text = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
      expect(
        verify(
          undefined,
          Buffer.from(text),
          createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }),
          Buffer.from(signature.slice('v1a,'.length), 'base64'),
        ),
      ).toBe(true);
    });

    it('send again under the same id until it is taken, also by another process when one dies before it is recorded', async () => {
      await subscribe();
      await happens('request.completed');
      receiver.answers.set('/', [500, (response) => response.socket?.destroy()]);
      for (let attempt = 1; attempt <= 2; attempt += 1) {
        await deliver();
        // Nothing is sent before its time.
        await deliver();
        expect(receiver.told).toHaveLength(attempt);
        await due();
      }
      const alive = mortalDatabase(database, new Mortality());
      const dying = machine({
        ...alive,
        query: (statement, parameters) =>
          statement.name === 'webhooks.record_attempts'
            ? Promise.reject(new Died('The process is dead.'))
            : alive.query(statement, parameters),
      });
      await expect(deliver(dying)).rejects.toThrow(Died);
      expect(receiver.told).toHaveLength(3);
      await due();
      await deliver();
      await due();
      await deliver();
      expect(receiver.told).toHaveLength(4);
      expect(
        new Set(receiver.told.map(({ headers, body }) => `${String(headers['webhook-id'])} ${body}`)).size,
      ).toBe(1);
      expect(await results()).toEqual({ failed: 2, delivered: 1 });
    });

    it.each([
      [
        'a redirect, which is not followed',
        (port: number) => (response: import('node:http').ServerResponse) => {
          response.writeHead(302, { location: `http://127.0.0.1:${port}/elsewhere` }).end();
        },
        'it answers with HTTP 302',
      ],
      [
        'an answer that breaks off',
        () => (response: import('node:http').ServerResponse) => {
          response.writeHead(200, { 'content-length': '100' }).write('half');
          response.socket?.end();
        },
        'it broke the connection off',
      ],
      [
        'a connection that breaks off',
        () => (response: import('node:http').ServerResponse) => {
          response.socket?.destroy();
        },
        'it broke the connection off',
      ],
    ] as const)('count %s as not taken', async (_, answer, problem) => {
      const { id } = await subscribe();
      await happens('request.completed');
      receiver.answers.set('/', [answer(receiver.port)]);
      await deliver();
      expect(receiver.told).toHaveLength(1);
      expect((await logOf(id)).log).toMatchObject([{ attempt: 1, problem }]);
    });

    it('read a bounded part of an endless answer, which counts as taken, and keep an excerpt', async () => {
      const { id } = await subscribe();
      await happens('request.completed');
      receiver.answers.set('/', [
        (response) => {
          const pour = (): void => {
            while (!response.destroyed && response.write('x\u0000'.repeat(4000)));
          };
          response.writeHead(200).on('drain', pour);
          pour();
        },
      ]);
      await deliver();
      const { state, log } = await logOf(id);
      expect(state).toBe('delivered');
      expect(log[0]?.excerpt).toBe('x\uFFFD'.repeat(500));
    });

    it('let one that does not answer hold up no other, and give it up after fifteen seconds', async () => {
      const { id } = await subscribe('/slow');
      await subscribe('/quick');
      receiver.answers.set(
        '/slow',
        Array.from({ length: 4 }, () => (response) => void response.flushHeaders()),
      );
      for (let event = 0; event < 10; event += 1) await happens('request.completed');
      const deliveries = machine();
      const turns = (async () => {
        while (await deliveries.turn(never));
      })();
      // Ten to the quick one, while all that the slow one may have at once are under way.
      await expect.poll(() => [receiver.at('/quick').length, receiver.at('/slow').length]).toEqual([10, 4]);
      await expect
        .poll(async () => {
          clock.advance(1000);
          return (await service.listDeliveries(id, { state: 'delivered', limit: 10 }, ann)).deliveries.length;
        })
        .toBe(6);
      await turns;
      const { deliveries: waiting } = await service.listDeliveries(id, { state: 'pending', limit: 10 }, ann);
      expect(new Set(waiting.map(({ lastProblem }) => lastProblem))).toEqual(
        new Set(['no answer within 15 s']),
      );
    });

    it('go to the addresses that were checked, and to none that a second look gives', async () => {
      const looks: string[] = [];
      /** The first look gives a public address, of which the caller could have made sure; the next ones this machine. */
      const rebinding: Resolve = (hostname, done) => {
        looks.push(hostname);
        done(null, [{ address: looks.length === 1 ? '203.0.114.1' : '127.0.0.1', family: 4 }]);
      };
      const strict = new AddressPolicy(
        { allowHttp: true, allowPrivate: [], ports: [receiver.port] },
        rebinding,
      );
      const problems: (string | undefined)[] = [];
      await new Promise<void>((resolve) => {
        strict.lookup('evil.test', { all: true }, (error, found) => {
          problems.push(error?.message);
          expect(found).toEqual([{ address: '203.0.114.1', family: 4 }]);
          resolve();
        });
      });
      const sender = new WebhookSender({ settings: settings(), policy: strict, clock, random: () => 0 });
      const { id } = await subscribe('/private', { url: `http://hooks.test:${receiver.port}/private` });
      await happens('request.completed');
      const deliveries = new WebhookDeliveries({
        store: new DeliveryStore(database),
        sender,
        metrics,
        clock,
        logger: silentLogger,
        keepDays: 30,
      });
      await deliver(deliveries);
      expect([receiver.told.length, looks]).toEqual([0, ['evil.test', 'hooks.test']]);
      expect((await logOf(id)).log).toMatchObject([
        { problem: 'its name leads to an address that is not public' },
      ]);
    });

    it('look a name up once for each request, and connect to what was found', async () => {
      let looks = 0;
      await subscribe('/named', { url: `http://hooks.test:${receiver.port}/named` });
      await happens('request.completed');
      await deliver(
        machine(database, (_, done) => {
          looks += 1;
          done(null, [{ address: '127.0.0.1', family: 4 }]);
        }),
      );
      expect([receiver.at('/named').length, looks]).toEqual([1, 1]);
      expect(receiver.told[0]?.headers.host).toBe(`hooks.test:${receiver.port}`);
    });

    it('leave an endpoint alone that is too busy, for as long as it asks', async () => {
      const { id } = await subscribe();
      receiver.answers.set('/', [(response) => response.writeHead(429, { 'retry-after': '3600' }).end()]);
      await happens('request.completed');
      await deliver();
      await happens('request.completed');
      await deliver();
      expect(receiver.told).toHaveLength(1);
      const { notBefore = '' } = await service.get(id, ann);
      expect(Date.parse(notBefore) - Date.now()).toBeGreaterThan(3500_000);
      const { nextAt = '' } = await logOf(id);
      expect(nextAt).not.toBe('');
    });

    it('disable an endpoint that is gone, and tell it of nothing more', async () => {
      const { id } = await subscribe();
      receiver.answers.set('/', [410]);
      await happens('request.completed');
      await deliver();
      await happens('request.completed');
      await due();
      await deliver();
      expect(receiver.told).toHaveLength(1);
      expect(await service.get(id, ann)).toMatchObject({ state: 'disabled', cause: 'gone' });
      expect((await service.listDeliveries(id, { limit: 10 }, ann)).deliveries).toMatchObject([
        { state: 'failed' },
      ]);
    });

    it('disable an endpoint that took nothing up to the end of the ladder, keep what is for it, and send that when it is enabled', async () => {
      const { id } = await subscribe();
      receiver.answers.set(
        '/',
        Array.from({ length: 10 }, () => 503),
      );
      await happens('request.completed');
      for (let attempt = 0; attempt < 12; attempt += 1) {
        await deliver();
        await due();
      }
      expect([receiver.told.length, await results()]).toEqual([10, { failed: 9, given_up: 1 }]);
      expect(await service.get(id, ann)).toMatchObject({ state: 'disabled', cause: 'exhausted' });
      await happens('request.completed');
      await deliver();
      const deliveries = machine();
      await deliveries.showGauges();
      const { body: text } = await metrics.render();
      expect(text).toContain('millrace_webhook_endpoints_disabled{cause="exhausted"} 1');
      expect(text).toContain('millrace_webhook_endpoints_disabled_total{cause="exhausted"} 1');
      // What waits for a disabled one is nobody's alarm.
      expect(text).toContain('millrace_webhook_deliveries_waiting 0');
      expect(receiver.told).toHaveLength(10);
      await service.setState(id, 'enabled', ann, 'repaired');
      await deliver();
      expect(receiver.told).toHaveLength(11);
      const { queued } = await service.redeliverFailed(
        id,
        { from: new Date(0), to: new Date('2999-01-01'), max: 10 },
        ann,
        '',
      );
      await deliver();
      expect([queued, receiver.told.length]).toEqual([1, 12]);
      expect(receiver.told.at(-1)?.headers['webhook-id']).toBe(receiver.told[0]?.headers['webhook-id']);
    });

    it('do not disable an endpoint that takes other events', async () => {
      const { id } = await subscribe();
      receiver.answers.set('/', [503]);
      await happens('request.completed');
      await deliver();
      await happens('request.completed');
      await deliver();
      receiver.answers.set(
        '/',
        Array.from({ length: 9 }, () => 503),
      );
      for (let attempt = 0; attempt < 10; attempt += 1) {
        await due();
        await deliver();
      }
      expect([receiver.told.length, await service.get(id, ann)]).toMatchObject([11, { state: 'enabled' }]);
    });

    it('give up on a delivery whose last attempt nobody recorded', async () => {
      const { id } = await subscribe();
      await happens('request.completed');
      await database.execute(`update millrace.webhook_deliveries set step = 10, attempts = 10`);
      await due();
      await deliver();
      expect(receiver.told).toEqual([]);
      expect((await service.listDeliveries(id, { limit: 1 }, ann)).deliveries).toMatchObject([
        { state: 'failed' },
      ]);
    });

    it('send again what was taken, under the same id, when an operator asks', async () => {
      const { id } = await subscribe();
      await happens('request.completed');
      await deliver();
      const { id: delivery } = await logOf(id);
      await service.redeliver(delivery, ann, 'lost there');
      await deliver();
      expect(receiver.told).toHaveLength(2);
      expect(new Set(receiver.told.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
      expect((await logOf(id)).log.map(({ attempt }) => attempt)).toEqual([2, 1]);
    });

    it('send a test event to one endpoint, and none to a disabled one', async () => {
      const { id } = await subscribe('/one');
      await subscribe('/two');
      await service.test(id, ann);
      await deliver();
      expect(
        receiver.told.map(({ path, body }) => [path, (JSON.parse(body) as { type: string }).type]),
      ).toEqual([['/one', 'webhook.test']]);
      await service.setState(id, 'disabled', ann, '');
      await expect(service.test(id, ann)).rejects.toMatchObject({ code: 'MILLRACE_REQUEST_INVALID' });
    });

    it('wait while they are disabled by an operator, and are told of nothing that happens meanwhile', async () => {
      const { id } = await subscribe();
      await happens('request.completed');
      await service.setState(id, 'disabled', ann, 'moves');
      await happens('request.completed');
      await deliver();
      expect(receiver.told).toEqual([]);
      await service.setState(id, 'enabled', ann, '');
      await deliver();
      expect(receiver.told).toHaveLength(1);
    });

    it('are of their team alone', async () => {
      const { id } = await subscribe();
      await happens('request.completed');
      const { id: delivery } = await logOf(id);
      const bob = { actor: 'bob', team: 'red' };
      const notFound = { code: 'MILLRACE_WEBHOOK_NOT_FOUND' };
      for (const refused of [
        () => service.get(id, bob),
        () => service.rotate(id, { overlapSeconds: 0, reason: '' }, bob),
        () => service.setState(id, 'disabled', bob, ''),
        () => service.delete(id, bob, ''),
        () => service.test(id, bob),
        () => service.listDeliveries(id, { limit: 1 }, bob),
        () => service.getDelivery(delivery, bob),
        () => service.redeliver(delivery, bob, ''),
        () => service.redeliverFailed(id, { from: new Date(0), max: 1 }, bob, ''),
        () => service.get('no-id', ann),
      ])
        await expect(refused()).rejects.toMatchObject(notFound);
      expect((await service.list(bob)).webhooks).toEqual([]);
      expect(JSON.stringify([await service.list(ann), await service.get(id, ann)])).not.toContain('whsec_');
    });

    it('have names of their own in a team, bounded in number, and none for another team', async () => {
      await subscribe();
      await expect(subscribe()).rejects.toMatchObject({ code: 'MILLRACE_WEBHOOK_EXISTS' });
      await expect(subscribe('/x', { team: 'red' })).rejects.toMatchObject({ code: 'MILLRACE_FORBIDDEN' });
      await expect(subscribe('/x', { url: 'http://10.0.0.1/' })).rejects.toMatchObject({
        code: 'MILLRACE_REQUEST_INVALID',
      });
      for (let made = 1; made < 50; made += 1) await subscribe(`/${made}`);
      await expect(subscribe('/more')).rejects.toMatchObject({ code: 'MILLRACE_WEBHOOK_LIMIT' });
    });

    it('of the configuration go to work that may name them, and are not changed over the API', async () => {
      await happens('batch.succeeded', { named: `'red'` });
      await happens('batch.succeeded', { named: `'ops'` });
      await deliver();
      expect(receiver.told.map(({ path }) => path)).toEqual(['/ops']);
      const { webhooks } = await service.list({});
      expect(webhooks.map(({ name: one, kind }) => [one, kind]).toSorted()).toEqual([
        ['ops', 'configured'],
        ['red', 'configured'],
      ]);
      const root = { actor: 'root' };
      for (const { id } of webhooks) {
        await expect(service.delete(id, root, '')).rejects.toMatchObject({
          code: 'MILLRACE_WEBHOOK_CONFIGURED',
        });
        await expect(service.rotate(id, { overlapSeconds: 0, reason: '' }, root)).rejects.toMatchObject({
          code: 'MILLRACE_WEBHOOK_CONFIGURED',
        });
        await expect(service.get(id, ann)).rejects.toMatchObject({ code: 'MILLRACE_WEBHOOK_NOT_FOUND' });
      }
    });

    it('forget what is old, with its attempts', async () => {
      await subscribe();
      await happens('request.completed');
      await deliver();
      await database.execute(
        `update millrace.webhook_events set created_at = clock_timestamp() - interval '31 days'`,
      );
      await happens('request.completed');
      expect(await machine().prune()).toBe(false);
      const count = (table: string) =>
        database.query<{ readonly n: number }>({
          name: `test.count_${table}`,
          text: `select count(*)::int as n from millrace.${table}`,
        });
      expect((await count('webhook_deliveries')).rows).toEqual([{ n: 1 }]);
      expect((await count('webhook_attempts')).rows).toEqual([{ n: 0 }]);
    });

    it('write each change into the audit, with the team', async () => {
      await emptyTables(database, ['millrace.operator_actions']);
      const { id } = await subscribe();
      await service.rotate(id, { overlapSeconds: 0, reason: '' }, ann);
      await service.setState(id, 'disabled', ann, 'moves');
      await service.setState(id, 'disabled', ann, 'again');
      await service.setState(id, 'enabled', ann, '');
      await service.test(id, ann);
      await service.delete(id, ann, 'old');
      const { rows } = await database.query({
        name: 'test.audited_webhooks',
        text: `select action, team from millrace.operator_actions order by at, ctid`,
      });
      expect(rows).toEqual(
        ['create', 'rotate', 'disable', 'enable', 'test', 'delete'].map((one) => ({
          action: `webhooks.${one}`,
          team: 'blue',
        })),
      );
    });
  });
}
