import type {
  SqlDatabase,
  SqlExecutor,
  SqlResult,
  SqlStatement,
} from '../../src/drivers/sql-database/sql-database.ts';

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly 'Relation Name'?: string;
  readonly Plans?: readonly PlanNode[];
}

/** How many rows of tables a plan read, those that a filter threw away among them. */
function rowsRead(node: PlanNode): number {
  const removed = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
  const own = node['Relation Name'] !== undefined && node['Node Type'].includes('Scan');
  const below = (node.Plans ?? []).reduce((sum, child) => sum + rowsRead(child), 0);
  return below + (own ? (node['Actual Rows'] + removed) * node['Actual Loops'] : 0);
}

class Undone extends Error {}

const explainable = /^\s*(?:select|with|insert|update|delete)\b/;

/** Asks PostgreSQL, before each of the first runs of a statement, how many rows it reads, and notes the most. */
export class ExplainingDatabase implements SqlDatabase {
  readonly kind = 'postgres';
  /** By the statement's name. */
  readonly mostRead = new Map<string, number>();
  readonly #inner: SqlDatabase;
  /** How often each was explained, by its name. */
  readonly timesExplained = new Map<string, number>();
  readonly #times: number;

  constructor(inner: SqlDatabase, times: number) {
    this.#inner = inner;
    this.#times = times;
  }

  async query<Row>(statement: SqlStatement, parameters: readonly unknown[] = []): Promise<SqlResult<Row>> {
    if (this.#isToExplain(statement)) {
      await this.#inner
        .transaction(async (transaction) => {
          await this.#explain(transaction, statement, parameters);
          throw new Undone();
        })
        .catch((error: unknown) => {
          if (!(error instanceof Undone)) throw error;
        });
    }
    return await this.#inner.query<Row>(statement, parameters);
  }

  transaction<T>(work: (transaction: SqlExecutor) => Promise<T>): Promise<T> {
    return this.#inner.transaction((transaction) =>
      work({
        query: async <Row>(statement: SqlStatement, parameters: readonly unknown[] = []) => {
          if (this.#isToExplain(statement)) {
            await transaction.execute('savepoint explained');
            await this.#explain(transaction, statement, parameters);
            await transaction.execute('rollback to savepoint explained');
          }
          return await transaction.query<Row>(statement, parameters);
        },
        execute: (script) => transaction.execute(script),
      }),
    );
  }

  execute(script: string): Promise<void> {
    return this.#inner.execute(script);
  }

  connections(): ReturnType<SqlDatabase['connections']> {
    return this.#inner.connections();
  }

  ping(): Promise<void> {
    return this.#inner.ping();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #isToExplain({ name, text }: SqlStatement): boolean {
    const times = this.timesExplained.get(name) ?? 0;
    if (times === this.#times || !explainable.test(text)) return false;
    this.timesExplained.set(name, times + 1);
    return true;
  }

  async #explain(
    executor: SqlExecutor,
    { name, text }: SqlStatement,
    parameters: readonly unknown[],
  ): Promise<void> {
    const { rows } = await executor.query<{ 'QUERY PLAN': readonly { readonly Plan: PlanNode }[] | string }>(
      { name: `explain.${name}`, text: `explain (analyze, timing off, format json) ${text}` },
      parameters,
    );
    const answer = rows[0]?.['QUERY PLAN'] ?? [];
    const plans = typeof answer === 'string' ? (JSON.parse(answer) as { Plan: PlanNode }[]) : answer;
    const read = plans.reduce((sum, { Plan }) => sum + rowsRead(Plan), 0);
    this.mostRead.set(name, Math.max(this.mostRead.get(name) ?? 0, read));
  }
}
