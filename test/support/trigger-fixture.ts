import { z } from 'zod';
import type { EventSource } from '../../src/capabilities/triggers/source/event-source.ts';
import { TriggerIntake } from '../../src/capabilities/triggers/trigger-intake.ts';
import { TriggerPump } from '../../src/capabilities/triggers/trigger-pump.ts';
import { UnreadableEvents } from '../../src/capabilities/triggers/unreadable-events.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { MessageLedger } from '../../src/engine/ledger/message-ledger.ts';
import { type AdmissionCheck, Admissions } from '../../src/engine/pipeline/admissions.ts';
import { MessageBodies } from '../../src/engine/pipeline/message-bodies.ts';
import type { Publisher } from '../../src/engine/pipeline/publisher.ts';
import { type RegisteredStage, StageRegistry } from '../../src/engine/pipeline/stage-registry.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { defineMessage, definePipeline, defineStage, defineTrigger } from '../../src/millrace.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { emptyTables } from './empty-tables.ts';

/* Triggers on a real ledger, with processes that consume a real source. */

const TicketCreated = defineMessage('ticket.created').version(
  1,
  z.object({ customer: z.string(), number: z.number().int() }),
);

export const tickets = defineTrigger('tickets', {
  message: TicketCreated.v1,
  origin: { team: { fixed: 'support' }, customer: { payload: 'customer' }, feature: { fixed: 'triage' } },
  orderBy: 'key',
});
const pipeline = definePipeline('tickets', {
  input: TicketCreated.v1,
  stages: ['triage'],
  triggers: [tickets],
});
const triage = defineStage('triage', { consumes: TicketCreated.v1, pipeline });

/** An admitted event. */
export interface AdmittedEvent {
  readonly event_id: string;
  readonly customer: string;
  readonly order_key: string;
  readonly body: string;
}

export interface KeptEvent {
  readonly partition: string;
  readonly position: string;
  readonly key: string | null;
  readonly payload: string;
  readonly error_code: string;
}

export class TriggerFixture {
  readonly database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.database = database;
  }

  async begin(): Promise<void> {
    await emptyTables(this.database, ['millrace.messages', 'millrace.outbox', 'millrace.unreadable_events']);
  }

  /** What consumes the source in a process of its own. */
  pump(
    source: EventSource,
    {
      database = this.database,
      check,
      maxGroup = 3,
    }: {
      readonly database?: SqlDatabase;
      readonly check?: AdmissionCheck;
      readonly maxGroup?: number;
    } = {},
  ): TriggerPump {
    return new TriggerPump({
      trigger: tickets,
      source,
      intake: new TriggerIntake({
        admissions: admissionsOn(database, check),
        unreadable: new UnreadableEvents(database),
      }),
      metrics: createMetrics(metricCatalogue),
      clock: systemClock,
      logger: silentLogger,
      maxGroup,
    });
  }

  /** Consumes until nothing waits at the source. */
  async drain(pump: TriggerPump): Promise<void> {
    do await pump.run(systemClock.monotonicMs() + 50, new AbortController().signal);
    while ((await pump.lag()) > 0);
  }

  /** In the order in which they will be worked on. */
  async admitted(): Promise<readonly AdmittedEvent[]> {
    const { rows } = await this.database.query<AdmittedEvent>({
      name: 'test.admitted_events',
      text: 'select event_id, customer, order_key, body from millrace.messages order by order_place, id',
    });
    return rows;
  }

  async kept(): Promise<readonly KeptEvent[]> {
    const { rows } = await this.database.query<KeptEvent>({
      name: 'test.kept_events',
      text: `select partition, position, key, encode(payload, 'escape') as payload, error_code
        from millrace.unreadable_events order by trigger, partition, position`,
    });
    return rows;
  }
}

function admissionsOn(database: SqlDatabase, check: AdmissionCheck | undefined): Admissions {
  const registry = new StageRegistry();
  registry.register([
    { definition: triage, handler: { handle: () => undefined } } as unknown as RegisteredStage,
  ]);
  const publisher = { enqueued: () => undefined, slotFor: () => undefined } as unknown as Publisher;
  const payloads = { put: () => Promise.reject(new Error('no payloads here')) };
  return new Admissions({
    ledger: new MessageLedger({ database, clock: systemClock, worker: 'triggers' }),
    registry,
    bodies: new MessageBodies(payloads as never, { inlineBytes: 100_000, maxBytes: 100_000 }),
    publisher,
    clock: systemClock,
    ...(check === undefined ? {} : { check }),
  });
}
