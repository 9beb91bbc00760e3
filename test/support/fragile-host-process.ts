import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { Millrace } from '../../src/host/millrace.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';

/*
 * A process of its own for the test that lets one message kill it: an embedded host over the data directory given as
 * argument. It admits, if they are not there yet, one message whose handler ends the process and twenty that take a moment,
 * and prints, once all have ended, how each of them did.
 */

const Work = defineMessage('work').version(1, z.object({ kills: z.boolean() }));
const work = defineStage('work', { consumes: Work.upTo(1), maxExpiredLeases: 3, concurrency: 8 });
const handler = {
  handle: async ({ data }: { data: { kills: boolean } }) => {
    await sleep(data.kills ? 300 : 5);
    if (data.kills) process.kill(process.pid, 'SIGKILL');
    return 'done';
  },
};

const [dataDirectory] = process.argv.slice(2);
if (dataDirectory === undefined) throw new Error('usage: fragile-host-process DATA_DIRECTORY');
const host = await Host.open({
  configuration: loadConfiguration({ environment: {}, options: { dataDirectory } }),
  logger: silentLogger,
});
await host.start([{ definition: work, handler }] as unknown as readonly RegisteredStage[]);
const millrace = new Millrace(host);
const origin = { team: 'blue', customer: 'acme', feature: 'shop' };
for (let n = 0; n <= 20; n += 1) {
  await millrace.admit(Work.v1, { kills: n === 3 }, { origin, id: `work-${n}` });
}
const all = {
  name: 'test.all',
  text: 'select event_id, state, error_code, deliveries from millrace.messages',
};
for (;;) {
  const { rows } = await host.stores.database.query<{ state: string }>(all);
  if (rows.length === 21 && rows.every(({ state }) => state !== 'pending' && state !== 'leased')) {
    await host.stop();
    process.stdout.write(`${JSON.stringify(rows)}\n`);
    break;
  }
  await sleep(50);
}
