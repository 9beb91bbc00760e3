import { Logger, makeWorkerUtils, type Runner, run } from 'graphile-worker';
import { inGroups, jobData, type Subject, type SubjectOptions, until } from './subject.ts';

/** As its own page on performance sets it: https://worker.graphile.org/docs/performance */
const settings = {
  concurrentJobs: 24,
  maxPoolSize: 25,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
};
const task = 'noop';
const logger = new Logger(() => () => undefined);

/** graphile-worker with a task that does nothing. */
export async function openGraphileWorker({ postgresUrl }: SubjectOptions): Promise<Subject> {
  if (postgresUrl === undefined) throw new Error('graphile-worker needs PostgreSQL');
  const preset = { worker: { connectionString: postgresUrl, ...settings } };
  const utils = await makeWorkerUtils({ preset, logger });
  await utils.migrate();
  let runner: Runner | undefined;
  const add = (count: number): Promise<void> =>
    inGroups(count, (size) =>
      utils.addJobs(Array.from({ length: size }, () => ({ identifier: task, payload: jobData }))),
    );
  return {
    settings:
      'concurrentJobs 24, localQueue.size 500, completeJobBatchDelay 0 (as its page on performance has it), addJobs',
    async start(onHandled) {
      runner = await run({
        preset,
        logger,
        noHandleSignals: true,
        parsedCronItems: [],
        taskList: { [task]: () => onHandled() },
      });
    },
    feed: add,
    addBacklog: add,
    async sendOne() {
      await utils.addJob(task, jobData);
    },
    async untilDone() {
      await until(async () => {
        const { rows } = await utils.withPgClient((client) =>
          client.query('select 1 from graphile_worker.jobs limit 1'),
        );
        return rows.length === 0;
      });
      return undefined;
    },
    async stop() {
      await runner?.stop();
      await utils.release();
    },
  };
}
