import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { migrate } from '../../src/drivers/sql-database/migrator.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { SweepLedger } from '../../src/ledger/sweep-ledger.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { Publisher } from '../../src/pipeline/publisher.ts';
import { defineStage } from '../../src/pipeline/stage-definition.ts';
import { StageRegistry } from '../../src/pipeline/stage-registry.ts';
import { Sweeper } from '../../src/pipeline/sweeper.ts';
import { metricCatalogue } from '../../src/telemetry/metric-catalogue.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { InlineQueueDriver } from '../../src/testing/inline-queue-driver.ts';
import { someAdmission, someLedger } from '../support/ledger-fixture.ts';

/* Messages whose tokens died with a process long ago, and whose next look by the sweeper is minutes away. */

const definition = defineStage('first', {
  consumes: defineMessage('thing.happened').version(1, z.unknown()).upTo(1),
});

let database: SqlDatabase;
let queues: InlineQueueDriver;
let publisher: Publisher;
let sweeper: Sweeper;
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
  const metrics = createMetrics(metricCatalogue);
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const common = { queues, clock, logger: silentLogger, metrics };
  publisher = new Publisher(common);
  sweeper = new Sweeper({ ...common, registry, publisher, ledger: new SweepLedger(database) });
});

let statements = 0;
const run = (text: string) => database.query({ name: `test.${(statements += 1)}`, text });

async function admit(count: number, dueFor: string): Promise<void> {
  const ledger = someLedger(database);
  await Promise.all(Array.from({ length: count }, () => ledger.admit(someAdmission())));
  await run(
    `update millrace.messages set available_at = now() - interval '${dueFor}', wake_at = now() + interval '5 minutes'`,
  );
}

/** Tokens in the stage's queue after one more look, some seconds later. */
async function tokensAfterLook(): Promise<number> {
  nowMs += 2000;
  await sweeper.sweep();
  await publisher.drain();
  return (await queues.queue('first').counts()).waiting;
}

it('get new ones once the queue of their stage is empty', async () => {
  await admit(3, '4 minutes');
  expect(await tokensAfterLook()).toBe(3);
});

it('get none as long as there are tokens: these serve all messages in their turn', async () => {
  await admit(3, '4 minutes');
  await queues
    .queue('first')
    .add([{ messageId: 'any', fence: 0, origin: someAdmission().envelope.origin, lane: 'bulk' }]);
  expect(await tokensAfterLook()).toBe(1);
});

it('get none while their first token may still be under way, or before they are due', async () => {
  await admit(3, '2 seconds');
  expect(await tokensAfterLook()).toBe(0);
  await run("update millrace.messages set available_at = now() + interval '1 minute'");
  expect(await tokensAfterLook()).toBe(0);
});

it('get new ones again when those are used up without any effect', async () => {
  await admit(2, '4 minutes');
  expect(await tokensAfterLook()).toBe(2);
  await queues.queue('first').clear();
  expect(await tokensAfterLook()).toBe(2);
});
