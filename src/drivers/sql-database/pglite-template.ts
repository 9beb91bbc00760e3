import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { PGlite } from '@electric-sql/pglite';
import { invariant } from '../../kernel/invariant.ts';
import { packageRoot } from '../../kernel/package-root.ts';

/*
 * A new PGlite database is the copy of a template, because making one from nothing (initdb in WASM) takes seconds and
 * close to a gigabyte of memory. Templates are archives: one of a database that has the migrations, made by the build, or in
 * an installed package (whose tarball would be five times as large with it) by the first database; it is named by what it was
 * made of, so that one of another time is passed over. And one of an empty database, made when one is asked for, as by a ledger
 * that a command opens without migrating it. Where they cannot be kept, because the package's folder is not to be written to,
 * every process makes them the slow way.
 *
 * On disk the copy is made beside and renamed into place when it is whole: a process killed meanwhile leaves no
 * half-made database behind that looks like a whole one.
 */

const blockBytes = 512;
/** A little more than an archive has. */
const archiveBytes = 48 * 1024 * 1024;

/** An archive as PGlite takes it, without the copies that a Blob would make of its parts. */
class ArchiveBlob extends Blob {
  readonly #archive: Buffer<ArrayBuffer>;

  constructor(archive: Buffer<ArrayBuffer>) {
    super([]);
    this.#archive = archive;
  }

  override arrayBuffer(): Promise<ArrayBuffer> {
    const { buffer, byteOffset, byteLength } = this.#archive;
    const isWhole = byteOffset === 0 && byteLength === buffer.byteLength;
    return Promise.resolve(isWhole ? buffer : buffer.slice(byteOffset, byteOffset + byteLength));
  }
}

/** What WebAssembly memory once held, the process keeps for good. */
const memorySettings = [
  // PostgreSQL's own default of 128 MB is taken at once, beside the engine's 128 MB; the rest is the file cache's.
  'shared_buffers=16MB',
  // ANALYZE reads 300 rows for each of these into memory: by default 30,000 rows, some 50 MB of the ledger's.
  'default_statistics_target=20',
];

/** Opens PGlite on `dataDirectory`, which is made when it does not exist, or in memory; what is new is a copy of the archive. */
export async function openPglite(
  dataDirectory: string | undefined,
  archive: () => Promise<Buffer<ArrayBuffer>> = emptyArchive,
): Promise<PGlite> {
  const options = {
    relaxedDurability: false,
    startParams: [...PGlite.defaultStartParams, ...memorySettings.flatMap((setting) => ['-c', setting])],
  };
  if (dataDirectory === undefined) {
    return await PGlite.create({
      ...options,
      loadDataDir: new ArchiveBlob(await archive()),
    });
  }
  if (!existsSync(dataDirectory)) {
    const draft = `${dataDirectory}.draft`;
    rmSync(draft, { recursive: true, force: true });
    unpack(await archive(), draft);
    renameSync(draft, dataDirectory);
  }
  return await PGlite.create({ ...options, dataDir: dataDirectory });
}

/** Whether there is a template that has the migrations of this digest. */
export function hasMigratedTemplate(digest: string): boolean {
  return hasTemplate(migratedPath(digest));
}

/** Keeps a database that has the migrations of this digest as a template, in the place of older ones. */
export async function keepMigratedTemplate(digest: string, archive: Buffer<ArrayBuffer>): Promise<void> {
  const path = migratedPath(digest);
  await writeTemplate(path, archive);
  if (!existsSync(path)) return;
  const others = readdirSync(dirname(path)).filter((name) => name.includes('-migrated-'));
  for (const name of others) if (name !== basename(path)) rmSync(join(dirname(path), name), { force: true });
}

/** That template. */
export async function readMigratedTemplate(digest: string): Promise<Buffer<ArrayBuffer>> {
  return await readTemplate(migratedPath(digest));
}

function migratedPath(digest: string): string {
  return templatePath(`migrated-${digest}`);
}

/** Templates that the package's folder cannot take: kept for this process. */
const unwritten = new Map<string, Buffer<ArrayBuffer>>();

function hasTemplate(path: string): boolean {
  return unwritten.has(path) || existsSync(path);
}

/** Keeps a template for later databases: in the package's folder, or in the process where that folder cannot take it. */
async function writeTemplate(path: string, archive: Buffer<ArrayBuffer>): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  const params = { [constants.ZSTD_c_compressionLevel]: 3 };
  const compressed = await promisify(zstdCompress)(archive, { params });
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(draft, compressed);
    renameSync(draft, path);
  } catch (error) {
    if (!isUnwritable(error)) throw error;
    unwritten.set(path, archive);
    // What was written of it, if anything was.
    if (existsSync(draft)) rmSync(draft, { force: true });
  }
}

/** No right to write there, or no room. */
const unwritableCodes = ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT'];

function isUnwritable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && unwritableCodes.includes(String(error.code));
}

async function readTemplate(path: string): Promise<Buffer<ArrayBuffer>> {
  const kept = unwritten.get(path);
  if (kept !== undefined) return kept;
  // One piece where it fits: pieces are allocated, filled and joined one by one.
  return await promisify(zstdDecompress)(readFileSync(path), { chunkSize: archiveBytes });
}

function templatePath(content: string): string {
  return join(packageRoot(), 'dist', 'pglite', `${pgliteVersion()}-${content}.tar.zst`);
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

/** A new database as a tar archive, of the template, which the first one makes. */
async function emptyArchive(): Promise<Buffer<ArrayBuffer>> {
  const path = templatePath('empty');
  if (hasTemplate(path)) return await readTemplate(path);
  const archive = await newDatabase();
  await writeTemplate(path, archive);
  return archive;
}

/** A new PGlite database in memory, made from nothing where there is no template of an empty one. */
export async function newPglite(): Promise<PGlite> {
  return hasTemplate(templatePath('empty')) ? await openPglite(undefined) : await PGlite.create();
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
