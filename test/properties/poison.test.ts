import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { newId } from '../../src/kernel/ids.ts';
import { usd } from '../../src/kernel/money.ts';
import type { Admission, Emission } from '../../src/ledger/message-ledger.ts';
import type { Reservation } from '../../src/ledger/reservation.ts';
import { BudgetLedger } from '../../src/ledger/budget-ledger.ts';
import { someBudget } from '../support/budget-fixture.ts';
import { onEachLedger } from '../support/each-ledger.ts';
import { LedgerHarness, someAdmission, someReservation, someSettlement } from '../support/ledger-fixture.ts';

/*
 * Whatever one row of a group holds, the others commit. Random rows go through every grouped statement of the
 * ledger; one in twenty holds something that the database cannot.
 */

const guiltyPercent = 5;

/** Texts that no column takes. */
const badTexts = ['caf\ud83d', 'a\u0000b', '\udc00'] as const;
const tooLong = Array.from({ length: 9000 }, (_, index) => ((index * 7919) % 9973).toString(36)).join('');
const tooLarge = 2 ** 40;

interface Draw {
  readonly isGuilty: boolean;
  readonly text: string;
  /** Which of the guilty values of the statement. */
  readonly choice: number;
}

function draws(count: number, seed: number): readonly Draw[] {
  return fc.sample(
    fc.record({
      isGuilty: fc.integer({ min: 1, max: 100 }).map((percent) => percent <= guiltyPercent),
      text: fc.constantFrom(...badTexts),
      choice: fc.nat({ max: 5 }),
    }),
    { numRuns: count, seed },
  );
}

function pick<Value>(values: readonly [Value, ...Value[]], choice: number): Value {
  return values[choice % values.length] ?? values[0];
}

/** Every guilty row is refused by itself, and every other one has the answer that it would have had alone. */
async function eachAlone<Answer>(
  what: string,
  drawn: readonly Draw[],
  write: (draw: Draw, index: number) => Promise<Answer>,
  expected: unknown,
): Promise<readonly number[]> {
  const outcomes = await Promise.allSettled(drawn.map((draw, index) => write(draw, index)));
  const wrong = outcomes.flatMap((outcome, index) => {
    if (drawn[index]?.isGuilty === true) {
      const code = outcome.status === 'rejected' && outcome.reason instanceof AppError && outcome.reason.code;
      return code === 'MILLRACE_DATA_REFUSED' ? [] : [{ what, index, draw: drawn[index], outcome }];
    }
    return outcome.status === 'fulfilled' && matches(outcome.value, expected)
      ? []
      : [{ what, index, draw: drawn[index], outcome }];
  });
  expect(wrong.slice(0, 3)).toEqual([]);
  return outcomes.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []));
}

function matches(answer: unknown, expected: unknown): boolean {
  return JSON.stringify(answer) === JSON.stringify(expected);
}

