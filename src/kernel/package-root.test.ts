import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { packageRoot } from './package-root.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'millrace-root-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

it('finds the own package', () => {
  expect(readFileSync(join(packageRoot(), 'package.json'), 'utf8')).toContain('"name": "millrace"');
});

it('passes over the packages of others on the way up', () => {
  const inner = join(home, 'dist', 'src', 'kernel');
  mkdirSync(inner, { recursive: true });
  writeFileSync(join(home, 'package.json'), '{"name":"millrace"}');
  writeFileSync(join(home, 'dist', 'package.json'), '{"type":"module"}');
  expect(packageRoot(inner)).toBe(home);
});

it('fails where there is none', () => {
  expect(() => packageRoot(home)).toThrow('Invariant broken');
});
