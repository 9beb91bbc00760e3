import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readDefects } from './host-logs.ts';

it('finds what only a defect can cause in the logs of a run, each text once', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-logs-'));
  try {
    const refused = '{"error":{"message":"The database refused x","code":"MILLRACE_DATABASE_FAILED"}}';
    const away = '{"error":{"message":"The database is away","code":"MILLRACE_DATABASE_UNAVAILABLE"}}';
    writeFileSync(join(directory, 'maintenance.1.log'), [away, refused, refused, ''].join('\n'));
    writeFileSync(join(directory, 'worker.1.log'), 'Error: Invariant broken: the sum is whole\n');
    expect(readDefects(directory)).toEqual([
      'maintenance.1.log: The database refused x',
      'worker.1.log: Error: Invariant broken: the sum is whole',
    ]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
