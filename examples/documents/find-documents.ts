import type { Dirent } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';

/*
 * Which documents there are, always in the same order. Without a folder these are README and licence texts of the
 * installed packages: real text that lies on every machine that can run this.
 */

/** A document that can be admitted. */
export interface FoundDocument {
  /** Its path within the folder, with forward slashes. */
  readonly id: string;
  readonly file: string;
}

export type FindOutcome =
  | { readonly kind: 'found'; readonly folder: string; readonly documents: readonly FoundDocument[] }
  /** There is no such folder. */
  | { readonly kind: 'missing'; readonly folder: string }
  /** There is, but no text in it that could be used. */
  | { readonly kind: 'empty'; readonly folder: string };

const maxBytes = 1_000_000;
const sniffedBytes = 4096;
const packageText = /^(?:readme|licen[cs]e)(?:[-_][a-z0-9]+)*(?:\.(?:md|markdown|txt|rst))?$/i;

/** The text files of a folder and the folders in it, except hidden ones, installed packages, and what is too large. */
export async function findDocuments(folder: string): Promise<FindOutcome> {
  return outcomeOf(resolve(folder), textFilesIn);
}

/** README and licence texts of the packages in the `node_modules` that is nearest upwards from a folder. */
export async function findPackageTexts(from: string): Promise<FindOutcome> {
  const modules = await nearestModules(resolve(from));
  if (modules === undefined) return { kind: 'missing', folder: join(resolve(from), 'node_modules') };
  return outcomeOf(modules, packageTextsIn);
}

/** The `node_modules` that is nearest upwards from a folder. */
export async function packagesFolder(from: string): Promise<string> {
  return (await nearestModules(resolve(from))) ?? join(resolve(from), 'node_modules');
}

async function outcomeOf(
  folder: string,
  filesIn: (folder: string) => AsyncGenerator<string>,
): Promise<FindOutcome> {
  if (!(await isFolder(folder))) return { kind: 'missing', folder };
  const documents: FoundDocument[] = [];
  for await (const file of filesIn(folder)) {
    documents.push({ id: relative(folder, file).split(sep).join('/'), file });
  }
  // By code units, which no locale changes.
  documents.sort((left, right) => (left.id < right.id ? -1 : 1));
  return documents.length === 0 ? { kind: 'empty', folder } : { kind: 'found', folder, documents };
}

async function* textFilesIn(folder: string): AsyncGenerator<string> {
  for (const entry of await entriesOf(folder)) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* textFilesIn(path);
    else if (entry.isFile() && (await isUsableText(path))) yield path;
  }
}

async function* packageTextsIn(modules: string): AsyncGenerator<string> {
  for (const entry of await entriesOf(modules)) {
    if (!entry.isDirectory() || entry.name.startsWith('.')) continue;
    const path = join(modules, entry.name);
    if (entry.name.startsWith('@')) yield* packageTextsIn(path);
    else yield* textsOfPackage(path);
  }
}

async function* textsOfPackage(folder: string): AsyncGenerator<string> {
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name === 'node_modules') yield* packageTextsIn(path);
    else if (entry.isFile() && packageText.test(entry.name) && (await isUsableText(path))) yield path;
  }
}

function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true });
}

/** Neither empty nor too large, and without the zero bytes that no text has at its beginning. */
async function isUsableText(path: string): Promise<boolean> {
  const { size } = await stat(path);
  if (size === 0 || size > maxBytes) return false;
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(sniffedBytes), 0, sniffedBytes, 0);
    return !buffer.subarray(0, bytesRead).includes(0);
  } finally {
    await file.close();
  }
}

async function nearestModules(from: string): Promise<string | undefined> {
  for (let folder = from; ; folder = dirname(folder)) {
    const modules = join(folder, 'node_modules');
    if (await isFolder(modules)) return modules;
    if (folder === dirname(folder)) return undefined;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return false;
    throw error;
  }
}
