#!/usr/bin/env node
import { environment } from '../host/environment.ts';
import { systemClock } from '../kernel/clock.ts';
import { runCommandLine } from './command-line.ts';

process.exitCode = await runCommandLine(process.argv.slice(2), {
  environment,
  stdout: process.stdout,
  stderr: process.stderr,
  clock: systemClock,
});
