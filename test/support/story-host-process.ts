import process from 'node:process';
import { openStoryHost, WrittenModel } from './story-host.ts';

/* The host of bench/streams.ts, in a process of its own: it writes when it is told to. */

const [postgresUrl, redisUrl] = process.argv.slice(2);
const model = new WrittenModel();
const host = await openStoryHost(
  {
    http: { port: 0, auth: 'none' },
    worker: { concurrency: 500 },
    ...(postgresUrl === undefined || redisUrl === undefined
      ? {}
      : { ledger: { url: postgresUrl }, queue: { url: redisUrl, prefix: 'streams' } }),
  },
  { model },
);

/** What the bench asks for. */
export type StreamOrder = 'write' | 'finish' | 'memory' | 'close';

process.on('message', (order: StreamOrder) => {
  switch (order) {
    case 'write':
      for (const answer of model.answers) answer.write(`<${performance.timeOrigin + performance.now()}>`);
      process.send?.({ written: model.answers.length });
      return;
    case 'finish':
      for (const answer of model.answers.splice(0)) answer.finish();
      process.send?.({ finished: true });
      return;
    case 'memory':
      process.send?.({ rss: process.memoryUsage().rss });
      return;
    case 'close':
      void host.close().then(() => process.exit(0));
  }
});
process.send?.({ url: host.url });
