import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lostRuns } from '../support/moded-stages.ts';
import { Died, Mortality } from '../support/mortal.ts';
import { ProviderModeFixture } from '../support/provider-mode-fixture.ts';
import { RedisServer } from '../support/redis-server.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { newLedger } from '../support/shared-postgres.ts';

/*
 * Calls in providers' batches on the stores of production; `provider-mode.test.ts` has all of it on PGlite.
 */

describe.skipIf(!canRun(postgresPrograms()) || !canRun(redisPrograms()))('on PostgreSQL and Redis', () => {
  let redis: RedisServer;
  let fixture: ProviderModeFixture;
  beforeAll(async () => {
    redis = await RedisServer.start();
    fixture = await ProviderModeFixture.open({
      ledger: { url: await newLedger(), poolSize: 6 },
      queue: { url: redis.url, prefix: 'mode' },
    });
  }, 600_000);
  afterAll(async () => {
    await fixture.close();
    await redis.stop();
  });

  it('a call is sent once, though a run is lost and the job dies at any moment', async () => {
    await fixture.reset();
    lostRuns.add('item 0 of lost');
    await fixture.begin('provider', ['openai', 'openai'], { text: 'lost', itemTeam: 'green' });
    await fixture.settleDown();
    // Each process gets a little further than the one before.
    for (let dieAt = 4, isDead = true; isDead; dieAt += 5) {
      await fixture.restart(new Mortality(dieAt));
      try {
        await fixture.finish();
        isDead = false;
      } catch (error) {
        if (!(error instanceof Died)) throw error;
      }
    }
    expect(lostRuns.size).toBe(0);
    expect(await fixture.completed()).toBe(4);
    const all = await fixture.calls();
    expect(all.map(({ request_kind: kind, outcome }) => `${kind} ${outcome}`)).toEqual(
      Array.from({ length: 4 }, () => 'batch ok'),
    );
    expect((await fixture.bill()).requests).toBe(4);
    expect((await fixture.host.calls.totals()).reserved).toBe(0);
  }, 600_000);
});
