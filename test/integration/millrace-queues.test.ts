import { rmSync } from 'node:fs';
import { InjectQueue } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  MillraceQueuesModule,
  Stage,
  type StageHandler,
  createMillraceApp,
  defineMessage,
  defineStage,
} from '../../src/millrace.ts';
import { TestKit } from '../../src/testing.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { RedisServer } from '../support/redis-server.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { newLedger } from '../support/shared-postgres.ts';

const NoteWritten = defineMessage('note.written').version(1, z.object({ text: z.string() }));
const read = defineStage('read', { consumes: NoteWritten.upTo(1), concurrency: 1 });
const origin = { team: 'blue', customer: 'acme', feature: 'notes' };

@Injectable()
class Inspector {
  readonly queue: Queue;
  constructor(@InjectQueue('read') queue: Queue) {
    this.queue = queue;
  }
}

describe("a stage's BullMQ queue", () => {
  const cleanups: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  });

  it.skipIf(!canRun(postgresPrograms()) || !canRun(redisPrograms()))(
    "is injected under the token of Nest's own BullMQ module, and shows the stage's jobs",
    async () => {
      const redis = await RedisServer.start();
      cleanups.push(() => redis.stop());
      const handling = Promise.withResolvers<void>();
      const mayEnd = Promise.withResolvers<void>();
      @Stage(read)
      class ReadStage implements StageHandler {
        async handle(): Promise<void> {
          handling.resolve();
          await mayEnd.promise;
        }
      }
      const dataDirectory = await newHostDirectory('millrace-queues-');
      cleanups.push(() => rmSync(dataDirectory, { recursive: true, force: true }));
      const app = await createMillraceApp({
        imports: [MillraceQueuesModule.forStages(read)],
        providers: [ReadStage, Inspector],
        http: false,
        environment: {},
        config: {
          dataDirectory,
          ledger: { url: await newLedger() },
          queue: { url: redis.url },
        },
        logger: silentLogger,
      });
      cleanups.push(() => app.close());
      const { queue } = app.nest.get(Inspector);
      await app.millrace.admit(NoteWritten.v1, { text: 'taken at once' }, { origin });
      await handling.promise;
      // The only slot is busy, so the stage's other workers are told of the next message, and there is none.
      await app.millrace.admit(NoteWritten.v1, { text: 'hello' }, { origin });
      await expect.poll(async () => (await queue.getActiveCount()) + (await queue.getWaitingCount())).toBe(1);
      const jobs = await queue.getJobs(['waiting', 'active']);
      expect(jobs.map((job) => job.id)).toEqual(['now']);
      mayEnd.resolve();
      await expect.poll(() => app.millrace.isIdle()).toBe(true);
      await expect.poll(() => queue.getActiveCount()).toBe(0);
    },
  );

  it('says why there is none in an embedded host', async () => {
    @Stage(read)
    class ReadStage implements StageHandler {
      handle(): void {}
    }
    const dataDirectory = await newHostDirectory('millrace-queues-');
    cleanups.push(() => rmSync(dataDirectory, { recursive: true, force: true }));
    const created = createMillraceApp({
      imports: [MillraceQueuesModule.forStages(read)],
      providers: [ReadStage, Inspector],
      http: false,
      environment: {},
      config: { dataDirectory },
      logger: silentLogger,
    });
    await expect(created).rejects.toMatchObject({ code: 'MILLRACE_QUEUE_NOT_BULLMQ' });
  });

  it('says why there is none in the test kit', async () => {
    @Stage(read)
    class ReadStage implements StageHandler {
      handle(): void {}
    }
    const create = TestKit.create({
      imports: [MillraceQueuesModule.forStages(read)],
      providers: [ReadStage, Inspector],
    });
    await expect(create).rejects.toMatchObject({ code: 'MILLRACE_QUEUE_NOT_BULLMQ' });
  });
});
