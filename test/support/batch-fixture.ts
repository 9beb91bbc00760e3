import { z } from 'zod';
import { type Batch, sourceOf } from '../../src/capabilities/batches/batch.ts';
import { type BatchRow, batchColumns, batchOf } from '../../src/capabilities/batches/batch-rows.ts';
import { batchSettingsSchema } from '../../src/capabilities/batches/batch-settings.ts';
import type { ItemValidator } from '../../src/capabilities/batches/done/batch-validator.ts';
import { BatchValidators } from '../../src/capabilities/batches/done/batch-validators.ts';
import { QualityGate } from '../../src/capabilities/batches/done/quality-gate.ts';
import { QualityLedger } from '../../src/capabilities/batches/done/quality-ledger.ts';
import { BatchOperations } from '../../src/capabilities/batches/run/batch-operations.ts';
import type { BatchRunner } from '../../src/capabilities/batches/run/batch-runner.ts';
import { BatchService } from '../../src/capabilities/batches/run/batch-service.ts';
import { BatchStore } from '../../src/capabilities/batches/run/batch-store.ts';
import { batchRunnerOf } from '../../src/capabilities/batches/run/open-run.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { CallLedger } from '../../src/engine/ledger/call-ledger.ts';
import type { SettledCall } from '../../src/engine/ledger/settlement.ts';
import { MessageLedger } from '../../src/engine/ledger/message-ledger.ts';
import { type AdmissionCheck, Admissions, messageIdOf } from '../../src/engine/pipeline/admissions.ts';
import { MessageBodies } from '../../src/engine/pipeline/message-bodies.ts';
import type { Publisher } from '../../src/engine/pipeline/publisher.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import { type RegisteredStage, StageRegistry } from '../../src/engine/pipeline/stage-registry.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { derivedId, newId, type Uuid } from '../../src/kernel/ids.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { allOf } from './all-of.ts';
import { emptyTables } from './empty-tables.ts';
import { someReservation, someSettlement } from './ledger-fixture.ts';
import { batchId } from './moded-batches.ts';

/* Batches on a real ledger, with a worker in the hand of the test. */

const definition = defineStage('sort', {
  consumes: defineMessage('thing.found')
    .version(1, z.object({ n: z.number() }))
    .upTo(1),
  pipeline: 'things',
});
const registry = new StageRegistry();
registry.register([{ definition, handler: { handle: () => undefined } }] as unknown as RegisteredStage[]);

const tables = [
  'webhook_attempts',
  'webhook_deliveries',
  'webhook_events',
  'webhook_endpoints',
  'batch_failures',
  'batch_items',
  'batch_chunks',
  'batches',
  'outbox',
  'calls',
  'failures',
  'dead_letter_actions',
  'operator_actions',
  'messages',
].map((table) => `millrace.${table}`);

/** A batch as a test wants it. */
export interface SomeBatch {
  readonly name?: string;
  readonly team?: string;
  /** How many items; the n-th has the id "item-n" and the data {"n": n}. */
  readonly items: number;
  readonly chunk?: number;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly priority?: number;
  readonly deadline?: Date;
  /** Of items that name their own. */
  readonly teamOf?: (n: number) => string | undefined;
  readonly customerOf?: (n: number) => string | undefined;
  readonly state?: 'receiving' | 'running';
}

/** What becomes of an item's message: how the test's worker ends it. */
export type Fate =
  | { readonly kind: 'says'; readonly data: unknown; readonly costUsd?: string }
  | { readonly kind: 'returns'; readonly result: unknown }
  | { readonly kind: 'dies'; readonly code: string; readonly costUsd?: string }
  | { readonly kind: 'stays' }
  /** Has asked a model, and waits for the answer: see `answer`. */
  | {
      readonly kind: 'asks';
      readonly callId: Uuid;
      readonly ordinal?: number;
      readonly isDeferred?: boolean;
    };

interface OpenRow {
  readonly id: Uuid;
  readonly item: string;
  readonly team: string;
  readonly fencing_token: number;
  readonly deliveries: number;
}

/** One process that runs batches, over a database of its own view. */
export interface RunnerProcess {
  readonly runner: BatchRunner;
  readonly notified: string[];
}

export class BatchFixture {
  readonly database: SqlDatabase;
  readonly service: BatchService;
  readonly store: BatchStore;
  /** Of quality gates. */
  readonly clock = new ManualClock();
  readonly #runner: BatchRunner;

  private constructor(database: SqlDatabase) {
    this.database = database;
    this.store = new BatchStore(database);
    const operations = new BatchOperations(database, systemClock);
    this.service = new BatchService({ store: this.store, operations, clock: systemClock });
    this.#runner = this.process(database).runner;
  }

  static async begin(database: SqlDatabase): Promise<BatchFixture> {
    await emptyTables(database, tables);
    return new BatchFixture(database);
  }

