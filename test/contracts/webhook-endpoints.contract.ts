import { createPublicKey, verify } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { ann, configuredSecret, WebhookFixture } from '../support/webhook-fixture.ts';

/** What is promised of endpoints of webhooks, whichever database the ledger is on. */
export function webhookEndpointsContract(database: string, open: () => Promise<SqlDatabase>): void {
  describe(`endpoints of webhooks on ${database}`, () => {
    let fixture: WebhookFixture;
    beforeAll(async () => {
      fixture = await WebhookFixture.open(await open());
    });
    afterAll(() => fixture.receiver.stop());
    beforeEach(() => fixture.begin());

    it('sign with the old secret as well for a time, then with the new one alone; what is old is refused', async () => {
      const { id, secret: first } = await fixture.subscribe();
      const { secret: second } = await fixture.service.rotate(id, { overlapSeconds: 3600, reason: '' }, ann);
      await fixture.happens();
      await fixture.deliver();
      const verifies = (
        key: string,
        { headers, body } = fixture.receiver.told[0] ?? { headers: {}, body: '' },
      ) => {
        try {
          new Webhook(key).verify(body, headers as Record<string, string>);
          return true;
        } catch {
          return false;
        }
      };
      expect([verifies(first), verifies(second), verifies(configuredSecret)]).toEqual([true, true, false]);
      await fixture.database.execute(
        `update millrace.webhook_endpoints set previous_until = clock_timestamp()`,
      );
      fixture.receiver.forget();
      await fixture.happens();
      await fixture.deliver();
      expect([verifies(first), verifies(second)]).toEqual([false, true]);
      fixture.receiver.forget();
      fixture.clock = new ManualClock(new Date(Date.now() - 6 * 60_000));
      await fixture.happens();
      await fixture.deliver();
      expect([fixture.receiver.told.length, verifies(second)]).toEqual([1, false]);
    });

    it('sign with ed25519 where that is asked for', async () => {
      const { secret: key, publicKey } = await fixture.subscribe('/', { signing: 'v1a' });
      expect(key).toBe(publicKey);
      await fixture.happens();
      await fixture.deliver();
      const [{ headers, body } = { headers: {} as Record<string, string>, body: '' }] = fixture.receiver.told;
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

    it('send a test event to one endpoint, and none to a disabled one', async () => {
      const { id } = await fixture.subscribe('/one');
      await fixture.subscribe('/two');
      await fixture.service.test(id, ann);
      await fixture.deliver();
      expect(
        fixture.receiver.told.map(({ path, body }) => [path, (JSON.parse(body) as { type: string }).type]),
      ).toEqual([['/one', 'webhook.test']]);
      await fixture.service.setState(id, 'disabled', ann, '');
      await expect(fixture.service.test(id, ann)).rejects.toMatchObject({ code: 'MILLRACE_REQUEST_INVALID' });
    });

    it('wait while they are disabled by an operator, and are told of nothing that happens meanwhile', async () => {
      const { id } = await fixture.subscribe();
      await fixture.happens();
      await fixture.service.setState(id, 'disabled', ann, 'moves');
      await fixture.happens();
      await fixture.deliver();
      expect(fixture.receiver.told).toEqual([]);
      await fixture.service.setState(id, 'enabled', ann, '');
      await fixture.deliver();
      expect(fixture.receiver.told).toHaveLength(1);
    });

    it('are of their team alone', async () => {
      const { id } = await fixture.subscribe();
      await fixture.happens();
      const { id: delivery } = await fixture.newestOf(id);
      const bob = { actor: 'bob', team: 'red' };
      const notFound = { code: 'MILLRACE_WEBHOOK_NOT_FOUND' };
      for (const refused of [
        () => fixture.service.get(id, bob),
        () => fixture.service.rotate(id, { overlapSeconds: 0, reason: '' }, bob),
        () => fixture.service.setState(id, 'disabled', bob, ''),
        () => fixture.service.delete(id, bob, ''),
        () => fixture.service.test(id, bob),
        () => fixture.service.listDeliveries(id, { limit: 1 }, bob),
        () => fixture.service.getDelivery(delivery, bob),
        () => fixture.service.redeliver(delivery, bob, ''),
        () => fixture.service.redeliverFailed(id, { from: new Date(0), max: 1 }, bob, ''),
        () => fixture.service.get('no-id', ann),
      ])
        await expect(refused()).rejects.toMatchObject(notFound);
      expect((await fixture.service.list(bob)).webhooks).toEqual([]);
      expect(
        JSON.stringify([await fixture.service.list(ann), await fixture.service.get(id, ann)]),
      ).not.toContain('whsec_');
    });

    it('have names of their own in a team, bounded in number, and none for another team', async () => {
      await fixture.subscribe();
      await expect(fixture.subscribe()).rejects.toMatchObject({ code: 'MILLRACE_WEBHOOK_EXISTS' });
      await expect(fixture.subscribe('/x', { team: 'red' })).rejects.toMatchObject({
        code: 'MILLRACE_FORBIDDEN',
      });
      await expect(fixture.subscribe('/x', { url: 'http://10.0.0.1/' })).rejects.toMatchObject({
        code: 'MILLRACE_REQUEST_INVALID',
      });
      for (let made = 1; made < 50; made += 1) await fixture.subscribe(`/${made}`);
      await expect(fixture.subscribe('/more')).rejects.toMatchObject({ code: 'MILLRACE_WEBHOOK_LIMIT' });
    });

    it('of the configuration go to work that may name them, and are not changed over the API', async () => {
      await fixture.happens('batch.succeeded', { named: 'red' });
      await fixture.happens('batch.succeeded', { named: 'ops' });
      await fixture.deliver();
      expect(fixture.receiver.told.map(({ path }) => path)).toEqual(['/ops']);
      const { webhooks } = await fixture.service.list({});
      expect(webhooks.map(({ name: one, kind }) => `${one} ${kind}`).toSorted()).toEqual([
        'ops configured',
        'red configured',
      ]);
      const root = { actor: 'root' };
      for (const { id } of webhooks) {
        await expect(fixture.service.delete(id, root, '')).rejects.toMatchObject({
          code: 'MILLRACE_WEBHOOK_CONFIGURED',
        });
        await expect(
          fixture.service.rotate(id, { overlapSeconds: 0, reason: '' }, root),
        ).rejects.toMatchObject({
          code: 'MILLRACE_WEBHOOK_CONFIGURED',
        });
        await expect(fixture.service.get(id, ann)).rejects.toMatchObject({
          code: 'MILLRACE_WEBHOOK_NOT_FOUND',
        });
      }
    });

    it('write each change into the audit, with the team', async () => {
      const { id } = await fixture.subscribe();
      await fixture.service.rotate(id, { overlapSeconds: 0, reason: '' }, ann);
      await fixture.service.setState(id, 'disabled', ann, 'moves');
      await fixture.service.setState(id, 'disabled', ann, 'again');
      await fixture.service.setState(id, 'enabled', ann, '');
      await fixture.service.test(id, ann);
      await fixture.service.delete(id, ann, 'old');
      const { rows } = await fixture.database.query({
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
