import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { RateLimitStore } from '../../src/capabilities/limits/model-limits.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { usd, type Usd } from '../../src/kernel/money.ts';
import type { CallLedger, SettledCall } from '../../src/engine/ledger/call-ledger.ts';
import type { ClaimRequest } from '../../src/engine/ledger/claims.ts';
import type {
  Admission,
  Emission,
  End,
  Finish,
  MessageLedger,
  Park,
  Retry,
} from '../../src/engine/ledger/message-ledger.ts';
import type { Reservation } from '../../src/engine/ledger/reservation.ts';
import { someAdmission, someReservation, someSettlement } from '../support/ledger-fixture.ts';
import {
  badIds,
  badNumbers,
  badTexts,
  oddTexts,
  type Poison,
  type PoisonCase,
  poisoned,
  poisonedField,
  tooLong,
} from '../support/poison.ts';

/* What goes through the statements that many callers share, and what can be wrong with it. */

const badAmounts = [Number.NaN, Infinity, 1e30, 'cheap', null].map((amount) =>
  typeof amount === 'number' ? usd('0').plus(amount) : amount,
) as unknown as readonly Usd[];

const withCost = (row: SettledCall, amount: unknown): SettledCall => ({
  ...row,
  cost: { total: usd('1'), byClass: { text_output: amount as Usd }, request: usd('0') },
});

export const odd = (index: number): string => oddTexts[index % oddTexts.length] ?? '';

export function admissions(ledger: MessageLedger): PoisonCase<Admission> {
  const envelope =
    (part: keyof Admission['envelope']) =>
    (row: Admission, value: unknown): Admission => ({ ...row, envelope: { ...row.envelope, [part]: value } });
  const origin =
    (part: keyof Admission['envelope']['origin']) =>
    (row: Admission, value: unknown): Admission => ({
      ...row,
      envelope: { ...row.envelope, origin: { ...row.envelope.origin, [part]: value } },
    });
  return {
    name: 'admit',
    covers: ['ledger.admit_messages'],
    row: (index) => {
      const admission = someAdmission(
        { stage: `stage-${index % 4}`, item: odd(index) },
        JSON.stringify({ text: odd(index) }),
      );
      return { ...admission, ...(index % 3 === 0 ? { orderKey: `key-${index}` } : {}) };
    },
    refused: [
      ...poisoned<Admission>('id', badIds, envelope('id')),
      ...poisoned<Admission>('source', badTexts, envelope('source')),
      ...poisoned<Admission>('eventId', badTexts, envelope('eventId')),
      ...poisoned<Admission>('item', badTexts, envelope('item')),
      ...poisoned<Admission>('version', badNumbers, envelope('version')),
      ...poisoned<Admission>('batch', badTexts, origin('batch')),
      ...poisoned<Admission>('customer', [...badTexts, tooLong], origin('customer')),
      ...poisoned<Admission>('labels', [{ size: 1n }] as unknown[], origin('labels')),
      ...poisonedField<Admission>('orderKey', [...badTexts, tooLong]),
      ...poisonedField<Admission>('bodyBytes', badNumbers),
      ...poisonedField<Admission>('leaseMs', badNumbers),
      ...poisoned<Admission>('body', badTexts, (row, json) => ({ ...row, body: { kind: 'inline', json } })),
      ...poisoned<Admission>('no body', [null], (row) => ({
        ...row,
        body: { kind: 'inline', json: null as never },
      })),
    ],
    write: (row) => ledger.admit(row),
    expected: 'admitted',
  };
}

export function claims(ledger: MessageLedger): PoisonCase<ClaimRequest> {
  return {
    name: 'claim',
    covers: ['ledger.claim_messages'],
    row: (index) => ({ stage: `none-${index % 3}`, leaseMs: 1000, about: newId(new Date()) }),
    refused: [
      ...poisonedField<ClaimRequest>('stage', badTexts),
      ...poisonedField<ClaimRequest>('about', badIds),
      ...poisonedField<ClaimRequest>('leaseMs', badNumbers),
    ],
    write: (row) => ledger.claim(row),
    expected: { kind: 'unknown' },
  };
}