  /** Another process, which may have a check of its own before messages are admitted. */
  process(database: SqlDatabase, check?: AdmissionCheck): RunnerProcess {
    const ledger = new MessageLedger({ database, clock: systemClock, worker: 'dispatcher' });
    const payloads = { put: () => Promise.reject(new Error('no payloads here')) };
    const bodies = new MessageBodies(payloads as never, { inlineBytes: 100_000, maxBytes: 100_000 });
    const notified: string[] = [];
    const publisher = {
      enqueued: ({ id }: { readonly id: Uuid }) => notified.push(id),
      notify: (_stage: string, id: Uuid) => notified.push(id),
      slotFor: () => undefined,
    } as unknown as Publisher;
    const admissions = new Admissions({
      ledger,
      registry,
      bodies,
      publisher,
      clock: systemClock,
      ...(check === undefined ? {} : { check }),
    });
    const runner = batchRunnerOf({
      database,
      metrics: createMetrics(metricCatalogue),
      clock: systemClock,
      logger: silentLogger,
      engine: { admissions, bodies, publisher, registry },
    });
    return { runner, notified };
  }

  /** The quality gate of a process with these validators. */
  gate(
    validators: Readonly<Record<string, ItemValidator>>,
    database: SqlDatabase = this.database,
  ): QualityGate {
    const known = new BatchValidators();
    known.register(Object.entries(validators).map(([name, validator]) => ({ name, validator })));
    return new QualityGate({
      ledger: new QualityLedger(database),
      validators: known,
      bodies: { read: () => Promise.reject(new Error('no payloads here')) },
      metrics: createMetrics(metricCatalogue),
      clock: this.clock,
      logger: silentLogger,
    });
  }

