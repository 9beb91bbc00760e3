import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { runCommand } from '../support/run-command.ts';

let directory: string;
let file: string;

const run = (...args: readonly string[]) => runCommand(['schedules', ...args, '--data', directory]);
const succeed = async (...args: readonly string[]): Promise<string> => {
  const ended = await run(...args);
  expect(ended.code, ended.stderr).toBe(0);
  return ended.stdout;
};

beforeAll(async () => {
  directory = await newHostDirectory('millrace-schedules-command-');
  file = join(directory, 'schedule.json');
  const origin = { team: 'blue', customer: 'acme', feature: 'reports' };
  const message = { type: 'report.asked', data: { region: 'eu' }, origin };
  await writeFile(file, JSON.stringify({ name: 'weekly', cron: '0 6 * * 1', message }));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('millrace schedules', () => {
  it('makes, shows, pauses, resumes, runs, replaces and deletes a schedule', async () => {
    expect(await succeed()).toBe('There are no schedules.\n');
    expect(await succeed('set', file, '--reason', 'wanted', '--actor', 'ann')).toMatch(/^Made: weekly \(/);
    expect(await succeed('set', file)).toMatch(/^Replaced: weekly \(/);
    expect(await succeed()).toMatch(/weekly +blue +active +0 6 \* \* 1 UTC +report\.asked/);
    expect(await succeed('pause', 'weekly', '--reason', 'holidays')).toBe('Paused: weekly.\n');
    expect((await run('pause', 'weekly', '--reason', 'again')).stderr).toContain('MILLRACE_SCHEDULE_STATE');
    expect(await succeed('run', 'weekly', '--reason', 'look')).toBe(
      'It runs within a second or so: weekly.\n',
    );
    const shown = await succeed('show', 'weekly', '--next-times', '2');
    expect(shown).toMatch(/state +paused/);
    expect(shown).toMatch(/manual +due/);
    const detail = JSON.parse(await succeed('show', 'weekly', '--json')) as { nextTimes: string[] };
    expect(detail.nextTimes).toHaveLength(10);
    await succeed('resume', 'weekly', '--reason', 'go on');
    await succeed('delete', 'weekly', '--reason', 'over');
    expect((await run('show', 'weekly')).stderr).toContain('MILLRACE_NOT_FOUND');
  });

  it('refuses a file that is none, and an order without a reason', async () => {
    await writeFile(file, '[');
    for (const args of [
      ['set', file],
      ['set', join(directory, 'absent')],
      ['pause', 'weekly'],
    ]) {
      const ended = await run(...args);
      expect([ended.code === 0, ended.stdout]).toEqual([false, '']);
    }
  });
});
