import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/kernel/package-root.ts';
import type { SimulatorBill } from '../../src/simulator/bill.ts';
import { ClickHouseHttpServer, serverPassword, serverUser } from '../support/clickhouse-http-server.ts';
import { InstalledPackage } from '../support/installed-package.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { RedisServer } from '../support/redis-server.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { sizeOf } from '../support/size-of.ts';
import { documentedFile } from './documented-files.ts';

/*
 * The packed package as a server installs it: PostgreSQL, Redis, ClickHouse and one provider, without what is embedded. The
 * documented program runs on them, and what is not installed is asked for by an error with the command.
 */

const timeoutMs = 600_000;
const commandLine = join('node_modules', 'millrace', 'dist', 'src', 'cli', 'millrace-command.js');
const canRunHere = [postgresPrograms(), redisPrograms()].every((programs) => canRun(programs));

describe.skipIf(!canRunHere)('the package on servers', () => {
  let installed: InstalledPackage;
  let simulatorUrl: string;
  let environment: Record<string, string>;
  const directory = mkdtempSync(join(tmpdir(), 'millrace-package-stores-'));
  const stops: (() => Promise<unknown> | void)[] = [
    () => rmSync(directory, { recursive: true, force: true }),
  ];

  beforeAll(async () => {
    const guide = readFileSync(join(packageRoot(), 'docs', 'installation.md'), 'utf8');
    const command = /^(npm install millrace\b.*)$/m.exec(guide)?.[1] ?? '';
    installed = await InstalledPackage.create(command);
    stops.push(() => installed.close());
    const columnsDirectory = join(directory, 'columns');
    mkdirSync(columnsDirectory);
    const columns = new ClickHouseHttpServer(columnsDirectory);
    const [postgres, redis] = await Promise.all([
      PostgresServer.start(),
      RedisServer.start(),
      columns.start(),
    ]);
    stops.push(
      () => columns.stop(),
      () => postgres.stop(),
      () => redis.stop(),
    );
    environment = {
      MILLRACE_CONFIG: 'millrace.json',
      MILLRACE_LOG_LEVEL: 'silent',
      MILLRACE_POSTGRES_URL: await postgres.createDatabase('millrace'),
      MILLRACE_QUEUE_URL: redis.url,
      MILLRACE_CLICKHOUSE_URL: columns.url,
      MILLRACE_CLICKHOUSE_USER: serverUser,
      MILLRACE_CLICKHOUSE_PASSWORD: serverPassword,
    };
    const [, url = ''] = await installed.start(
      [commandLine, 'simulator'],
      /^OpenAI base URL\s+(\S+)\/openai\/v1$/,
    );
    simulatorUrl = url;
    configure({ openai: { kind: 'openai', baseUrl: `${url}/openai/v1`, apiKey: 'simulated' } });
    installed.write('summarise.ts', documentedFile('summarise.ts'));
    installed.write('tsconfig.json', documentedFile('tsconfig.json'));
    await installed.compile();
  }, timeoutMs);

  afterAll(async () => {
    for (const stop of stops.toReversed()) await stop();
  });

  function configure(providers: Record<string, unknown>): void {
    installed.write('millrace.json', JSON.stringify({ models: { providers } }));
  }

  const start = (changed: Record<string, string | undefined>) => {
    const given = Object.entries({ ...environment, ...changed });
    const kept = given.filter((entry): entry is [string, string] => entry[1] !== undefined);
    return installed.run(process.execPath, [join('out', 'summarise.js')], Object.fromEntries(kept));
  };

  it('takes at most 120 MB with all that it depends on', () => {
    expect(sizeOf(join(installed.directory, 'node_modules')) / 1e6).toBeLessThanOrEqual(120);
  });

  it('runs the documented program: what it prints is what the provider billed', async () => {
    const { stdout } = await start({});
    const response = await fetch(`${simulatorUrl}/_simulator/bill?since=0`);
    const bill = (await response.json()) as SimulatorBill;
    expect(bill.requests).toBe(1);
    expect(stdout).toMatch(/^\d+ completed, 0 dead-lettered$/m);
    expect(stdout).toContain(` ${bill.totalUsd} USD\n`);
  });

  it('says how to install the embedded stores when they are asked for', async () => {
    const embedded = /npm install "@electric-sql\/pglite@\^[\d.]+" "chdb@\^[\d.]+"/;
    await expect(start({ MILLRACE_POSTGRES_URL: undefined, MILLRACE_QUEUE_URL: undefined })).rejects.toThrow(
      embedded,
    );
    await expect(start({ MILLRACE_CLICKHOUSE_URL: undefined })).rejects.toThrow(embedded);
  });

  it('says how to install the client of S3 when a bucket is named', async () => {
    await expect(start({ MILLRACE_S3_BUCKET: 'payloads' })).rejects.toThrow(
      /npm install "@aws-sdk\/client-s3@\^[\d.]+"/,
    );
  });

  it('says how to install what a configured provider needs', async () => {
    configure({ anthropic: { kind: 'anthropic', apiKey: 'simulated' } });
    await expect(start({})).rejects.toThrow(/npm install "@ai-sdk\/anthropic@\^[\d.]+"/);
  });
});
