import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { environment } from '../../src/host/environment.ts';
import { z } from 'zod';
import { packageRoot } from '../../src/kernel/package-root.ts';

/* What is installed and run is what was looked at: digests of packages and images. */

const root = packageRoot();
const entrySchema = z.looseObject({
  integrity: z.string().optional(),
  hasInstallScript: z.boolean().optional(),
  resolved: z.string().optional(),
});
const { packages } = z
  .looseObject({ packages: z.record(z.string(), entrySchema) })
  .parse(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')));
const entries = Object.entries(packages).filter(([place]) => place !== '');

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

describe('package-lock.json', () => {
  it('has the integrity of every package, but of those that no registry here offers', () => {
    const without = entries.filter(([, { integrity }]) => integrity === undefined).map(([place]) => place);
    expect(without).toEqual([
      'node_modules/@chdb/lib-darwin-arm64',
      'node_modules/@chdb/lib-darwin-x64',
      'node_modules/@chdb/lib-linux-arm64-gnu',
    ]);
  });

  it('installs nothing that reports installations', () => {
    expect(entries.filter(([place]) => place.includes('@scarf/'))).toEqual([]);
  });
});

describe('scripts/pin-images.mjs', () => {
  const script = join(root, 'scripts', 'pin-images.mjs');

  it('writes the digest of every image, and then finds none without', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-images-'));
    directories.push(folder);
    for (const file of ['docker-compose.yml', 'Dockerfile'])
      copyFileSync(join(root, file), join(folder, file));
    const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
    writeFileSync(join(folder, 'docker'), `#!/bin/sh\necho ${digest}\n`);
    chmodSync(join(folder, 'docker'), 0o755);
    const env = { ...environment, PATH: `${folder}${delimiter}${environment['PATH'] ?? ''}` };
    const run = (...args: readonly string[]) =>
      promisify(execFile)(process.execPath, [script, '--folder', folder, ...args], { env });
    await run();
    await run('--check');
    const compose = readFileSync(join(folder, 'docker-compose.yml'), 'utf8');
    const images = [...compose.matchAll(/^ +image: (?!\$)(.+)$/gm)].map((match) => match[1] ?? '');
    expect(images.length).toBeGreaterThan(6);
    for (const image of images) expect(image).toMatch(/^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/);
    expect(readFileSync(join(folder, 'Dockerfile'), 'utf8')).toContain(`ARG NODE_DIGEST=@${digest}\n`);
  });
});
