import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installationOf } from '../../src/host/command-installation.ts';
import { KeptLedger } from '../support/kept-ledger.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { runCommand } from '../support/run-command.ts';

/* `millrace budgets apply` on the ledger of an embedded installation. */

let directory: string;
let ledger: KeptLedger;

beforeAll(async () => {
  directory = await newHostDirectory('millrace-budgets-command-');
  expect((await runCommand(['migrate', '--data', directory])).code).toBe(0);
  ledger = new KeptLedger(installationOf({}, { data: directory }));
});

afterAll(async () => {
  await ledger.close();
  await rm(directory, { recursive: true, force: true });
});

const search = { name: 'search', team: 'blue', window: 'month', limitUsd: '100.00' };
const drafts = { name: 'drafts', feature: 'draft', window: 'day', limitUsd: '5', atLimit: 'refuse' };

/** `millrace budgets apply` with a configuration of these budgets. */
async function apply(budgets: readonly object[], ...args: readonly string[]) {
  const config = join(directory, 'millrace.json');
  await writeFile(config, JSON.stringify({ budgets }));
  return await runCommand(['budgets', 'apply', '--config', config, '--data', directory, ...args], {}, ledger);
}

const show = () => runCommand(['budgets', '--data', directory], {}, ledger);

it('makes the budgets of the configuration hold, and says what that changes', async () => {
  expect((await show()).stdout).toBe('No budgets.\n');
  const dry = await apply([search, drafts], '--dry-run');
  expect(dry).toEqual({
    code: 0,
    stdout:
      'added drafts: feature draft, window day, limitUsd 5, atLimit refuse, unpriced refuse\n' +
      'added search: team blue, window month, limitUsd 100, atLimit park, unpriced refuse\n',
    stderr: 'Nothing was changed (--dry-run).\n',
  });
  expect((await show()).stdout).toBe('No budgets.\n');
  const first = await apply([search, drafts], '--reason', 'a new year', '--actor', 'ann');
  expect(first.code, first.stderr).toBe(0);
  expect(first.stdout).toBe(dry.stdout);
  expect(first.stderr).toContain('follow within two seconds');
  expect((await show()).stdout).toMatch(/^drafts +feature draft +day .*^search +team blue +month /ms);

  expect((await apply([search, drafts], '--reason', 'again')).stdout).toContain('Nothing to change');
  const raised = await apply([{ ...search, limitUsd: '250' }, drafts], '--reason', 'more', '--json');
  expect(JSON.parse(raised.stdout)).toEqual({
    changes: [{ budget: 'search', change: 'changed', fields: { limitUsd: { from: '100', to: '250' } } }],
    applied: true,
  });
});

it('refuses to forget budgets unless it is told to, and to act without a reason', async () => {
  await apply([search, drafts], '--reason', 'begin', '--remove');
  const before = (await show()).stdout;
  const careless = await apply([], '--reason', 'a file that names none');
  expect(careless.code).toBe(2);
  expect(careless.stderr).toMatch(/does not name drafts, search\. Nothing was changed.*--remove/);
  const look = await apply([], '--dry-run');
  expect(look.code).toBe(0);
  expect(look.stderr).toContain('takes --remove');
  const wordless = await apply([search]);
  expect(wordless.code).toBe(2);
  expect(wordless.stderr).toContain('--reason');
  const wrong = await apply([{ ...search, limitUsd: 'much' }], '--reason', 'r');
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain('limitUsd');
  expect((await show()).stdout).toBe(before);
  const meant = await apply([search], '--reason', 'drafts are free now', '--remove');
  expect(meant.stdout).toMatch(/^removed drafts: /);
  expect((await show()).stdout).not.toContain('drafts');
});

it('sets, raises, shows, resets and removes one, each with its reason', async () => {
  await apply([search], '--reason', 'begin', '--remove');
  const run = (...args: readonly string[]) =>
    runCommand(['budgets', ...args, '--data', directory], {}, ledger);
  const set = await run(
    'set',
    'night',
    ...'--team blue --batch night --model openai/* --window 24h --tokens 2000000'.split(' '),
    ...'--switch-to openai/gpt-5-nano --alert-at 50,80 --actor ann'.split(' '),
    '--reason',
    'a trial',
  );
  expect(set.code, set.stderr).toBe(0);
  expect(set.stdout).toMatch(/^night +team blue, batch night, model openai\/\* +24h .* 2,?000,?000 tokens /m);
  expect(set.stderr).toContain('follow within two seconds');
  // Under the budget that contains it.
  expect((await show()).stdout).toMatch(/^search .*\n {2}night /m);

  const raised = await run('limit', 'search', '--usd', '500', '--reason', 'a big customer', '--actor', 'bob');
  expect(raised.code, raised.stderr).toBe(0);
  expect(raised.stdout).toMatch(/^search .* 500\.000000 /m);
  const shown = await run('show', 'search');
  expect(shown.stdout).toContain('configured limit: 100');
  expect(shown.stdout).toMatch(/bob changed: limitUsd 100 → 500 \(a big customer\)$/m);
  expect(JSON.parse((await run('show', 'night', '--json')).stdout)).toMatchObject({
    parents: ['search'],
    alertAt: [50, 80],
    changes: [{ actor: 'cli:ann', action: 'budgets.set', change: 'added', reason: 'a trial' }],
  });
  expect((await run('reset', 'search', '--reason', 'done')).stdout).toMatch(/^search .* 100\.000000 /m);
  expect((await run('remove', 'night', '--reason', 'done')).code).toBe(0);
  expect((await show()).stdout).not.toContain('night');

  for (const [code, args, said] of [
    [2, ['limit', 'search', '--usd', '5'], 'says why'],
    [2, ['limit', 'search', '--tokens', '5', '--reason', 'r'], 'counts dollars'],
    [1, ['limit', 'none', '--usd', '5', '--reason', 'r'], 'no budget "none"'],
    [1, ['set', 'search', '--window', 'day', '--usd', '5', '--reason', 'r'], 'The configuration names'],
    [2, ['set', 'x', '--window', 'year', '--usd', '5', '--reason', 'r'], 'window'],
    [2, ['show', 'No'], 'name'],
  ] as const) {
    const refused = await run(...args);
    expect(refused.code, args.join(' ')).toBe(code);
    expect(refused.stderr).toContain(said);
  }
});
