import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  reconciliationListSchema,
  reconciliationReportSchema,
} from '../../src/capabilities/costs/reconciliation/reconciliation-document.ts';
// What the command loads, it loads before this file is watched for what it leaves behind.
import { installationOf } from '../../src/host/command-installation.ts';
import { providerBill } from '../../src/simulator/provider-bills.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { runCommand } from '../support/run-command.ts';
import { billed } from './reconciled-calls.ts';

/* `millrace reconcile` on an installation that has no calls: all of the bill is others'. */

let directory: string;
let costs: string;
let odd: string;
const run = (...args: readonly string[]) => runCommand(['reconcile', ...args, '--data', directory]);

beforeAll(async () => {
  expect(installationOf).toBeDefined();
  directory = await newHostDirectory('millrace-reconcile-command-');
  expect((await runCommand(['migrate', '--data', directory])).code).toBe(0);
  const text = providerBill('openai-costs', [
    billed({ id: 'one', day: '2026-03-02', model: 'gpt-5-mini', input: 1000, output: 10 }),
  ]);
  costs = join(directory, 'costs.json');
  odd = join(directory, 'odd.json');
  await writeFile(costs, text);
  await writeFile(odd, text.replace('2025-08-07, output', '2025-08-07, thought'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('millrace reconcile', () => {
  it('prints the days, what differs, and the sum', async () => {
    const { code, stdout } = await run('--provider', 'openai', '--file', costs);
    expect(code).toBe(0);
    expect(stdout).toContain('explained');
    expect(stdout).toContain('Ledger 0 USD + 0.00027 (not_through_millrace) = bill 0.00027 USD, exactly.');
  });

  it('ends with 1 when something has no cause, names what it did not understand, and lists and shows the day', async () => {
    const { code, stdout, stderr } = await run('--provider', 'openai', '--file', odd, '--json');
    expect(code).toBe(1);
    const report = reconciliationReportSchema.strict().parse(JSON.parse(stdout));
    expect(report.residualUsd).toBe('0.00002');
    expect(stderr).toContain('Not understood: line item "gpt-5-mini-2025-08-07, thought"');
    const listed = await run('list', '--state', 'open', '--json');
    const [day] = reconciliationListSchema.strict().parse(JSON.parse(listed.stdout)).reconciliations;
    expect(day?.actor).toMatch(/^cli:/);
    expect((await run('list', '--history')).stdout).toContain('superseded');
    const shown = await run('show', day?.id ?? '');
    expect(shown.stdout).toContain('unknown_kind');
  });

  it.each([
    ['a provider without bills', ['--provider', 'azure', '--file', 'x'], 2, 'azure'],
    ['no file', ['--provider', 'openai'], 2, '--file'],
    [
      'a file that is not there',
      ['--provider', 'openai', '--file', '/nowhere/bill.json'],
      2,
      'MILLRACE_REQUEST_INVALID',
    ],
    ['a day that is none', ['--provider', 'openai', '--file', 'COSTS', '--from', 'yesterday'], 2, 'from'],
    ['another provider’s bill', ['--provider', 'anthropic', '--file', 'COSTS'], 1, 'MILLRACE_BILL_INVALID'],
  ])('refuses %s', async (_, args, code, said) => {
    const ended = await run(...args.map((arg) => (arg === 'COSTS' ? costs : arg)));
    expect(ended.code, ended.stderr).toBe(code);
    expect(ended.stderr).toContain(said);
  });
});
