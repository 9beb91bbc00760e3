import { spawnSync } from 'node:child_process';
import type * as fileSystem from 'node:fs';
import { expect, it, vi } from 'vitest';
import { chromiumPrograms, directoryOf, installNothing } from './required-programs.ts';

// A machine that has no program at all.
vi.mock('node:fs', async (original) => ({
  ...(await original<typeof fileSystem>()),
  accessSync: () => {
    throw new Error('not there');
  },
}));
vi.mock('node:child_process', () => ({
  spawnSync: vi.fn<() => unknown>(() => ({ status: 0, stdout: '', stderr: '' })),
}));

it('installs nothing where that is not wanted, and says what is missing', () => {
  installNothing();
  expect(() => directoryOf(chromiumPrograms())).toThrow(
    'Chromium is needed: the package chromium is not installed and this program installs nothing.',
  );
  expect(spawnSync).not.toHaveBeenCalled();
});
