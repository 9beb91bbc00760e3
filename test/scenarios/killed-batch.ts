import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchDocument } from '../../src/capabilities/batches/batch-document.ts';
import { makeMigratedPglite } from '../../src/drivers/sql-database/migrated-pglite.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import type { BillEntry, SimulatorBill } from '../../src/simulator/bill.ts';
import type { SeededRandom } from '../chaos/seeded-random.ts';
import { ClickHouseHttpServer, serverPassword, serverUser } from '../support/clickhouse-http-server.ts';
import { fillColumnsDirectory, fillHostDirectory } from '../support/migrated-columns.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { RedisServer } from '../support/redis-server.ts';
import { SimulatorServer } from '../support/simulator-server.ts';
import { isFullDepth } from '../support/test-depth.ts';

/*
 * A batch on stores and a provider of its own, whose hosts are killed at planned points, all at once, and started again until it is
 * over; and what it has left behind.
 */

/** What a host process is told. */
export interface BatchHostOptions {
  readonly directory: string;
  readonly simulatorUrl: string;
  /** The file with the items. */
  readonly input: string;
  /** Whether it makes, fills and starts the batch. */
  readonly submits: boolean;
  readonly chunkItems: number;
  /** Of each stage. */
  readonly concurrency: number;
  /** Absent: embedded, in the directory. */
  readonly services?: BatchServices;
}

export interface BatchServices {
  readonly ledgerUrl: string;
  readonly queueUrl: string;
  readonly columnStore: { readonly url: string; readonly user: string; readonly password: string };
}

/** What a host process tells: once it works, and, of one that submits, once all is over. */
export type BatchHostNews =
  { readonly kind: 'working' } | { readonly kind: 'over'; readonly batch: BatchDocument };

/** Where a host writes the output, in its directory. */
export const outputFile = 'output.jsonl';

/** When all processes are killed. */
export interface KillPoint {
  /** Not before the provider has billed so many requests in all; 0: while the hosts start. */
  readonly billed: number;
  /** So long after that, or once the batch is over. */
  readonly delayMs: number;
  /** Whether requests have to be under way, if the batch is not over. */
  readonly isInMidWork?: boolean;
}

export interface KilledBatchOptions {
  readonly stores: 'embedded' | 'services';
  /** Of its own. */
  readonly directory: string;
  readonly seed: number;
  readonly items: readonly object[];
  readonly chunkItems: number;
  readonly concurrency: number;
  readonly kills: readonly KillPoint[];
}

/** A call as the ledger has it. */
export interface LedgerCall {
  readonly id: string;
  readonly state: string;
  readonly outcome: string | null;
  readonly settlement: string | null;
  readonly cost_usd: string | null;
  readonly upper_bound_usd: string | null;
}

export interface BatchEvidence {
  readonly batch: BatchDocument;
  readonly output: string;
  readonly bill: readonly BillEntry[];
  /** How many requests had been billed at each kill, in order. */
  readonly billedAtKills: readonly number[];
  readonly calls: readonly LedgerCall[];
  /** Of the answer that each place of each message used. */
  readonly usedUsd: readonly string[];
  readonly items: readonly { readonly state: string; readonly chunk: number; readonly cost_usd: string }[];
  readonly chunks: readonly {
    readonly chunk: number;
    readonly state: string;
    readonly items: number;
    readonly ended: number;
    readonly failed: number;
  }[];
  readonly openMessages: number;
  readonly messages: number;
}

const lookEveryMs = 5;

/** The provider's word for what the input holds that it does not take. */
export const refusedWord = 'unprintable';

/** Kills while the hosts start, in the midst of the work wherever that is, and about the batch's end. */
export function planKills(random: SeededRandom, count: number, calls: number): readonly KillPoint[] {
  const shares = Array.from({ length: count - 2 }, () => random.next()).toSorted((a, b) => a - b);
  return [
    { billed: 0, delayMs: random.whole(200, 2500) },
    ...shares.map((share) => ({
      billed: 1 + Math.floor(share * (calls - 2)),
      delayMs: random.whole(0, 150),
      isInMidWork: true,
    })),
    { billed: calls, delayMs: random.whole(0, 600) },
  ];
}

