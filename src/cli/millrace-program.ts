import { homedir } from 'node:os';
import { environment } from '../host/environment.ts';
import { systemClock } from '../kernel/clock.ts';
import { keepCompiledCode, preferShortRun } from './engine-settings.ts';

/** Commands that go on until they are stopped. */
const longRuns = new Set(['start', 'simulator']);

keepCompiledCode(environment, homedir());
// Imported only now, so that the cache has it.
const { runCommandLine } = await import('./command-line.ts');

process.exitCode = await runCommandLine(process.argv.slice(2), {
  environment,
  stdout: process.stdout,
  stderr: process.stderr,
  clock: systemClock,
  beforeCommand: (name) => {
    if (!longRuns.has(name)) preferShortRun();
  },
});
