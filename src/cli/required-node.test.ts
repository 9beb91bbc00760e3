import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { packageRoot } from '../kernel/package-root.ts';
import { nodeProblem, requiredNodeMajor } from './required-node.ts';

it('an older Node is told what is needed', () => {
  expect(nodeProblem('v20.20.1')).toMatch(/needs Node 24 or newer, and this is v20\.20\.1\. Install it/);
  expect(nodeProblem('v9.0.0')).toContain('v9.0.0');
  expect([nodeProblem('v24.0.0'), nodeProblem(process.version), nodeProblem('v100.1.0')]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

it('is the version that npm is told of', () => {
  const { engines } = z
    .object({ engines: z.object({ node: z.string() }) })
    .parse(JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')));
  expect(engines.node).toBe(`>=${requiredNodeMajor}`);
});
