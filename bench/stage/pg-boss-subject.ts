import { PgBoss } from 'pg-boss';
import { inGroups, jobData, type Subject, type SubjectOptions, until } from './subject.ts';

const queue = 'noop';
const localConcurrency = 2;
const batchSize = 500;

/** pg-boss with a handler that does nothing with its batch. */
export async function openPgBoss({ postgresUrl }: SubjectOptions): Promise<Subject> {
  if (postgresUrl === undefined) throw new Error('pg-boss needs PostgreSQL');
  const boss = new PgBoss({ connectionString: postgresUrl, useListenNotify: true });
  let failure: Error | undefined;
  boss.on('error', (error) => {
    failure ??= error;
  });
  await boss.start();
  await boss.createQueue(queue, { notify: true });
  const countDone = async (): Promise<number> => {
    const { rows } = await boss
      .getDb()
      .executeSql("select count(*)::int as done from pgboss.job where name = $1 and state = 'completed'", [
        queue,
      ]);
    return (rows as readonly { readonly done: number }[])[0]?.done ?? 0;
  };
  const doneBefore = await countDone();
  const add = (count: number): Promise<void> =>
    inGroups(count, (size) =>
      boss.insert(
        queue,
        Array.from({ length: size }, () => ({ data: jobData })),
      ),
    );
  return {
    settings: `localConcurrency ${localConcurrency}, batchSize ${batchSize}, burstWhenBatchFull, LISTEN/NOTIFY, insert`,
    async start(onHandled) {
      await boss.work(queue, { localConcurrency, batchSize, burstWhenBatchFull: true }, (jobs) => {
        for (let job = 0; job < jobs.length; job += 1) onHandled();
        return Promise.resolve();
      });
    },
    feed: add,
    addBacklog: add,
    async sendOne() {
      await boss.send(queue, jobData);
    },
    async untilDone() {
      await until(async () => {
        if (failure !== undefined) throw failure;
        const { rows } = await boss
          .getDb()
          .executeSql("select 1 from pgboss.job where name = $1 and state < 'completed' limit 1", [queue]);
        return rows.length === 0;
      });
      return (await countDone()) - doneBefore;
    },
    async stop() {
      await boss.stop();
    },
  };
}
