import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { ConfigurationInput } from '../../src/host/configuration.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { ClickHouseHttpServer, serverPassword, serverUser } from '../support/clickhouse-http-server.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { RedisServer } from '../support/redis-server.ts';
import type { LoopReport } from './loop-stalls.ts';

/** Bytes, as process.memoryUsage() has them. */
export type HostMemory = Readonly<Record<'rss' | 'heapUsed' | 'external' | 'arrayBuffers', number>>;

/** What the host's process tells. */
export type HostAnswer =
  | { readonly kind: 'ready'; readonly url: string; readonly keys: [string, string] }
  | { readonly kind: 'report'; readonly loop: LoopReport; readonly memory: HostMemory };

export interface FuzzedHostOptions {
  /** `servers`: PostgreSQL, Redis and ClickHouse's interface are other processes. `embedded`: all is in the host's. */
  readonly stores: 'embedded' | 'servers';
  /** Where a profile of the host's processor time is written when it ends. */
  readonly profileDirectory?: string;
  readonly http?: ConfigurationInput['http'];
}

/** A host in a process of its own, with its stores, for requests from outside. */
export class FuzzedHost {
  readonly url: string;
  /** Of all teams, and of one. */
  readonly keys: [string, string];
  readonly #child: ChildProcess;
  readonly #end: () => Promise<void>;

  private constructor(
    child: ChildProcess,
    { url, keys }: Extract<HostAnswer, { kind: 'ready' }>,
    end: () => Promise<void>,
  ) {
    this.#child = child;
    this.url = url;
    this.keys = keys;
    this.#end = end;
  }

  static async start(options: FuzzedHostOptions): Promise<FuzzedHost> {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-fuzz-'));
    const ends: (() => Promise<void>)[] = [
      () => rm(directory, { recursive: true, force: true, maxRetries: 5 }),
    ];
    const end = async (): Promise<void> => {
      for (const one of ends.toReversed()) await one();
    };
    try {
      const servers = options.stores === 'servers' ? await startServers(directory, ends) : {};
      const config: ConfigurationInput = {
        dataDirectory: join(directory, 'data'),
        http: { port: 0, ...options.http },
        logging: { level: 'error' },
        startup: { allow: ['ledger_unsafe', 'queue_unsafe'] },
        ...servers,
      };
      const profile =
        options.profileDirectory === undefined
          ? []
          : ['--cpu-prof', `--cpu-prof-dir=${options.profileDirectory}`];
      const child = fork(join(import.meta.dirname, 'fuzz-host.ts'), [JSON.stringify(config)], {
        execArgv: profile,
        cwd: packageRoot(),
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      ends.push(() => ended(child));
      return new FuzzedHost(child, await hear(child, 'ready'), end);
    } catch (error) {
      await end();
      throw error;
    }
  }

  /** What its event loop and its memory were since the last time. */
  async report(): Promise<Extract<HostAnswer, { kind: 'report' }>> {
    const answer = hear(this.#child, 'report');
    this.#child.send('report');
    return await answer;
  }

  /** Asks /health/live all the while that the work takes; answers how many milliseconds each answer took. */
  async watchLive(work: () => Promise<void>): Promise<readonly number[]> {
    const probe = new Worker(join(import.meta.dirname, 'live-probe.ts'), { workerData: { url: this.url } });
    try {
      await work();
      const told = once(probe, 'message') as Promise<[number[]]>;
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      probe.postMessage('end');
      return (await told)[0];
    } finally {
      await probe.terminate();
    }
  }

  stop(): Promise<void> {
    return this.#end();
  }
}

async function startServers(
  directory: string,
  ends: (() => Promise<void>)[],
): Promise<Pick<ConfigurationInput, 'ledger' | 'queue' | 'columnStore'>> {
  const postgres = await PostgresServer.start();
  ends.push(() => postgres.stop());
  const redis = await RedisServer.start();
  ends.push(() => redis.stop());
  const clickHouse = new ClickHouseHttpServer(join(directory, 'usage'));
  ends.push(() => clickHouse.stop());
  await clickHouse.start();
  return {
    ledger: { url: postgres.connectionString },
    queue: { url: redis.url },
    columnStore: { url: clickHouse.url, user: serverUser, password: serverPassword },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.send('end');
  const deadline = setTimeout(() => child.kill('SIGKILL'), 30_000);
  await exit;
  clearTimeout(deadline);
}

function hear<Kind extends HostAnswer['kind']>(
  child: ChildProcess,
  kind: Kind,
): Promise<Extract<HostAnswer, { kind: Kind }>> {
  return new Promise((resolve, reject) => {
    const onMessage = (answer: HostAnswer): void => {
      if (answer.kind !== kind) return;
      child.off('message', onMessage);
      child.off('exit', onExit);
      resolve(answer as Extract<HostAnswer, { kind: Kind }>);
    };
    const onExit = (code: number | null): void => reject(new Error(`The host ended with ${code}.`));
    child.on('message', onMessage);
    child.on('exit', onExit);
  });
}
