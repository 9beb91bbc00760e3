import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from '../../src/kernel/package-root.ts';

/** A process that ends by what nobody caught, in the way that the text says. */
function crash(how: string): { readonly status: number | null; readonly lines: readonly unknown[] } {
  const source = (file: string): string => JSON.stringify(join(packageRoot(), 'src', file));
  const program = `
    import { reportCrashes } from ${source('host/crash-report.ts')};
    import { createLogger } from ${source('telemetry/logging.ts')};
    const forget = reportCrashes(createLogger({ level: 'info' }), () => ['triage', 'answer']);
    ${how}`;
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  });
  return {
    status,
    lines: stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line): unknown => JSON.parse(line)),
  };
}

it.each([
  [
    'a promise that nobody awaits',
    `setTimeout(() => { Promise.reject(new Error('late')); }, 1);`,
    /missing await/,
  ],
  ['an error in a callback', `setTimeout(() => { throw new Error('late'); }, 1);`, /nobody catches/],
])('%s ends the process as ever, and one line says what was at work', (_, how, said) => {
  expect(crash(how)).toEqual({
    status: 1,
    lines: [
      expect.objectContaining({
        stages: ['triage', 'answer'],
        error: expect.objectContaining({ message: 'late' }),
        message: expect.stringMatching(said),
      }),
    ],
  });
});

it('nothing is said when the watch has ended', () => {
  expect(crash(`forget(); Promise.reject(new Error('late'));`)).toEqual({ status: 1, lines: [] });
});