export async function runKilledBatch(options: KilledBatchOptions): Promise<BatchEvidence> {
  const { stores, directory, seed, items, chunkItems, concurrency, kills } = options;
  const closing: (() => Promise<unknown>)[] = [];
  try {
    mkdirSync(directory, { recursive: true });
    const input = join(directory, 'input.jsonl');
    writeFileSync(input, items.map((item) => `${JSON.stringify(item)}\n`).join(''));
    const simulator = await SimulatorServer.start(directory, {
      seed,
      latency: { medianMs: 40, p99Ms: 150 },
      rules: [{ fault: 'content_policy', match: { contains: refusedWord } }],
    });
    closing.push(() => simulator.stop());
    const services = stores === 'services' ? await startServices(directory, closing) : undefined;
    if (services === undefined) await makeMigratedPglite();
    const hosts = Array.from({ length: services === undefined ? 1 : 2 }, (_, place) => {
      const host = {
        directory: join(directory, `host-${place}`),
        simulatorUrl: simulator.url,
        input,
        submits: place === 0,
        chunkItems,
        concurrency,
        ...(services === undefined ? {} : { services }),
      };
      mkdirSync(host.directory);
      return new BatchHost(host);
    });
    // Who is killed may be so in the middle of the migrations.
    if (services === undefined && kills.length === 0)
      for (const host of hosts) await fillHostDirectory(host.directory);
    closing.push(() => allHosts(hosts, (host) => host.kill()));
    const billedAtKills: number[] = [];
    for (const point of kills) {
      for (const host of hosts) host.start();
      await untilPoint(simulator, hosts, point);
      await allHosts(hosts, (host) => host.kill());
      billedAtKills.push(await quietBill(simulator));
    }
    for (const host of hosts) host.start();
    const batch = await Promise.race(hosts.map((host) => host.over()));
    // One that still starts does not know the signal yet.
    await allHosts(hosts, (host) => host.working());
    await allHosts(hosts, (host) => host.terminate());
    const left = await readLedger(hosts[0]?.directory ?? '', services);
    const output = readFileSync(join(hosts[0]?.directory ?? '', outputFile), 'utf8');
    return { batch, output, bill: await simulator.readBill(), billedAtKills, ...left };
  } finally {
    for (const close of closing.toReversed()) await close();
  }
}

/** One process at a time under a name. */
class BatchHost {
  readonly #options: BatchHostOptions;
  #child: ChildProcess | undefined;
  #said = '';
  #over = Promise.withResolvers<BatchDocument>();
  #working = Promise.withResolvers<void>();
  #isOver = false;

  constructor(options: BatchHostOptions) {
    this.#options = options;
  }

