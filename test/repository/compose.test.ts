import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { listSettings, loadConfiguration } from '../../src/host/load-configuration.ts';
import { version } from '../../src/host/version.ts';
import { BullMqQueueDriver } from '../../src/drivers/queue/queue-driver.bullmq.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { canRun, directoryOf, redisPrograms } from '../support/required-programs.ts';
import { freePort, ServerProcess } from '../support/server-process.ts';

/* The production stack, as far as it can be judged without containers: docker-compose.yml and what it refers to. */

const root = packageRoot();
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const serviceSchema = z.looseObject({
  image: z.string(),
  environment: z.record(z.string(), z.union([z.string(), z.number(), z.null()])).default({}),
  volumes: z.array(z.string()).default([]),
  healthcheck: z.looseObject({ test: z.array(z.string()) }).optional(),
  restart: z.string(),
  logging: z.unknown(),
  deploy: z.object({ resources: z.object({ limits: z.object({ cpus: z.string(), memory: z.string() }) }) }),
});
const text = read('docker-compose.yml');
const compose = z
  .looseObject({
    services: z.record(z.string(), serviceSchema),
    volumes: z.record(z.string(), z.unknown()),
  })
  .parse(parse(text, { merge: true }));
const services = Object.entries(compose.services);
const ownImage = compose.services['api']?.image ?? '';
const ownServices = services.filter(([, { image }]) => image === ownImage);

const variable = /\$\{([A-Z_]+)(?::[-?][^}]*)?\}/g;
const exampleLines = read('.env.example').split('\n');

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-compose-'));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

