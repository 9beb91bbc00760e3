import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { packageRoot } from '../../src/kernel/package-root.ts';
import type { SimulatorBill } from '../../src/simulator/bill.ts';
import { builtCommand } from '../support/built-package.ts';
import { ClickHouseHttpServer, serverPassword, serverUser } from '../support/clickhouse-http-server.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { RedisServer } from '../support/redis-server.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { freePort } from '../support/server-process.ts';

/*
 * What docker-compose.yml runs, without the containers: migrate, API, worker and maintenance as processes of their own over
 * PostgreSQL, Redis and ClickHouse's HTTP interface, the example's stages, the simulated provider, admission by another.
 */

const documents = 20;
const callsPerDocument = 2;
/** Where docker/example.json expects the provider; here it gets a free port. */
const composedPort = '4010';

const canRunHere = [postgresPrograms(), redisPrograms()].every((program) => canRun(program));

describe.skipIf(!canRunHere)('processes with a role each', () => {
  const cleanups: (() => Promise<unknown> | void)[] = [];
  const processes: { readonly name: string; readonly child: ChildProcess }[] = [];
  const ports = new Map<string, number>();
  let command: string;
  let example: string;
  let environment: Record<string, string>;
  let simulatorUrl: string;

  const run = async (program: string, args: readonly string[], more: Record<string, string> = {}) => {
    const options = { cwd: environment['MILLRACE_DATA_DIRECTORY'], env: { ...environment, ...more } };
    return (await promisify(execFile)(process.execPath, [program, ...args], options)).stdout.trim();
  };
  const start = (name: string, args: readonly string[], more: Record<string, string> = {}): void => {
    const child = spawn(process.execPath, [command, ...args], {
      cwd: environment['MILLRACE_DATA_DIRECTORY'],
      env: { ...environment, MILLRACE_LOG_LEVEL: 'warn', ...more },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    processes.push({ name, child });
    cleanups.push(() => void child.kill('SIGKILL'));
  };
  const isOk = (url: string): Promise<boolean> =>
    fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
  const bill = async (): Promise<SimulatorBill> =>
    (await (await fetch(`${simulatorUrl}/_simulator/bill`)).json()) as SimulatorBill;

  beforeAll(async () => {
    command = await builtCommand();
    example = join(dirname(command), '..', '..', 'examples', 'documents');
    const directory = mkdtempSync(join(tmpdir(), 'millrace-roles-'));
    cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
    const postgres = await PostgresServer.start();
    cleanups.push(() => postgres.stop());
    const redis = await RedisServer.start();
    cleanups.push(() => redis.stop());
    const clickHouse = new ClickHouseHttpServer(join(directory, 'clickhouse'));
    cleanups.push(() => clickHouse.stop());
    await clickHouse.start();
    const port = String(await freePort());
    simulatorUrl = `http://127.0.0.1:${port}`;
    const config = join(directory, 'millrace.json');
    const composed = readFileSync(join(packageRoot(), 'docker', 'example.json'), 'utf8');
    writeFileSync(config, composed.replaceAll(`:${composedPort}/`, `:${port}/`));
    environment = {
      MILLRACE_DATA_DIRECTORY: directory,
      MILLRACE_POSTGRES_URL: await postgres.createDatabase('millrace'),
      MILLRACE_QUEUE_URL: redis.url,
      MILLRACE_CLICKHOUSE_URL: clickHouse.url,
      MILLRACE_CLICKHOUSE_USER: serverUser,
      MILLRACE_CLICKHOUSE_PASSWORD: serverPassword,
      MILLRACE_CONFIG: config,
    };
    await run(command, ['migrate']);
    start('simulator', ['simulator', '--port', port, '--data', join(directory, 'simulator')]);
    for (const name of ['api', 'worker', 'maintenance']) {
      const httpPort = await freePort();
      ports.set(name, httpPort);
      start(name, ['start', '--stages', join(example, 'documents.module.js')], {
        MILLRACE_ROLES: name,
        MILLRACE_HTTP_PORT: String(httpPort),
      });
    }
    const urls = [...ports.values()].map((each) => `http://127.0.0.1:${each}/health/ready`);
    for (const url of [...urls, `${simulatorUrl}/_simulator/stats`]) {
      const isUp = async (): Promise<void> => expect(await isOk(url), url).toBe(true);
      await vi.waitFor(isUp, { timeout: 60_000, interval: 100 });
    }
  });

  afterAll(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup();
  });

  it('bring every admitted document through, and the API shows to the last digit what the provider billed', async () => {
    const admit = () =>
      run(join(example, 'admission-command.js'), ['first', String(documents)], { MILLRACE_ROLES: 'api' });
    expect(await admit()).toContain(`${documents} documents, ${documents} of them new`);
    expect(await admit()).toContain(`${documents} documents, 0 of them new`);
    const key = await run(command, ['keys', 'create', '--name', 'reports', '--scope', 'costs:read']);
    const costs = async (): Promise<{ readonly costUsd: string; readonly calls: number }> => {
      const url = `http://127.0.0.1:${ports.get('api')}/v1/costs?group_by=batch`;
      const response = await fetch(url, { headers: { authorization: `Bearer ${key}` } });
      return ((await response.json()) as { totals: { costUsd: string; calls: number } }).totals;
    };
    const calls = documents * callsPerDocument;
    await expect.poll(async () => (await costs()).calls, { timeout: 60_000, interval: 200 }).toBe(calls);
    const { totalUsd, requests } = await bill();
    expect(requests).toBe(calls);
    expect((await costs()).costUsd).toBe(totalUsd);
    const metrics = await fetch(`http://127.0.0.1:${ports.get('worker')}/metrics`);
    expect(await metrics.text()).toMatch(/^millrace_cost_usd_total\{.*stage="summarise".*\} 0\.0/m);
  });

  it('end in order when they are told to', async () => {
    for (const { name, child } of processes.toReversed()) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      expect([name, ...(await ended)]).toEqual([name, 0, null]);
    }
  });
});