  get directory(): string {
    return this.#options.directory;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Resolves when it works; rejects when it ends before. */
  working(): Promise<void> {
    return this.#working.promise;
  }

  /** Resolves when its batch is over; rejects when it ends of itself. */
  over(): Promise<BatchDocument> {
    return this.#over.promise;
  }

  start(): void {
    this.#said = '';
    this.#isOver = false;
    const over = Promise.withResolvers<BatchDocument>();
    // Who waits for it is told; a host that only works has nobody waiting.
    over.promise.catch(() => undefined);
    this.#over = over;
    const working = Promise.withResolvers<void>();
    working.promise.catch(() => undefined);
    this.#working = working;
    const child = fork(join(import.meta.dirname, 'killed-batch-host.ts'), [JSON.stringify(this.#options)], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = `${this.#said}${text}`.slice(-4000);
    });
    child.on('message', (news: BatchHostNews) => {
      if (news.kind === 'working') working.resolve();
      if (news.kind !== 'over') return;
      this.#isOver = true;
      over.resolve(news.batch);
    });
    child.once('exit', (code, signal) => {
      const error = new Error(`A host ended with ${String(code ?? signal)}: ${this.#said}`);
      working.reject(error);
      over.reject(error);
    });
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  terminate(): Promise<void> {
    return this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill(signal);
      await ended;
    }
    this.#child = undefined;
    // An end of its own is a defect, also right before it was to be killed.
    if (child.signalCode !== 'SIGKILL' && child.exitCode !== 0) await this.#over.promise;
  }
}

async function allHosts(hosts: readonly BatchHost[], act: (host: BatchHost) => Promise<void>): Promise<void> {
  await Promise.all(hosts.map(act));
}

async function untilPoint(
  simulator: SimulatorServer,
  hosts: readonly BatchHost[],
  { billed, delayMs, isInMidWork = false }: KillPoint,
): Promise<void> {
  const isOver = (): boolean => hosts.some((host) => host.isOver);
  while (!isOver() && (await billedRequests(simulator)) < billed) await sleep(lookEveryMs);
  // Where in its work that is cannot be waited for: any moment is meant.
  await sleep(delayMs);
  // But one that comes in mid-work finds a request under way, which without the wait it would nearly always.
  if (isInMidWork) while (!isOver() && (await simulator.readStats()).inFlight === 0) await sleep(lookEveryMs);
}

async function billedRequests({ url }: SimulatorServer): Promise<number> {
  return ((await (await fetch(`${url}/_simulator/bill`)).json()) as SimulatorBill).requests;
}

/** How much is billed once nothing is under way any more of what dead processes have asked for. */
async function quietBill(simulator: SimulatorServer): Promise<number> {
  for (;;) {
    const before = await billedRequests(simulator);
    await sleep(4 * lookEveryMs);
    const { inFlight } = await simulator.readStats();
    if (inFlight === 0 && (await billedRequests(simulator)) === before) return before;
  }
}

async function startServices(directory: string, closing: (() => Promise<unknown>)[]): Promise<BatchServices> {
  const postgres = await PostgresServer.start();
  closing.push(() => postgres.stop());
  const redis = await RedisServer.start();
  closing.push(() => redis.stop());
  // Who is killed in the middle of the migrations is so on embedded stores, unless all is wanted.
  if (isFullDepth) mkdirSync(join(directory, 'clickhouse'));
  else await fillColumnsDirectory(join(directory, 'clickhouse'));
  const clickHouse = new ClickHouseHttpServer(join(directory, 'clickhouse'));
  closing.push(() => clickHouse.stop());
  await clickHouse.start();
  return {
    ledgerUrl: await (isFullDepth ? postgres.createDatabase('letters') : postgres.createLedger('letters')),
    queueUrl: redis.url,
    columnStore: { url: clickHouse.url, user: serverUser, password: serverPassword },
  };
}

async function readLedger(
  directory: string,
  services: BatchServices | undefined,
): Promise<Omit<BatchEvidence, 'batch' | 'output' | 'bill' | 'billedAtKills'>> {
  const database: SqlDatabase =
    services === undefined
      ? await PgliteSqlDatabase.open({ dataDirectory: join(directory, 'ledger') })
      : await PostgresSqlDatabase.open({
          connectionString: services.ledgerUrl,
          poolSize: 1,
          statementTimeoutMs: 15_000,
          applicationName: 'test',
        });
  const read = async <Row>(name: string, text: string): Promise<readonly Row[]> =>
    (await database.query<Row>({ name: `test.${name}`, text })).rows;
  try {
    const [counts] = await read<{ open: number; all: number }>(
      'messages',
      'select count(*) filter (where sweep_at is not null)::int as open, count(*)::int as all from millrace.messages',
    );
    return {
      calls: await read(
        'calls',
        'select id::text, state, outcome, settlement, cost_usd::text, upper_bound_usd::text from millrace.calls order by id',
      ),
      usedUsd: (
        await read<{ cost_usd: string }>(
          'used',
          `select distinct on (message_id, step, ordinal) cost_usd::text from millrace.calls
           where state = 'settled' and outcome = 'ok' order by message_id, step, ordinal, attempt desc, fencing_token desc, id desc`,
        )
      ).map(({ cost_usd: costUsd }) => costUsd),
      items: await read(
        'items',
        'select state, chunk, cost_usd::text from millrace.batch_items order by position',
      ),
      chunks: await read(
        'chunks',
        'select chunk, state, items, ended, failed from millrace.batch_chunks order by chunk',
      ),
      openMessages: counts?.open ?? -1,
      messages: counts?.all ?? -1,
    };
  } finally {
    await database.close();
  }
}