describe('docker-compose.yml', () => {
  it('has a service for each role and each store', () => {
    const names = services.map(([name]) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        'api',
        'worker',
        'maintenance',
        'postgres',
        'redis',
        'clickhouse',
        'prometheus',
        'alertmanager',
        'grafana',
      ]),
    );
  });

  it.each(ownServices)('gives %s settings that exist, and that make a valid configuration', (_, service) => {
    const known = new Set(['MILLRACE_CONFIG', ...listSettings().map(({ env }) => env)]);
    expect(Object.keys(service.environment).filter((name) => !known.has(name))).toEqual([]);
    const environment = Object.fromEntries(
      Object.entries(service.environment)
        .filter(([, value]) => value !== null)
        .map(([name, value]) => [name, String(value).replaceAll(variable, 'secret')]),
    );
    expect(() => loadConfiguration({ environment })).not.toThrow();
  });

  it.each(services)('pins the image of %s', (name, { image }) => {
    const pinned = image === ownImage ? `\${MILLRACE_IMAGE:-millrace:${version}}` : image;
    expect(image, name).toBe(pinned);
    expect(image).toMatch(/:v?\d+\.\d+(?:\.\d+)*(?:-[a-z]+)?\}?(?:@sha256:[0-9a-f]{64})?$/);
  });

  it.each(services)('bounds %s: memory, processors, log', (_, { deploy, logging }) => {
    expect(deploy.resources.limits.memory).toMatch(/^\d+[MG]$/);
    expect(Number(deploy.resources.limits.cpus)).toBeGreaterThan(0);
    expect(logging).toMatchObject({ options: { 'max-size': '20m', 'max-file': '5' } });
  });

  it.each(services)('knows whether %s is well, unless it only runs once', (_, { restart, healthcheck }) => {
    expect(healthcheck !== undefined || restart !== 'unless-stopped').toBe(true);
  });

  it('mounts only files that exist and volumes that are declared', () => {
    for (const [name, { volumes }] of services) {
      for (const mount of volumes) {
        const source = mount.split(':', 1)[0] ?? '';
        const isThere = source.startsWith('./') ? existsSync(join(root, source)) : source in compose.volumes;
        expect(isThere, `${name}: ${mount}`).toBe(true);
      }
    }
  });

  it('holds no password: each is required from outside', () => {
    for (const [name, { environment }] of services) {
      for (const [key, value] of Object.entries(environment)) {
        if (!/PASSWORD|AUTH|_POSTGRES_URL|QUEUE_URL/.test(key)) continue;
        expect(value, `${name}: ${key}`).toMatch(/\$\{[A-Z_]+_PASSWORD:\?[^}]+\}/);
      }
    }
  });

  it('reads only variables that .env.example shows', () => {
    const shown = new Set(exampleLines.map((line) => /^#?([A-Z_]+)=/.exec(line)?.[1]));
    const asked = [...text.matchAll(variable)].map((match) => match[1]);
    expect(asked.length).toBeGreaterThan(5);
    expect(asked.filter((name) => !shown.has(name))).toEqual([]);
  });

  it('starts programs and stages that are in the image', () => {
    const compiled = [...text.matchAll(/\/app\/dist\/(\S+?)\.js\b/g)].map((match) => `${match[1]}.ts`);
    expect(compiled.length).toBeGreaterThan(1);
    expect(compiled.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('starts nothing for the network that nobody asked for: no stages but those that .env names', () => {
    const commands = ownServices.map(([, service]) => JSON.stringify(service['command'] ?? []));
    expect(commands.filter((command) => command.includes('--stages')).length).toBeGreaterThan(2);
    for (const command of commands) expect(command).not.toContain('documents.module');
  });

  it("has the example's providers in a valid configuration file", () => {
    const { models } = loadConfiguration({ environment: {}, file: join(root, 'docker', 'example.json') });
    const { command } = z.object({ command: z.array(z.string()) }).parse(compose.services['simulator']);
    const port = command[command.indexOf('--port') + 1];
    for (const provider of ['openai', 'anthropic'] as const) {
      expect(models.providers[provider]).toMatchObject({
        kind: provider,
        baseUrl: `http://127.0.0.1:${port}/${provider}/v1`,
      });
    }
  });
});

describe('the image', () => {
  it("is built on the project's own Node", () => {
    const manifest = z
      .object({ devDependencies: z.object({ node: z.string() }) })
      .parse(JSON.parse(read('package.json')));
    expect(read('Dockerfile')).toContain(`ARG NODE_VERSION=${manifest.devDependencies.node}\n`);
  });

  it('is sent what its build needs, and no secret', () => {
    const lines = read('.dockerignore').split('\n');
    const built = z.object({ include: z.array(z.string()) }).parse(JSON.parse(read('tsconfig.build.json')));
    expect(lines).toContain('*');
    const isSent = (path: string) => lines.includes(`!${path}`) || lines.includes(`!${dirname(path)}`);
    expect(built.include.filter((path) => !isSent(path))).toEqual([]);
    expect(lines.filter((line) => line.startsWith('!.env') || line === '!.')).toEqual([]);
  });

  it('is copied together from what exists', () => {
    const copied = [...read('Dockerfile').matchAll(/^COPY --from=build (.+)$/gm)].flatMap((match) =>
      (match[1] ?? '').split(' ').filter((path) => path.startsWith('/app/')),
    );
    const made = new Set(['/app/dist', '/app/node_modules']);
    expect(copied.length).toBeGreaterThan(5);
    for (const path of copied) {
      expect(made.has(path) || existsSync(join(root, path.slice('/app/'.length))), path).toBe(true);
    }
  });
});

describe('scripts/generate-env.mjs', () => {
  const generate = (...args: readonly string[]) =>
    promisify(execFile)(process.execPath, [join(root, 'scripts', 'generate-env.mjs'), ...args]);

  it('fills every password in with one of its own, for the owner to read', async () => {
    const file = join(temporaryDirectory(), '.env');
    await generate('--output', file);
    const lines = readFileSync(file, 'utf8').split('\n');
    const passwords = lines.flatMap((line) => /^[A-Z_]+_PASSWORD=(.*)$/.exec(line)?.[1] ?? []);
    expect(passwords).toHaveLength(6);
    expect(new Set(passwords).size).toBe(6);
    for (const password of passwords) expect(password).toMatch(/^[0-9a-f]{48}$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(lines).toContain('#COMPOSE_PROFILES=example');
  });

  it('turns the example on when asked', async () => {
    const file = join(temporaryDirectory(), '.env');
    await generate('--example', '--output', file);
    const lines = readFileSync(file, 'utf8').split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'COMPOSE_PROFILES=example',
        'MILLRACE_CONFIG=/app/docker/example.json',
        'MILLRACE_STAGES=/app/dist/examples/documents/documents.module.js',
      ]),
    );
  });

  it('leaves a file alone that is there', async () => {
    const file = join(temporaryDirectory(), '.env');
    await generate('--output', file);
    const before = readFileSync(file, 'utf8');
    await expect(generate('--output', file)).rejects.toMatchObject({ code: 1 });
    expect(readFileSync(file, 'utf8')).toBe(before);
  });
});

describe.skipIf(!canRun(redisPrograms()))('docker/redis/redis.conf', () => {
  it('makes a Redis that the queue has nothing to warn of', async () => {
    const directory = temporaryDirectory();
    const port = await freePort();
    const server = new ServerProcess({
      program: join(directoryOf(redisPrograms()), 'redis-server'),
      arguments: [
        join(root, 'docker', 'redis', 'redis.conf'),
        '--port',
        String(port),
        '--bind',
        '127.0.0.1',
        '--dir',
        directory,
        '--requirepass',
        'secret',
      ],
      logFile: join(directory, 'log'),
      signalWithoutParent: 'KILL',
    });
    cleanups.push(() => server.end('SIGKILL'));
    await server.waitUntil(() =>
      Promise.resolve(/Ready to accept/.test(readFileSync(join(directory, 'log'), 'utf8'))),
    );
    const driver = await BullMqQueueDriver.open({
      url: `redis://:secret@127.0.0.1:${port}`,
      prefix: 'compose',
    });
    cleanups.push(() => driver.close());
    expect(await driver.warnings()).toEqual([]);
  });
});
