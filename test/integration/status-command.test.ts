import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { createMillraceApp } from '../../src/host/create-millrace-app.ts';
import { defineMessage, defineStage, Stage, type StageContext } from '../../src/millrace.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { runCommand } from '../support/run-command.ts';

const Task = defineMessage('task').version(1, z.object({}));
const slow = defineStage('slow', { consumes: Task.v1, concurrency: 1 });

const Later = defineMessage('later').version(1, z.object({}));
const late = defineStage('late', { consumes: Later.v1 });
const statusSchema = z.object({
  stages: z.array(z.object({ stage: z.string(), oldestSeconds: z.number() })),
});

@Stage(late)
class LateStage {
  async handle() {}
}

/** Works until the host stops. */
@Stage(slow)
class SlowStage {
  async handle(_: unknown, { signal }: StageContext) {
    if (!signal.aborted) await once(signal, 'abort');
    signal.throwIfAborted();
  }
}

it('tells what is due to wait for a worker beside a host, and for a host where none runs', async () => {
  // Nothing is there: the host makes it.
  const directory = await mkdtemp(join(tmpdir(), 'mr-due-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const status = async (): Promise<string> => (await runCommand(['status', '--data', directory])).stdout;
  const { logger, lines } = recordingLogger();
  const app = await createMillraceApp({
    logger,
    environment: {},
    http: false,
    signals: false,
    progress: false,
    providers: [SlowStage, LateStage],
    config: { dataDirectory: directory, shutdownGraceMs: 1000, logging: { level: 'silent' } },
  });
  try {
    // Nobody sits at a terminal: one line says what takes so long.
    expect(lines[0]?.message).toMatch(/^opening the stores: the first start/);
    const origin = { team: 'blue', customer: 'acme', feature: 'search' };
    // The only place is taken by the first.
    for (let count = 0; count < 2; count += 1) await app.millrace.admit(Task.v1, {}, { origin });
    await app.millrace.admit(Later.v1, {}, { origin, delay: '2h' });
    await expect.poll(status, { timeout: 20_000 }).toContain('a higher worker.concurrency');
    // What starts later is not late, however long it has been there.
    const { stdout } = await runCommand(['status', '--data', directory, '--json']);
    const stages = statusSchema.parse(JSON.parse(stdout)).stages;
    expect(stages.find(({ stage }) => stage === 'late')).toEqual({ stage: 'late', oldestSeconds: 0 });
    expect(stages.find(({ stage }) => stage === 'slow')?.oldestSeconds).toBeGreaterThan(0);
  } finally {
    await app.close();
  }
  const alone = await status();
  expect(alone).toContain('Wasted in the last hour: nothing');
  expect(alone).toContain('no host runs on this installation');
  expect(alone).not.toContain('concurrency');
}, 60_000);
