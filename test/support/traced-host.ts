import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigurationInput } from '../../src/host/configuration.ts';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { MemoryEventLogDriver } from '../../src/drivers/event-log/event-log.memory.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { FilesPayloadStore } from '../../src/drivers/payload-store/payload-store.files.ts';
import { openMigratedPglite } from '../../src/drivers/sql-database/migrated-pglite.ts';
import { ScriptedModel, type ScriptedUsage } from '../../src/testing/scripted-model.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { createLogger } from '../../src/telemetry/logging.ts';
import { InlineQueueDriver } from '../../src/testing/inline-queue-driver.ts';
import { OtlpReceiver, type ReceivedSpan } from './otlp-receiver.ts';
import { absentColumns } from './worker-hosts.ts';
import { outboxLines } from './ledger-fixture.ts';

/** A host with a ledger in memory whose spans go to a receiver of its own. */
export interface TracedHost {
  readonly host: Host;
  readonly model: ScriptedModel;
  /** The log as it is written, a JSON object a line. */
  readonly log: readonly Record<string, unknown>[];
  /** Works until nothing is due. */
  runDue(): Promise<void>;
  /** Usage records that wait for their export. */
  usageRecords(): Promise<Record<string, unknown>[]>;
  /** Stops the host, which exports what waits, and answers what arrived. */
  spans(): Promise<readonly ReceivedSpan[]>;
  close(): Promise<void>;
}

export interface TracedHostOptions {
  readonly stages: readonly RegisteredStage[];
  /** False: no endpoint is configured, though a receiver listens. */
  readonly isTraced?: boolean;
  readonly tracing?: ConfigurationInput['tracing'];
  readonly usage?: ScriptedUsage;
}

export async function startTracedHost(options: TracedHostOptions): Promise<TracedHost> {
  const { stages, isTraced = true, tracing = {}, usage = { uncachedInput: 1000, textOutput: 100 } } = options;
  const directory = await mkdtemp(join(tmpdir(), 'millrace-traced-'));
  const receiver = new OtlpReceiver();
  const endpoint = await receiver.start();
  const database = await openMigratedPglite();
  const queues = new InlineQueueDriver();
  const log: Record<string, unknown>[] = [];
  const model = new ScriptedModel(() => ({ text: 'An answer.', usage }), 'gpt-5-mini');
  const host = await Host.over({
    configuration: {
      ...loadConfiguration({
        environment: {},
        options: {
          dataDirectory: directory,
          limits: { circuit: { enabled: false }, retryBudget: { enabled: false } },
          tracing: { ...tracing, ...(isTraced ? { endpoint } : {}) },
        },
      }),
      roles: ['worker'],
    },
    logger: createLogger({
      level: 'debug',
      destination: { write: (line) => void log.push(JSON.parse(line) as Record<string, unknown>) },
    }),
    stores: {
      database,
      payloads: await new FilesPayloadStore({ directory }).open(new Date()),
      queues,
      columns: absentColumns,
      eventLogs: new MemoryEventLogDriver({ clock: systemClock }),
      isEmbedded: true,
      close: () => database.close(),
    },
    modelProviders: { openai: { kind: 'custom', model: () => model } },
  });
  await host.start(stages);
  return {
    host,
    model,
    log,
    async runDue() {
      do await host.settlePublishing();
      while (await queues.runNext());
    },
    async usageRecords() {
      const lines = await outboxLines(database, 'usage');
      return lines.toSorted().map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    async spans() {
      await host.stop();
      return receiver.spans();
    },
    async close() {
      await host.stop();
      await receiver.stop();
      await rm(directory, { recursive: true });
    },
  };
}
