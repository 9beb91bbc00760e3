import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

const engineSettings = new URL('engine-settings.ts', import.meta.url).href;
const pgliteTemplate = new URL('../drivers/sql-database/pglite-template.ts', import.meta.url).href;

/** Runs a program in a process of its own that tells which compiler made each function of WebAssembly. */
function run(program: string): string {
  const args = ['--trace-wasm-compilation-times', '--input-type=module', '--eval', program];
  return execFileSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
}

describe('engine settings', () => {
  it('keep the optimising compiler away from PGlite in a short run', () => {
    const output = run(`
      const { preferShortRun } = await import(${JSON.stringify(engineSettings)});
      const { openPglite } = await import(${JSON.stringify(pgliteTemplate)});
      preferShortRun();
      const pglite = await openPglite(undefined);
      const { rows } = await pglite.query('select sum(x * 2)::int as sum from generate_series(1, 20000) x');
      console.log(JSON.stringify(rows));
      await pglite.close();
    `);
    expect(output).toContain('[{"sum":400020000}]');
    expect(output).toContain('using Liftoff');
    expect(output).not.toContain('using TurboFan');
  });

  it('keep compiled code in the cache directory of the user', () => {
    const home = mkdtempSync(join(tmpdir(), 'millrace-home-'));
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    run(`
      const { keepCompiledCode } = await import(${JSON.stringify(engineSettings)});
      keepCompiledCode({ XDG_CACHE_HOME: '' }, ${JSON.stringify(home)});
      await import('commander');
    `);
    expect(existsSync(join(home, '.cache', 'millrace', 'compiled'))).toBe(true);
    run(`
      const { keepCompiledCode } = await import(${JSON.stringify(engineSettings)});
      keepCompiledCode({ XDG_CACHE_HOME: ${JSON.stringify(join(home, 'xdg'))} }, ${JSON.stringify(home)});
      await import('commander');
    `);
    expect(existsSync(join(home, 'xdg', 'millrace', 'compiled'))).toBe(true);
  });
});
