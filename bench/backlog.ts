import { migrate } from '../src/drivers/sql-database/migrator.ts';
import { PostgresSqlDatabase } from '../src/drivers/sql-database/sql-database.postgres.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { newId } from '../src/kernel/ids.ts';
import { LedgerCounts } from '../src/engine/ledger/ledger-counts.ts';
import { type Admission, MessageLedger } from '../src/engine/ledger/message-ledger.ts';
import { ParkedMessages } from '../src/engine/ledger/parked-messages.ts';
import { Retention } from '../src/engine/maintenance/retention.ts';
import { SweepLedger } from '../src/engine/ledger/sweep-ledger.ts';
import { Waits } from '../src/engine/ledger/waits.ts';
import { PostgresServer } from '../test/support/postgres-server.ts';
import { benchOptions } from './bench-options.ts';
import { median, percentile } from './statistics.ts';

const help = `node bench/backlog.ts [--sizes 1000,100000,1000000] [--customers 200] [--times 30]

What a host does over and over, and what its workers do all the time, with 1,000, 100,000 and 1,000,000 messages
waiting; beside each, on the same rows, counting the messages themselves.
`;

const flags = benchOptions(help, {
  sizes: { type: 'string', default: '1000,100000,1000000' },
  customers: { type: 'string', default: '200' },
  times: { type: 'string', default: '30' },
});
const sizes = flags.sizes.split(',').map(Number);
const times = Number(flags.times);
const atOnce = 64;

const fill = {
  name: 'bench.fill',
  text: `insert into millrace.messages (id, root_id, source, event_id, type, version, pipeline, stage, owner, lane, team, customer,
     feature, item, trace_parent, body, body_bytes, state, available_at, sweep_at, created_at, admitted_at)
   select id, id, 'bench', id::text, 'thing', 1, 'default', 'work', 'platform', 'standard', 'blue', 'customer-' || (n % $2::int), 'search', id::text,
     'trace', repeat('x', 400), 400, 'pending', clock_timestamp() - random() * interval '3 hours', 'infinity', clock_timestamp(), clock_timestamp()
   from (select n, gen_random_uuid() as id from generate_series(1, $1::int) as n) as rows`,
};

const countRows = {
  name: 'bench.count_rows',
  text: `select stage, lane, state, count(*)::int as count, min(available_at) as oldest
   from millrace.messages where sweep_at is not null group by stage, lane, state`,
};

function someAdmission(n: number): Admission {
  const id = newId(new Date());
  return {
    envelope: {
      id,
      source: 'bench',
      eventId: id,
      type: 'thing',
      version: 1,
      pipeline: 'default',
      stage: 'work',
      owner: 'platform',
      lane: 'standard',
      origin: { team: 'blue', customer: `customer-${n % Number(flags.customers)}`, feature: 'search' },
      item: id,
      traceParent: 'trace',
    },
    body: { kind: 'inline', json: '{}' },
    bodyBytes: 2,
  };
}

type Row = readonly [what: string, work: () => Promise<unknown>];

const server = await PostgresServer.start({ settings: { shared_buffers: '512MB', max_wal_size: '4GB' } });
const measured = new Map<string, string[]>();
try {
  for (const size of sizes) {
    const database = await PostgresSqlDatabase.open({
      connectionString: await server.createDatabase(`waiting_${size}`),
      poolSize: 2,
      statementTimeoutMs: 240_000,
      applicationName: 'bench-backlog',
    });
    await migrate(database);
    await database.query(fill, [size, Number(flags.customers)]);
    await database.execute('vacuum analyze millrace.messages');
    const ledger = new MessageLedger({ database, clock: systemClock, worker: 'bench' });
    const counts = new LedgerCounts(database);
    const parked = new ParkedMessages(database);
    const retention = new Retention(database, { finishedMs: 86_400_000, exportedMs: 86_400_000 });
    while (await counts.sumUp(20_000));
    const each = (work: (n: number) => Promise<unknown>): Promise<unknown> =>
      Promise.all(Array.from({ length: atOnce }, (_, n) => work(n)));
    const rows: readonly Row[] = [
      [`admit ${atOnce}`, () => each((n) => ledger.admit(someAdmission(n)))],
      [
        `claim ${atOnce}`,
        () => each(() => ledger.claim({ stage: 'work', leaseMs: 60_000, about: newId(new Date()) })),
      ],
      ['sweep (every 1 s)', () => new SweepLedger(database).sweep(500)],
      ['stages that wait (every 2 s)', () => counts.listWaitingStages(['work', 'idle'])],
      ['sum up counts (every 2 s)', () => counts.sumUp(20_000)],
      ['park for blocks (every 250 ms)', () => parked.parkBlocked(2000)],
      ['read counts (a scrape)', () => counts.read()],
      [
        'why work waits (status)',
        async () => [await new Waits(database).listDue(['work']), await new Waits(database).list()],
      ],
      ['retention, a slice (hourly)', () => retention.prune(1000)],
      ['baseline: count the rows', () => database.query(countRows)],
    ];
    for (const [what, work] of rows) {
      const took: number[] = [];
      for (let turn = 0; turn < times; turn += 1) {
        const startedMs = performance.now();
        await work();
        took.push(performance.now() - startedMs);
      }
      const column = `${median(took).toFixed(2)} (p95 ${percentile(took, 0.95).toFixed(2)})`;
      measured.set(what, [...(measured.get(what) ?? []), column]);
    }
    await database.close();
  }
} finally {
  await server.stop();
}
const heads = sizes.map((size) => `${size.toLocaleString('en-US')} waiting`);
console.log(`Milliseconds: median (95th percentile) of ${times}\n`);
console.log(['what'.padEnd(32), ...heads.map((head) => head.padStart(24))].join(''));
for (const [what, columns] of measured)
  console.log([what.padEnd(32), ...columns.map((column) => column.padStart(24))].join(''));