/** Calls of messages, which are leased with fencing token 1; every other one of no message. Their ids are put into `ids`. */
export function reservations(
  calls: CallLedger,
  messages: readonly string[],
  ids: string[],
  hasQuotas: boolean,
): PoisonCase<Reservation> {
  const statement = hasQuotas ? 'ledger.reserve_quota_calls' : 'ledger.reserve_calls';
  return {
    name: hasQuotas ? 'reserve under a budget' : 'reserve',
    covers: [statement],
    row: (index) => {
      const id = newId(new Date());
      ids[index] = id;
      const message = { id: messages[index % messages.length] ?? '', fencingToken: 1 };
      const owner =
        index % 2 === 0
          ? { message }
          : { message: undefined, origin: { team: 'blue', customer: 'acme', feature: 'x' } };
      return {
        ...someReservation({ id, ...owner, upperBoundUsd: usd('0.001') }),
        ...(hasQuotas ? { quotas: ['all'] } : {}),
      };
    },
    refused: [
      ...poisonedField<Reservation>('id', badIds),
      ...poisoned<Reservation>('message', badIds, (row, id) => ({
        ...row,
        message: { id, fencingToken: 1 },
      })),
      ...poisonedField<Reservation>('step', badTexts),
      ...poisonedField<Reservation>('model', badTexts),
      ...poisonedField<Reservation>('ordinal', badNumbers),
      ...poisonedField<Reservation>('attempt', badNumbers),
      ...poisonedField<Reservation>('requestDigest', badTexts),
      ...poisonedField<Reservation>('parameters', badTexts),
      ...poisonedField<Reservation>('upperBoundUsd', badAmounts),
      ...poisoned<Reservation>('origin', badTexts, (row, team) => ({
        ...row,
        message: undefined,
        origin: { team, customer: 'acme', feature: 'x' },
      })),
    ],
    write: async (row) => (await calls.reserve(row)).kind,
    expected: 'reserved',
  };
}

/** Settlements of the calls. `late` ones are of calls that were given up. */
export function settlements(
  calls: CallLedger,
  reserved: readonly string[],
  kind: 'plain' | 'budgeted' | 'late',
): PoisonCase<SettledCall> {
  const statement = {
    plain: 'ledger.settle_calls',
    budgeted: 'ledger.settle_quota_calls',
    late: 'ledger.settle_late_call',
  }[kind];
  return {
    name: `settle ${kind}`,
    covers: [statement],
    row: (index) => ({
      ...someSettlement({ id: reserved[index] ?? '', costUsd: usd('0.0005'), answeredModel: odd(index) }),
      hasQuotas: kind === 'budgeted',
    }),
    refused: [
      ...poisonedField<SettledCall>('id', badIds),
      ...poisonedField<SettledCall>('answeredModel', badTexts),
      ...poisonedField<SettledCall>('tier', badTexts),
      ...poisonedField<SettledCall>('providerRequestId', badTexts),
      ...poisonedField<SettledCall>('rawUsage', badTexts),
      ...poisonedField<SettledCall>('durationMs', badNumbers),
      ...poisonedField<SettledCall>('firstChunkMs', badNumbers),
      // A late one is rendered before, and brings no cost by class.
      ...(kind === 'late' ? [] : poisoned<SettledCall>('cost', badAmounts, withCost)),
      ...poisoned<SettledCall>('answer', badTexts, (row, json) => ({ ...row, answer: { json } })),
      ...poisonedField<SettledCall>('costUsd', badAmounts),
      ...poisoned<SettledCall>('tokens', [{ text_output: 1n }], (row, tokens) => ({
        ...row,
        tokens,
      })),
    ],
    // Late ones are a statement each, for which there are few connections.
    ...(kind === 'late' ? { atOnce: 100 } : {}),
    write: (row) => (kind === 'late' ? calls.settleLate(row, ['{}']) : calls.settle(row)),
    expected: true,
  };
}

interface Run {
  readonly id: string;
  readonly fencingToken: number;
}

/** Runs of the messages, which are leased with fencing token 1. */
export function finishes(
  ledger: MessageLedger,
  messages: readonly string[],
  emission: (id: string) => Emission,
): PoisonCase<Finish> {
  const withEmission =
    (parts: Partial<Emission>) =>
    (row: Finish): Finish => ({
      ...row,
      emissions: [...row.emissions, { ...emission(newId(new Date())), ...parts }],
    });
  const poisonedEmission = (part: keyof Emission, values: readonly unknown[]): readonly Poison<Finish>[] =>
    poisoned(`emission's ${part}`, values, (row, value) => withEmission({ [part]: value })(row));
  return {
    name: 'finish',
    covers: ['ledger.finish_messages'],
    row: (index) => ({
      ...runOf(messages, index),
      result: JSON.stringify(odd(index)),
      emissions: [{ ...emission(newId(new Date())), orderKey: `key-${index}` }],
      durationMs: 1,
    }),
    refused: [
      ...poisonedRun<Finish>(),
      ...poisonedField<Finish>('result', badTexts),
      ...poisonedField<Finish>('durationMs', [...badNumbers, -1]),
      ...poisonedEmission('id', badIds),
      ...poisonedEmission('orderKey', [...badTexts, tooLong]),
      ...poisonedEmission('version', badNumbers),
      ...poisonedEmission('bodyBytes', badNumbers),
      ...poisonedEmission('leaseMs', badNumbers),
      ...poisonedEmission('traceParent', badTexts),
      ...poisonedEmission('body', [{ kind: 'inline', json: null }]),
    ],
    write: (row) => ledger.finish(row),
    expected: true,
  };
}

const note = { code: 'MILLRACE_STAGE_FAILED', detail: '{"chain":[]}' };

