import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { addPipelinesCommand } from '../../src/capabilities/pipelines/pipelines-command.ts';
import { addWaitsCommand } from '../../src/capabilities/waits/waits-command.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { defineStage, type StageDefinition } from '../../src/engine/pipeline/stage-definition.ts';
import { installationOf } from '../../src/host/command-installation.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { CapturedOutput } from '../support/captured-output.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { writeWait } from './waiting-message.ts';

/* `millrace waits` and `millrace pipelines` on the stores of an installation. */

const Opened = defineMessage('ticket.opened').version(1, z.strictObject({ subject: z.string() }));
const stages = [
  defineStage('triage', { consumes: Opened.v1, pipeline: 'support' }),
] as readonly StageDefinition[];

let directory: string;
beforeAll(async () => {
  directory = await newHostDirectory('millrace-waits-command-');
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function run(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }> {
  const stdout = new CapturedOutput();
  let code = 0;
  const program = new Command('millrace').exitOverride();
  const context = {
    environment: {},
    stdout,
    stderr: new CapturedOutput(),
    clock: systemClock,
    installation: (options: { readonly data?: string }) => Promise.resolve(installationOf({}, options)),
  };
  const bind =
    <Arguments extends readonly unknown[]>(action: (...parameters: Arguments) => Promise<number>) =>
    async (...parameters: Arguments): Promise<void> => {
      code = await action(...parameters);
    };
  addWaitsCommand(program, context, bind, () => Promise.resolve(stages));
  addPipelinesCommand(program, context, bind, () => Promise.resolve(stages));
  await program.parseAsync([...args], { from: 'user' });
  return { code, stdout: stdout.text };
}

it('lists what waits, and completes it once with data that fits', async () => {
  const onData = ['--data', directory];
  expect((await run('waits', 'list', ...onData)).stdout).toBe('Nothing waits for an event.\n');
  const database = await PgliteSqlDatabase.open({ dataDirectory: join(directory, 'ledger') });
  const { id, token } = await writeWait(database, 'blue');
  await database.close();
  expect((await run('waits', 'list', ...onData)).stdout).toContain('blue is asked');
  const complete = (data: string) =>
    run('waits', 'complete', token, '--with', data, '--stages', 's.js', '--actor', 'ann', ...onData);
  await expect(complete('{')).rejects.toMatchObject({
    code: 'MILLRACE_REQUEST_INVALID',
    faults: [{ field: 'with', problem: expect.stringMatching(/^must be JSON: .*position/) }],
  });
  await expect(complete('{"subject":7}')).rejects.toMatchObject({ code: 'MILLRACE_MESSAGE_INVALID' });
  expect(await complete('{"subject":"x"}')).toEqual({
    code: 0,
    stdout: `Message ${id} goes on in triage.\n`,
  });
  await expect(complete('{"subject":"x"}')).rejects.toMatchObject({ code: 'MILLRACE_WAIT_ENDED' });
  expect(JSON.parse((await run('waits', 'list', '--json', ...onData)).stdout)).toEqual({ waits: [] });
});

it('shows pipelines without a store', async () => {
  const from = ['--stages', 's.js'];
  expect((await run('pipelines', 'list', ...from)).stdout).toContain('support');
  expect((await run('pipelines', 'show', 'support', ...from)).stdout).toContain('takes  ticket.opened v1');
  expect((await run('pipelines', 'show', 'support', '--format', 'mermaid', ...from)).stdout).toMatch(
    /^flowchart LR\n/,
  );
  expect(
    JSON.parse((await run('pipelines', 'show', 'support', '--format', 'json', ...from)).stdout),
  ).toMatchObject({
    name: 'support',
  });
  await expect(run('pipelines', 'show', 'other', ...from)).rejects.toMatchObject({
    code: 'MILLRACE_NOT_FOUND',
  });
});