function poisonContract(name: string, open: () => Promise<SqlDatabase>): void {
  it(`refuses each guilty row alone, and commits the others, on ${name}`, { timeout: 300_000 }, async () => {
    const seed = Math.trunc(Math.random() * 2 ** 31);
    console.info(`poison seed ${seed}`);
    const database = await open();
    const { ledger, calls, ...harness } = await begin(database);

    // Admissions.
    const admitted = draws(240, seed);
    const ids: string[] = [];
    await eachAlone(
      'admit',
      admitted,
      ({ isGuilty, text, choice }, index) => {
        const admission = someAdmission({ stage: `stage-${index % 4}` });
        ids[index] = admission.envelope.id;
        return ledger.admit(isGuilty ? guiltyAdmission(admission, text, choice) : admission);
      },
      'admitted',
    );
    const innocent = ids.filter((_, index) => admitted[index]?.isGuilty === false);
    expect(await harness.count(`select count(*)::int as n from millrace.messages`)).toBe(innocent.length);

    // Claims: nothing is there for them, and each is told so.
    await eachAlone(
      'claim',
      draws(30, seed + 1),
      ({ isGuilty, text, choice }, index) => {
        const ask = { stage: `none-${index % 3}`, leaseMs: 1000, about: newId(new Date()) };
        if (!isGuilty) return ledger.claim(ask);
        return ledger.claim(
          pick(
            [
              { ...ask, about: 'no uuid' },
              { ...ask, stage: `bad-${index}${text}` },
              { ...ask, stage: `bad-${index}`, leaseMs: tooLarge },
            ],
            choice,
          ),
        );
      },
      { kind: 'unknown' },
    );

    await database.execute(
      `update millrace.messages set state = 'leased', fence = 1, lease_owner = 'test',
         lease_until = clock_timestamp() + interval '1 hour', wake_at = clock_timestamp() + interval '1 hour'`,
    );

    // Calls, half of them under a budget.
    const reserved = draws(80, seed + 2);
    const callIds = reserved.map(() => newId(new Date()));
    const budgetsOf = (index: number) => (index % 2 === 0 ? { budgets: ['all'] } : {});
    const reserve = async (reservation: Reservation) => ({ kind: (await calls.reserve(reservation)).kind });
    const open1 = await eachAlone(
      'reserve',
      reserved,
      ({ isGuilty, text, choice }, index) => {
        const id = callIds[index] ?? '';
        const reservation = {
          ...someReservation({ id, message: { id: innocent[index % innocent.length] ?? '', fence: 1 } }),
          ...budgetsOf(index),
          upperBoundUsd: usd('0.001'),
        };
        if (!isGuilty) return reserve(reservation);
        return reserve(
          pick(
            [
              { ...reservation, step: text },
              { ...reservation, model: text },
              { ...reservation, ordinal: tooLarge },
              { ...reservation, id: 'no uuid' },
              { ...reservation, parameters: text },
            ],
            choice,
          ),
        );
      },
      { kind: 'reserved' },
    );
    const settled = draws(open1.length, seed + 3);
    await eachAlone(
      'settle',
      settled,
      ({ isGuilty, text, choice }, index) => {
        const at = open1[index] ?? 0;
        const settlement = {
          ...someSettlement({ id: callIds[at] ?? '', costUsd: usd('0.0005') }),
          isBudgeted: at % 2 === 0,
        };
        if (!isGuilty) return calls.settle(settlement);
        return calls.settle(
          pick(
            [
              { ...settlement, answeredModel: text },
              { ...settlement, durationMs: tooLarge },
              { ...settlement, line: text },
              { ...settlement, answer: { json: text } },
              { ...settlement, providerRequestId: text },
            ],
            choice,
          ),
        );
      },
      true,
    );
    const guiltySettlements = settled.filter(({ isGuilty }) => isGuilty).length;
    expect(await harness.count(`select count(*)::int as n from millrace.calls where state = 'settled'`)).toBe(
      open1.length - guiltySettlements,
    );

    // Ends of runs, of a quarter of the messages each.
    const quarter = Math.floor(innocent.length / 4);
    const part = (index: number): readonly string[] => innocent.slice(index * quarter, (index + 1) * quarter);
    const run = (id: string | undefined) => ({ id: id ?? '', fence: 1 });

    const finished = draws(quarter, seed + 4);
    await eachAlone(
      'finish',
      finished,
      ({ isGuilty, text, choice }, index) => {
        const emission: Emission = { ...harness.emission(newId(new Date())), orderKey: `key-${index}` };
        const finish = { ...run(part(0)[index]), result: '1', emissions: [emission], outcomeLine: '{}' };
        if (!isGuilty) return ledger.finish(finish);
        return ledger.finish(
          pick(
            [
              { ...finish, emissions: [emission, { ...emission, id: newId(new Date()), orderKey: text }] },
              { ...finish, emissions: [{ ...emission, orderKey: tooLong }] },
              { ...finish, emissions: [{ ...emission, version: tooLarge }] },
              { ...finish, result: text },
              { ...finish, outcomeLine: text },
            ],
            choice,
          ),
        );
      },
      true,
    );
    const guiltyFinishes = finished.filter(({ isGuilty }) => isGuilty).length;
    expect(
      await harness.count(`select count(*)::int as n from millrace.messages where parent_id is not null`),
    ).toBe(quarter - guiltyFinishes);

    const failure = { code: 'MILLRACE_STAGE_FAILED', detail: '{}' };
    await eachAlone(
      'retry',
      draws(quarter, seed + 5),
      ({ isGuilty, text, choice }, index) => {
        const retry = { ...run(part(1)[index]), ...failure, delayMs: 1000 };
        if (!isGuilty) return ledger.retry(retry);
        return ledger.retry(
          pick(
            [
              { ...retry, delayMs: tooLarge },
              { ...retry, detail: text },
              { ...retry, code: text },
            ],
            choice,
          ),
        );
      },
      true,
    );
    await eachAlone(
      'end',
      draws(quarter, seed + 6),
      ({ isGuilty, text, choice }, index) => {
        const end = {
          ...run(part(2)[index]),
          ...failure,
          state: 'dead_lettered' as const,
          outcomeLine: '{}',
        };
        if (!isGuilty) return ledger.end(end);
        return ledger.end(
          pick(
            [
              { ...end, outcomeLine: text },
              { ...end, detail: text },
              { ...end, state: 'nonsense' as 'cancelled' },
            ],
            choice,
          ),
        );
      },
      true,
    );
    await eachAlone(
      'park',
      draws(quarter, seed + 7),
      ({ isGuilty, text, choice }, index) => {
        const park = { ...run(part(3)[index]), delayMs: 1000, parkedFor: undefined };
        if (!isGuilty) return ledger.park(park);
        return ledger.park(
          pick(
            [
              { ...park, delayMs: tooLarge },
              { ...park, parkedFor: text },
            ],
            choice,
          ),
        );
      },
      true,
    );
  });
}

function guiltyAdmission(admission: Admission, text: string, choice: number): Admission {
  const { envelope } = admission;
  return pick<Admission>(
    [
      { ...admission, envelope: { ...envelope, source: text } },
      { ...admission, envelope: { ...envelope, origin: { ...envelope.origin, batch: text } } },
      { ...admission, envelope: { ...envelope, item: text } },
      { ...admission, orderKey: text },
      { ...admission, orderKey: tooLong },
      { ...admission, bodyBytes: tooLarge },
    ],
    choice,
  );
}

async function begin(database: SqlDatabase) {
  const harness = await LedgerHarness.begin(database);
  await new BudgetLedger(database).define([someBudget({ name: 'all', limitUsd: '1000' })]);
  return {
    ledger: harness.ledger,
    calls: harness.calls,
    emission: (id: string) => harness.emission(id),
    count: async (text: string) => {
      const { rows } = await database.query<{ n: number }>({ name: `test.count ${text.slice(-24)}`, text });
      return rows[0]?.n;
    },
  };
}

onEachLedger(poisonContract);
