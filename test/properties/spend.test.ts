import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { newId } from '../../src/kernel/ids.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { usd, zeroUsd } from '../../src/kernel/money.ts';
import { eraseUsage } from '../../src/capabilities/erasure/erase-usage.ts';
import { writeBatch } from '../../src/engine/export/export-batch-writer.ts';
import type { InsertBatch } from '../../src/engine/export/insert-batch.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import { dayFields } from '../../src/capabilities/costs/answer-times.ts';
import { projectionSql, spendRollups } from '../../src/capabilities/costs/spend-rows.ts';
import {
  costFilterFields,
  costGroupFields,
  type CostQuery,
} from '../../src/capabilities/costs/cost-query.ts';
import { CostReportQuery, runCostQuery } from '../../src/capabilities/costs/usage-queries.ts';
import {
  countsOfCall,
  countsOfCorrection,
  renderUsageLine,
  type UsageRecord,
} from '../../src/engine/export/usage-record.ts';
import { openMigratedColumns } from '../support/migrated-columns.ts';
import { fieldOf, plainComparison, plainOf, plainPeriods, plainReport } from '../support/plain-costs.ts';
import { NotedRepairs } from '../support/noted-repairs.ts';
import { depth, isFullDepth } from '../support/test-depth.ts';
import { usageRecord } from '../support/usage-records.ts';

/*
 * Whatever becomes of usage (calls of every kind, corrections, late rows, repeated inserts, merges, pruned months, pruned
 * rows, erased customers, parts that have no projection), a report by any fields over any period equals plain addition of the
 * records, to the last decimal; and the rollups are what it was read from.
 */

/** Over the end of March, and the night in which clocks are set forward in Berlin: its 30th has 23 hours. */
const start = Date.UTC(2025, 2, 29, 20, 17);
const spanMs = 4 * 86_400_000;
const newUuid = (): string => newId(new Date());
const messages = Array.from({ length: 12 }, newUuid);

const settlements = ['reported', 'estimated', 'unsettled', 'free'] as const;
const wasteReasons = ['failed', 'aborted', 'duplicate', 'retried', 'invalid_output'] as const;
/** Few moments, so that rows meet at the edges of hours and days. */
const moment = fc.oneof(
  fc.integer({ min: 0, max: spanMs }),
  fc
    .integer({ min: 0, max: 96 })
    .map((hours) => Math.ceil(start / 3_600_000) * 3_600_000 - start + hours * 3_600_000),
);

const anyCall: fc.Arbitrary<UsageRecord> = fc
  .record({
    at: moment,
    team: fc.integer({ min: 0, max: 1 }),
    customer: fc.integer({ min: 0, max: 3 }),
    feature: fc.integer({ min: 0, max: 1 }),
    batch: fc.option(fc.integer({ min: 0, max: 1 }), { nil: undefined }),
    stage: fc.integer({ min: 0, max: 1 }),
    model: fc.integer({ min: 0, max: 2 }),
    message: fc.option(fc.integer({ min: 0, max: messages.length - 1 }), { nil: undefined }),
    settlement: fc.constantFrom(...settlements),
    isPriced: fc.boolean(),
    waste: fc.option(fc.constantFrom(...wasteReasons), { nil: undefined }),
    cost: fc.bigInt({ min: 0n, max: 10n ** 21n }),
    bound: fc.bigInt({ min: 0n, max: 10n ** 37n }),
    tokens: fc.array(fc.nat({ max: 2 ** 31 }), { minLength: 4, maxLength: 4 }),
  })
  .map((pick): UsageRecord => {
    const isOpen = pick.settlement === 'unsettled' || pick.settlement === 'estimated';
    const {
      costUsd: _replaced,
      messageId: _none,
      ...record
    } = usageRecord({
      recordId: newUuid(),
      callId: newUuid(),
      sentAt: new Date(start + pick.at),
      origin: {
        team: `team ${pick.team}`,
        customer: `customer's "${pick.customer}"`,
        feature: `feature\\${pick.feature}`,
        ...(pick.batch === undefined ? {} : { batch: `batch ${pick.batch}` }),
        ...(pick.stage === pick.feature ? { labels: { region: `region ${pick.model}` } } : {}),
      },
      stage: `stage-${pick.stage}`,
      provider: pick.model === 0 ? 'openai' : 'anthropic',
      model: `model-${pick.model}`,
      settlement: pick.settlement,
      counts: countsOfCall(
        pick.settlement,
        pick.isPriced,
        pick.settlement === 'estimated' && pick.waste !== undefined,
      ),
      tokens: {
        uncached_input: pick.tokens[0] ?? 0,
        cache_read: pick.tokens[1] ?? 0,
        cache_write_1h: 3,
        text_output: pick.tokens[2] ?? 0,
        reasoning: pick.tokens[3] ?? 0,
      },
      costByClass: {},
      ...(pick.waste === undefined ? {} : { wasteReason: pick.waste }),
      ...(isOpen ? { upperBoundUsd: decimalOf(pick.bound) } : {}),
    });
    return {
      ...record,
      ...(pick.message === undefined ? {} : { messageId: messages[pick.message] ?? newUuid() }),
      ...(pick.isPriced ? { costUsd: pick.settlement === 'unsettled' ? zeroUsd : decimalOf(pick.cost) } : {}),
    };
  });

