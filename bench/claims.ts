import { migrate } from '../src/drivers/sql-database/migrator.ts';
import { PostgresSqlDatabase } from '../src/drivers/sql-database/sql-database.postgres.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { newId } from '../src/kernel/ids.ts';
import { claimMessages } from '../src/engine/ledger/claim-sql.ts';
import { defaultLaneWeights } from '../src/engine/ledger/lane-shares.ts';
import { MessageLedger } from '../src/engine/ledger/message-ledger.ts';
import { PostgresServer } from '../test/support/postgres-server.ts';
import { benchOptions } from './bench-options.ts';
import { median, percentile } from './statistics.ts';

const help = `node bench/claims.ts [--flood 200000] [--customers 200] [--wanted 64] [--claims 100] [--explain]

How long a claim of 64 messages takes when one customer has flooded the stage with 200,000 and 200 others have a few
each; beside it, on the same rows, leasing 64 messages by their ids, without any choice.
`;

const flags = benchOptions(help, {
  flood: { type: 'string', default: '200000' },
  customers: { type: 'string', default: '200' },
  wanted: { type: 'string', default: '64' },
  claims: { type: 'string', default: '100' },
  explain: { type: 'boolean', default: false },
});
const wanted = Number(flags.wanted);
const claims = Number(flags.claims);

const fill = {
  name: 'bench.fill',
  text: `insert into millrace.messages (id, root_id, source, event_id, type, version, pipeline, stage, owner, lane, team, customer,
     feature, item, trace_parent, body, body_bytes, state, available_at, sweep_at, created_at, admitted_at)
   select id, id, 'bench', id::text, 'thing', 1, 'default', 'work', 'platform', $3, 'blue', $1 || (n % $4::int), 'search', id::text,
     'trace', repeat('x', 400), 400, 'pending', clock_timestamp() - interval '1 hour', clock_timestamp() + interval '1 day',
     clock_timestamp(), clock_timestamp()
   from (select n, gen_random_uuid() as id from generate_series(1, $2::int) as n) as rows`,
};

const leaseByIds = {
  name: 'bench.lease_by_ids',
  text: `with candidate as (
     select m.id from unnest($1::uuid[]) as u(id) join millrace.messages m on m.id = u.id
     where m.state = 'pending' and m.available_at <= clock_timestamp() order by m.id for update of m skip locked)
   update millrace.messages m set state = 'leased', fencing_token = m.fencing_token + 1, deliveries = m.deliveries + 1, leased_by = 'bench',
     leased_at = clock_timestamp(), lease_until = clock_timestamp() + interval '1 minute',
     sweep_at = clock_timestamp() + interval '61 seconds'
   from candidate c where m.id = c.id returning m.*`,
};

const server = await PostgresServer.start({ settings: { shared_buffers: '256MB' } });
try {
  const database = await PostgresSqlDatabase.open({
    connectionString: await server.createDatabase('bench'),
    poolSize: 2,
    statementTimeoutMs: 60_000,
    applicationName: 'bench-claims',
  });
  await migrate(database);
  await database.query(fill, ['flood-', Number(flags.flood), 'interactive', 1]);
  await database.query(fill, ['small-', Number(flags.customers) * 20, 'bulk', Number(flags.customers)]);
  await database.query(fill, [
    'small-',
    Number(flags.customers) * 20,
    'interactive',
    Number(flags.customers),
  ]);
  await database.execute('analyze millrace.messages');
  const ledger = new MessageLedger({ database, clock: systemClock, worker: 'bench' });
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const startedMs = performance.now();
    await work();
    return performance.now() - startedMs;
  };
  const claim = (): Promise<unknown> =>
    Promise.all(
      Array.from({ length: wanted }, () =>
        ledger.claim({ stage: 'work', leaseMs: 60_000, about: newId(new Date()) }),
      ),
    );
  if (flags.explain) {
    const asks = Object.entries(defaultLaneWeights).map(([lane, weight], ask) => ({
      ask,
      stage: 'work',
      lane,
      wanted,
      reach: wanted,
      hops: 128,
      start: 0,
      step: 1 / weight,
      after: '',
      lease_ms: 60_000,
      is_ordered: false,
    }));
    await claim();
    const { rows } = await database.query<Record<string, string>>(
      { name: 'bench.explain', text: `explain (analyze, buffers) ${claimMessages.text}` },
      [JSON.stringify(asks), 'bench'],
    );
    console.log(rows.map((row) => row['QUERY PLAN']).join('\n'));
  }
  const claimsMs: number[] = [];
  const byIdsMs: number[] = [];
  for (let turn = 0; turn < claims; turn += 1) {
    claimsMs.push(await timed(claim));
    const { rows } = await database.query<{ id: string }>(
      { name: 'bench.some', text: `select id from millrace.messages where state = 'pending' limit $1` },
      [wanted],
    );
    byIdsMs.push(await timed(() => database.query(leaseByIds, [rows.map((row) => row.id)])));
  }
  const line = (name: string, times: readonly number[]): string =>
    `${name} p50 ${median(times).toFixed(2)} ms, p95 ${percentile(times, 0.95).toFixed(2)} ms`;
  console.log(`${wanted} messages at a time, ${flags.flood} of one customer and ${flags.customers} others`);
  console.log(line('claimed:      ', claimsMs));
  console.log(line('leased by ids:', byIdsMs));
  console.log(`ratio: ${(median(claimsMs) / median(byIdsMs)).toFixed(2)}`);
  await database.close();
} finally {
  await server.stop();
}
