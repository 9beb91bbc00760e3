import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makePrivateDirectory } from './private-directory.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'millrace-private-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

it('makes a directory and its parents for this user alone', () => {
  makePrivateDirectory(join(home, 'data', 'usage'));
  expect([modeOf(join(home, 'data')), modeOf(join(home, 'data', 'usage'))]).toEqual(['700', '700']);
});

it('takes the access of others from a directory that is there, and leaves what is in it', () => {
  writeFileSync(join(home, 'kept'), '');
  chmodSync(home, 0o755);
  makePrivateDirectory(home);
  expect(modeOf(home)).toBe('700');
  expect(statSync(join(home, 'kept')).isFile()).toBe(true);
});

it('leaves the mode of a directory that is narrow already', () => {
  chmodSync(home, 0o500);
  makePrivateDirectory(home);
  expect(modeOf(home)).toBe('500');
  chmodSync(home, 0o700);
});
