import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  modelLimitDocumentSchema,
  modelLimitListSchema,
} from '../../src/capabilities/limits/limit-documents.ts';
// oxlint-disable-next-line import/no-unassigned-import -- commands load it late; the globals that it leaves are there before the tests
import '../../src/host/command-installation.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { runCommand } from '../support/run-command.ts';

/* `millrace limits` on the stores of an installation. */

let directory: string;
const run = (...args: readonly string[]) => runCommand(['limits', ...args, '--data', directory]);

beforeAll(async () => {
  directory = await newHostDirectory('millrace-limits-command-');
  expect((await runCommand(['migrate', '--data', directory])).code).toBe(0);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

it('shows, sets and resets limits, for the eye and as JSON', async () => {
  const unset = await run('reset', 'openai/gpt-5-mini', '--reason', 'x');
  expect(unset).toMatchObject({ code: 1, stderr: expect.stringContaining('MILLRACE_NOT_FOUND') });
  expect((await run()).stdout).toBe('No model has a limit.\n');
  const set = await run(
    'set',
    'openai/gpt-5-mini',
    '--tokens',
    '2000000',
    '--reason',
    'a higher tier',
    '--actor',
    'ann',
  );
  expect(set).toMatchObject({ code: 0, stderr: 'Running processes follow within two seconds.\n' });
  expect(set.stdout).toMatch(/openai\/gpt-5-mini +no limit +2,000,000 +cli:ann, \S+Z +a higher tier/);
  const listed = modelLimitListSchema.strict().parse(JSON.parse((await run('--json')).stdout));
  expect(listed.limits).toMatchObject([
    { model: 'openai/gpt-5-mini', inForce: { tokensPerMinute: 2_000_000 } },
  ]);
  const reset = await run('reset', 'openai/gpt-5-mini', '--reason', 'done', '--json');
  expect(modelLimitDocumentSchema.strict().parse(JSON.parse(reset.stdout))).toEqual({
    model: 'openai/gpt-5-mini',
    inForce: {},
  });
  expect((await run()).stdout).toBe('No model has a limit.\n');
});

it('says what is missing, and changes nothing', async () => {
  for (const args of [
    ['set', 'openai/gpt-5-mini', '--tokens', '5'],
    ['set', 'openai/gpt-5-mini', '--tokens', 'many', '--reason', 'x'],
    ['set', 'openai/gpt-5-mini', '--reason', 'x'],
    ['reset', 'openai/gpt-5-mini'],
  ]) {
    const { code, stderr } = await run(...args);
    expect(code, stderr).toBe(2);
  }
  expect((await run()).stdout).toBe('No model has a limit.\n');
});