export function retries(ledger: MessageLedger, messages: readonly string[]): PoisonCase<Retry> {
  return {
    name: 'retry',
    covers: ['ledger.retry_messages'],
    row: (index) => ({ ...runOf(messages, index), ...note, delayMs: 1000, waitsFor: odd(index) }),
    refused: poisonedRun<Retry>(),
    kept: [
      ...poisonedField<Retry>('delayMs', badNumbers),
      ...poisonedField<Retry>('detail', badTexts),
      ...poisonedField<Retry>('code', badTexts),
      ...poisonedField<Retry>('waitsFor', [...badTexts, tooLong]),
    ],
    write: (row) => ledger.retry(row),
    expected: true,
  };
}

export function ends(ledger: MessageLedger, messages: readonly string[]): PoisonCase<End> {
  return {
    name: 'end',
    covers: ['ledger.end_messages'],
    row: (index) => ({ ...runOf(messages, index), ...note, state: 'dead_lettered', outcomeLine: '{}' }),
    refused: [
      ...poisonedRun<End>(),
      ...poisonedField<End>('outcomeLine', badTexts),
      ...poisoned<End>('state', ['nonsense', 'completed\u0000'], (row, state) => ({
        ...row,
        state,
      })),
    ],
    kept: [...poisonedField<End>('detail', badTexts), ...poisonedField<End>('code', badTexts)],
    write: (row) => ledger.end(row),
    expected: true,
  };
}

export function parks(ledger: MessageLedger, messages: readonly string[]): PoisonCase<Park> {
  return {
    name: 'park',
    covers: ['ledger.park_messages'],
    row: (index) => ({
      ...runOf(messages, index),
      delayMs: 1000,
      parkedFor: undefined,
      waitsFor: odd(index),
    }),
    refused: poisonedRun<Park>(),
    kept: [
      ...poisonedField<Park>('delayMs', badNumbers),
      ...poisoned<Park>('name', [...badTexts, tooLong], (row, parkedFor) => ({
        ...row,
        delayMs: undefined,
        parkedFor,
      })),
      ...poisonedField<Park>('waitsFor', [...badTexts, tooLong]),
    ],
    write: (row) => ledger.park(row),
    expected: true,
  };
}

/** Requests of models under limits, each of a model of its own, so that rows are made for them, too. */
export function limitTakes(database: SqlDatabase): PoisonCase<Parameters<RateLimitStore['take']>[0]> {
  const limits = new RateLimitStore({ database, clock: systemClock });
  type Ask = Parameters<RateLimitStore['take']>[0];
  return {
    name: 'take from limits',
    covers: ['admission.ensure_limits', 'admission.take_from_limits'],
    row: (index) => ({
      provider: 'openai',
      model: `model-${index % 50}`,
      limit: { tokensPerMinute: 1_000_000_000 },
      tokens: 10,
      maxWaitMs: 60_000,
    }),
    refused: [
      ...poisonedField<Ask>('model', [...badTexts, tooLong]),
      ...poisonedField<Ask>(
        'tokens',
        badNumbers.filter((bad) => !isInRange(bad)),
      ),
      ...poisonedField<Ask>(
        'maxWaitMs',
        badNumbers.filter((bad) => !isInRange(bad) && bad !== 1e308),
      ),
      ...poisoned<Ask>(
        'limit',
        badNumbers.filter((bad) => !isInRange(bad) && bad !== 1e308),
        (row, tokensPerMinute) => ({
          ...row,
          model: 'of-its-own',
          limit: { tokensPerMinute },
        }),
      ),
    ],
    write: async (row) => (await limits.take(row)).isGranted,
    expected: true,
  };
}

export function limitCorrections(
  database: SqlDatabase,
): PoisonCase<Parameters<RateLimitStore['correct']>[0]> {
  const limits = new RateLimitStore({ database, clock: systemClock });
  type Correction = Parameters<RateLimitStore['correct']>[0];
  const unknown = { perMinute: undefined, remaining: undefined };
  return {
    name: 'correct limits',
    covers: ['admission.correct_limits'],
    row: (index) => ({
      provider: 'openai',
      model: `model-${index % 50}`,
      requestsBack: 0,
      tokensBack: 1,
      cooldownMs: 0,
      sentMsAgo: 5,
      marks: { requests: 1, tokens: 1 },
      tokensSlack: 10,
      told: { requests: unknown, tokens: unknown },
    }),
    refused: [
      ...poisonedField<Correction>('model', badTexts),
      ...poisonedField<Correction>('tokensBack', [1e308, Number.NaN, -Infinity, 1n]),
      ...poisonedField<Correction>('cooldownMs', [1e17, 1e300, Infinity]),
      ...poisoned<Correction>('remaining', [Number.NaN, 'many'], (row, remaining) => ({
        ...row,
        told: { requests: unknown, tokens: { perMinute: undefined, remaining } },
      })),
    ],
    write: async (row) => (await limits.correct(row))?.tokens?.perMinute,
    expected: 1_000_000_000,
  };
}

/** Numbers that a float takes. */
function isInRange(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) <= 2 ** 40;
}

function runOf(messages: readonly string[], index: number): Run {
  return { id: messages[index] ?? '', fencingToken: 1 };
}

function poisonedRun<Row extends Run>(): readonly Poison<Row>[] {
  return [...poisonedField<Row>('id', badIds), ...poisonedField<Row>('fencingToken', badNumbers)];
}
