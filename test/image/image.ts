/*
 * Builds what the Dockerfile builds, without a container engine, and starts it as its user without rights against real
 * servers: the schemas are migrated, the API becomes ready and answers a key, SIGTERM ends it in order.
 *
 *   npm run image
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { ClickHouseHttpServer, serverPassword, serverUser } from '../support/clickhouse-http-server.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { RedisServer } from '../support/redis-server.ts';
import { freePort } from '../support/server-process.ts';
import { sizeOf } from '../support/size-of.ts';
import { type FollowedImage, followDockerfile, nodeUserId, openForUser } from './follow-dockerfile.ts';

const say = (line: string): void => console.log(line);
const directory = mkdtempSync(join(tmpdir(), 'millrace-image-'));
const cleanups: (() => Promise<unknown> | void)[] = [
  () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }),
];

try {
  const image = followDockerfile({ project: packageRoot(), directory, say });
  chmodSync(directory, 0o755);
  say(`the image's own files: ${(sizeOf(join(image.root, 'app')) / 1e6).toFixed(0)} MB`);
  checkContents(image);
  await startAsItsUser(image);
  say('ok: built, pruned, started without rights, stopped in order');
} finally {
  for (const cleanup of cleanups.toReversed()) await cleanup();
}

/** What must not be in it: development packages, tests, and anything that its user could change. */
function checkContents({ root, user, entrypoint }: FollowedImage): void {
  expect(user === 'node', `the user is ${user}, not node`);
  expect(entrypoint[0] === 'node', 'the entry point is not node');
  const packages = readdirSync(join(root, 'app', 'node_modules'));
  for (const name of ['vitest', 'typescript', 'typescript-native', 'oxlint', 'echarts', 'playwright-core']) {
    expect(!packages.includes(name), `${name} was not pruned`);
  }
  for (const path of readdirSync(join(root, 'app', 'dist'), { recursive: true, encoding: 'utf8' })) {
    expect(!path.includes('.test.'), `${path} is a test`);
  }
  expect(statSync(join(root, 'app')).uid !== nodeUserId, 'the program belongs to the user that runs it');
}

async function startAsItsUser(image: FollowedImage): Promise<void> {
  const stores = await startStores();
  const port = await freePort();
  const environment = {
    ...image.environment,
    PATH: `${join(directory, 'bin')}:/usr/bin:/bin`,
    MILLRACE_HTTP_PORT: String(port),
    MILLRACE_DATA_DIRECTORY: join(image.root, 'var/lib/millrace'),
    ...stores,
  };
  openForUser(image.root, join(image.root, 'tmp'));
  const [program = '', ...words] = image.entrypoint;
  const base = words.map((word) => (word.startsWith('/') ? join(image.root, word) : word));
  const asUser = ['--reuid', String(nodeUserId), '--regid', String(nodeUserId), '--clear-groups', program];
  const cwd = join(image.root, image.workDirectory);
  const runOnce = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync('setpriv', [...asUser, ...base, ...args], {
      cwd,
      env: environment,
      encoding: 'utf8',
    });
    expect(status === 0, `${args.join(' ')} ended with ${status}: ${stderr}`);
    return stdout;
  };
  say(runOnce('migrate').trim());
  const key = runOnce('keys', 'create', '--name', 'image', '--scope', 'costs:read').trim();
  const stages = join(image.root, 'app/dist/examples/documents/documents.module.js');
  const child = spawn('setpriv', [...asUser, ...base, 'start', '--stages', stages], {
    cwd,
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  cleanups.push(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  await untilReady(`http://127.0.0.1:${port}`);
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(metrics.includes('millrace_build_info{'), '/metrics does not tell the build');
  const costs = await fetch(`http://127.0.0.1:${port}/v1/costs?group_by=team`, {
    headers: { authorization: `Bearer ${key}` },
  });
  expect(costs.ok, `a key with costs:read was answered ${costs.status}`);
  child.kill('SIGTERM');
  const [code] = (await ended) as [number | null];
  expect(code === 0, `SIGTERM ended it with ${code}`);
}

async function startStores(): Promise<Record<string, string>> {
  const postgres = await PostgresServer.start();
  cleanups.push(() => postgres.stop());
  const redis = await RedisServer.start({ appendOnly: 'everysec' });
  cleanups.push(() => redis.stop());
  const usage = join(directory, 'usage');
  mkdirSync(usage);
  const clickHouse = new ClickHouseHttpServer(usage);
  await clickHouse.start();
  cleanups.push(() => clickHouse.stop());
  return {
    MILLRACE_POSTGRES_URL: await postgres.createDatabase('image'),
    MILLRACE_QUEUE_URL: redis.url,
    MILLRACE_CLICKHOUSE_URL: clickHouse.url,
    MILLRACE_CLICKHOUSE_USER: serverUser,
    MILLRACE_CLICKHOUSE_PASSWORD: serverPassword,
    OPENAI_API_KEY: 'none',
  };
}

async function untilReady(url: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const isReady = await fetch(`${url}/health/ready`).then(
      (response) => response.ok,
      () => false,
    );
    if (isReady) return;
    expect(Date.now() < deadline, 'it was not ready within a minute');
    await new Promise((next) => setTimeout(next, 100));
  }
}

function expect(isSo: boolean, otherwise: string): void {
  if (!isSo) throw new Error(otherwise);
}
