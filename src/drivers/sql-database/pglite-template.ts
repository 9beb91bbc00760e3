import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { PGlite } from '@electric-sql/pglite';
import { invariant } from '../../kernel/invariant.ts';
import { packageRoot } from '../../kernel/package-root.ts';

/*
 * A new PGlite database is the copy of a template, because making one from nothing (initdb in WASM) takes seconds and
 * close to a gigabyte of memory. The template is an archive of an empty database, made once when the package is
 * built. Without it the database is still made, the slow way.
 *
 * On disk the copy is made beside and renamed into place when it is whole: a process killed meanwhile leaves no
 * half-made database behind that looks like a whole one.
 */

const blockBytes = 512;

/** Opens PGlite on `dataDirectory`, which is made when it does not exist, or in memory. */
export async function openPglite(dataDirectory: string | undefined): Promise<PGlite> {
  const options = {
    relaxedDurability: false,
    // PostgreSQL's own default of 128 MB is taken at once, beside the engine's 128 MB; the rest is the file cache's.
    startParams: [...PGlite.defaultStartParams, '-c', 'shared_buffers=16MB'],
  };
  if (dataDirectory === undefined) {
    return await PGlite.create({ ...options, loadDataDir: new Blob([await templateArchive()]) });
  }
  if (!existsSync(dataDirectory)) {
    const draft = `${dataDirectory}.draft`;
    rmSync(draft, { recursive: true, force: true });
    unpack(await templateArchive(), draft);
    renameSync(draft, dataDirectory);
  }
  return await PGlite.create({ ...options, dataDir: dataDirectory });
}

/** Makes the template's file for the installed PGlite, if it is not there yet, and answers its path. Part of the build. */
export async function makePgliteTemplate(): Promise<string> {
  const path = templatePath();
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}`;
  // The highest level takes three seconds for a seventh less.
  writeFileSync(draft, await promisify(gzip)(await newDatabase(), { level: 1 }));
  renameSync(draft, path);
  return path;
}

function templatePath(): string {
  return join(packageRoot(), 'dist', 'pglite', `${pgliteVersion()}-empty.tar.gz`);
}

function pgliteVersion(): string {
  const entry = createRequire(import.meta.url).resolve('@electric-sql/pglite');
  const manifest: unknown = JSON.parse(readFileSync(join(dirname(entry), '..', 'package.json'), 'utf8'));
  invariant(
    typeof manifest === 'object' && manifest !== null && 'version' in manifest,
    'the installed PGlite has a version',
  );
  return String(manifest.version);
}

/** A new database as a tar archive. */
async function templateArchive(): Promise<Buffer<ArrayBuffer>> {
  const path = templatePath();
  if (!existsSync(path)) return await newDatabase();
  return Buffer.from(await promisify(gunzip)(readFileSync(path)));
}

async function newDatabase(): Promise<Buffer<ArrayBuffer>> {
  const pglite = await PGlite.create();
  try {
    await pglite.exec('CHECKPOINT');
    const dump = await pglite.dumpDataDir('none');
    return Buffer.from(await dump.arrayBuffer());
  } finally {
    await pglite.close();
  }
}

// The archive is plain ustar with files and directories only.
function unpack(archive: Buffer, directory: string): void {
  mkdirSync(directory, { mode: 0o700 });
  for (let at = 0; at + blockBytes <= archive.length && archive[at] !== 0;) {
    const header = archive.subarray(at, at + blockBytes);
    const size = Number.parseInt(text(header, 124, 12), 8) || 0;
    const path = join(directory, text(header, 345, 155), text(header, 0, 100));
    const body = at + blockBytes;
    if (text(header, 156, 1) === '5') {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } else {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(path, archive.subarray(body, body + size), { mode: 0o600 });
    }
    at = body + Math.ceil(size / blockBytes) * blockBytes;
  }
}

function text(header: Buffer, offset: number, length: number): string {
  const field = header.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? length : end).trim();
}
