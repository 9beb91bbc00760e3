import { ApiKeys } from '../src/capabilities/access/api-keys.ts';
import { findKeys } from '../src/capabilities/access/api-key-sql.ts';
import { digestOf } from '../src/capabilities/access/key-secret.ts';
import { migrate } from '../src/drivers/sql-database/migrator.ts';
import { PostgresSqlDatabase } from '../src/drivers/sql-database/sql-database.postgres.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { PostgresServer } from '../test/support/postgres-server.ts';
import { benchOptions } from './bench-options.ts';
import { processCpuMs } from './process-cpu.ts';
import { median } from './statistics.ts';

const help = `node bench/keys.ts [--keys 1000] [--lookups 5000] [--together 1,20,200] [--rounds 5]

What the look-up of a request's key costs, which every request of the API makes: processor time of this process and of
PostgreSQL for each, when requests come one after another and many together. Beside it the same statement for each
request alone, as it would be without asking for those together that come together.
`;

const flags = benchOptions(help, {
  keys: { type: 'string', default: '1000' },
  lookups: { type: 'string', default: '5000' },
  together: { type: 'string', default: '1,20,200' },
  rounds: { type: 'string', default: '5' },
});
const lookups = Number(flags.lookups);
const rounds = Number(flags.rounds);

interface Cost {
  readonly nodeUs: number;
  readonly postgresUs: number;
}

const server = await PostgresServer.start();
try {
  const database = await PostgresSqlDatabase.open({
    connectionString: await server.createDatabase('bench'),
    poolSize: 4,
    statementTimeoutMs: 60_000,
    applicationName: 'bench-keys',
  });
  await migrate(database);
  const keys = new ApiKeys({ database, clock: systemClock });
  const made: string[] = [];
  for (let number = 0; number < Number(flags.keys); number += 1)
    made.push((await keys.create({ name: `bench ${number}`, scopes: ['costs:read'] })).key);
  const keyOf = (number: number): string => made[number % made.length] ?? '';
  const together = async (number: number): Promise<unknown> => await keys.verify(keyOf(number));
  const alone = async (number: number): Promise<unknown> =>
    await database.query(findKeys, [[digestOf(keyOf(number))]]);

  /** Processor time of one look-up, when so many are under way at once. */
  const measure = async (ask: (number: number) => Promise<unknown>, parallel: number): Promise<Cost> => {
    const before = process.cpuUsage();
    const postgres = processCpuMs(server.pid);
    for (let first = 0; first < lookups; first += parallel)
      await Promise.all(Array.from({ length: parallel }, (_, place) => ask(first + place)));
    const { user, system } = process.cpuUsage(before);
    return {
      nodeUs: (user + system) / lookups,
      postgresUs: ((processCpuMs(server.pid) - postgres) * 1000) / lookups,
    };
  };

  // The first calls compile code.
  await measure(together, 20);
  await measure(alone, 20);
  for (const parallel of flags.together.split(',').map(Number)) {
    const costs: Cost[] = [];
    const baselines: Cost[] = [];
    for (let round = 0; round < rounds; round += 1) {
      costs.push(await measure(together, parallel));
      baselines.push(await measure(alone, parallel));
    }
    const [cost, baseline] = [medianOf(costs), medianOf(baselines)];
    const ratio = (cost.nodeUs + cost.postgresUs) / (baseline.nodeUs + baseline.postgresUs);
    console.log(
      `${String(parallel).padStart(4)} at once: ${text(cost)} a look-up; each for itself ${text(baseline)}: ratio ${ratio.toFixed(2)}`,
    );
  }
  await database.close();
} finally {
  await server.stop();
}

function medianOf(costs: readonly Cost[]): Cost {
  return {
    nodeUs: median(costs.map(({ nodeUs }) => nodeUs)),
    postgresUs: median(costs.map(({ postgresUs }) => postgresUs)),
  };
}

function text({ nodeUs, postgresUs }: Cost): string {
  return `Node ${nodeUs.toFixed(0)} µs, PostgreSQL ${postgresUs.toFixed(0)} µs`;
}
