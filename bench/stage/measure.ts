import type { BenchStores } from './bench-stores.ts';
import { SubjectHost } from './subject-host.ts';
import type { SubjectKind, SubjectOptions } from './subject.ts';

/** A subject in one of the ways in which work comes to it. */
export interface Setup {
  readonly name: string;
  readonly kind: SubjectKind;
  /** `own`: the process feeds itself while it works. `backlog`: another process has added all before. */
  readonly feed: 'own' | 'backlog';
  readonly processes: number;
}

export interface Load {
  readonly stages: number;
  readonly warmUp: number;
  readonly concurrency: number;
  readonly hops: number;
  /** How many jobs are sent alone, for the latency; none for a backlog. */
  readonly latencySamples: number;
}

/** What one round found. Processor time and WAL are a job. */
export interface Measurement {
  readonly settings: string;
  readonly perSecond: number;
  /** Until all is finished and exported as well. */
  readonly drainedPerSecond: number;
  readonly nodeMs: number;
  readonly postgresMs: number;
  readonly redisMs: number;
  /** Absent without PostgreSQL. */
  readonly walBytes?: number;
  /** Which share of the jobs each process took up. */
  readonly shares: readonly number[];
  readonly latenciesMs: readonly number[];
}

/**
 * Measures one setup in processes of its own. Each first works in a store that is not measured, so that its code is
 * compiled; then the same process opens the one that is.
 */
export async function measure(setup: Setup, load: Load, stores: BenchStores): Promise<Measurement> {
  const hosts = Array.from({ length: setup.processes }, () => new SubjectHost());
  try {
    for (const host of hosts) await warmUp(host, setup, load, stores);
    if (setup.feed === 'backlog') await addBacklog(setup, load, stores);
    return await run(hosts, setup, load, stores);
  } catch (error) {
    throw new Error(`${setup.name} failed`, { cause: error });
  } finally {
    for (const host of hosts) await host.end();
  }
}

async function run(
  hosts: readonly SubjectHost[],
  setup: Setup,
  load: Load,
  stores: BenchStores,
): Promise<Measurement> {
  const [first] = hosts;
  if (first === undefined) throw new Error('a setup has a process');
  let settings = '';
  for (const [index, host] of hosts.entries()) {
    const role = index === 0 ? 'first' : 'further';
    ({ settings } = await host.ask({ kind: 'open', options: await optionsOf(setup, load, stores, role) }));
  }
  if (setup.feed === 'own') await first.ask({ kind: 'start' });
  const before = await stores.use();
  const work =
    setup.feed === 'own'
      ? [first.ask({ kind: 'feed', count: load.stages })]
      : hosts.map((host) => host.ask({ kind: 'start' }));
  await Promise.all([...work, SubjectHost.untilHandled(hosts, load.stages)]);
  const { done, atMs } = await first.ask({ kind: 'until_done' });
  if (done !== null && done !== load.stages)
    throw new Error(`${done} jobs are done, ${load.stages} were added`);
  const after = await stores.use();
  const accounts = await Promise.all(hosts.map((host) => host.ask({ kind: 'account' })));
  const handled = accounts.reduce((sum, account) => sum + account.handled, 0);
  const working = accounts.filter((account) => account.handled > 0);
  const beganMs = Math.min(...working.map((account) => account.beganMs));
  const lastMs = Math.max(...working.map((account) => account.lastMs));
  if (handled !== load.stages)
    console.error(`${setup.name}: ${handled - load.stages} jobs were taken up a second time`);
  const latenciesMs =
    setup.feed === 'own' && load.latencySamples > 0
      ? await first.ask({ kind: 'measure_latency', count: load.latencySamples })
      : [];
  for (const host of hosts) await host.ask({ kind: 'close' });
  const aJob = (total: number): number => total / load.stages;
  return {
    settings,
    perSecond: load.stages / ((lastMs - beganMs) / 1000),
    drainedPerSecond: load.stages / ((atMs - beganMs) / 1000),
    nodeMs: aJob(accounts.reduce((sum, account) => sum + account.cpuMs, 0)),
    postgresMs: aJob(after.postgresMs - before.postgresMs),
    redisMs: aJob(after.redisMs - before.redisMs),
    ...(stores.hasPostgres ? { walBytes: aJob(after.walBytes - before.walBytes) } : {}),
    shares: accounts.map((account) => account.handled / handled),
    latenciesMs,
  };
}

async function warmUp(host: SubjectHost, setup: Setup, load: Load, stores: BenchStores): Promise<void> {
  const ground: Setup = { ...setup, name: `warm-${setup.kind}`, feed: 'own', processes: 1 };
  await host.ask({ kind: 'open', options: await optionsOf(ground, load, stores, 'first') });
  await host.ask({ kind: 'start' });
  await Promise.all([
    host.ask({ kind: 'feed', count: load.warmUp }),
    SubjectHost.untilHandled([host], load.warmUp),
  ]);
  await host.ask({ kind: 'until_done' });
  await host.ask({ kind: 'close' });
}

async function addBacklog(setup: Setup, load: Load, stores: BenchStores): Promise<void> {
  const adder = new SubjectHost();
  try {
    await adder.ask({ kind: 'open', options: await optionsOf(setup, load, stores, 'adder') });
    await adder.ask({ kind: 'add_backlog', count: load.stages });
    await adder.ask({ kind: 'close' });
  } finally {
    await adder.end();
  }
}

async function optionsOf(
  { kind, name }: Setup,
  { concurrency, hops }: Load,
  stores: BenchStores,
  role: SubjectOptions['role'],
): Promise<SubjectOptions> {
  const ownName = name.replaceAll(':', '-');
  const postgresUrl = await stores.database(ownName);
  return {
    kind,
    name: ownName,
    ...(postgresUrl === undefined ? {} : { postgresUrl }),
    redisUrl: stores.redis.url,
    // An embedded ledger is in the directory, for one process after another; otherwise each has its own.
    directory: stores.directory(postgresUrl === undefined ? ownName : `${ownName}-${role}`),
    concurrency,
    hops,
    role,
  };
}
