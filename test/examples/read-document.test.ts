import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultSettings } from '../../examples/documents/documents-settings.ts';
import { maxDocumentBytes, readDocument } from '../../examples/documents/read-document.ts';
import { StoreStage } from '../../examples/documents/store.stage.ts';

let directory: string;
let folder: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-documents-'));
  folder = join(directory, 'texts');
  mkdirSync(join(folder, 'inner'), { recursive: true });
  writeFileSync(join(directory, 'secret'), 'secret');
  writeFileSync(join(folder, 'inner', 'a.md'), 'text');
  writeFileSync(join(folder, 'large'), 'x'.repeat(maxDocumentBytes + 1));
  symlinkSync(join(directory, 'secret'), join(folder, 'link'));
  symlinkSync(directory, join(folder, 'up'));
  symlinkSync('/proc/self', join(folder, 'process'));
  symlinkSync(folder, join(directory, 'same'));
  execFileSync('mkfifo', [join(folder, 'pipe')]);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('a document that a message names', () => {
  it('is read within the folder, by its path there or its whole path', async () => {
    await expect(readDocument(folder, 'inner/a.md')).resolves.toBe('text');
    await expect(readDocument(folder, join(folder, 'inner', 'a.md'))).resolves.toBe('text');
    const same = join(directory, 'same');
    await expect(readDocument(same, join(same, 'inner', 'a.md'))).resolves.toBe('text');
  });

  it.each([
    '/proc/self/environ',
    '/etc/passwd',
    '../secret',
    'inner/../../secret',
    'link',
    'up/secret',
    'process/environ',
    'pipe',
    'inner',
    '.',
    '..',
    '',
    'large',
    'inner/a.md\u0000',
  ])('is refused: %j', async (file) => {
    await expect(readDocument(folder, file)).rejects.toMatchObject({ name: 'DocumentRefused' });
  });
});

describe('the store stage', () => {
  const storing = (resultsDirectory: string, team: string, documentId = 'a') => {
    const message = {
      data: { documentId, title: 't', summary: 's', topic: 'other', keywords: [] },
      origin: { team, customer: 'acme', feature: 'f' },
    };
    const context = { emit: () => undefined, signal: new AbortController().signal };
    const stage = new StoreStage({ ...defaultSettings, resultsDirectory });
    return stage.handle(
      message as unknown as Parameters<StoreStage['handle']>[0],
      context as unknown as Parameters<StoreStage['handle']>[1],
    );
  };

  it('stores the same document forty times side by side without a race, and leaves one file', async () => {
    const results = join(directory, 'results');
    const stored = await Promise.all(Array.from({ length: 40 }, () => storing(results, 'blue')));
    const files = new Set(stored.map(({ file }) => file));
    expect(files.size).toBe(1);
    const [file = ''] = files;
    expect(readdirSync(join(results, file.split('/')[0] ?? ''))).toEqual([file.split('/')[1]]);
  });

  it('keeps the results of teams apart, whatever their names are', async () => {
    const results = join(directory, 'apart');
    const teams = ['blue', 'Blue', '../blue', '/', 'blue\u0000', '..'];
    const stored = await Promise.all(teams.map((team) => storing(results, team)));
    expect(new Set(stored.map(({ file }) => file.toLowerCase())).size).toBe(teams.length);
    for (const [index, { file }] of stored.entries()) {
      expect(file).toMatch(/^team-[a-z0-9-]+\/[0-9a-f]+\.json$/);
      expect(readFileSync(join(results, file), 'utf8')).toContain(JSON.stringify(teams[index]));
    }
  });
});
