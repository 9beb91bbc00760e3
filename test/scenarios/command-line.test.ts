import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { builtCommand } from '../support/built-package.ts';
import { fillHostDirectory } from '../support/migrated-columns.ts';
import { runMillrace, startMillrace } from '../support/millrace-process.ts';

/* The built command as an operator meets it. */

let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-command-'));
  await builtCommand();
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: readonly string[]): ReturnType<typeof runMillrace> => runMillrace(args, folder);

describe('millrace', () => {
  it('shows its help and version', async () => {
    const help = await run('--help');
    expect(help).toMatchObject({ exitCode: 0, stderr: '' });
    for (const command of ['start', 'demo', 'migrate', 'status', 'costs', 'prices', 'keys', 'simulator']) {
      expect(help.stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    }
    await expect(run('--version')).resolves.toMatchObject({ exitCode: 0, stdout: '0.1.0\n' });
  });

  it('answers wrong usage with 2 and failures with 1, their code and what to do', async () => {
    await expect(run('frobnicate')).resolves.toMatchObject({ exitCode: 2, stdout: '' });
    await expect(run('costs', '--json', '--csv')).resolves.toMatchObject({ exitCode: 2, stdout: '' });
    await expect(run('prices', 'no-slash')).resolves.toMatchObject({ exitCode: 2, stdout: '' });
    await expect(run('start')).resolves.toMatchObject({ exitCode: 2, stdout: '' });
    const missing = await run('status', '--data', 'nowhere');
    expect(missing).toMatchObject({ exitCode: 1, stdout: '' });
    expect(missing.stderr).toMatch(/^MILLRACE_DATA_NOT_FOUND: .*\nWhat to do: .*\n$/);
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
  });

  it('tells a price with its reference, and never makes one up', async () => {
    const { stdout } = await run('prices', 'openai/gpt-5-mini', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      reference: expect.stringContaining('openai/gpt-5-mini'),
      classes: expect.arrayContaining([
        expect.objectContaining({ class: 'text_output', usdPerMillion: '2' }),
      ]),
    });
    const batch = await run('prices', 'openai/gpt-5-mini', '--batch');
    expect(batch.stdout).toMatch(/text_output +1 +any/);
    const unknown = await run('prices', 'openai/no-such-model');
    expect(unknown).toMatchObject({ exitCode: 1, stdout: '' });
    const used = ['--use', 'uncached_input=272001', '--use', 'text_output=400', '--use', 'web_search=2'];
    const explained = await run('prices', 'explain', 'openai/gpt-6-sol', '--tier', 'fast', ...used);
    expect(explained.stdout).toMatch(/total +2\.208008/);
    expect((await run('prices', 'list')).stdout).toContain('gemini');
    expect((await run('prices', 'check')).exitCode).toBe(0);
  });

  it('migrates, and says what is pending', async () => {
    const data = ['--data', 'migrated'];
    const first = await run('migrate', ...data);
    expect(first.stdout).toContain('applied  postgres/0001-ledger.sql');
    expect(first.stdout).toContain('applied  clickhouse/0001-usage.sql');
    await expect(run('migrate', '--check', ...data)).resolves.toMatchObject({
      exitCode: 0,
      stdout: 'Nothing is pending.\n',
    });
    await expect(run('status', ...data)).resolves.toMatchObject({ exitCode: 0 });
    const costs = await run('costs', '--json', ...data);
    expect(JSON.parse(costs.stdout)).toMatchObject({ groups: [], totals: { costUsd: '0', calls: 0 } });
  }, 120_000);

  it('makes, lists and revokes API keys', async () => {
    const data = ['--data', 'keys'];
    await fillHostDirectory(join(folder, 'keys'));
    const made = await run(
      'keys',
      'create',
      '--name',
      'boards',
      '--scope',
      'costs:read',
      '--team',
      'growth',
      ...data,
    );
    expect(made.stdout).toMatch(/^mr_[0-9A-Za-z]{43}\n$/);
    const listed = await run('keys', 'list', '--json', ...data);
    expect(listed.stdout).not.toContain(made.stdout.trim());
    const [entry] = JSON.parse(listed.stdout) as { readonly id: string }[];
    expect(entry).toMatchObject({ name: 'boards', scopes: ['costs:read'], team: 'growth' });
    await expect(run('keys', 'revoke', entry?.id ?? '', ...data)).resolves.toMatchObject({ exitCode: 0 });
    await expect(run('keys', 'revoke', entry?.id ?? '', ...data)).resolves.toMatchObject({ exitCode: 1 });
    const refused = await run('keys', 'create', '--name', 'x', '--scope', 'everything', ...data);
    expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
    expect(refused.stderr).toMatch(/^MILLRACE_REQUEST_INVALID: /);
  }, 120_000);

  it('starts the stages of a file, serves, and stops on SIGTERM', async () => {
    await fillHostDirectory(join(folder, 'started'));
    writeFileSync(
      join(folder, 'millrace.json'),
      JSON.stringify({ http: { port: 0 }, dataDirectory: 'started' }),
    );
    const stages = join(packageRoot(), 'dist', 'examples', 'documents', 'documents.module.js');
    const { child, says, ended } = await startMillrace(
      ['start', '--stages', stages, '--config', 'millrace.json'],
      folder,
    );
    await says('Millrace listens on http');
    child.kill('SIGTERM');
    const { exitCode, stderr } = await ended;
    expect({ exitCode, stderr }).toEqual({
      exitCode: 0,
      stderr: expect.stringContaining('SIGTERM: stopping in order'),
    });
    const nothing = join(folder, 'nothing.mjs');
    writeFileSync(nothing, 'export const nothing = 1;\n');
    const refused = await run('start', '--stages', nothing);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/^MILLRACE_STAGES_UNUSABLE: .*nothing\.mjs exports neither/);
  }, 120_000);

  it('prints one clean error when a start fails', async () => {
    await fillHostDirectory(join(folder, 'failed'));
    const taken = createServer();
    taken.listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const stages = join(packageRoot(), 'dist', 'examples', 'documents', 'documents.module.js');
    const starts = [
      [{ http: { port }, dataDirectory: 'failed' }, 'MILLRACE_HTTP_ADDRESS_UNAVAILABLE'],
      [{ http: { port: 'eighty' } }, 'MILLRACE_CONFIG_INVALID'],
      [
        { queue: { url: 'redis://127.0.0.1:9' }, ledger: { url: 'postgres://127.0.0.1:9/x' } },
        'MILLRACE_DATABASE_UNAVAILABLE',
      ],
    ] as const;
    for (const [config, code] of starts) {
      writeFileSync(join(folder, 'failing.json'), JSON.stringify(config));
      const failed = await run('start', '--stages', stages, '--config', 'failing.json');
      expect(failed.exitCode, failed.stderr).toBe(1);
      // The code and what happened, what to do, and nothing else: no stack, no line of the log with the same again.
      expect(failed.stderr).toMatch(new RegExp(`^${code}: [^]*\nWhat to do: [^\n]*\n$`));
      expect(failed.stderr.match(/MILLRACE_[A-Z_]+: /g)).toHaveLength(1);
      expect(failed.stderr).not.toMatch(/^\s+at /m);
      expect(failed.stdout).not.toMatch(/"level":"error"/);
    }
    taken.close();
  }, 120_000);

  it('runs the simulator until it is stopped', async () => {
    const { child, ended } = await startMillrace(['simulator', '--seed', '3'], folder);
    await new Promise<void>((resolve) => child.stdout?.once('data', () => resolve()));
    child.kill('SIGINT');
    const { exitCode, stdout, stderr } = await ended;
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^OpenAI base URL +http:\/\/127\.0\.0\.1:\d+\/openai\/v1$/m);
    expect(stderr).toContain('Billed 0 USD for 0 requests');
  }, 60_000);
});
