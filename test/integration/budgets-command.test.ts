import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommand } from '../support/run-command.ts';

/* `millrace budgets apply` on the ledger of an embedded installation. */

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-budgets-command-'));
  expect((await runCommand(['migrate', '--data', directory])).code).toBe(0);
});

afterAll(() => rm(directory, { recursive: true, force: true }));

const search = { name: 'search', team: 'blue', window: 'month', limitUsd: '100.00' };
const drafts = { name: 'drafts', feature: 'draft', window: 'day', limitUsd: '5', atLimit: 'refuse' };

/** `millrace budgets apply` with a configuration of these budgets. */
async function apply(budgets: readonly object[], ...args: readonly string[]) {
  const config = join(directory, 'millrace.json');
  await writeFile(config, JSON.stringify({ budgets }));
  return await runCommand(['budgets', 'apply', '--config', config, '--data', directory, ...args]);
}

const show = () => runCommand(['budgets', '--data', directory]);

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
