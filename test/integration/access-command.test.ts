import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { auditListSchema } from '../../src/capabilities/access/audit-documents.ts';
import { installationOf } from '../../src/host/command-installation.ts';
import { KeptLedger } from '../support/kept-ledger.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { runCommand } from '../support/run-command.ts';

// oxlint-disable-next-line import/no-unassigned-import -- what commands load on demand is there before this file begins
import '../../src/host/host.ts';

/* `millrace keys` and `millrace audit` on the stores of an installation. */

let directory: string;
let ledger: KeptLedger;

const run = (...args: readonly string[]) => runCommand([...args, '--data', directory], {}, ledger);
const succeed = async (...args: readonly string[]) => {
  const ended = await run(...args);
  expect(ended.code, ended.stderr).toBe(0);
  return ended;
};
const entriesSchema = z.array(
  z.looseObject({
    id: z.uuid(),
    name: z.string(),
    expiresAt: z.iso.datetime().optional(),
    revokedAt: z.iso.datetime().optional(),
    replaces: z.uuid().optional(),
    requestsPerMinute: z.int().optional(),
  }),
);
const listKeys = async () =>
  entriesSchema.parse(JSON.parse((await succeed('keys', 'list', '--json')).stdout));
const audit = async (...args: readonly string[]) =>
  auditListSchema.strict().parse(JSON.parse((await succeed('audit', '--json', ...args)).stdout));

beforeAll(async () => {
  directory = await newHostDirectory('millrace-access-command-');
  ledger = new KeptLedger(installationOf({}, { data: directory }));
  await succeed('migrate');
});

afterAll(async () => {
  await ledger.close();
  await rm(directory, { recursive: true, force: true });
});

describe('keys and audit', () => {
  it('make, replace and revoke a key that ends, show it once, and say who did it', async () => {
    const create = ['keys', 'create', '--name', 'boards', '--scope', 'costs:read', '--team', 'search'];
    const made = await succeed(
      ...create,
      '--expires',
      '90d',
      '--requests-per-minute',
      '60',
      '--actor',
      'ann',
    );
    expect(made.stdout).toMatch(/^mr_[0-9A-Za-z]{43}\n$/);
    const [old] = await listKeys();
    expect(old).toMatchObject({ name: 'boards', requestsPerMinute: 60 });
    expect(Date.parse(old?.expiresAt ?? '') - Date.now()).toBeGreaterThan(89 * 86_400_000);
    const rotate = ['keys', 'rotate', old?.id ?? ''];
    const rotated = await succeed(...rotate, '--overlap', '1h', '--actor', 'ann', '--reason', 'yearly');
    expect(rotated.stdout).toMatch(/^mr_[0-9A-Za-z]{43}\n$/);
    expect(rotated.stdout).not.toBe(made.stdout);
    expect(rotated.stderr).toContain(`The key ${old?.id} is good until `);
    const [ending, next] = await listKeys();
    expect(next).toMatchObject({ name: 'boards', replaces: old?.id, requestsPerMinute: 60 });
    expect(Date.parse(ending?.expiresAt ?? '') - Date.now()).toBeLessThan(3_600_001);
    await succeed('keys', 'revoke', next?.id ?? '', '--reason', 'leaked', '--actor', 'bob');
    expect((await run('keys', 'rotate', next?.id ?? '')).code).toBe(1);
    const table = await succeed('keys', 'list');
    expect(table.stdout).toMatch(/expires +revoked +replaces/);
    for (const secret of [made.stdout, rotated.stdout]) {
      const shown = `${table.stdout}${(await succeed('audit')).stdout}${JSON.stringify(await audit())}`;
      expect(shown).not.toContain(secret.trim().slice(3));
    }
    const { entries } = await audit('--action', 'keys');
    expect(
      entries.map(({ actor, action, target, team, reason }) => [actor, action, target, team, reason]),
    ).toEqual([
      ['cli:bob', 'keys.revoke', 'key boards', 'search', 'leaked'],
      ['cli:ann', 'keys.rotate', 'key boards', 'search', 'yearly'],
      ['cli:ann', 'keys.create', 'key boards', 'search', ''],
    ]);
    expect(entries[1]).toMatchObject({
      from: { expiresAt: expect.any(String) },
      to: { expiresAt: expect.any(String) },
    });
  });

  it('show the audit page by page, for the eye too, and refuse what is no filter', async () => {
    const first = await audit('--limit', '2');
    expect(first.entries.length).toBe(2);
    const rest = await audit('--limit', '2', '--after', first.next ?? '');
    expect(rest.entries.length).toBeGreaterThan(0);
    const text = (await succeed('audit', '--limit', '2', '--actor', 'cli:ann')).stdout;
    expect(text).toContain('keys.rotate');
    expect(text).toContain(' → ');
    expect((await succeed('audit', '--team', 'nobody')).stdout).toBe('There are no such entries here.\n');
    for (const wrong of [
      ['--limit', '0'],
      ['--after', 'x'],
      ['--from', 'yesterday'],
      ['--action', '*'],
    ])
      expect((await run('audit', ...wrong)).code, wrong.join(' ')).toBe(2);
  });

  it.each([
    ['create', '--name', 'x', '--scope', 'admin', '--expires', 'soon'],
    ['create', '--name', 'x', '--scope', 'admin', '--expires', '2020-01-01'],
    ['create', '--name', 'x', '--scope', 'admin', '--requests-per-minute', '0'],
    ['rotate', '0192f3a0-0000-7000-8000-000000000000', '--overlap', '31d'],
    ['rotate', '0192f3a0-0000-7000-8000-000000000000', '--overlap', '1'],
    ['rotate', '0192f3a0-0000-7000-8000-000000000000'],
  ])('refuse: %s %s %s %s %s %s %s', async (...args) => {
    const before = (await listKeys()).length;
    expect((await run('keys', ...args.filter((arg) => arg !== undefined))).code).not.toBe(0);
    expect((await listKeys()).length).toBe(before);
  });
});
