import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { packageRoot } from '../../src/kernel/package-root.ts';

/* Every bench says what it measures and what it takes, without starting anything. */

const folder = join(packageRoot(), 'bench');
/** Programs export nothing; processes that a bench starts are named so. */
const benches = readdirSync(folder).filter(
  (name) =>
    name.endsWith('.ts') &&
    !name.endsWith('-process.ts') &&
    !/^export /m.test(readFileSync(join(folder, name), 'utf8')),
);

it('finds the benches', () => {
  expect(benches).toEqual(expect.arrayContaining(['metrics.ts', 'soak.ts', 'stage.ts']));
});

it.each(benches)('bench/%s answers --help', { timeout: 60_000 }, async (name) => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(folder, name), '--help']);
  expect(stderr).toBe('');
  expect(stdout).toContain(`node bench/${name}`);
  expect(stdout.split('\n').length).toBeGreaterThan(3);
});

it('refuses an option that a bench does not have', async () => {
  const wrong = promisify(execFile)(process.execPath, [join(folder, 'metrics.ts'), '--fast']);
  await expect(wrong).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('--fast') });
});
