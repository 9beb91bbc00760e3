import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { ApiKeys } from '../../src/costs/api-keys.ts';
import type * as keysSource from '../../src/costs/api-keys.ts';
import type * as faceSource from '../../src/millrace.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';

/* An embedded application from the built package, for `npm run fuzz`: one stage, and keys that are told on stdout. */

const built = <Module>(path: string): Promise<Module> =>
  import(pathToFileURL(join(packageRoot(), 'dist/src', path)).href) as Promise<Module>;
const { createMillraceApp, defineMessage, defineStage, Stage } =
  await built<typeof faceSource>('millrace.js');
const keysModule = await built<typeof keysSource>('costs/api-keys.js');

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
  config: { dataDirectory: process.argv[2] ?? '.', http: { port: 0 }, logging: { level: 'error' } },
});
const keys = app.nest.get<ApiKeys>(keysModule.ApiKeys, { strict: false });
const [all, one] = [
  await keys.create({ name: 'fuzz', scopes: ['admin'] }),
  await keys.create({ name: 'fuzz of a team', scopes: ['admin'], team: 'support' }),
];
console.log(JSON.stringify({ url: app.url, keys: [all.key, one.key] }));
process.once('SIGTERM', () => void app.close().then(() => process.exit(0)));
