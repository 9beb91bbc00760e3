#!/usr/bin/env node
import { nodeProblem } from './required-node.ts';

// Nothing else is imported before this is known: an older Node does not have what the rest is linked with.
const problem = nodeProblem(process.version);
if (problem === undefined) await import('./millrace-program.ts');
else {
  process.stderr.write(`${problem}\n`);
  process.exitCode = 2;
}