function decimalOf(units: bigint): ReturnType<typeof usd> {
  const text = units.toString().padStart(19, '0');
  return usd(`${text.slice(0, -18)}.${text.slice(-18)}`);
}

/** The correction that settles and prices a call. */
function correctionOf(call: UsageRecord): UsageRecord {
  const before = { settlement: call.settlement, isPriced: call.costUsd !== undefined };
  const { costUsd: _known, upperBoundUsd, ...rest } = call;
  return {
    ...rest,
    recordId: newUuid(),
    recordKind: 'correction',
    settlement: 'reported',
    counts: countsOfCorrection(before, { settlement: 'reported', isPriced: true }),
    tokens: { text_output: -1 },
    costUsd: usd('-0.000000000000000003'),
    ...(upperBoundUsd === undefined ? {} : { upperBoundUsd: upperBoundUsd.negated() }),
  };
}

/** What becomes of the table, step by step. */
const anyStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .array(anyCall, { minLength: 20, maxLength: 60, size: 'max' })
      .map((calls) => ({ kind: 'calls' as const, calls })),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'corrections' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'repeat' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'merge' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'drop month' as const }) },
  { weight: 1, arbitrary: moment.map((at) => ({ kind: 'prune' as const, before: new Date(start + at) })) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 0, max: 3 }).map((customer) => ({ kind: 'erase' as const, customer })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'old parts' as const }) },
);
type Step = typeof anyStep extends fc.Arbitrary<infer Value> ? Value : never;

/** Ahead of UTC by whole hours, in Berlin with a change meanwhile, and behind and ahead by half an hour more. */
const zones = ['UTC', 'Europe/Berlin', 'Pacific/Auckland', 'Asia/Kolkata', 'America/St_Johns'] as const;
/** A question of another zone than UTC has both ends. */
const bounded = (query: CostQuery): CostQuery =>
  query.timeZone === undefined
    ? query
    : { from: new Date(start), to: new Date(start + spanMs + 1), ...query };

