import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { Free, Limited, LimitedHosts } from '../support/limited-hosts.ts';
import { depth } from '../support/test-depth.ts';

const tokensPerMinute = 60_000;
const windowMs = depth({ usual: 6000, full: 15_000 });
const tokensPerRequest = 460;

/*
 * The provider enforces the same limit as the hosts are told of. What is allowed is the full bucket at the start and what
 * refills in the time; five times as much is offered. bench/limits.ts measures the same for longer.
 */
describe.skipIf(!canRun(postgresPrograms()) || !canRun(redisPrograms()))('model limits, two hosts', () => {
  let run: LimitedHosts;

  beforeAll(async () => {
    run = await LimitedHosts.start({
      tokensPerMinute,
      hosts: 2,
      latency: { medianMs: 60, p99Ms: 200 },
      isConfigured: true,
    });
  });
  afterAll(() => run.stop());

  /** Resolves when so many messages for the other model are done. */
  async function freeWork(count: number): Promise<void> {
    const wanted = run.freeDone + count;
    const { promise: done, resolve } = Promise.withResolvers<void>();
    run.onFree = () => {
      if (run.freeDone >= wanted) resolve();
    };
    await run.admit(Free.v1, count);
    await done;
  }

  it('uses what is allowed and is hardly ever refused, while other models go on at full speed', async () => {
    const startedMs = performance.now();
    const allowedInAll = tokensPerMinute * (1 + windowMs / 60_000);
    const limitedMessages = Math.ceil((5 * allowedInAll) / tokensPerRequest);
    await run.admit(Limited.v1, limitedMessages);
    await expect
      .poll(async () => (await run.look()).tokens, { timeout: 30_000, interval: 100 })
      .toBeGreaterThan(tokensPerMinute * 0.9);
    await freeWork(300);
    // All of the other model's work was done while most of this one's had to wait.
    expect((await run.look()).answered).toBeLessThan(limitedMessages / 2);
    await expect
      .poll(() => performance.now() - startedMs, { timeout: 2 * windowMs, interval: 50 })
      .toBeGreaterThan(windowMs);
    // A machine that others load may take a window more.
    const usedShare = async (): Promise<number> => {
      const { tokens, allowed } = await run.look();
      return tokens / allowed;
    };
    await expect.poll(usedShare, { timeout: windowMs, interval: 100 }).toBeGreaterThanOrEqual(0.9);
    const view = await run.look();
    expect(view.refused / (view.answered + view.refused)).toBeLessThanOrEqual(0.01);
    expect(view.tokens / view.allowed).toBeLessThanOrEqual(1.01);
    const [host] = run.hosts;
    const { body } = (await host?.metrics.render()) ?? { body: '' };
    expect(body).toContain(
      'millrace_messages_parked_total{owner="platform",stage="limited",reason="rate_limit"}',
    );
    expect(body).toContain('millrace_worker_concurrency{owner="platform",stage="free"} 16');
    expect(body).toMatch(
      /millrace_stage_messages_total\{owner="platform",stage="limited",outcome="dead_lettered"\} 0\n/,
    );
  });
});
