import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { CorrectionService } from '../../src/capabilities/corrections/correction-service.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { GivenAnswers } from '../../src/engine/calls/given-answers.ts';
import type { ModelMetrics } from '../../src/engine/calls/model-metrics.ts';
import { SettlementWriter } from '../../src/engine/calls/settlement-writer.ts';
import type { AttributedCall } from '../../src/engine/ledger/attributed-call.ts';
import type { SettledCall } from '../../src/engine/ledger/call-ledger.ts';
import { CorrectionLedger } from '../../src/engine/ledger/correction-ledger.ts';
import { AbandonedCalls } from '../../src/engine/maintenance/abandoned-calls.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId, type Uuid } from '../../src/kernel/ids.ts';
import { addUsd, type Usd, usd, zeroUsd } from '../../src/kernel/money.ts';
import { tokenClasses } from '../../src/pricing/token-classes.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { LedgerHarness, someReservation, someSettlement } from '../support/ledger-fixture.ts';

const origin = { team: 'blue', customer: 'acme', feature: 'x' };
const bound = usd('0.5');
const model = 'gpt-5-mini';

type End = Omit<SettledCall, 'id'>;

/** How a call can end, in every way in which its counts, its cost and its waste can differ. */
const ends: fc.Arbitrary<End> = fc
  .record({
    kind: fc.constantFrom('ok', 'invalid_output', 'failed', 'aborted', 'unsettled'),
    isPriced: fc.boolean(),
    isEstimated: fc.boolean(),
    isSuspect: fc.boolean(),
    mills: fc.nat(400),
    tokens: fc.record({ uncached_input: fc.nat(1000), text_output: fc.nat(1000) }, { requiredKeys: [] }),
  })
  .map(({ kind, isPriced, isEstimated, isSuspect, mills, tokens }) => {
    const some = someSettlement({ id: '' });
    if (kind === 'unsettled')
      return {
        ...some,
        state: 'unsettled',
        outcome: 'unsettled',
        settlement: 'unsettled',
        tokens: {},
        costUsd: undefined,
        upperBoundUsd: bound,
        wasteReason: isSuspect ? 'failed' : 'aborted',
        answer: undefined,
      };
    const outcomes = { ok: 'ok', invalid_output: 'ok', failed: 'error', aborted: 'cancelled' } as const;
    const settlement = isEstimated || isSuspect ? 'estimated' : 'reported';
    return {
      ...some,
      outcome: outcomes[kind],
      settlement,
      tokens,
      costUsd: isPriced ? usd(String(mills / 1000)) : undefined,
      upperBoundUsd: !isPriced || settlement === 'estimated' ? bound : undefined,
      wasteReason: kind === 'ok' ? undefined : kind,
      isInvalidated: kind === 'invalid_output',
      isSuspect,
    };
  });

/** What happens to a call, in order; what is not possible then changes nothing. */
const lives = fc.record({
  isAbandoned: fc.boolean(),
  end: fc.option(ends, { nil: undefined }),
  changes: fc.array(fc.oneof(fc.constant('invalidate' as const), fc.nat(400)), { maxLength: 4 }),
});

interface Sums {
  calls: number;
  unpriced: number;
  unsettled: number;
  estimated: number;
  suspect: number;
  tokens: number;
  cost: Usd;
  bound: Usd;
}

const noSums = (): Sums => ({
  calls: 0,
  unpriced: 0,
  unsettled: 0,
  estimated: 0,
  suspect: 0,
  tokens: 0,
  cost: zeroUsd,
  bound: zeroUsd,
});

