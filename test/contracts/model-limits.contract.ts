import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type LimitAsk,
  type LimitCorrection,
  RateLimitStore,
} from '../../src/capabilities/limits/model-limits.ts';
import { allRefilled, type Buckets, take } from '../../src/capabilities/limits/token-bucket.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';

const model = { provider: 'openai', model: 'gpt-5-mini' };
const limit = { requestsPerMinute: 600, tokensPerMinute: 60_000 };
const unsaid = { perMinute: undefined, remaining: undefined };

function ask(parts: Partial<LimitAsk> = {}): LimitAsk {
  return { ...model, limit, tokens: 100, maxWaitMs: 0, ...parts };
}

function correction(parts: Partial<LimitCorrection>): LimitCorrection {
  return {
    ...model,
    requestsBack: 0,
    tokensBack: 0,
    cooldownMs: 0,
    sentMsAgo: 0,
    marks: { requests: 0, tokens: 0 },
    tokensSlack: 50,
    told: { requests: unsaid, tokens: unsaid },
    ...parts,
  };
}

interface Row {
  readonly requests_level: number;
  readonly tokens_level: number;
  readonly at_ms: number;
}

/** What every database must do with the shared limits of models. */
export function modelLimitsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`model limits on ${name}`, () => {
    let database: SqlDatabase;
    const newLimits = (): RateLimitStore => new RateLimitStore({ database, clock: systemClock });

    beforeEach(async () => {
      database = await open();
      await database.execute('truncate millrace.model_limits');
    });

    async function row(): Promise<Row> {
      const { rows } = await database.query<Row>({
        name: 'test.limits',
        text: 'select requests_level, tokens_level, extract(epoch from updated_at)::float8 * 1000 as at_ms from millrace.model_limits',
      });
      const [only] = rows;
      if (only === undefined) throw new Error('there is no row');
      return only;
    }

    /** Sets the levels, as if they had been used up so far just now. */
    async function setTokens(level: number): Promise<void> {
      await database.execute(
        `update millrace.model_limits set tokens_level = ${level}, updated_at = clock_timestamp()`,
      );
    }

    it('counts as the pure buckets do', async () => {
      const limits = newLimits();
      await limits.take(ask());
      const asks = fc.array(
        fc.record({
          tokens: fc.integer({ min: 1, max: 90_000 }),
          maxWaitMs: fc.constantFrom(5, 3000, 20_000),
        }),
        { minLength: 1, maxLength: 6 },
      );
      const level = fc.integer({ min: -20_000, max: 60_000 });
      await fc.assert(
        fc.asyncProperty(asks, level, async (wanted, startLevel) => {
          await setTokens(startLevel);
          const before = await row();
          const answers = await Promise.all(wanted.map((one) => limits.take(ask(one))));
          const after = await row();
          const buckets: Buckets = {
            requests: { perMinute: 600, level: before.requests_level },
            tokens: { perMinute: 60_000, level: before.tokens_level },
            cooldownMs: 0,
          };
          const expected = take(allRefilled(buckets, after.at_ms - before.at_ms), wanted);
          expected.answers.forEach((one, index) => {
            expect(answers[index]?.isGranted).toBe(one.isGranted);
            expect(answers[index]?.waitMs).toBeCloseTo(one.waitMs, 0);
          });
          expect(after.tokens_level).toBeCloseTo(expected.buckets.tokens?.level ?? NaN, 0);
          expect(after.requests_level).toBeCloseTo(expected.buckets.requests?.level ?? NaN, 1);
        }),
        { numRuns: 25 },
      );
    });

    it('lets several processes together take no more than there is', async () => {
      const takers = [newLimits(), newLimits(), newLimits()];
      await takers[0]?.take(ask({ tokens: 1 }));
      await setTokens(10_000);
      const before = await row();
      const answers = await Promise.all(
        takers.flatMap((limits) => Array.from({ length: 60 }, () => limits.take(ask()))),
      );
      const after = await row();
      const granted = answers.filter(({ isGranted }) => isGranted).length;
      const refill = after.at_ms - before.at_ms;
      expect(granted).toBeGreaterThan(80);
      expect(granted * 100).toBeLessThanOrEqual(10_000 + refill);
      expect(after.tokens_level).toBeCloseTo(10_000 + refill - granted * 100, 0);
      expect(after.requests_level).toBeLessThanOrEqual(600 - granted + refill / 100);
    });

    it('lines up those who wait, whatever process they are in', async () => {
      const takers = [newLimits(), newLimits()];
      await takers[0]?.take(ask({ tokens: 1 }));
      await setTokens(0);
      const waits: number[] = [];
      for (let turn = 0; turn < 6; turn += 1) {
        const answer = await takers[turn % 2]?.take(ask({ tokens: 2000, maxWaitMs: 60_000 }));
        waits.push((answer?.waitMs ?? 0) + (await row()).at_ms);
      }
      // 2,000 tokens refill in two seconds: that far apart they go.
      for (let turn = 1; turn < waits.length; turn += 1) {
        expect((waits[turn] ?? 0) - (waits[turn - 1] ?? 0)).toBeCloseTo(2000, 0);
      }
    });

    it('gives back what was estimated too high, and takes what was estimated too low', async () => {
      const limits = newLimits();
      const before = await limits.take(ask({ tokens: 5000 }));
      await setTokens(20_000);
      const state = await limits.correct(correction({ tokensBack: -700, marks: before.marks }));
      expect(state?.tokens?.level).toBeGreaterThanOrEqual(19_300);
      expect(state?.tokens?.level).toBeLessThan(20_000);
      await setTokens(20_000);
      const back = await Promise.all(
        [300, 400].map((tokensBack) => limits.correct(correction({ tokensBack, marks: before.marks }))),
      );
      expect(back[0]?.tokens?.level).toBeGreaterThanOrEqual(20_700);
      expect(back[1]).toEqual(back[0]);
    });

    it("lowers its level to the provider's, less what was taken since, and never raises it", async () => {
      const limits = newLimits();
      const first = await limits.take(ask({ tokens: 100 }));
      await limits.take(ask({ tokens: 4000 }));
      const lower = await limits.correct(
        correction({
          marks: first.marks,
          told: { requests: unsaid, tokens: { ...unsaid, remaining: 30_000 } },
        }),
      );
      expect(lower?.tokens?.level).toBe(26_000);
      const higher = await limits.correct(
        correction({
          marks: first.marks,
          told: { requests: unsaid, tokens: { ...unsaid, remaining: 55_000 } },
        }),
      );
      expect(higher?.tokens?.level).toBeLessThan(30_000);
      await setTokens(20_000);
      const within = await limits.correct(
        correction({
          marks: first.marks,
          tokensSlack: 500,
          told: { requests: unsaid, tokens: { ...unsaid, remaining: 23_600 } },
        }),
      );
      expect(within?.tokens?.level).toBeGreaterThanOrEqual(20_000);
    });

    it('does not take for missing what later requests were estimated too high', async () => {
      const limits = newLimits();
      const first = await limits.take(ask({ tokens: 100 }));
      const later = await limits.take(ask({ tokens: 9000 }));
      await limits.correct(correction({ tokensBack: 8900, marks: later.marks }));
      const state = await limits.correct(
        correction({
          marks: first.marks,
          told: { requests: unsaid, tokens: { ...unsaid, remaining: 59_900 } },
        }),
      );
      expect(state?.tokens?.level).toBeGreaterThanOrEqual(59_800);
    });

    it('follows a lower limit that the provider names, and comes back to the configured one', async () => {
      const limits = newLimits();
      const { marks } = await limits.take(ask());
      const named = (perMinute: number): LimitCorrection =>
        correction({ marks, told: { requests: { ...unsaid, perMinute }, tokens: { ...unsaid, perMinute } } });
      await limits.correct(named(120));
      const lowered = await limits.take(ask({ maxWaitMs: 60_000 }));
      expect(lowered.state.tokens?.perMinute).toBe(120);
      expect(lowered.state.requests?.perMinute).toBe(120);
      await limits.correct(named(1_000_000));
      expect((await limits.take(ask({ tokens: 1 }))).state.tokens?.perMinute).toBe(60_000);
    });

    it('begins a cool-down for every process when the provider has refused', async () => {
      const [refused, other] = [newLimits(), newLimits()];
      const { marks } = await refused.take(ask());
      await refused.correct(correction({ marks, cooldownMs: 30_000 }));
      const answer = await other.take(ask({ maxWaitMs: 3000 }));
      expect(answer.isGranted).toBe(false);
      expect(answer.waitMs).toBeGreaterThan(15_000);
      // A shorter time that is named later ends nothing.
      await refused.correct(correction({ marks, cooldownMs: 10 }));
      expect((await other.take(ask({ maxWaitMs: 3000 }))).isGranted).toBe(false);
    });

    it('keeps its level when the configured limit changes, and begins full with a new one', async () => {
      await newLimits().take(ask());
      await setTokens(500);
      const raised = await newLimits().take(ask({ limit: { tokensPerMinute: 90_000 }, maxWaitMs: 60_000 }));
      expect(raised.state.tokens?.level).toBeLessThan(5000);
      expect(raised.state.requests).toBeUndefined();
      const again = await newLimits().take(ask({ limit: { ...limit, tokensPerMinute: 90_000 } }));
      expect(again.state.requests).toEqual({ perMinute: 600, level: expect.closeTo(600, -1) as number });
    });

    it('makes the row of a model again that somebody removed', async () => {
      const limits = newLimits();
      const { marks } = await limits.take(ask());
      await database.execute('delete from millrace.model_limits');
      await expect(limits.correct(correction({ marks }))).resolves.toBeUndefined();
      expect((await limits.take(ask())).isGranted).toBe(true);
    });

    it('takes nothing twice when another model of the group is refused, or was removed', async () => {
      const limits = newLimits();
      await limits.take(ask());
      const other = { ...model, model: 'removed', limit: { ...limit } };
      await limits.take(ask(other));
      await database.execute(`delete from millrace.model_limits where model = 'removed'`);
      const guilty = Object.assign(other, { limit: Object.assign(other.limit, { tokensPerMinute: 'many' }) });
      const outcomes = await Promise.allSettled([
        ...Array.from({ length: 20 }, () => limits.take(ask({ maxWaitMs: 60_000 }))),
        limits.take(ask(guilty as never)),
      ]);
      expect(outcomes.slice(0, 20).every(({ status }) => status === 'fulfilled')).toBe(true);
      expect(outcomes[20]).toMatchObject({ reason: { code: 'MILLRACE_DATA_REFUSED' } });
      const { rows } = await database.query<{ tokens_taken: number }>({
        name: 'test.taken',
        text: `select tokens_taken from millrace.model_limits where model = 'gpt-5-mini'`,
      });
      expect(rows).toEqual([{ tokens_taken: 2100 }]);
    });

    it('keeps models apart, in one statement', async () => {
      const limits = newLimits();
      await limits.take(ask());
      await setTokens(0);
      const [full, other] = await Promise.all([
        limits.take(ask()),
        limits.take(ask({ model: 'gpt-4o', limit: { requestsPerMinute: 10 } })),
      ]);
      expect(full.isGranted).toBe(false);
      expect(other).toMatchObject({ isGranted: true, state: { tokens: undefined } });
    });
  });
}
