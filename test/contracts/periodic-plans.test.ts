import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '../../src/drivers/sql-database/migrator.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import type { SqlStatement } from '../../src/drivers/sql-database/sql-database.ts';
import { listOverdueStages, sweepMessages } from '../../src/ledger/sweep-sql.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';

/* Statements that run every second or two must not read a backlog that they have nothing to do with. */

const waiting = 300_000;
const customers = 50;

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly 'Relation Name'?: string;
  readonly Plans?: readonly PlanNode[];
}

/** How many rows of messages a plan read, those that a filter threw away among them. */
function rowsRead(node: PlanNode): number {
  const removed = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
  const own = node['Relation Name'] === 'messages' && node['Node Type'].includes('Scan');
  const below = (node.Plans ?? []).reduce((sum, child) => sum + rowsRead(child), 0);
  return below + (own ? (node['Actual Rows'] + removed) * node['Actual Loops'] : 0);
}

describe.skipIf(!canRun(postgresPrograms()))('with 300,000 messages waiting', () => {
  let server: PostgresServer;
  let database: PostgresSqlDatabase;
  beforeAll(async () => {
    server = await PostgresServer.start({ settings: { fsync: 'off' } });
    database = await PostgresSqlDatabase.open({
      connectionString: server.connectionString,
      poolSize: 2,
      statementTimeoutMs: 240_000,
      applicationName: 'plans',
    });
    await migrate(database);
    await database.query(
      {
        name: 'test.fill',
        text: `insert into millrace.messages (id, root_id, source, event_id, type, version, pipeline, stage, owner, lane, team,
            customer, feature, item, trace_parent, body, body_bytes, state, available_at, wake_at, created_at, admitted_at)
          select id, id, 'test', n::text, 'work', 1, 'default', 'work', 'platform', 'standard', 'blue',
            'customer-' || n % $2, 'shop', n::text, '', '{}', 2, 'pending', now(), now() + interval '1 hour', now(), now()
          from (select n, gen_random_uuid() as id from generate_series(1, $1::int) n) made`,
      },
      [waiting, customers],
    );
    await database.execute('analyze millrace.messages');
  }, 280_000);
  afterAll(async () => {
    await database.close();
    await server.stop();
  });

  async function read(statement: SqlStatement, parameters: readonly unknown[]): Promise<number> {
    const { rows } = await database.query<{ 'QUERY PLAN': string | readonly { Plan: PlanNode }[] }>(
      { name: `explain.${statement.name}`, text: `explain (analyze, format json) ${statement.text}` },
      parameters,
    );
    const answer = rows[0]?.['QUERY PLAN'] ?? [];
    const plans = typeof answer === 'string' ? (JSON.parse(answer) as { Plan: PlanNode }[]) : answer;
    expect(plans).toHaveLength(1);
    return plans.reduce((sum, { Plan }) => sum + rowsRead(Plan), 0);
  }

  it('the sweeper finds nothing without reading them', async () => {
    expect(await read(sweepMessages, [500])).toBeLessThan(10);
  });

  it('the list of overdue stages looks at each customer, not at each message', async () => {
    expect(await read(listOverdueStages, [['work', 'idle'], 60_000])).toBeLessThan(4 * customers);
  });
});
