import { Queue, Worker } from 'bullmq';
import { inGroups, jobData, type Subject, type SubjectOptions, until } from './subject.ts';

const options = { removeOnComplete: true, removeOnFail: true };

/** BullMQ on its own, with a processor that does nothing. */
export async function openBullMq({ name, redisUrl, concurrency }: SubjectOptions): Promise<Subject> {
  const { hostname, port } = new URL(redisUrl);
  const connection = { host: hostname, port: Number(port), maxRetriesPerRequest: null };
  const queue = new Queue(name, { connection });
  await queue.waitUntilReady();
  let worker: Worker | undefined;
  const add = (count: number): Promise<void> =>
    inGroups(count, (size) =>
      queue.addBulk(Array.from({ length: size }, () => ({ name: 'job', data: jobData, opts: options }))),
    );
  return {
    settings: `one worker of concurrency ${concurrency}, addBulk`,
    async start(onHandled) {
      worker = new Worker(
        name,
        () => {
          onHandled();
          return Promise.resolve();
        },
        { connection, concurrency, removeOnComplete: { count: 0 }, removeOnFail: { count: 0 } },
      );
      await worker.waitUntilReady();
    },
    feed: add,
    addBacklog: add,
    async sendOne() {
      await queue.add('job', jobData, options);
    },
    async untilDone() {
      await until(
        async () => (await queue.getJobCountByTypes('waiting', 'active', 'prioritized', 'delayed')) === 0,
      );
      return undefined;
    },
    async stop() {
      await worker?.close();
      await queue.close();
    },
  };
}
