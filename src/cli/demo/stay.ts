import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MillraceApp } from '../../host/create-millrace-app.ts';
import { ApiKeys } from '../../capabilities/access/api-keys.ts';
import { type CommandContext, tell } from '../../terminal/command-context.ts';

export interface StayOptions {
  readonly context: CommandContext;
  readonly app: MillraceApp;
  readonly directory: string;
}

/** Tells where the API is and with which key it can be asked. */
export async function tellAddresses({ context, app, directory }: StayOptions): Promise<void> {
  const { url = '' } = app;
  const key = await keyOf(app.nest.get(ApiKeys, { strict: false }), directory);
  const lines = [
    `API key         ${key}`,
    `Costs           curl -H 'authorization: Bearer ${key}' '${url}/v1/costs?group_by=team'`,
    `API             ${url}/docs (${url}/openapi.json)`,
    `Metrics         ${url}/metrics`,
    `Health          ${url}/health/ready`,
    'Ctrl-C ends it.',
  ];
  for (const line of lines) tell(context, line);
}

/** The key of this folder: only its digest is in the ledger, so the key itself is kept beside, for its owner's eyes. */
async function keyOf(keys: ApiKeys, directory: string): Promise<string> {
  const file = join(directory, 'api-key');
  const known = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  if (known !== '' && (await keys.verify(known)) !== undefined) return known;
  const { key } = await keys.create({ name: 'demo', scopes: ['admin'] });
  writeFileSync(file, `${key}\n`, { mode: 0o600 });
  return key;
}
