import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMillraceApp, type MillraceApp } from '../../src/host/create-millrace-app.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { runCommand } from '../support/run-command.ts';
import { requestTo } from './request-to.ts';

/* The command line beside a running embedded host, which has the data directory open. */

let directory: string;
let app: MillraceApp;

beforeAll(async () => {
  directory = await newHostDirectory('mr-beside-');
  app = await createMillraceApp({
    environment: {},
    config: { dataDirectory: directory, http: { port: 0 }, logging: { level: 'error' } },
  });
}, 60_000);
afterAll(async () => {
  await app.close();
  await rm(directory, { recursive: true });
});

const run = (...args: readonly string[]) => runCommand([...args, '--data', directory]);

describe('beside a running host', () => {
  it.each([
    [['status', '--json']],
    [['costs', '--json']],
    [['keys', 'list', '--json']],
    [['budgets', '--json']],
    [['dead-letters', 'list', '--json']],
    [['check', '--json']],
    [['migrate', '--check']],
  ])('%j answers', async (args) => {
    const ended = await run(...args);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('revokes a leaked key, which the host then refuses', async () => {
    const made = await run('keys', 'create', '--name', 'leaked', '--scope', 'costs:read');
    expect(made.code, made.stderr).toBe(0);
    const ask = () =>
      requestTo(String(app.url)).get('/v1/costs').set('authorization', `Bearer ${made.stdout.trim()}`);
    const listed = JSON.parse((await run('keys', 'list', '--json')).stdout) as { id: string }[];
    const revoked = await run('keys', 'revoke', String(listed[0]?.id));
    expect(revoked.code, revoked.stderr).toBe(0);
    await expect(ask()).resolves.toMatchObject({ status: 401 });
  });

  it('leaves no connection to the host open when the ledger cannot be reached: the command ends', async () => {
    const pipes = () => process.getActiveResourcesInfo().filter((kind) => kind === 'PipeWrap').length;
    const before = pipes();
    const environment = {
      MILLRACE_POSTGRES_URL: 'postgres://127.0.0.1:1/none',
      MILLRACE_QUEUE_URL: 'redis://127.0.0.1:1',
    };
    const ended = await runCommand(['status', '--data', directory], environment);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('MILLRACE_DATABASE_UNAVAILABLE');
    await expect.poll(pipes).toBe(before);
  });

  it('pauses and resumes', async () => {
    const paused = await run('pause', 'all', '--reason', 'look', '--actor', 'ann');
    expect(paused.code, paused.stderr).toBe(0);
    await expect(app.millrace.status()).resolves.toMatchObject({ pauses: [{ actor: 'cli:ann' }] });
    expect(await run('resume', 'all', '--reason', 'seen')).toMatchObject({ code: 0 });
  });
});