const anyQuery: fc.Arbitrary<CostQuery> = fc
  .record(
    {
      groupBy: fc.uniqueArray(fc.constantFrom(...costGroupFields), { maxLength: 3 }),
      from: moment.map((offset) => new Date(start + offset)),
      to: moment.map((offset) => new Date(start + offset)),
      timeZone: fc.constantFrom(...zones),
      filters: fc.record(
        {
          team: fc.constantFrom(['team 0'], ['team 1', 'team 2']),
          customer: fc.constant(['customer\'s "1"']),
          batch: fc.constantFrom(['batch 1'], ['']),
          model: fc.constantFrom(['model-1', 'model-2']),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: ['groupBy'] },
  )
  .map(bounded);

/** The table beside what it should hold. */
class History {
  readonly #store: ColumnStore;
  #records: readonly UsageRecord[] = [];
  #batches: readonly InsertBatch[] = [];
  #hasProjections = true;

  constructor(store: ColumnStore) {
    this.#store = store;
  }

  get records(): readonly UsageRecord[] {
    return this.#records;
  }

  async step(step: Step): Promise<void> {
    const { database } = this.#store;
    switch (step.kind) {
      case 'calls':
        await this.#write(step.calls);
        return;
      case 'corrections': {
        const open = this.#records.filter(
          ({ counts }) => counts.calls === 1 && counts.unsettledCalls + counts.unpricedCalls > 0,
        );
        const known = new Set(
          this.#records.filter(({ recordKind }) => recordKind === 'correction').map(({ callId }) => callId),
        );
        await this.#write(open.filter(({ callId }) => !known.has(callId)).map(correctionOf));
        return;
      }
      case 'repeat': {
        // What was changed meanwhile is not exported again.
        const last = this.#batches.at(-1);
        if (last !== undefined) {
          await writeBatch(this.#store, last, { mayHaveBeenTried: true, repairs: new NotedRepairs() });
        }
        return;
      }
      case 'merge':
        await this.#store.command(`OPTIMIZE TABLE ${database}.usage FINAL`);
        return;
      case 'drop month':
        await this.#store.command(`ALTER TABLE ${database}.usage DROP PARTITION 202503`);
        this.#keep(({ sentAt }) => sentAt.getUTCMonth() !== 2);
        return;
      case 'prune':
        await this.#store.command(
          `ALTER TABLE ${database}.usage DELETE WHERE ts < fromUnixTimestamp64Milli(${step.before.getTime()}, 'UTC') SETTINGS mutations_sync = 2`,
        );
        this.#keep(({ sentAt }) => sentAt >= step.before);
        return;
      case 'erase': {
        const customer = `customer's "${step.customer}"`;
        await eraseUsage(this.#store, { selection: { kind: 'customer', customer }, pseudonym: 'erased' });
        this.#batches = [];
        this.#records = this.#records.map((record) => {
          if (record.origin.customer !== customer) return record;
          const { labels: _gone, ...origin } = record.origin;
          return { ...record, origin: { ...origin, customer: 'erased' } };
        });
        return;
      }
      case 'old parts':
        // As an installation has them that was there before the projections.
        this.#hasProjections = !this.#hasProjections;
        await this.#store.command(
          `ALTER TABLE ${database}.usage MODIFY SETTING materialize_projections_on_insert = ${this.#hasProjections ? 1 : 0}`,
        );
    }
  }

  async #write(records: readonly UsageRecord[]): Promise<void> {
    if (records.length === 0) return;
    const id = newUuid();
    const batch = {
      id,
      table: 'usage',
      rows: records.length,
      lines: bindLines(id, records.map(renderUsageLine)),
    } as const;
    await writeBatch(this.#store, batch, { mayHaveBeenTried: false });
    this.#records = [...this.#records, ...records];
    this.#batches = [...this.#batches, batch];
  }

  #keep(isKept: (record: UsageRecord) => boolean): void {
    this.#records = this.#records.filter((record) => isKept(record));
    this.#batches = [];
  }
}

