import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { ApiKeys } from '../../src/capabilities/access/api-keys.ts';
import type * as keysSource from '../../src/capabilities/access/api-keys.ts';
import type * as faceSource from '../../src/millrace.ts';
import type { ConfigurationInput } from '../../src/host/configuration.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import type { HostAnswer } from './fuzzed-host.ts';
import { LoopWatch } from './loop-stalls.ts';

/*
 * An application from the built package, for `npm run fuzz` and `bench/door.ts`: one stage, two keys, and a watch over
 * its event loop. Its configuration comes as an argument; it tells its parent where it is, and what the watch saw.
 */

const built = <Module>(path: string): Promise<Module> =>
  import(pathToFileURL(join(packageRoot(), 'dist/src', path)).href) as Promise<Module>;
const { createMillraceApp, defineMessage, defineStage, Stage } =
  await built<typeof faceSource>('millrace.js');
const keysModule = await built<typeof keysSource>('capabilities/access/api-keys.js');

const Ticket = defineMessage('triage').version(1, z.unknown());
const definition = defineStage('triage', { consumes: Ticket.upTo(1) });

class Triage {
  handle(): void {
    // What arrives is all that matters.
  }
}
Stage(definition)(Triage);

const app = await createMillraceApp({
  providers: [Triage],
  environment: {},
  config: JSON.parse(process.argv[2] ?? '{}') as ConfigurationInput,
});
const keys = app.nest.get<ApiKeys>(keysModule.ApiKeys, { strict: false });
const [all, one] = [
  await keys.create({ name: 'fuzz', scopes: ['admin'] }),
  await keys.create({ name: 'fuzz of a team', scopes: ['admin'], team: 'support' }),
];
const tell = (answer: HostAnswer): void => void process.send?.(answer);
const watch = new LoopWatch();
const ending = new AbortController();
const watching = watch.run(ending.signal);
process.on('message', (order) => {
  if (order === 'report') {
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
    tell({ kind: 'report', loop: watch.take(), memory: { rss, heapUsed, external, arrayBuffers } });
    return;
  }
  ending.abort();
  void watching.then(() => app.close()).then(() => process.disconnect());
});
// The parent is gone.
process.on('disconnect', () => process.exit(0));
tell({ kind: 'ready', url: app.url ?? '', keys: [all.key, one.key] });
