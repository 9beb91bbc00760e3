import { beforeEach, describe, expect, it } from 'vitest';
import type { ItemValidator, ValidatedItem } from '../../src/capabilities/batches/done/batch-validator.ts';
import type { QualityGate } from '../../src/capabilities/batches/done/quality-gate.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../src/kernel/ids.ts';
import { BatchFixture, type Fate } from '../support/batch-fixture.ts';
import { depth, isFullDepth } from '../support/test-depth.ts';
import { Died, Mortality, mortalDatabase } from '../support/mortal.ts';

const good = (n: number): Fate => ({ kind: 'says', data: { n }, costUsd: '0.01' });
const never = new AbortController().signal;

/** What is promised of the quality gate of batches, whichever database the ledger is on. */
export function batchQualityContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`the quality gate of batches on ${name}`, () => {
    let fixture: BatchFixture;
    let seen: { readonly item: ValidatedItem; readonly outputs: readonly unknown[] }[];
    beforeEach(async () => {
      fixture = await BatchFixture.begin(await open());
      seen = [];
    });

    /** A batch whose items have all ended, and that waits to be checked. */
    async function ended(
      quality: Readonly<Record<string, unknown>>,
      more: Partial<Parameters<BatchFixture['submit']>[0]> = {},
      fateOf = good,
    ): Promise<Uuid> {
      const { settings, ...rest } = more;
      const id = await fixture.submit({
        items: 20,
        ...rest,
        settings: { tripwire: { share: 100 }, quality: { validator: 'even', ...quality }, ...settings },
      });
      await fixture.turns();
      while ((await fixture.work(fateOf)) > 0) await fixture.turns();
      return id;
    }

    const validator = (isGood: (n: number) => boolean): ItemValidator => ({
      validate: (item, outputs) => {
        seen.push({ item, outputs });
        return isGood(item.position) ? { ok: true } : { ok: false, reason: `no ${item.position}` };
      },
    });

    async function check(
      one: ItemValidator = validator(() => true),
      database = fixture.database,
    ): Promise<void> {
      const gate = fixture.gate({ even: one }, database);
      for (let turn = 0; await gate.turn(never); turn += 1)
        if (turn > 100) throw new Error('It never rests.');
    }

    const checked = async (id: Uuid, state: 'open' | 'passed' | 'failed') =>
      await fixture.store.items(await fixture.batch(id), {}, { check: [state], after: 0, limit: 1000 });

    it('checks a sample when all items have ended, and lets the batch succeed at its minimum', async () => {
      const id = await ended({ sample: { size: 10 }, minimum: 50 });
      expect(await fixture.batch(id)).toMatchObject({ state: 'running', checks: undefined });
      await fixture.turns();
      const places: number[] = [];
      await check({
        validate: ({ position }) => {
          places.push(position);
          return { ok: places.length <= 5 };
        },
      });
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({
        state: 'succeeded',
        cause: undefined,
        checks: { drawn: 10, passed: 5, failed: 5 },
      });
      expect(new Set(places).size).toBe(10);
    });

    it('shows validators what was sent and what came out, once each', async () => {
      const id = await ended({}, { items: 2, customerOf: (n) => (n === 2 ? 'own' : undefined) });
      await check();
      const item = { batch: 'night', team: 'blue', labels: {} };
      expect(seen).toEqual([
        {
          item: { ...item, id: 'item-1', position: 1, customer: 'acme', data: { n: 1 } },
          outputs: [{ n: 1 }],
        },
        {
          item: { ...item, id: 'item-2', position: 2, customer: 'own', data: { n: 2 } },
          outputs: [{ n: 2 }],
        },
      ]);
      await check();
      expect([seen.length, (await fixture.batch(id)).checks]).toEqual([
        2,
        { drawn: 2, passed: 2, failed: 0 },
      ]);
    });

    it('lets a batch fail below its minimum, with the reasons', async () => {
      const id = await ended({ minimum: 95 });
      await check(validator((n) => n > 2));
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({
        state: 'failed',
        cause: { code: 'below_quality', detail: '18 of 20 checked items passed "even"; 95 % are needed.' },
      });
      const failures = await checked(id, 'failed');
      expect(failures.map(({ position, check: one }) => [position, one?.reason])).toEqual([
        [1, 'no 1'],
        [2, 'no 2'],
      ]);
    });

    /** Turns of a gate until all checks of a batch are made; time passes where it rests. */
    async function checkPatiently(gate: QualityGate, id: Uuid): Promise<void> {
      for (let rest = 0; rest < 100; rest += 1) {
        while (await gate.turn(never));
        const { checks } = await fixture.batch(id);
        if (checks !== undefined && checks.passed + checks.failed === checks.drawn) return;
        fixture.clock.advance(5000);
      }
      throw new Error('It never ends.');
    }

    it('asks validators again that throw or do not answer, counts them as failed in the end, and says why', async () => {
      const id = await ended({}, { items: 3 });
      const asked = [0, 0, 0];
      const gate = fixture.gate({
        even: {
          validate: ({ position }, _outputs, signal) => {
            asked[position - 1] = (asked[position - 1] ?? 0) + 1;
            if (position === 1) throw new Error('a bug\u0000');
            if (position === 2) return undefined as never;
            return new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => reject(new Error('given up')));
              // When the others have ended.
              setImmediate(() => fixture.clock.advance(60_000));
            });
          },
        },
      });
      await checkPatiently(gate, id);
      expect((await checked(id, 'failed')).map(({ check: one }) => one?.reason)).toEqual([
        'The validator failed, 4 times: a bug\uFFFD',
        'The validator is faulty: It did not answer { ok, reason }.',
        'The validator failed, 4 times: It did not answer within 60 seconds.',
      ]);
      expect(asked).toEqual([4, 1, 4]);
    });

    it('does not let a batch fail for a validator that fails for a moment', async () => {
      const id = await ended({}, { items: 12 });
      const askedAt: number[] = [];
      const startMs = fixture.clock.monotonicMs();
      const gate = fixture.gate({
        even: {
          validate: ({ position }) => {
            const passedMs = fixture.clock.monotonicMs() - startMs;
            if (position === 3) askedAt.push(passedMs);
            if (passedMs < 85_000) throw Object.create(null);
            return { ok: true };
          },
        },
      });
      await checkPatiently(gate, id);
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({
        state: 'succeeded',
        checks: { drawn: 12, passed: 12 },
      });
      expect(askedAt).toEqual([0, 5000, 25_000, 85_000]);
    });

    it('leaves a check open whose item cannot be read at present', async () => {
      const id = await ended({}, { items: 2 });
      await fixture.database.execute(
        `update millrace.messages set body = null, body_ref = 'elsewhere' where item = 'item-1' and stage <> ''`,
      );
      const gate = fixture.gate({ even: validator(() => true) });
      for (let turn = 0; turn < 10; turn += 1) {
        await expect(gate.turn(never)).rejects.toThrow('no payloads here');
        fixture.clock.advance(5000);
      }
      expect((await fixture.batch(id)).checks).toEqual({ drawn: 2, passed: 1, failed: 0 });
    });

    it('does not let checks that hang hold up those of other batches', async () => {
      const hanging = await ended({}, { name: 'hangs', items: 8 });
      const other = await ended({}, { name: 'quick', team: 'red', items: 1 });
      const third = await ended({}, { name: 'another', items: 1 });
      const stopping = new AbortController();
      const gate = fixture.gate({
        even: {
          validate: ({ batch }) => (batch === 'hangs' ? new Promise<never>(() => undefined) : { ok: true }),
        },
      });
      // No time passes.
      while ([await fixture.batch(other), await fixture.batch(third)].some((one) => one.checks?.passed !== 1))
        await gate.turn(stopping.signal);
      expect((await checked(hanging, 'open')).length).toBe(8);
      stopping.abort();
      expect(await gate.turn(stopping.signal)).toBe(false);
      await fixture.turns();
      expect([(await fixture.batch(other)).state, (await fixture.batch(hanging)).state]).toEqual([
        'succeeded',
        'running',
      ]);
    });

    it('draws the same items of the same batch, in proportion to its groups and at least one of each', async () => {
      const draw = async (): Promise<readonly number[]> => {
        fixture = await BatchFixture.begin(fixture.database);
        const customerOf = (n: number) => (n <= 1 ? 'small' : n <= 11 ? 'middle' : 'large');
        await ended({ sample: { share: 20, stratify: 'customer' } }, { items: 61, chunk: 100, customerOf });
        seen = [];
        await check();
        return seen.map(({ item }) => item.position);
      };
      const first = await draw();
      // 20 % of 61 are 13: of 1, 10 and 50 items 0.2, 2.1 and 10.7, each rounded up.
      const counts = Object.groupBy(seen, ({ item }) => item.customer);
      expect([counts['small']?.length, counts['middle']?.length, counts['large']?.length]).toEqual([
        1, 3, 11,
      ]);
      expect(await draw()).toEqual(first);
      expect(first.toSorted((one, other) => one - other)).not.toEqual(first.map((_, index) => index + 1));
    });

    it('checks nothing of a batch below its threshold, nor of one that is cancelled', async () => {
      const id = await ended({}, { name: 'low' }, (n) =>
        n === 1 ? { kind: 'dies', code: 'MILLRACE_STAGE_FAILED' } : good(n),
      );
      await check();
      expect(await fixture.batch(id)).toMatchObject({ state: 'failed', cause: { code: 'below_threshold' } });
      const other = await ended({}, { name: 'gone' });
      await fixture.service.cancel('gone', 'enough', { actor: 'ann' });
      await check();
      await fixture.turns();
      expect([seen.length, (await fixture.batch(other)).state]).toEqual([0, 'cancelled']);
    });

    it.each([
      ['cancellation', 'succeeded', 20],
      ['cancellation', 'failed', 19],
      ['deadline', 'failed', 19],
    ] as const)(
      'lets a batch end by its items where the %s came when all had ended: %s',
      async (what, state, passing) => {
        const id = await fixture.submit({ items: 20, settings: { tripwire: { share: 100 } } });
        await fixture.turns();
        await fixture.work((n) => (n > passing ? { kind: 'dies', code: 'MILLRACE_STAGE_FAILED' } : good(n)));
        if (what === 'cancellation') await fixture.service.cancel('night', 'late', { actor: 'ann' });
        else
          await fixture.database.execute(
            `update millrace.batches set deadline = clock_timestamp() - interval '1 second'`,
          );
        await fixture.turns();
        expect(await fixture.batch(id)).toMatchObject({
          state,
          cause: state === 'succeeded' ? undefined : { code: 'below_threshold' },
          ended: { succeeded: passing, failed: 20 - passing },
        });
      },
    );

    it('lets a batch end by its checks where the cancellation came when all were made', async () => {
      const id = await ended({ minimum: 50 });
      await check(validator((n) => n > 15));
      await fixture.service.cancel('night', 'late', { actor: 'ann' });
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({ state: 'failed', cause: { code: 'below_quality' } });
    });

    it('halts where nobody has the validator, and goes on when it is resumed where somebody has', async () => {
      const id = await ended({ minimum: 0 });
      expect(await fixture.gate({}).turn(never)).toBe(false);
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({
        state: 'halted',
        cause: { code: 'validator_missing' },
      });
      await fixture.service.resume('night', 'started one', { actor: 'ann' });
      await check(validator(() => false));
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({
        state: 'succeeded',
        checks: { drawn: 20, failed: 20 },
      });
    });

    it('checks a batch anew that its quality let fail, when it is run again without an item to run', async () => {
      const id = await ended({ sample: { size: 10 } });
      await check(validator(() => false));
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({ state: 'failed', cause: { code: 'below_quality' } });
      const retried = await fixture.service.retry('night', 'the validator is repaired', { actor: 'ann' });
      expect([retried.items, retried.batch.state, await checked(id, 'failed')]).toEqual([0, 'running', []]);
      expect((await fixture.audit()).at(-1)).toMatchObject({ action: 'batches.retry', affected: 0 });
      await check();
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({
        state: 'succeeded',
        ended: { succeeded: 20, failed: 0 },
        costUsd: '0.2',
        checks: { drawn: 10, passed: 10, failed: 0 },
      });
      const again = fixture.service.retry('night', 'again', { actor: 'ann' });
      await expect(again).rejects.toMatchObject({ code: 'MILLRACE_BATCH_STATE' });
    });

    it('checks a batch anew that is resumed after its validator was missing', async () => {
      const id = await ended({}, { items: 10 });
      const gate = fixture.gate({
        even: {
          validate: ({ position }) =>
            position > 6 ? new Promise<never>(() => undefined) : { ok: false, reason: 'old' },
        },
      });
      while ((await fixture.batch(id)).checks?.failed !== 6) await gate.turn(never);
      await fixture.gate({}).turn(never);
      expect(await fixture.batch(id)).toMatchObject({ state: 'halted', checks: { drawn: 10, failed: 6 } });
      await fixture.service.resume('night', 'the validator is repaired', { actor: 'ann' });
      expect([(await fixture.batch(id)).checks, await checked(id, 'failed')]).toEqual([undefined, []]);
      await check();
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({
        state: 'succeeded',
        checks: { drawn: 10, passed: 10 },
      });
    });

    it('draws anew when items were run again', async () => {
      let isBroken = true;
      const fate = (n: number): Fate =>
        n === 1 && isBroken ? { kind: 'dies', code: 'MILLRACE_STAGE_FAILED' } : good(n);
      const id = await ended({}, { settings: { success: { threshold: 90 } } }, fate);
      await check(validator((n) => n > 10));
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({ state: 'failed', checks: { drawn: 19 } });
      isBroken = false;
      await fixture.service.retry('night', 'repaired', { actor: 'ann' });
      expect((await fixture.batch(id)).checks).toBeUndefined();
      expect(await checked(id, 'failed')).toEqual([]);
      await fixture.turns();
      await fixture.work(fate);
      await fixture.turns();
      await check();
      await fixture.turns();
      expect(await fixture.batch(id)).toMatchObject({
        state: 'succeeded',
        checks: { drawn: 20, passed: 20, failed: 0 },
      });
    });

    it('ends in the same way wherever its process dies', async () => {
      // The databases share the moments, unless all of them are wanted.
      const first = isFullDepth || name === 'PGlite' ? 0 : 2;
      for (let dieAt = first; ; dieAt += depth({ usual: 4, full: 1 })) {
        fixture = await BatchFixture.begin(fixture.database);
        const id = await ended({ sample: { size: 11 }, minimum: 0 }, { items: 12 });
        let hasDied = false;
        await check(
          validator((n) => n % 2 === 0),
          mortalDatabase(fixture.database, new Mortality(dieAt)),
        ).catch((error: unknown) => {
          if (!(error instanceof Died)) throw error;
          hasDied = true;
        });
        await check(validator((n) => n % 2 === 0));
        await fixture.turns();
        const { state, checks } = await fixture.batch(id);
        expect([state, checks?.drawn, (checks?.passed ?? 0) + (checks?.failed ?? 0)]).toEqual([
          'succeeded',
          11,
          11,
        ]);
        expect((await checked(id, 'passed')).map(({ position }) => position % 2)).toEqual(
          Array.from({ length: checks?.passed ?? 0 }, () => 0),
        );
        if (!hasDied) return;
      }
    });

    it('records nothing of checks that the stop of the host cut off', async () => {
      const id = await ended({}, { items: 3 });
      const stopping = new AbortController();
      const gate = fixture.gate({
        even: {
          validate: (_item, _outputs, signal) =>
            new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => reject(new Error('stopped')));
              stopping.abort();
            }),
        },
      });
      expect(await gate.turn(stopping.signal)).toBe(false);
      expect((await checked(id, 'open')).length).toBe(3);
    });
  });
}
