import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { formatUsd, type Usd } from '../../kernel/money.ts';
import type { CascadeVerdict } from './settlement.ts';

/** $1 the id of a settled call, $2 the verdict, $3 what its answer would have cost at the last model, $4 the rendered record. The first verdict stands. */
const decideAnswer = named(
  'ledger.decide_cascade_answer',
  `with decided as (
     update millrace.calls c set cascade_verdict = $2, cascade_usd = $3::numeric
     where c.id = $1::uuid and c.state = 'settled' and c.outcome = 'ok' and c.cascade_verdict is null and c.invalidated_at is null
     returning c.id),
   recorded as (
     insert into millrace.outbox (target, line) select 'usage', $4 from decided)
   select id from decided`,
);

/** $1 the id of a call. */
const findVerdict = named(
  'ledger.find_cascade_verdict',
  `select cascade_verdict from millrace.calls where id = $1::uuid`,
);

/** A decision about the answer of a model before the last. */
export interface CascadeDecision {
  readonly id: Uuid;
  readonly verdict: CascadeVerdict;
  /** Of an accepted answer; undefined when the last model has no price. */
  readonly cascadeUsd: Usd | undefined;
  /** The rendered usage record that says it. */
  readonly line: string;
}

/** The ledger's part about decisions that come after the call was settled: answers to requests that were put off. */
export class CascadeLedger {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Makes a decision durable, and answers the one that stands: an earlier one is not changed. */
  async decide({ id, verdict, cascadeUsd, line }: CascadeDecision): Promise<CascadeVerdict> {
    const amount = cascadeUsd === undefined ? null : formatUsd(cascadeUsd);
    const { rows: decided } = await this.#database.query(decideAnswer, [id, verdict, amount, line]);
    if (decided.length === 1) return verdict;
    const { rows } = await this.#database.query<{ cascade_verdict: CascadeVerdict | null }>(findVerdict, [
      id,
    ]);
    return rows[0]?.cascade_verdict ?? verdict;
  }
}
