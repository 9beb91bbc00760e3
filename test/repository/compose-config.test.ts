import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { composeConfig } from '../support/docker-compose.ts';
import { canRun, composePrograms } from '../support/required-programs.ts';

/* docker-compose.yml as Docker Compose itself reads it. `config` needs no engine. */

const execute = promisify(execFile);
const root = packageRoot();

const resolvedSchema = z.object({
  services: z.record(
    z.string(),
    z.looseObject({
      profiles: z.array(z.string()).optional(),
      ports: z.array(z.union([z.string(), z.looseObject({ host_ip: z.string() })])).default([]),
      volumes: z
        .array(z.union([z.string(), z.looseObject({ type: z.string(), source: z.string() })]))
        .default([]),
    }),
  ),
});

describe.skipIf(!canRun(composePrograms()))('docker compose config', () => {
  const directories: string[] = [];
  afterEach(() => {
    for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
  });

  const temporaryDirectory = (): string => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-compose-'));
    directories.push(directory);
    return directory;
  };

  /** The stack of a set of profiles; `environment` is what .env would hold. */
  const config = async (profiles: readonly string[], environment: Record<string, string>) => {
    const scratch = temporaryDirectory();
    const text = await composeConfig({ project: root, scratch, profiles, environment });
    // Compose 1 also prints what no profile asks for.
    const services = Object.entries(resolvedSchema.parse(parse(text)).services).filter(
      ([, service]) => service.profiles?.some((profile) => profiles.includes(profile)) ?? true,
    );
    return { text, services };
  };

  const secrets = async (...args: readonly string[]): Promise<Record<string, string>> => {
    const file = join(temporaryDirectory(), '.env');
    const script = join(root, 'scripts', 'generate-env.mjs');
    await execute(process.execPath, [script, ...args, '--output', file]);
    const lines = readFileSync(file, 'utf8').matchAll(/^([A-Z_]+)=(.*)$/gm);
    return Object.fromEntries(Array.from(lines, ([, name, value]) => [name, value]));
  };

  it.each([
    { profiles: [], without: ['documents', 'otel-collector', 'simulator'] },
    { profiles: ['example'], without: ['otel-collector'] },
    { profiles: ['example', 'otel'], without: [] },
  ])('is valid with the profiles $profiles', async ({ profiles, without }) => {
    const stack = await config(profiles, await secrets());
    const names = stack.services.map(([name]) => name);
    expect(names).toEqual(expect.arrayContaining(['api', 'worker', 'maintenance', 'postgres', 'grafana']));
    expect(names.filter((name) => without.includes(name))).toEqual([]);
    expect(stack.text).not.toMatch(/[^$]\$\{/);
    for (const [name, { ports, volumes }] of stack.services) {
      for (const port of ports) {
        expect(typeof port === 'string' ? port : port.host_ip, name).toMatch(/^127\.0\.0\.1(?::|$)/);
      }
      const sources = volumes.map((volume) =>
        typeof volume === 'string' ? (volume.split(':', 1)[0] ?? '') : volume.source,
      );
      const files = sources.filter((source) => source.startsWith('/'));
      expect(
        files.filter((source) => !existsSync(source)),
        name,
      ).toEqual([]);
    }
  });

  it('gives each service the passwords that .env holds', async () => {
    const environment = await secrets('--example');
    const { text } = await config(['example'], environment);
    const passwords = Object.entries(environment).filter(([name]) => name.endsWith('_PASSWORD'));
    expect(passwords).toHaveLength(6);
    for (const [name, password] of passwords) expect(text, name).toContain(password);
  });

  it.each(['POSTGRES_PASSWORD', 'REDIS_PASSWORD', 'CLICKHOUSE_PASSWORD', 'GRAFANA_PASSWORD'])(
    'refuses to go on without %s, and says what makes it',
    async (missing) => {
      const { [missing]: _, ...environment } = await secrets();
      await expect(config([], environment)).rejects.toMatchObject({
        stderr: expect.stringContaining('run node scripts/generate-env.mjs'),
      });
    },
  );
});
