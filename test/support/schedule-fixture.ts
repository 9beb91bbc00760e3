import { z } from 'zod';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { MessageLedger } from '../../src/engine/ledger/message-ledger.ts';
import { Admissions } from '../../src/engine/pipeline/admissions.ts';
import { MessageBodies } from '../../src/engine/pipeline/message-bodies.ts';
import type { Publisher } from '../../src/engine/pipeline/publisher.ts';
import { type RegisteredStage, StageRegistry } from '../../src/engine/pipeline/stage-registry.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import type { Operator } from '../../src/http/operator.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Uuid } from '../../src/kernel/ids.ts';
import { defineMessage, defineStage } from '../../src/millrace.ts';
import { RunLedger } from '../../src/capabilities/schedules/run-ledger.ts';
import {
  type ScheduleRequest,
  scheduleRequestSchema,
} from '../../src/capabilities/schedules/schedule-requests.ts';
import { ScheduleRunner } from '../../src/capabilities/schedules/schedule-runner.ts';
import { ScheduleService } from '../../src/capabilities/schedules/schedule-service.ts';
import { ScheduleStore } from '../../src/capabilities/schedules/schedule-store.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { emptyTables } from './empty-tables.ts';

const Reported = defineMessage('report.asked').version(1, z.object({ region: z.string() }));
const report = defineStage('report', { consumes: Reported.upTo(1) });
export const scheduleOperator: Operator = { actor: 'ann' };

/** A process that runs schedules. */
export interface ScheduleProcess {
  readonly runner: ScheduleRunner;
  readonly metrics: Metrics<typeof metricCatalogue>;
}

/** A run as its row tells it. */
interface StoredRun {
  readonly name: string;
  readonly at: Date;
  readonly kind: string;
  readonly state: string;
  readonly times: number;
  readonly error_code: string | null;
  readonly message_ids: readonly Uuid[] | null;
}

/** A message of a schedule. */
interface ScheduledMessage {
  readonly id: Uuid;
  readonly source: string;
  readonly event_id: string;
  readonly item: string;
  readonly team: string;
  readonly created_at: Date;
}

/** Schedules on a ledger, with processes that run them. */
export class ScheduleFixture {
  readonly database: SqlDatabase;
  readonly store: ScheduleStore;
  readonly service: ScheduleService;
  readonly bounds = { max: 2000, maxPerTeam: 1500, shortestIntervalSeconds: 1 };

  private constructor(database: SqlDatabase) {
    this.database = database;
    this.store = new ScheduleStore({ database, clock: systemClock, bounds: this.bounds });
    this.service = scheduleServiceOver(database, admissionsOn(database), this.store);
  }

  static async begin(database: SqlDatabase): Promise<ScheduleFixture> {
    await emptyTables(database, [
      'millrace.messages',
      'millrace.calls',
      'millrace.outbox',
      'millrace.schedules',
    ]);
    await database.execute(`delete from millrace.operator_actions`);
    return new ScheduleFixture(database);
  }

  process(database: SqlDatabase = this.database): ScheduleProcess {
    const metrics = createMetrics(metricCatalogue);
    const ledger = new RunLedger(database);
    const admissions = admissionsOn(database);
    return { runner: new ScheduleRunner({ ledger, admissions, logger: silentLogger, metrics }), metrics };
  }

  request(parts: object = {}): ScheduleRequest {
    return scheduleRequestSchema.parse({
      name: 'daily',
      cron: '0 6 * * *',
      message: {
        type: 'report.asked',
        data: { region: 'eu' },
        origin: { team: 'blue', customer: 'acme', feature: 'reports' },
      },
      ...parts,
    });
  }

  async create(parts: object = {}): Promise<Uuid> {
    return (await this.service.create(this.request(parts), scheduleOperator)).schedule.id;
  }

  /** As if the schedule had had this for its next time, however long ago. */
  async setNext(id: Uuid, at: Date): Promise<void> {
    await this.database.query(
      {
        name: 'test.set_next',
        text: `update millrace.schedules set next_at = $2::timestamptz,
          due_at = $2::timestamptz + offset_ms * interval '1 millisecond' where id = $1::uuid`,
      },
      [id, at],
    );
  }

  async runs(): Promise<readonly StoredRun[]> {
    const { rows } = await this.database.query<StoredRun>({
      name: 'test.runs',
      text: `select s.name, r.at, r.kind, r.state, r.times, r.error_code, r.message_ids from millrace.schedule_runs r
        join millrace.schedules s on s.id = r.schedule_id order by s.name, r.at, r.kind`,
    });
    return rows;
  }

  async messages(): Promise<readonly ScheduledMessage[]> {
    const { rows } = await this.database.query<ScheduledMessage>({
      name: 'test.messages',
      text: `select id, source, event_id, item, team, created_at from millrace.messages order by source, event_id`,
    });
    return rows;
  }

  /** Until nothing is due. */
  async work({ runner }: ScheduleProcess): Promise<void> {
    while (await runner.turn());
  }
}

/** Schedules as the API works on them. */
export function scheduleServiceOver(
  database: SqlDatabase,
  admissions: Pick<Admissions, 'checkData'>,
  store = new ScheduleStore({
    database,
    clock: systemClock,
    bounds: { max: 5000, maxPerTeam: 5000, shortestIntervalSeconds: 10 },
  }),
): ScheduleService {
  return new ScheduleService({
    store,
    runs: new RunLedger(database),
    database,
    clock: systemClock,
    admissions,
  });
}

function admissionsOn(database: SqlDatabase): Admissions {
  const registry = new StageRegistry();
  registry.register([
    { definition: report, handler: { handle: () => undefined } } as unknown as RegisteredStage,
  ]);
  const publisher = { enqueued: () => undefined, slotFor: () => undefined } as unknown as Publisher;
  const payloads = { put: () => Promise.reject(new Error('no payloads here')) };
  return new Admissions({
    ledger: new MessageLedger({ database, clock: systemClock, worker: 'schedules' }),
    registry,
    bodies: new MessageBodies(payloads as never, { inlineBytes: 100_000, maxBytes: 100_000 }),
    publisher,
    clock: systemClock,
  });
}
