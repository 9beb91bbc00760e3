import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, expect, it, vi } from 'vitest';
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

class Exit extends Error {}

/** Runs a program in this process, which has most of what it imports: a process for each would load that again. */
async function helpOf(name: string): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const written = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const)
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      written[stream] += String(text);
      return true;
    });
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    throw new Exit(String(code));
  });
  vi.spyOn(process, 'argv', 'get').mockReturnValue([process.execPath, join(folder, name), '--help']);
  const program: Promise<unknown> = import(pathToFileURL(join(folder, name)).href);
  // It ends before it starts anything, so that nothing of it is left.
  await expect(program).rejects.toThrow(new Exit('0'));
  vi.restoreAllMocks();
  return written;
}

afterEach(() => {
  vi.restoreAllMocks();
});

it('finds the benches', () => {
  expect(benches).toEqual(expect.arrayContaining(['metrics.ts', 'soak.ts', 'stage.ts']));
});

it.each(benches)('bench/%s answers --help', { timeout: 60_000 }, async (name) => {
  const { stdout, stderr } = await helpOf(name);
  expect(stderr).toBe('');
  expect(stdout).toContain(`node bench/${name}`);
  expect(stdout.split('\n').length).toBeGreaterThan(3);
});

it('answers --help as a program of its own, and refuses an option that it does not have', async () => {
  const run = (option: string) => promisify(execFile)(process.execPath, [join(folder, 'metrics.ts'), option]);
  expect((await run('--help')).stdout).toContain('node bench/metrics.ts');
  await expect(run('--fast')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--fast') as string,
  });
});