/** What the ledger promises about the sums of records by group, on whichever database. */
export function recordGroupsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`groups of usage records on ${name}`, () => {
    let harness: LedgerHarness;
    let database: SqlDatabase;

    beforeEach(async () => {
      harness = await LedgerHarness.begin(await open());
      ({ database } = harness);
    });

    it('say of every kind of waste what the calls say, and never less than nothing, whatever becomes of a call', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(lives, { minLength: 1, maxLength: 3 }), async (calls) => {
          harness = await LedgerHarness.begin(database);
          for (const life of calls) await live(life);
        }),
        { numRuns: 25 },
      );
    });

    it('say of a call that was given up why its maker could not tell its cost, once that one tells', async () => {
      const facts = await reserved();
      await giveUp(facts.id);
      expect([...(await recordedBy('waste_reason')).keys()]).toEqual(['aborted']);
      const timedOut = someSettlement({
        id: facts.id,
        state: 'unsettled',
        outcome: 'unsettled',
        settlement: 'unsettled',
        errorType: 'timeout',
        tokens: {},
        costUsd: undefined,
        upperBoundUsd: bound,
        wasteReason: 'failed',
        answer: undefined,
      });
      for (let time = 1; time <= 2; time += 1) {
        await writer().write({ facts }, timedOut);
        expect([...(await recordedBy('waste_reason')).keys()]).toEqual(['failed']);
        await check();
      }
    });

    async function giveUp(id: Uuid): Promise<void> {
      await database.execute(
        `update millrace.calls set reserved_at = reserved_at - interval '2 hours' where id = '${id}'`,
      );
      const abandoned = new AbandonedCalls({ ledger: harness.calls, clock: systemClock });
      expect(await abandoned.settleAbandoned()).toBe(1);
    }

    async function live({
      isAbandoned,
      end,
      changes,
    }: typeof lives extends fc.Arbitrary<infer Life> ? Life : never) {
      const facts = await reserved();
      if (isAbandoned || end === undefined) {
        await giveUp(facts.id);
        await check();
      }
      if (end !== undefined) {
        await writer().write({ facts }, { ...end, id: facts.id });
        await check();
      }
      for (const change of changes) {
        if (change === 'invalidate') await given().invalidateAnswer(facts.id);
        else await correct(facts.id, change);
        await check();
      }
    }

    async function reserved(): Promise<AttributedCall> {
      const id = newId(new Date());
      const reservation = someReservation({ id, message: undefined, origin, upperBoundUsd: bound });
      const outcome = await harness.calls.reserve(reservation);
      if (outcome.kind !== 'reserved') throw new Error(`not reserved: ${outcome.kind}`);
      return {
        id,
        origin,
        message: undefined,
        step: reservation.step,
        attempt: 1,
        provider: 'openai',
        model,
        operation: 'chat',
        tier: reservation.tier,
        requestKind: 'single',
        fallbackFrom: undefined,
        reservedAt: outcome.at,
        upperBoundUsd: bound,
      };
    }

    const writer = () =>
      new SettlementWriter({
        ledger: harness.calls,
        clock: systemClock,
        logger: silentLogger,
        metrics: { settlementReduced: () => undefined } as unknown as ModelMetrics,
      });

    const given = () =>
      new GivenAnswers(
        {
          ledger: harness.calls,
          clock: systemClock,
          pricer: { price: () => ({ kind: 'unpriced', reason: 'no cascade is asked' }) },
          metrics: { cascadeDecided: () => undefined },
        },
        { origin, message: undefined },
      );

    async function correct(id: Uuid, mills: number): Promise<void> {
      const service = new CorrectionService({
        ledger: new CorrectionLedger(database),
        pricer: {
          version: 'none',
          price: () => ({ kind: 'unpriced', reason: 'the cost is given' }),
          upperBound: () => undefined,
          limits: () => ({}),
        },
        priceProviderOf: (provider) => provider,
        clock: systemClock,
      });
      const tokens = { uncached_input: mills, reasoning: mills % 7 };
      const request = { id, tokens, costUsd: usd(String(mills / 1000)), dryRun: false, reason: 'test' };
      await service.correct(request, { actor: 'ann' });
    }

    async function check(): Promise<void> {
      const groups = await recordedBy('waste_reason');
      expect(groups).toEqual(await statedByWaste());
      for (const sums of groups.values()) {
        const { cost, bound: open, ...counts } = sums;
        expect([cost.isNegative(), open.isNegative()]).toEqual([false, false]);
        expect(Math.min(...Object.values(counts))).toBeGreaterThanOrEqual(0);
      }
    }

    /** The sums of the records by a column; groups in which everything was taken back are left out. */
    async function recordedBy(column: string): Promise<Map<string, Sums>> {
      const groups = new Map<string, Sums>();
      for (const line of await harness.outbox('usage')) {
        const fields = JSON.parse(line) as Readonly<Record<string, string | number | undefined>>;
        const number = (field: string): number => Number(fields[field] ?? 0);
        const sums = sumsOf(groups, String(fields[column] ?? ''));
        sums.calls += number('calls');
        sums.unpriced += number('unpriced_calls');
        sums.unsettled += number('unsettled_calls');
        sums.estimated += number('estimated_calls');
        sums.suspect += number('suspect_calls');
        for (const token of tokenClasses) sums.tokens += number(`tokens_${token}`);
        sums.cost = addUsd(sums.cost, usd(String(fields['cost_usd'] ?? 0)));
        sums.bound = addUsd(sums.bound, usd(String(fields['upper_bound_usd'] ?? 0)));
      }
      return withoutEmpty(groups);
    }

    async function statedByWaste(): Promise<Map<string, Sums>> {
      const { rows } = await database.query<CallState>({
        name: 'test.calls',
        text: `select state, settlement, is_suspect, tokens, cost_usd, upper_bound_usd, waste_reason from millrace.calls where state <> 'reserved'`,
      });
      const groups = new Map<string, Sums>();
      for (const row of rows) {
        const sums = sumsOf(groups, row.waste_reason ?? '');
        const isPriced = row.cost_usd !== null || (row.state === 'unsettled' && row.upper_bound_usd !== null);
        sums.calls += 1;
        sums.unpriced += isPriced ? 0 : 1;
        sums.unsettled += row.settlement === 'unsettled' ? 1 : 0;
        sums.estimated += row.settlement === 'estimated' ? 1 : 0;
        sums.suspect += row.is_suspect ? 1 : 0;
        for (const count of Object.values(JSON.parse(row.tokens ?? '{}') as Record<string, number>))
          sums.tokens += count;
        sums.cost = addUsd(sums.cost, usd(row.cost_usd ?? '0'));
        sums.bound = addUsd(sums.bound, usd(row.upper_bound_usd ?? '0'));
      }
      return groups;
    }
  });
}

interface CallState {
  readonly state: string;
  readonly settlement: string;
  readonly is_suspect: boolean;
  readonly tokens: string | null;
  readonly cost_usd: string | null;
  readonly upper_bound_usd: string | null;
  readonly waste_reason: string | null;
}

function sumsOf(groups: Map<string, Sums>, group: string): Sums {
  const known = groups.get(group);
  if (known !== undefined) return known;
  const sums = noSums();
  groups.set(group, sums);
  return sums;
}

function withoutEmpty(groups: Map<string, Sums>): Map<string, Sums> {
  return new Map(
    [...groups].filter(([, { cost, bound: open, ...counts }]) => {
      const isEmpty = cost.isZero() && open.isZero() && Object.values(counts).every((count) => count === 0);
      return !isEmpty;
    }),
  );
}
