import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { migrate } from '../../src/drivers/sql-database/migrator.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { LedgerCounts } from '../../src/engine/ledger/ledger-counts.ts';
import { SweepLedger } from '../../src/engine/ledger/sweep-ledger.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { Publisher } from '../../src/engine/pipeline/publisher.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import { StageRegistry } from '../../src/engine/pipeline/stage-registry.ts';
import { OverdueStages } from '../../src/engine/maintenance/overdue-stages.ts';
import { Sweeper } from '../../src/engine/maintenance/sweeper.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { MillraceMetrics } from '../../src/host/metric-catalogue.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { InlineQueueDriver } from '../../src/testing/inline-queue-driver.ts';
import { someAdmission, someLedger } from '../support/ledger-fixture.ts';

/*
 * A stage whose notifications died with a process long ago: nobody looks at its messages one by one.
 */

const definition = defineStage('first', {
  consumes: defineMessage('thing.happened').version(1, z.unknown()).upTo(1),
});

let database: SqlDatabase;
let queues: InlineQueueDriver;
let publisher: Publisher;
let sweeper: Sweeper;
let metrics: MillraceMetrics;
let nowMs = 0;
beforeAll(async () => {
  database = await PgliteSqlDatabase.open();
  await migrate(database);
});
afterAll(() => database.close());
beforeEach(async () => {
  await run('delete from millrace.messages');
  queues = new InlineQueueDriver();
  const registry = new StageRegistry();
  registry.register([{ definition, handler: { handle: () => undefined } }]);
  metrics = createMetrics(metricCatalogue);
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const common = { queues, clock, logger: silentLogger, metrics };
  publisher = new Publisher(common);
  const surroundings = { ...common, registry, publisher };
  const overdue = new OverdueStages({ ...surroundings, counts: new LedgerCounts(database) });
  sweeper = new Sweeper({ ...surroundings, ledger: new SweepLedger(database), overdue });
});

let statements = 0;
const run = (text: string) => database.query({ name: `test.${(statements += 1)}`, text });

async function admit(count: number, dueFor: string): Promise<void> {
  const ledger = someLedger(database);
  await Promise.all(Array.from({ length: count }, () => ledger.admit(someAdmission())));
  await run(`update millrace.messages set available_at = now() - interval '${dueFor}'`);
}

/** Whether something is in the stage's queue after one more look, some seconds later. */
async function isToldAfterLook(): Promise<boolean> {
  nowMs += 2000;
  await sweeper.sweep();
  await publisher.drain();
  return (await queues.queue('first').counts()).waiting > 0;
}

it('is told again once its queue is empty', async () => {
  await admit(3, '4 minutes');
  expect(await isToldAfterLook()).toBe(true);
});

it('is left alone as long as a notification waits: whoever takes it takes all that are due', async () => {
  await admit(3, '4 minutes');
  await queues.queue('first').add([{}]);
  const metric = 'millrace_sweeper_republished_total{reason="overdue"}';
  expect(await isToldAfterLook()).toBe(true);
  expect((await metrics.render()).body).not.toContain(metric);
});

it('is left alone while its first notification may still be under way, or before messages are due', async () => {
  await admit(3, '2 seconds');
  expect(await isToldAfterLook()).toBe(false);
  await run("update millrace.messages set available_at = now() + interval '1 minute'");
  expect(await isToldAfterLook()).toBe(false);
});

it('is told again when that went without any effect', async () => {
  await admit(2, '4 minutes');
  expect(await isToldAfterLook()).toBe(true);
  await queues.queue('first').clear();
  expect(await isToldAfterLook()).toBe(true);
});
