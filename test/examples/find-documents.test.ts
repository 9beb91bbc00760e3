import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findDocuments, findPackageTexts } from '../../examples/documents/find-documents.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-documents-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, content: string | Uint8Array = 'Some text.'): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

async function idsOf(found: ReturnType<typeof findDocuments>): Promise<readonly string[]> {
  const outcome = await found;
  expect(outcome.kind).toBe('found');
  return outcome.kind === 'found' ? outcome.documents.map(({ id }) => id) : [];
}

describe('documents of a folder', () => {
  it('are its text files, sorted by path', async () => {
    for (const path of ['b.txt', 'a/z.md', 'a/Z.md', 'a.md']) write(path);
    await expect(idsOf(findDocuments(folder))).resolves.toEqual(['a.md', 'a/Z.md', 'a/z.md', 'b.txt']);
  });

  it('are not hidden, installed, empty, binary or too large', async () => {
    write('kept.txt');
    write('.hidden/text.txt');
    write('node_modules/zod/README.md');
    write('empty.txt', '');
    write('picture.png', new Uint8Array([1, 0, 2]));
    write('large.txt', 'x'.repeat(1_000_001));
    await expect(idsOf(findDocuments(folder))).resolves.toEqual(['kept.txt']);
  });

  it('are missing without the folder, and none without text', async () => {
    await expect(findDocuments(join(folder, 'nowhere'))).resolves.toEqual({
      kind: 'missing',
      folder: join(folder, 'nowhere'),
    });
    write('file');
    await expect(findDocuments(join(folder, 'file'))).resolves.toMatchObject({ kind: 'missing' });
    mkdirSync(join(folder, 'nothing'));
    await expect(findDocuments(join(folder, 'nothing'))).resolves.toMatchObject({ kind: 'empty' });
  });
});

describe('texts of installed packages', () => {
  it('are README and licence texts, of scoped and nested packages too', async () => {
    for (const name of [
      'README.md',
      'LICENSE',
      'LICENSE-MIT',
      'licence.txt',
      'license.js',
      'index.js',
      'CHANGELOG.md',
    ]) {
      write(`node_modules/one/${name}`);
    }
    write('node_modules/@scope/two/readme.markdown');
    write('node_modules/one/node_modules/three/LICENSE.md');
    write('node_modules/one/docs/README.md');
    write('node_modules/.bin/README.md');
    write('deep/er/here.txt');
    await expect(idsOf(findPackageTexts(join(folder, 'deep', 'er')))).resolves.toEqual([
      '@scope/two/readme.markdown',
      'one/LICENSE',
      'one/LICENSE-MIT',
      'one/README.md',
      'one/licence.txt',
      'one/node_modules/three/LICENSE.md',
    ]);
  });
});