describe('spend', () => {
  let directory: string;
  let store: ColumnStore;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-spend-'));
    store = await openMigratedColumns({ directory, database: 'millrace' });
  });

  afterAll(async () => {
    await store.close();
    await rm(directory, { recursive: true });
  });

  it('equals plain addition by any fields, whatever became of the rows', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyStep, { minLength: 3, maxLength: 10, size: 'max' }),
        fc.array(anyQuery, { minLength: 4, maxLength: 8 }),
        async (steps, queries) => {
          await store.command('TRUNCATE TABLE millrace.usage');
          await store.command(
            'ALTER TABLE millrace.usage MODIFY SETTING materialize_projections_on_insert = 1',
          );
          const history = new History(store);
          for (const step of steps) await history.step(step);
          // Besides what was drawn, each field alone: over everything, and with an edge on both sides.
          const clipped = { from: new Date(start + 4_380_000), to: new Date(start + spanMs - 7_620_000) };
          const fields = [...costGroupFields, 'label:region' as const].flatMap((field) => [
            ...(isFullDepth ? [{ groupBy: [field] }] : []),
            { groupBy: [field], ...clipped },
            ...zones
              .slice(dayFields.some((name) => name === field) ? 1 : zones.length)
              .map((timeZone) => ({ groupBy: [field], ...clipped, timeZone })),
          ]);
          for (const query of [...queries, ...fields])
            expect(plainOf(await runCostQuery(store, query), query)).toEqual(
              plainReport(history.records, query),
            );
          const middle = new Date(start + 2 * 86_400_000 + 1_000_017);
          for (const groupBy of [[], ['team'], ['customer'], ['batch', 'waste']] as const) {
            const now = { groupBy, from: middle, to: clipped.to, messages: 'none' } as const;
            const before = { ...now, from: clipped.from, to: middle };
            const report = await runCostQuery(store, { ...now, previous: before });
            expect(plainPeriods(report, now)).toEqual(plainComparison(history.records, now, before));
          }
        },
      ),
      // Small values and few rows would leave the edges of periods empty.
      // A failure is told as it was drawn: looking for a smaller one takes longer than the test may.
      { numRuns: depth({ usual: 1, full: 5 }), plugins: [fc.unbiased()], endOnFailure: true },
    );
  }, 600_000);

  it('is read from its rollups wherever one has the fields', async () => {
    await store.command('TRUNCATE TABLE millrace.usage');
    await store.command('ALTER TABLE millrace.usage MODIFY SETTING materialize_projections_on_insert = 1');
    const history = new History(store);
    await history.step({ kind: 'calls', calls: fc.sample(anyCall, { seed: 7, numRuns: 3000 }) });
    const period = { from: new Date(start + 17), to: new Date(start + spanMs - 17) };
    // The table is small, where the engine would read rows as gladly: so it is told which it may prefer.
    const projectionsOf = async (query: CostQuery, preferred: string): Promise<string[]> => {
      const { sql, parameters } = new CostReportQuery(query).toSql(store.database);
      const plan = await store.query<{ explain: string }>(
        `EXPLAIN ${sql} SETTINGS preferred_optimize_projection_name = '${preferred}'`,
        parameters,
      );
      return plan.flatMap(
        ({ explain }) => /ReadFromMergeTree \((?<name>\w+)\)/.exec(explain)?.groups?.['name'] ?? [],
      );
    };
    const fields = costGroupFields.flatMap((field) => [[field], ['team' as const, field]]);
    const groups = [[], ...fields.filter((pair) => new Set(pair).size === pair.length)];
    for (const [at, groupBy] of groups.entries()) {
      // Without more time a fourth of the filters is tried with each field alone: with the next field another fourth.
      const isTried = (place: number): boolean =>
        isFullDepth || (groupBy.length < 2 && (place + at) % 4 === 0);
      for (const filter of [undefined, ...costFilterFields.filter((_, place) => isTried(place))]) {
        const filters =
          filter === undefined
            ? {}
            : {
                [filter]: [...new Set(history.records.map((record) => fieldOf(record, filter)))].slice(0, 2),
              };
        const query = { groupBy, filters, ...period, messages: 'none' } as const;
        const { rollups } = new CostReportQuery(query);
        for (const { projection } of rollups.map((name) => spendRollups[name]))
          expect(await projectionsOf(query, projection), JSON.stringify(query)).toContain(projection);
        if (rollups.length === 0) expect(await projectionsOf(query, ''), JSON.stringify(query)).toEqual([]);
      }
    }
    const days = { groupBy: ['team', 'day'], ...period, messages: 'none' } as const;
    const byHour = spendRollups.hour.projection;
    expect(await projectionsOf({ ...days, timeZone: 'Europe/Berlin' }, byHour)).toContain(byHour);
    expect(await projectionsOf({ ...days, timeZone: 'Asia/Kolkata' }, byHour)).toEqual([]);
    const { projection } = spendRollups.day;
    const read = await projectionsOf({ groupBy: ['team'], ...period }, projection);
    expect(read.filter((name) => name === projection)).toHaveLength(2);
  }, 300_000);

  it('has the same definition in the projections of the migrations', async () => {
    const text = await readFile(
      join(packageRoot(), 'clickhouse', 'migrations', '0006-spend-projections.sql'),
      'utf8',
    );
    const flat = text.replaceAll(/\s+/g, ' ');
    for (const rollup of Object.values(spendRollups))
      expect(flat).toContain(
        `ADD PROJECTION IF NOT EXISTS ${rollup.projection} ( ${projectionSql(rollup)} )`,
      );
  });
});