  /** A batch as it is when its intake has started it. */
  async submit(some: SomeBatch): Promise<Uuid> {
    const { name = 'night', team = 'blue', items, chunk = 10, settings = {}, priority = 0 } = some;
    const { state = 'running', deadline, teamOf, customerOf } = some;
    const id = batchId(team, name);
    const chunks = Math.ceil(items / chunk);
    await this.#run(
      'insert_batch',
      `insert into millrace.batches (id, team, name, customer, feature, pipeline, type, version, settings, state, priority, deadline, upload_state,
         items, chunks, actor, started_at)
       values ($1, $2, $3, 'acme', 'search', 'things', 'thing.found', 1, $4, $5, $6, $7, 'complete', $8, $9, 'ann', clock_timestamp())`,
      [
        id,
        team,
        name,
        JSON.stringify(batchSettingsSchema.parse(settings)),
        state,
        priority,
        deadline,
        items,
        chunks,
      ],
    );
    await this.#run(
      'insert_chunks',
      `insert into millrace.batch_chunks (batch_id, chunk, first_position, items)
       select $1::uuid, n, (n - 1) * $3::int + 1, least($3::int, $2::int - (n - 1) * $3::int) from generate_series(1, $4::int) n`,
      [id, items, chunk, chunks],
    );
    const rows = Array.from({ length: items }, (_, index) => {
      const n = index + 1;
      const itemId = `item-${n}`;
      const own = { team: teamOf?.(n), customer: customerOf?.(n) };
      return {
        position: n,
        item_id: itemId,
        chunk: Math.floor(index / chunk) + 1,
        message_id: messageIdOf(own.team ?? team, sourceOf(id), itemId),
        ...own,
        data: JSON.stringify({ n }),
      };
    });
    await this.#run(
      'insert_items',
      `insert into millrace.batch_items (batch_id, position, item_id, chunk, message_id, team, customer, data, data_bytes, tokens)
       select $1::uuid, r.position, r.item_id, r.chunk, r.message_id, r.team, r.customer, r.data, length(r.data), 1
       from json_to_recordset($2::json) as r(position int, item_id text, chunk int, message_id uuid, team text, customer text, data text)`,
      [id, JSON.stringify(rows)],
    );
    return id;
  }

  /** Turns of one process until it has nothing more to do at once. */
  async turns(runner: BatchRunner = this.#runner): Promise<void> {
    for (let turn = 0; await runner.turn(); turn += 1) if (turn > 500) throw new Error('It never rests.');
  }

  /** One turn. */
  turn(): Promise<boolean> {
    return this.#runner.turn();
  }

  /** The worker: takes every message that waits, and ends each as the test says, by the number of its item. */
  async work(fateOf: (n: number, row: { readonly team: string }) => Fate): Promise<number> {
    const messages = new MessageLedger({ database: this.database, clock: systemClock, worker: 'worker-1' });
    const calls = new CallLedger({ database: this.database, clock: systemClock });
    const { rows } = await this.database.query<OpenRow>({
      name: 'test.take_all',
      text: `update millrace.messages set state = 'leased', fencing_token = fencing_token + 1, deliveries = deliveries + 1, leased_by = 'worker-1',
           leased_at = clock_timestamp(), lease_until = clock_timestamp() + interval '1 minute', sweep_at = clock_timestamp() + interval '1 minute'
         where state = 'pending' and stage <> '' returning id, item, team, fencing_token, deliveries`,
    });
    for (const row of rows) {
      const run = { id: row.id, fencingToken: row.fencing_token };
      const fate = fateOf(Number(row.item.slice('item-'.length)), row);
      if (fate.kind === 'asks') {
        const { callId: id, ordinal = 0, isDeferred = false } = fate;
        const requestKind = isDeferred ? 'batch' : 'single';
        await calls.reserve(
          someReservation({ id, message: run, attempt: row.deliveries, ordinal, requestKind }),
        );
      }
      if ('costUsd' in fate && fate.costUsd !== undefined) {
        const id = newId(new Date());
        await calls.reserve(someReservation({ id, message: run, attempt: row.deliveries }));
        await calls.settle(someSettlement({ id, costUsd: usd(fate.costUsd) }));
      }
      await this.#end(messages, run, fate);
    }
    return rows.length;
  }

  /** What became of a call that a message asked for, after whatever became of the message. */
  async answer(id: Uuid, parts: Partial<SettledCall> = {}): Promise<void> {
    const calls = new CallLedger({ database: this.database, clock: systemClock });
    await calls.settle(someSettlement({ id, ...parts }));
  }

  /** What all calls cost, and what of it is waste and why. */
  async spend(): Promise<{ readonly totalUsd: string; readonly waste: Readonly<Record<string, string>> }> {
    const { rows } = await this.database.query<{ readonly reason: string; readonly cost_usd: string }>({
      name: 'test.spend',
      text: `select coalesce(waste_reason, '') as reason, coalesce(sum(cost_usd), 0)::text as cost_usd from millrace.calls
         group by waste_reason order by reason`,
    });
    const totalUsd = formatUsd(sumUsd(rows.map((row) => usd(row.cost_usd))));
    const waste = rows.filter(({ reason }) => reason !== '');
    return {
      totalUsd,
      waste: Object.fromEntries(waste.map((row) => [row.reason, formatUsd(usd(row.cost_usd))])),
    };
  }

  /** Lets everything that waits for a time be due. */
  async passTime(): Promise<void> {
    await this.database.execute(
      `update millrace.batch_chunks set next_at = clock_timestamp() - interval '1 second' where next_at is not null`,
    );
  }

  async batch(id: Uuid): Promise<Batch> {
    const { rows } = await this.database.query<BatchRow>(
      { name: 'test.batch', text: `select ${batchColumns} from millrace.batches b where b.id = $1::uuid` },
      [id],
    );
    const [row] = rows;
    if (row === undefined) throw new Error('There is no such batch.');
    return batchOf(row);
  }

  async chunkStates(id: Uuid): Promise<readonly string[]> {
    const { rows } = await this.database.query<{ readonly state: string }>(
      {
        name: 'test.chunks',
        text: 'select state from millrace.batch_chunks where batch_id = $1::uuid order by chunk',
      },
      [id],
    );
    return rows.map(({ state }) => state);
  }

  async itemStates(id: Uuid): Promise<readonly string[]> {
    const items = await this.store.items(await this.batch(id), {}, { after: 0, limit: 10_000 });
    return items.map(({ state }) => state);
  }

  /** The whole output, as a caller gets it. */
  async output(id: Uuid, options = { isPartial: false }): Promise<string> {
    const { pieces } = await this.service.output(id, {}, options);
    return (await allOf(pieces)).join('');
  }

  async messageStates(): Promise<Readonly<Record<string, number>>> {
    const { rows } = await this.database.query<{ readonly state: string; readonly count: number }>({
      name: 'test.message_states',
      text: `select state, count(*)::int as count from millrace.messages where stage <> '' group by state order by state`,
    });
    return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
  }

  async audit(): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const { rows } = await this.database.query({
      name: 'test.audit',
      text: 'select actor, action, target, affected, reason, team from millrace.operator_actions order by at, id',
    });
    return rows;
  }

  async #end(
    messages: MessageLedger,
    run: { readonly id: Uuid; readonly fencingToken: number },
    fate: Fate,
  ): Promise<void> {
    switch (fate.kind) {
      case 'asks':
        return;
      case 'stays':
        await messages.release([{ ...run, leaseMs: 1000 }]);
        return;
      case 'dies': {
        const detail = JSON.stringify({ chain: [{ code: fate.code, message: `died of ${fate.code}` }] });
        const end = { ...run, state: 'dead_lettered', code: fate.code, detail, outcomeLine: '{}' } as const;
        if (!(await messages.end(end))) throw new Error('the lease had passed on');
        return;
      }
      case 'returns':
      case 'says': {
        const json = fate.kind === 'says' ? JSON.stringify(fate.data) : '';
        const emissions = [
          {
            id: derivedId(new Date(0), 'output', run.id),
            source: 'test',
            type: 'thing.sorted',
            version: 1,
            pipeline: 'things',
            stage: '',
            owner: 'platform',
            lane: 'bulk',
            traceParent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
            body: { kind: 'inline', json } as const,
            bodyBytes: json.length,
          },
        ];
        const result = fate.kind === 'returns' ? JSON.stringify(fate.result) : undefined;
        const finish = { ...run, result, emissions: fate.kind === 'says' ? emissions : [], durationMs: 1 };
        if (!(await messages.finish(finish))) throw new Error('the lease had passed on');
      }
    }
  }

  async #run(name: string, text: string, parameters: readonly unknown[]): Promise<void> {
    await this.database.query({ name: `test.${name}`, text }, parameters);
  }
}
