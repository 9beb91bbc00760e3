import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { graceMs, missedPolicies, planRuns } from './plan-runs.ts';
import { lastTimes, timesAfter, type Timing } from './timing.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const midnight = Date.UTC(2026, 2, 1);

const crons = [
  '*/5 * * * *',
  '17 * * * *',
  '30 2 * * *',
  '0 9,17 * * 1-5',
  '*/20 30 1-3 * * *',
  '0 0 29 2 *',
];
const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata'];
/** Around the days on which clocks are changed. */
const moments = [
  '2026-03-08T00:00:00Z',
  '2026-03-29T00:00:00Z',
  '2026-04-04T00:00:00Z',
  '2026-10-03T00:00:00Z',
  '2026-10-25T00:00:00Z',
  '2026-11-01T00:00:00Z',
  '2028-02-29T00:00:00Z',
].map((text) => Date.parse(text));

const startMs = fc
  .tuple(fc.constantFrom(...moments), fc.integer({ min: -36 * hourMs, max: 36 * hourMs }))
  .map(([moment, by]) => moment + by);
const timings: fc.Arbitrary<Timing> = fc
  .record({
    trigger: fc.oneof(
      fc.record({
        kind: fc.constant('cron' as const),
        cron: fc.constantFrom(...crons),
        timeZone: fc.constantFrom(...zones),
      }),
      fc.record({
        kind: fc.constant('every' as const),
        everyMs: fc.integer({ min: 45_000, max: 6 * hourMs }),
        fromMs: startMs,
      }),
    ),
    start: fc.option(fc.integer({ min: 0, max: 20 * hourMs }), { nil: undefined }),
    end: fc.option(fc.integer({ min: 20 * hourMs, max: 60 * hourMs }), { nil: undefined }),
    from: startMs,
  })
  .map(({ trigger, start, end, from }) => ({
    trigger,
    startMs: start === undefined ? undefined : from + start,
    endMs: end === undefined ? undefined : from + end,
  }));
/** How long nobody looks. */
const pauses = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 2 * minuteMs }), fc.integer({ min: 1, max: 9 * hourMs })),
  { minLength: 1, maxLength: 12 },
);

describe('the runs of a schedule', () => {
  it('are those of one look over all of the time, whenever somebody looked and however long nobody did', () => {
    fc.assert(
      fc.property(
        timings,
        startMs,
        pauses,
        fc.constantFrom(...missedPolicies),
        (timing, from, waits, missed) => {
          const rules = { missed, maxCatchUp: 1000 };
          const [first] = timesAfter(timing, from, 1);
          const seen: number[] = [];
          let counted = 0;
          let nextMs = first;
          let nowMs = from;
          for (const wait of waits) {
            nowMs += wait;
            if (nextMs === undefined || nextMs > nowMs) continue;
            const plan = planRuns(timing, rules, nextMs, nowMs);
            for (const run of plan.runs) expect(run).toBeLessThanOrEqual(nowMs);
            if (missed === 'skip')
              for (const run of plan.runs) expect(nowMs - run).toBeLessThanOrEqual(graceMs);
            if (missed === 'once' && plan.missed !== undefined) expect(plan.runs).toHaveLength(1);
            if (missed === 'all') expect(plan.missed).toBeUndefined();
            expect(plan.missed?.isAtLeast ?? false).toBe(false);
            seen.push(...plan.runs);
            counted += plan.runs.length + (plan.missed?.count ?? 0);
            nextMs = plan.nextMs;
          }
          const all = timesAfter(timing, from, 2000).filter((time) => time <= nowMs);
          fc.pre(all.length < 1000);
          expect(counted).toBe(all.length);
          if (missed === 'all') expect(seen).toEqual(all);
          else expect(all).toEqual(expect.arrayContaining(seen));
          expect(new Set(seen).size).toBe(seen.length);
          expect(seen).toEqual(seen.toSorted((left, right) => left - right));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are found backwards as they are forwards', () => {
    fc.assert(
      fc.property(timings, startMs, fc.integer({ min: 1, max: 20 * hourMs }), (timing, from, length) => {
        const forwards = timesAfter(timing, from - 1, 2000).filter((time) => time <= from + length);
        expect(lastTimes(timing, from, from + length, 40)).toEqual(forwards.slice(-40));
        expect(lastTimes(timing, from, from + length, 3)).toEqual(forwards.slice(-3));
      }),
      { numRuns: 40 },
    );
  });

  const hourly: Timing = { trigger: { kind: 'every', everyMs: hourMs, fromMs: midnight } };
  const at = (hours: number, ms = 0): number => midnight + hours * hourMs + ms;

  it('leave out what was missed, or make up for it once, or for all of it up to a bound', () => {
    const plan = (missed: 'skip' | 'once' | 'all', maxCatchUp = 100) =>
      planRuns(hourly, { missed, maxCatchUp }, at(1), at(5, 10 * minuteMs));
    const left = (count: number) => ({ firstMs: at(1), lastMs: at(count), count, isAtLeast: false });
    expect(plan('skip')).toEqual({ runs: [], missed: left(5), nextMs: at(6) });
    expect(plan('once')).toEqual({ runs: [at(5)], missed: left(4), nextMs: at(6) });
    expect(plan('all')).toEqual({
      runs: [1, 2, 3, 4, 5].map((n) => at(n)),
      missed: undefined,
      nextMs: at(6),
    });
    expect(plan('all', 2)).toEqual({ runs: [at(4), at(5)], missed: left(3), nextMs: at(6) });
  });

  it('that begin within a minute are on time', () => {
    const plan = planRuns(hourly, { missed: 'skip', maxCatchUp: 1 }, at(1), at(1, graceMs));
    expect(plan).toEqual({ runs: [at(1)], missed: undefined, nextMs: at(2) });
    expect(planRuns(hourly, { missed: 'skip', maxCatchUp: 1 }, at(1), at(1, graceMs + 1)).runs).toEqual([]);
  });

  it('of a long time away are not all looked at: the last of them are, and it is said', () => {
    const secondly: Timing = { trigger: { kind: 'every', everyMs: 1000, fromMs: midnight } };
    const plan = planRuns(
      secondly,
      { missed: 'once', maxCatchUp: 1 },
      midnight,
      midnight + 400 * 24 * hourMs,
    );
    expect(plan.runs).toEqual([midnight + 400 * 24 * hourMs]);
    expect(plan.missed).toMatchObject({ firstMs: midnight, count: 999, isAtLeast: true });
  });
});
