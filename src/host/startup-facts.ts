import type { ColumnStore } from '../drivers/column-store/column-store.ts';
import type { SqlDatabase, SqlStatement } from '../drivers/sql-database/sql-database.ts';
import { AppError } from '../kernel/app-error.ts';
import type { Clock } from '../kernel/clock.ts';
import { stateOfModel } from '../engine/providers/model-state.ts';
import type { ProviderRegistry } from '../engine/providers/provider-registry.ts';
import type { StageDefinition } from '../engine/pipeline/stage-definition.ts';
import type { Pricer } from '../pricing/price.ts';
import { listPendingLedgerMigrations, listPendingMigrations } from './operator-stores.ts';
import type { StartupFacts } from './startup-checks.ts';

/* Reads what the start-up checks judge. Embedded stores share this process's clock and have no settings of their own. */

export interface FactSources {
  readonly database: SqlDatabase;
  readonly columns: ColumnStore;
  /** Absent: the queue is not looked at. */
  readonly queues:
    { warnings(): Promise<readonly string[]>; serverTime?(): Promise<Date | undefined> } | undefined;
  readonly clock: Clock;
  readonly isEmbedded: boolean;
  /** False: the schemas were brought up to date just now. */
  readonly checksMigrations: boolean;
  /** False: this process neither exports usage records nor reports them. */
  readonly needsUsage: boolean;
  readonly definitions: readonly StageDefinition[];
  readonly pricer: Pricer;
  readonly providers: ProviderRegistry;
  readonly unknownVariables: readonly string[];
}

const readTime: SqlStatement = { name: 'startup.read_time', text: 'select clock_timestamp() as now' };

const readSettings: SqlStatement = {
  name: 'startup.read_settings',
  text: `select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'full_page_writes')`,
};

export async function readStartupFacts(sources: FactSources): Promise<StartupFacts> {
  const { database, columns, queues, isEmbedded, checksMigrations, definitions } = sources;
  const asksUsage = columns.kind === 'clickhouse' && sources.needsUsage;
  const usage = asksUsage ? await readUsage(sources) : noUsage;
  const usageIsAway = columns.kind === 'clickhouse' && (!asksUsage || usage.problem !== undefined);
  const settings = isEmbedded
    ? []
    : (await database.query<{ name: string; setting: string }>(readSettings)).rows;
  return {
    queueWarnings: (await queues?.warnings()) ?? [],
    clocks: [...(await readClocks(sources)), ...usage.clocks],
    pendingMigrations: checksMigrations
      ? await (usageIsAway ? listPendingLedgerMigrations(database) : listPendingMigrations(sources))
      : [],
    ledgerSettings: Object.fromEntries(settings.map(({ name, setting }) => [name, setting])),
    usageTables: usage.tables,
    usageProblem: usage.problem,
    unknownVariables: sources.unknownVariables,
    stages: definitions.map(({ name, consumes }) => ({
      name,
      type: consumes.typeName,
      acceptsAnything: acceptsAnything(consumes),
    })),
    models: definitions.flatMap((definition) =>
      definition.models.map((reference) => ({
        reference,
        stage: definition.name,
        state: stateOfModel(reference, sources),
      })),
    ),
  };
}

type ClockFacts = StartupFacts['clocks'];

async function readClocks({ database, queues, isEmbedded, clock }: FactSources): Promise<ClockFacts> {
  const clocks = [];
  if (!isEmbedded) {
    const ledger = async (): Promise<Date | undefined> =>
      (await database.query<{ now: Date }>(readTime)).rows[0]?.now;
    clocks.push(await compare('PostgreSQL', clock, ledger));
  }
  if (queues?.serverTime !== undefined) {
    clocks.push(
      await compare("the queue's store", clock, () => queues.serverTime?.() ?? Promise.resolve(undefined)),
    );
  }
  return clocks.filter((found) => found !== undefined);
}

/** How far a clock is from ours at least: what the question took is taken off. */
async function compare(
  name: string,
  clock: Clock,
  ask: () => Promise<Date | undefined>,
): Promise<ClockFacts[number] | undefined> {
  const before = clock.now().getTime();
  const theirs = await ask();
  const after = clock.now().getTime();
  if (theirs === undefined) return undefined;
  const time = theirs.getTime();
  if (time >= before && time <= after) return { name, skewMs: 0 };
  return { name, skewMs: time > after ? time - after : time - before };
}

interface UsageFacts {
  readonly clocks: ClockFacts;
  readonly tables: StartupFacts['usageTables'];
  readonly problem: string | undefined;
}

const noUsage: UsageFacts = { clocks: [], tables: [], problem: undefined };

async function readUsage({ columns, clock }: FactSources): Promise<UsageFacts> {
  try {
    const now = async (): Promise<Date | undefined> => {
      const [row] = await columns.query<{ now: string }>('SELECT toUnixTimestamp64Milli(now64(3)) AS now');
      return row === undefined ? undefined : new Date(Number(row.now));
    };
    const clockFact = await compare('ClickHouse', clock, now);
    const rows = await columns.query<{ name: string; engine: string }>(
      `SELECT name, engine_full AS engine FROM system.tables
       WHERE database = {database:String} AND engine LIKE '%MergeTree' AND name != 'schema_migrations' ORDER BY name`,
      { database: columns.database },
    );
    return {
      clocks: clockFact === undefined ? [] : [clockFact],
      tables: rows.map(({ name, engine }) => ({ name, windowBlocks: windowOf(engine) })),
      problem: undefined,
    };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { ...noUsage, problem: error.message };
  }
}

function windowOf(engine: string): number {
  return Number(/replicated_deduplication_window = (?<blocks>\d+)/.exec(engine)?.groups?.['blocks'] ?? 0);
}

/** Things of every kind; no schema of real data takes them all. */
const probes: readonly unknown[] = [null, true, 42, 'text', ['list'], { key: 'value' }];

function acceptsAnything(consumes: StageDefinition['consumes']): boolean {
  const newest = Math.max(...consumes.versions);
  return probes.every((probe) => {
    try {
      consumes.read(newest, probe);
      return true;
    } catch {
      // Refused, which is what a schema is for.
      return false;
    }
  });
}
